"""Prompts in a real ledger: byte for byte, by content, and imported from controlnet specs."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq import clips, prompts
from cosmosq.db import Ledger, open_ledger
from cosmosq.engines.parameters import PARAMETERS, PROMPT
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of
from cosmosq.paths import Workspace
from cosmosq.prompts import Draft, PromptRecord
from tests.acceptance.command_line import rows, traces
from tests.ledger_rows import NOW
from tests.media import MEDIA, make_video
from tests.unit.test_spec import NVIDIA, SPECS
from tests.unit.values import other_value, words

needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="NVIDIA's specs are not next to this repository")


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = open_ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


def _add(ledger: Ledger, text: str = "a kitchen", **more: Any) -> PromptRecord:
    return prompts.add(ledger, [Draft(**{"text": text, "clip": "shot", **more})], NOW)[0]


def _refused(ledger: Ledger, *drafts: Draft) -> str:
    before = rows(ledger.path)
    with pytest.raises((InvalidInput, NotFound)) as refused:
        prompts.add(ledger, drafts, NOW)
    assert rows(ledger.path) == before
    return str(refused.value)


# Texts


@given(text=words, negative=st.one_of(st.none(), words))
def test_any_text_is_kept_character_by_character(ledger: Ledger, text: str, negative: str | None) -> None:
    record = _add(ledger, text, negative_text=negative)
    found = prompts.get(ledger, record.id)
    assert (found.text, found.negative_text, found.clip) == (text, negative, "shot")
    assert len(record.id) == 15


@pytest.mark.parametrize(
    ("draft", "message"),
    [
        ({"text": ""}, "the text of a prompt is empty"),
        ({"text": " \n\t"}, "the text of a prompt is empty"),
        ({"text": "a\x00b"}, "the text of a prompt holds a NUL byte: remove it"),
        ({"text": "a\udcff"}, "the text of a prompt is not valid UTF-8: save it as UTF-8"),
        ({"negative_text": " "}, "the negative text of a prompt is empty"),
        ({"negative_text": "\x00"}, "the negative text of a prompt holds a NUL byte"),
        ({"name": ""}, "the name of a prompt is empty"),
        ({"name": "a\nb"}, "a b is no name for a prompt: one line"),
        ({"name": "ps_mine"}, "ps_mine is no name for a prompt"),
        ({"name": "x" * 201}, "x" * 60 + " is no name for a prompt"),
        ({"clip": "shto"}, "shto is no clip (did you mean shot?): `cosmosq clip list` shows them"),
        ({"parameters": {"guidnace": 7}}, "guidnace is no parameter (did you mean guidance?)"),
        ({"parameters": {"guidance": -7}}, "guidance = -7 is not allowed: give a number from 0 to 100"),
    ],
)
def test_what_is_no_prompt_is_refused_and_nothing_is_written(
    ledger: Ledger, draft: dict[str, Any], message: str
) -> None:
    assert _refused(ledger, Draft(**{"text": "a kitchen", "clip": "shot", **draft})).startswith(message)


def test_prompts_are_added_all_or_none(ledger: Ledger) -> None:
    drafts = [Draft(text=f"prompt {number}", clip="shot") for number in range(5)]
    assert "holds a NUL" in _refused(ledger, *drafts, Draft(text="\x00", clip="shot"))
    assert "is no clip" in _refused(ledger, *drafts, Draft(text="a", clip="other"))
    assert "is taken by" in _refused(ledger, *drafts, Draft(text="a", clip="shot", name="kitchen"))
    assert len(prompts.add(ledger, drafts, NOW)) == 5


# Names and ids


def test_an_id_is_made_of_the_content_alone(ledger: Ledger) -> None:
    first = _add(ledger, name="one")
    assert first.id.startswith("ps_")
    assert _add(ledger) == first
    others = [
        _add(ledger, "another text"),
        _add(ledger, negative_text="blur"),
        _add(ledger, parameters={"seed": 3}),
        _add(ledger, parameters={"seed": 4}),
    ]
    assert len({record.id for record in (first, *others)}) == 5


def test_parameters_are_kept_in_their_types(ledger: Ledger) -> None:
    record = _add(ledger, parameters={"seed": "3", "guidance": "7", "use_distilled": "yes"})
    assert prompts.get(ledger, record.id).parameters == {"seed": 3, "guidance": 7.0, "use_distilled": True}


def test_a_prompt_is_found_by_id_beginning_of_an_id_and_name(ledger: Ledger) -> None:
    record = _add(ledger, name="dusk")
    for reference in (record.id, record.id[:10], "dusk"):
        assert prompts.get(ledger, reference) == record


def test_a_beginning_that_fits_several_and_a_name_of_none_are_refused(ledger: Ledger) -> None:
    added = [_add(ledger, f"prompt {number}").id for number in range(40)]
    shared = next(a[:4] for a in added if sum(b.startswith(a[:4]) for b in added) > 1)
    with pytest.raises(InvalidInput, match=rf"^{shared} fits \d+ prompts: give more of the id$"):
        prompts.get(ledger, shared)
    with pytest.raises(NotFound, match=r"^kichten is no prompt \(did you mean kitchen\?\): `cosmosq prompt list`"):
        prompts.get(ledger, "kichten")
    for reference in ("", "ps_", "%", "ps_%", "_", "ps___"):
        with pytest.raises(NotFound):
            prompts.get(ledger, reference)


def test_a_prompt_is_removed_unless_a_job_uses_it(ledger: Ledger) -> None:
    record = _add(ledger)
    prompts.remove(ledger, [record.id])
    with pytest.raises(NotFound):
        prompts.get(ledger, record.id)
    assert [found.name for found in prompts.list_prompts(ledger)] == ["kitchen"]


# Controlnet specs


def _import(ledger: Ledger, workspace: Workspace, *paths: Path, root: Path | None = None) -> list[PromptRecord]:
    return prompts.import_specs(ledger, workspace, paths, root=root, now=NOW)


def _inputs(ledger: Ledger, record: PromptRecord) -> dict[str, str]:
    return {video.role: video.sha256 for video in clips.get(ledger, record.clip).videos}


@needs_specs
@pytest.mark.parametrize("name", NVIDIA)
def test_each_of_nvidias_specs_is_imported_or_says_which_video_is_missing(
    ledger: Ledger, workspace: Workspace, name: str
) -> None:
    values, inputs = NVIDIA[name]
    missing = [path for path in inputs.values() if not (MEDIA / Path(path).name).is_file()]
    before = traces(workspace.root)
    if missing:
        with pytest.raises(NotFound) as refused:
            _import(ledger, workspace, SPECS / f"{name}.json", root=MEDIA)
        assert f"the video {missing[0]} is missing" in str(refused.value)
        assert refused.value.exit_code == 3
        assert traces(workspace.root) == before
        return
    (record,) = _import(ledger, workspace, SPECS / f"{name}.json", root=MEDIA)
    spec = json.loads((SPECS / f"{name}.json").read_text(encoding="utf-8"))
    assert (record.name, record.text, record.parameters) == (name, spec.get("prompt", PROMPT), values)
    assert _inputs(ledger, record) == {role: sha256_of(MEDIA / Path(path).name) for role, path in inputs.items()}


@needs_specs
def test_specs_of_the_same_videos_share_one_clip(ledger: Ledger, workspace: Workspace) -> None:
    edge, vis = (SPECS / f"inference_cosmos_transfer1_single_control_{hint}.json" for hint in ("edge", "vis"))
    records = _import(ledger, workspace, edge, vis, edge, root=MEDIA)
    assert len({record.clip for record in records}) == 1
    assert records[0] == records[2]
    assert records[0].id != records[1].id


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec whose video lies beside it."""
    make_video(tmp_path / "specs" / "assets" / "color.mp4", seed=9)
    path = tmp_path / "specs" / "dusk.json"
    path.write_text(json.dumps({"prompt": "dusk", "input_video_path": "assets/color.mp4", "edge": {}}))
    return path


def test_every_parameter_of_a_spec_becomes_the_prompts_own_default(
    ledger: Ledger, workspace: Workspace, spec: Path
) -> None:
    general = {p.name: other_value(p) for p in PARAMETERS if "." not in p.name}
    wired = {**general, "regional_prompts": json.loads(str(general["regional_prompts"]))}
    document = {**json.loads(spec.read_text()), **wired, "seg": {"input_control_prompt": "cup", "control_weight": 2}}
    spec.write_text(json.dumps(document))
    (record,) = _import(ledger, workspace, spec)
    assert record.negative_text == general.pop("negative_prompt")
    own = {"edge.weight": 0.5, "seg.weight": 2.0, "seg.control_prompt": "cup"}
    assert record.parameters == {**general, **own}


def test_a_video_is_looked_for_beside_the_spec_above_it_and_below_the_root(
    ledger: Ledger, workspace: Workspace, spec: Path, tmp_path: Path
) -> None:
    (spec.parent / "deep").mkdir()
    deeper = Path(shutil.copy(spec, spec.parent / "deep" / "dawn.json"))
    elsewhere = Path(shutil.copy(spec, tmp_path / "night.json"))
    flat = tmp_path / "flat"
    flat.mkdir()
    shutil.copy(spec.parent / "assets" / "color.mp4", flat)
    records = [*_import(ledger, workspace, spec, deeper), *_import(ledger, workspace, elsewhere, root=flat)]
    assert len({json.dumps(_inputs(ledger, record)) for record in records}) == 1
    assert [record.name for record in records] == ["dusk", "dusk", "dusk"], "the same contents are the same prompt"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('{"prompt": "x",\n', "second.json:2: broken JSON"),
        ('{"prompt": "x", "edgy": {}}', "edgy is no hint (did you mean edge?)"),
        ('{"prompt": "x", "edge": {}}', "names no video: give it an input_video_path"),
        ('{"prompt": " ", "input_video_path": "assets/color.mp4"}', "the text of a prompt is empty"),
        ('{"input_video_path": "assets/none.mp4"}', "the video assets/none.mp4 is missing"),
        ('{"input_video_path": "dusk.json"}', "dusk.json is no video"),
        ('{"input_video_path": "a\\u0000b"}', "is missing"),
        ('{"edge": {"input_control": "assets/color.mp4", "control_weight": "m.pt"}}', "is a weight map"),
    ],
)
def test_specs_are_imported_all_or_none(
    ledger: Ledger, workspace: Workspace, spec: Path, change: str, message: str
) -> None:
    second = spec.with_name("second.json")
    second.write_text(change)
    before = traces(workspace.root)
    with pytest.raises((InvalidInput, NotFound)) as refused:
        _import(ledger, workspace, spec, second)
    assert message in str(refused.value)
    assert "second.json" in str(refused.value) or "prompt is empty" in message or "no video" in message
    assert traces(workspace.root) == before


def test_a_spec_that_is_not_there_or_no_text_is_said_by_name(
    ledger: Ledger, workspace: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match=r"^no such spec: .*none.json$"):
        _import(ledger, workspace, tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b'{"prompt": "caf\xe9"}')
    with pytest.raises(InvalidInput, match=r"latin.json cannot be read"):
        _import(ledger, workspace, tmp_path / "latin.json")
    with pytest.raises(InvalidInput, match=r"cannot be read"):
        _import(ledger, workspace, tmp_path)


def test_a_file_name_that_is_no_prompts_name_leaves_the_prompt_without_one(
    ledger: Ledger, workspace: Workspace, spec: Path
) -> None:
    (record,) = _import(ledger, workspace, spec.rename(spec.with_name("ps_dusk.json")))
    assert record.name is None


def test_a_name_that_is_taken_is_not_taken_away(ledger: Ledger, workspace: Workspace, spec: Path) -> None:
    (record,) = _import(ledger, workspace, spec.rename(spec.with_name("kitchen.json")))
    assert record.name is None
    assert prompts.get(ledger, "kitchen").text == "a kitchen in the evening"
