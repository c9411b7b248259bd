"""Controlnet specs: what NVIDIA's mean, what ours hold, and that one becomes the other without loss."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.engines.assignment import complete, hints_of
from cosmosq.engines.parameter import Value
from cosmosq.engines.parameters import BY_NAME, HINTS, PARAMETERS, PROMPT
from cosmosq.engines.spec import SpecContents, parse, render
from cosmosq.errors import InvalidInput
from cosmosq.status import Kind
from tests.unit.values import other_value, some_values, words

SPECS = Path(__file__).parents[2].parent / "shared" / "specs"
needs_specs = pytest.mark.skipif(not SPECS.is_dir(), reason="NVIDIA's specs are not next to this repository")

WIRE = {
    "weight": "control_weight",
    "checkpoint": "ckpt_path",
    "control_prompt": "input_control_prompt",
    "weight_prompt": "control_weight_prompt",
}
"""What transfer.py calls the parameters of a hint."""


def _parse(document: object) -> SpecContents:
    return parse(json.dumps(document), source="a.json")


def _refused(document: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        parse(document if isinstance(document, str) else json.dumps(document), source="a.json")
    return str(refused.value)


NVIDIA: dict[str, tuple[dict[str, Value], dict[str, str]]] = {
    "inference_cosmos_transfer1_multi_control": (
        {"vis.weight": 0.3, "edge.weight": 0.7, "depth.weight": 0.1},
        {"input": "assets/nurec2.mp4"},
    ),
    "inference_cosmos_transfer1_single_control_depth": (
        {"depth.weight": 1.0},
        {"input": "assets/example1_input_video.mp4", "depth": "assets/example1_depth.mp4"},
    ),
    "inference_cosmos_transfer1_single_control_edge": (
        {"edge.weight": 1.0},
        {"input": "assets/example1_input_video.mp4"},
    ),
    "inference_cosmos_transfer1_single_control_vis": (
        {"vis.weight": 1.0},
        {"input": "assets/example1_input_video.mp4"},
    ),
    "inference_cosmos_transfer1_uniform_weights": (
        {"vis.weight": 0.25, "edge.weight": 0.25, "depth.weight": 0.25, "seg.weight": 0.25},
        {
            "input": "assets/example1_input_video.mp4",
            "depth": "assets/example1_depth.mp4",
            "seg": "assets/example1_seg.mp4",
        },
    ),
    "inference_upscaler": ({"upscale.weight": 0.5}, {"input": "assets/inference_upscaler_input_video.mp4"}),
    "robot_sample_spec": (
        {"seg.weight": 1.0},
        {"input": "assets/robot_sample_input.mp4", "seg": "assets/robot_sample_seg.mp4"},
    ),
}


@needs_specs
@pytest.mark.parametrize("name", NVIDIA)
def test_nvidias_own_specs_mean_what_transfer_py_takes_them_to_mean(name: str) -> None:
    text = (SPECS / f"{name}.json").read_text(encoding="utf-8")
    contents = parse(text, source=name)
    assert (contents.values, contents.inputs) == NVIDIA[name]
    assert contents.text == json.loads(text).get("prompt", PROMPT)
    robot = ("seg.sigma_max is left out: the engine reads no such key there",)
    assert contents.notes == (robot if name == "robot_sample_spec" else ())


@needs_specs
def test_every_one_of_nvidias_specs_is_looked_at() -> None:
    assert {path.stem for path in SPECS.glob("*.json")} == set(NVIDIA)


@given(
    text=words,
    given_values=some_values(),
    inputs=st.dictionaries(st.sampled_from(["input", *HINTS]), st.from_regex(r"\A/[^\0/]{1,20}\.mp4\Z"), max_size=4),
)
def test_a_rendered_spec_parses_to_the_same_values(
    text: str, given_values: Mapping[str, Any], inputs: dict[str, str]
) -> None:
    # What belongs to a hint without a weight is not told to the engine.
    hints = hints_of(complete(Kind.TRANSFER, given_values))
    told = {name: v for name, v in given_values.items() if "." not in name or name.split(".")[0] in hints}
    videos = {role: path for role, path in inputs.items() if role in ("input", *hints)}
    rendered = render(text, complete(Kind.TRANSFER, told), {role: PurePosixPath(path) for role, path in inputs.items()})
    contents = parse(json.dumps(rendered), source="rendered")
    assert contents.text == text
    assert complete(Kind.TRANSFER, contents.values) == complete(Kind.TRANSFER, told)
    assert contents.inputs == videos
    assert contents.notes == ()


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
def test_every_parameter_appears_in_the_rendered_spec(parameter: Any) -> None:
    weights = {f"{hint}.weight": 0.25 for hint in HINTS}
    values = complete(Kind.TRANSFER, weights, {parameter.name: other_value(parameter)})
    spec = render("text", values, {})
    hint, _, suffix = parameter.name.rpartition(".")
    found = spec[hint][WIRE[suffix]] if hint else spec[parameter.name]
    assert found == (json.loads(str(values[parameter.name])) if parameter.json else values[parameter.name])


def test_a_rendered_spec_tells_every_general_parameter_even_where_it_is_the_default() -> None:
    spec = render("a kitchen", complete(Kind.TRANSFER, {"edge.weight": 0.5}), {"input": PurePosixPath("/v/a.mp4")})
    general = {p.name: p.default for p in PARAMETERS if "." not in p.name}
    assert spec == {
        **general,
        "prompt": "a kitchen",
        "regional_prompts": [],
        "input_video_path": "/v/a.mp4",
        "edge": {"control_weight": 0.5},
    }


def test_hints_are_rendered_in_canonical_order() -> None:
    values = complete(Kind.TRANSFER, {f"{hint}.weight": 0.5 for hint in reversed(HINTS)})
    assert [key for key in render("text", values, {}) if key in HINTS] == list(HINTS)


def test_a_hint_without_a_weight_gets_what_the_engine_takes() -> None:
    assert _parse({"edge": {}}).values == {"edge.weight": 0.5}


def test_a_weight_as_text_is_a_number() -> None:
    assert _parse({"edge": {"control_weight": "0.7"}}).values == {"edge.weight": 0.7}


def test_a_weight_map_is_refused_as_what_it_is() -> None:
    message = _refused({"edge": {"control_weight": "maps/edge.pt"}})
    assert message == "a.json: edge.control_weight is a weight map (maps/edge.pt): only numbers are supported"


def test_keys_of_the_box_are_left_out_with_a_note() -> None:
    contents = _parse({"num_gpus": 4, "video_save_folder": "out", "edge": {"control_weight": 1}, "seed": 3})
    assert contents.values == {"edge.weight": 1.0, "seed": 3}
    assert contents.notes == (
        "num_gpus is left out: it belongs to the host, not to the prompt",
        "video_save_folder is left out: it belongs to the host, not to the prompt",
    )


def test_every_key_of_a_hint_is_kept() -> None:
    seg = {
        "control_weight": 0.4,
        "input_control": "seg.mp4",
        "input_control_prompt": "cup. table",
        "control_weight_prompt": "cup",
        "ckpt_path": "seg.pt",
    }
    contents = _parse({"seg": seg})
    assert contents.inputs == {"seg": "seg.mp4"}
    assert contents.values == {
        "seg.weight": 0.4,
        "seg.control_prompt": "cup. table",
        "seg.weight_prompt": "cup",
        "seg.checkpoint": "seg.pt",
    }


@pytest.mark.parametrize("path", [None, ""])
def test_a_control_without_a_path_is_made_from_the_input(path: str | None) -> None:
    assert _parse({"edge": {"input_control": path}}).inputs == {}


def test_a_spec_without_a_prompt_gets_the_engines_own() -> None:
    assert _parse({"edge": {}}).text == PROMPT


def test_a_spec_without_a_hint_asks_for_nothing_yet() -> None:
    assert _parse({"prompt": "x"}).values == {}


def test_broken_json_is_refused_with_its_line() -> None:
    assert _refused('{\n "prompt": "x",\n "edge": {,}\n}').startswith("a.json:3: broken JSON (")


@pytest.mark.parametrize("text", ["", "nonsense", "{", "[" * 100_000, f'{{"seed": {"9" * 5000}}}', '{"a": 1}}'])
def test_what_is_no_json_is_refused_in_one_line(text: str) -> None:
    message = _refused(text)
    assert message.startswith("a.json")
    assert "broken JSON" in message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1], "a.json: a controlnet spec is a JSON object, not list"),
        ({"edgy": {}}, "a.json: edgy is no hint (did you mean edge?): the engine knows vis, edge, depth"),
        ({"guidnace": 7}, "a.json: guidnace is no key of a controlnet spec (did you mean guidance?)"),
        ({"edge.weight": 7}, "a.json: edge.weight is no key of a controlnet spec"),
        ({"guidance": "much"}, "a.json: guidance = much is not allowed: give a number from 0 to 100"),
        ({"edge": {"control_weight": -1}}, "a.json: edge.weight = -1 is not allowed: give a number from 0 to 100"),
        ({"edge": {"control_weight": None}}, "a.json: edge.weight = null is not allowed"),
        ({"num_steps": 0}, "a.json: num_steps = 0 is not allowed: give an integer from 1 to 1000"),
        ({"seed": 1.5}, "a.json: seed = 1.5 is not allowed"),
        ({"prompt": 3}, "a.json: prompt must be text"),
        ({"input_video_path": 3}, "a.json: input_video_path must be a path"),
        ({"edge": {"input_control": ["a"]}}, "a.json: edge.input_control must be a path"),
        ({"edge": {"ckpt_path": "\ud800"}}, "a.json: edge.checkpoint = \ud800 is not allowed"),
    ],
)
def test_what_is_no_spec_is_refused_by_key_and_value(document: object, message: str) -> None:
    assert _refused(document).startswith(message)


@given(
    document=st.dictionaries(
        st.one_of(st.sampled_from(["prompt", "input_video_path", *BY_NAME, *HINTS]), st.text(max_size=5)),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2),
                st.dictionaries(st.one_of(st.sampled_from([*WIRE.values(), "input_control"]), st.text()), inner),
            ),
        ),
        max_size=4,
    )
)
def test_any_object_is_understood_or_refused(document: dict[str, Any]) -> None:
    try:
        contents = _parse(document)
    except InvalidInput as refused:
        assert str(refused).startswith("a.json: ")  # noqa: PT017
    else:
        assert set(contents.values) <= set(BY_NAME)
        assert set(contents.inputs) <= {"input", *HINTS}
