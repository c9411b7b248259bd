"""Jobs leave a workspace as folders and come into another one, whole or not at all; manifests are not believed."""

import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cosmosq import exports, imports, prompts, pruning
from cosmosq.db import Ledger
from cosmosq.engines.assignment import complete, kind_of, overrides
from cosmosq.enqueue import enqueue
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of
from cosmosq.paths import Workspace
from cosmosq.report.again import enqueue_lines
from cosmosq.upscale_wishes import upscales_for
from cosmosq.wishes import wishes_for
from tests.acceptance.command_line import Shell, traces
from tests.ledger_rows import make_workspace
from tests.night import Night, make_night, now


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A night with a video (job 1), its upscale (2), and one of a longer prompt (4, by 3); job 5 waits."""
    night = make_night(tmp_path_factory.mktemp("away"), roles=("input", "depth"))
    draft = prompts.Draft(
        text='-- a "kitchen" at $HOME 🎬',
        clip="shot",
        name="odd name's",
        negative_text="-no people",
        parameters={"edge.weight": 0.5, "num_steps": 2},
    )
    (record,) = prompts.add(night.ledger, [draft], now())
    host = night.config.host()
    given = {"depth.weight": 0.3, "seed": 5, "guidance": 4.0}
    (first,) = enqueue(
        night.ledger, host, wishes_for(night.ledger, [record.id], given), now=now(), labels={"night": "1"}
    )
    enqueue(night.ledger, host, upscales_for(night.ledger, [first.id], {"num_steps": 1}, weight=0.7), now=now())
    (short,) = night.add("a harbour")
    night.enqueue_upsampled(short, num_steps=1)
    night.work()
    night.enqueue(seed=99)
    assert night.statuses() == ["succeeded"] * 4 + ["queued"]
    yield night
    night.close()


@pytest.fixture(scope="module")
def exported(away: Night, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Folders by job."""
    folder = tmp_path_factory.mktemp("exported")
    paths = exports.export(away.ledger, away.workspace, [1, 2, 4], folder, now=now())
    return dict(zip([1, 2, 4], paths, strict=True))


@pytest.fixture
def here(tmp_path: Path) -> Iterator[tuple[Workspace, Ledger]]:
    """Another workspace."""
    workspace, ledger = make_workspace(tmp_path / "here")
    yield workspace, ledger
    ledger.close()


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def test_an_exported_job_is_all_there(away: Night, exported: dict[int, Path]) -> None:
    folder = exported[1]
    told = manifest_of(folder)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {each["path"] for each in told["files"]} | {"manifest.json"}
    assert {"output.mp4", "spec.json", "inputs/input.mp4", "inputs/depth.mp4", "text.txt"} <= names
    assert all(sha256_of(folder / each["path"]) == each["sha256"] for each in told["files"])
    job = away.job(1)
    assert told["parameters"] == job["parameters"]
    assert told["job"]["digest"] == job["digest"]
    assert told["attempt"]["session"]["scripts_digest"]
    assert not list(folder.parent.glob(".*"))


@pytest.mark.parametrize("job_id", [1, 2, 4])
def test_its_commands_ask_for_the_same_job(job_id: int, away: Night, exported: dict[int, Path], tmp_path: Path) -> None:
    Shell(tmp_path).ok("init", "ws")
    shell = Shell(exported[job_id])
    told = manifest_of(exported[job_id])
    for line in told["reproduce"]:
        shell.ok("-w", tmp_path / "ws", *shlex.split(line)[1:])
    asked = shell.ok("-w", tmp_path / "ws", "show", "1", "--json").json
    assert asked["parameters"] == told["parameters"]
    assert asked["text"] == told["prompt"]["text"]
    assert (asked["kind"], asked["status"]) == (told["job"]["kind"], "queued")
    pinned = {each["role"]: each["sha256"] for each in asked["inputs"]}
    assert pinned == {role: each["sha256"] for role, each in told["inputs"].items()}
    if job_id == 1:
        assert asked["digest"] == told["job"]["digest"]


def test_overrides_give_back_every_value(away: Night) -> None:
    for job_id in (1, 2, 4):
        values = away.job(job_id)["parameters"]
        for own in ({}, {"edge.weight": 0.9, "seed": 77}):
            if kind_of(values) == "upscale" and own:
                continue
            merged = {**own, **overrides(own, values)}
            assert complete(kind_of(merged), merged) == values


def test_imported_jobs_are_here_with_their_videos_and_come_once(
    here: tuple[Workspace, Ledger], exported: dict[int, Path], away: Night
) -> None:
    workspace, ledger = here
    parent = exported[1].parent
    done = imports.import_all(ledger, workspace, [parent], now=now())
    assert [(each.id, each.new) for each in done] == [(1, True), (2, True), (3, True)]
    night = Night(workspace)
    for job_id, original in ((1, 1), (2, 2), (3, 4)):
        job, was = night.job(job_id), away.job(original)
        assert (job["status"], job["host"], job["kind"]) == ("succeeded", "imported", was["kind"])
        assert job["parameters"] == was["parameters"]
        assert night.video(job_id).read_bytes() == away.video(original).read_bytes()
        assert job["attempts"][0]["generate_s"] == was["attempts"][-1]["generate_s"]
        assert job["attempts"][0]["simulated"] is True
        (event,) = [each for each in job["events"] if each["event"] == "imported"]
        assert (event["data"]["job"], event["data"]["host"]) == (original, "sim")
        with ledger.read() as session:
            line = enqueue_lines(session, [job_id])[job_id]
        assert ("--host" in line, "--again" in line) == (False, True), "no machine here is its host"
    assert night.job(1)["digest"] == away.job(1)["digest"]
    assert night.job(1)["labels"] == {"night": "1"}
    assert night.job(3)["text"] == away.job(4)["upsampled_text"]
    before = traces(workspace.root)
    again = imports.import_all(ledger, workspace, [parent], now=now())
    assert [(each.id, each.new) for each in again] == [(1, False), (2, False), (3, False)]
    assert traces(workspace.root)["ledger.db"] == before["ledger.db"]
    assert not list(workspace.outputs_path.glob(".*"))
    pruning.prune(ledger, workspace, before=now(), keep_rated=False, now=now())
    restored = imports.import_all(ledger, workspace, [exported[4]], now=now())
    assert [(each.id, each.new) for each in restored] == [(4, True)], "what was pruned may come back"
    night.ledger.close()


def test_what_was_made_here_is_known_whatever_its_clip_is_called(away: Night, exported: dict[int, Path]) -> None:
    before = away.statuses()
    done = imports.import_all(away.ledger, away.workspace, list(exported.values()), now=now())
    assert [(each.id, each.new) for each in done] == [(1, False), (2, False), (4, False)]
    assert away.statuses() == before


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(away: Night, tmp_path: Path) -> None:
    for ids, told in (([1, 5], "job 5 is queued"), ([3], "job 3 makes a prompt"), ([1, 3], "job 3 makes")):
        with pytest.raises(InvalidInput, match=told):
            exports.export(away.ledger, away.workspace, ids, tmp_path / "to", now=now())
    with pytest.raises(NotFound, match="99 is no job"):
        exports.export(away.ledger, away.workspace, [99], tmp_path / "to", now=now())
    video = away.video(2)
    whole = video.read_bytes()
    video.write_bytes(whole[:-1] + b"x")
    with pytest.raises(InvalidInput, match="is not the file that it was"):
        exports.export(away.ledger, away.workspace, [1, 2], tmp_path / "to", now=now())
    video.write_bytes(whole)
    assert not list((tmp_path / "to").iterdir())
    exports.export(away.ledger, away.workspace, [1], tmp_path / "to", now=now())
    with pytest.raises(InvalidInput, match="is there already"):
        exports.export(away.ledger, away.workspace, [2, 1], tmp_path / "to", now=now())
    assert len(list((tmp_path / "to").iterdir())) == 1


def test_a_folder_that_is_in_the_way_is_not_touched(here: tuple[Workspace, Ledger], exported: dict[int, Path]) -> None:
    workspace, ledger = here
    at = now()
    mine = workspace.job_folder(at.astimezone(), 1, "odd name's") / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(InvalidInput, match="is there already: move it away"):
        imports.import_all(ledger, workspace, [exported[1]], now=at)
    assert mine.read_text() == "mine"
    assert [path.name for path in workspace.outputs_path.iterdir()] == [mine.parent.parent.name]
    night = Night(workspace)
    assert night.statuses() == []
    night.ledger.close()


def _set(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        for key in path[:-1]:
            told = told[key]
        told[path[-1]] = to

    return change


HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "another format": (_set("format", to="tar"), "format"),
    "a version of the future": (_set("version", to=2), "version 1"),
    "a path upwards": (_set("files", 0, "path", to="../secret.mp4"), "leads out"),
    "a path upwards within": (_set("files", 0, "path", to="inputs/../../secret.mp4"), "leads out"),
    "an absolute path": (_set("files", 0, "path", to="/etc/passwd"), "leads out"),
    "a link": (_set("files", 0, "path", to="link.mp4"), "leads out"),
    "a folder": (_set("files", 0, "path", to="inputs"), "no file"),
    "a path that is a number": (_set("files", 0, "path", to=7), "must be text"),
    "a wrong hash": (_set("files", 0, "sha256", to="0" * 64), "not the file"),
    "a hash that is none": (_set("files", 0, "sha256", to="../x"), "64 hex"),
    "a wrong size": (_set("files", 0, "bytes", to=1), "not the file"),
    "files as an object": (_set("files", to={}), "must be a list"),
    "an input that is not among the files": (_set("inputs", "input", "file", to="/etc/passwd"), "not among its files"),
    "a role that is none": (_set("inputs", "../x", to={"file": "output.mp4"}), "no role"),
    "a kind of file that is none": (_set("artifacts", "../x", to="output.mp4"), "artifacts must"),
    "no video": (_set("artifacts", to={}), "artifacts must"),
    "a video that is none": (_set("artifacts", "video", to="spec.json"), "spec"),
    "an unknown parameter": (_set("parameters", "sed", to=1), "no parameter"),
    "a parameter of a wrong type": (_set("parameters", "seed", to="many"), "seed"),
    "no hint": (_set("parameters", "edge.weight", to=0), "depth|hint"),
    "another kind": (_set("job", "kind", to="upscale"), "job.kind must be"),
    "an unknown engine": (_set("job", "engine", to="other"), "no engine"),
    "an empty text": (_set("prompt", "text", to=" "), "empty"),
    "a text that is a list": (_set("prompt", "text", to=["a"]), "must be text"),
    "half a surrogate pair": (_set("prompt", "text", to="\ud800"), "can be stored"),
    "a clip's name with a line break": (_set("prompt", "clip", to="a\nb"), "one line"),
    "a label that is an object": (_set("job", "labels", to={"a": {}}), "must be text"),
    "a time without a zone": (_set("attempt", "started_at", to="2026-01-01T00:00:00"), "zone"),
    "a time that is none": (_set("attempt", "ended_at", to="soon"), "a time"),
    "seconds without end": (_set("attempt", "generate_s", to=1e300), "seconds"),
    "true seconds": (_set("attempt", "uploading_s", to=True), "must be a number"),
    "an attempt that is none": (_set("attempt", to=[]), "must be an object"),
    "a job that is none": (_set("job", to=None), "must be an object"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_manifest_is_refused_and_leaves_no_trace(
    name: str, here: tuple[Workspace, Ledger], exported: dict[int, Path], tmp_path: Path
) -> None:
    workspace, ledger = here
    change, told = HOSTILE[name]
    folder = tmp_path / "hostile"
    shutil.copytree(exported[1], folder)
    shutil.copy(folder / "output.mp4", tmp_path / "secret.mp4")
    (folder / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    manifest = manifest_of(folder)
    change(manifest)
    if name == "no hint":
        manifest["parameters"]["depth.weight"] = 0
    (folder / "manifest.json").write_text(json.dumps(manifest))
    before = traces(workspace.root)
    with pytest.raises(InvalidInput, match=told):
        imports.import_all(ledger, workspace, [exported[2], folder], now=now())
    assert traces(workspace.root) == before


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, '{"format": NaN}', "\x00"])
def test_a_manifest_that_is_no_object_is_refused(text: str, here: tuple[Workspace, Ledger], tmp_path: Path) -> None:
    workspace, ledger = here
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"manifest\.json: "):
        imports.import_all(ledger, workspace, [tmp_path], now=now())
    with pytest.raises(NotFound, match=r"holds no manifest\.json"):
        imports.import_all(ledger, workspace, [tmp_path / "here"], now=now())
