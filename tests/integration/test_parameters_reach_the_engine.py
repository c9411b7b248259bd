"""What was asked is what ran: every parameter of the table arrives in the engine's hands."""

import json
from pathlib import Path
from typing import Any

import pytest

from cosmosq.engines.parameters import HINTS, PARAMETERS
from tests.night import Night, make_night

ROLES = ("input", "depth", "seg", "keypoint", "hdmap", "lidar")
REGIONS = [{"prompt": "a red door", "mask_prompt": "door"}]

ASKED: dict[str, dict[str, Any]] = {
    "negative_prompt": {"negative_prompt": "fog, $(touch x), 霧"},
    "num_steps": {"num_steps": 7},
    "guidance": {"guidance": 8.25},
    "sigma_max": {"sigma_max": 41.5},
    "seed": {"seed": 2**32 - 1},
    "fps": {"fps": 30},
    "blur_strength": {"blur_strength": "very_high", "vis.weight": 0.5},
    "canny_threshold": {"canny_threshold": "very_low"},
    "use_distilled": {"use_distilled": True},
    "is_av_sample": {"is_av_sample": True},
    "regional_prompts": {"regional_prompts": REGIONS},
    "hdmap.weight": {"hdmap.weight": 0.7, "is_av_sample": True},
    "lidar.weight": {"lidar.weight": 0.7, "is_av_sample": True},
    "upscale.weight": {"upscale.weight": 0.7, "edge.weight": 0},
    "seg.control_prompt": {"seg.control_prompt": "cup; table", "seg.weight": 0.4},
    "seg.weight_prompt": {"seg.weight_prompt": "cup", "seg.weight": 0.4},
    **{f"{h}.weight": {f"{h}.weight": 0.7} for h in ("vis", "edge", "depth", "seg", "keypoint")},
    **{f"{h}.checkpoint": {f"{h}.checkpoint": f"mine/{h}.pt", f"{h}.weight": 0.3} for h in HINTS[:5]},
    **{
        f"{h}.checkpoint": {f"{h}.checkpoint": f"mine/{h}.pt", f"{h}.weight": 0.3, "is_av_sample": True}
        for h in ("hdmap", "lidar")
    },
    "upscale.checkpoint": {"upscale.checkpoint": "mine/upscale.pt", "upscale.weight": 0.3, "edge.weight": 0},
}
"""A value that is not the default for each parameter, with what it needs beside it."""


def arrived(name: str, received: dict[str, Any]) -> Any:  # what the engine was called with
    """The value of a parameter as the engine's `generate` got it."""
    hint, _, part = name.partition(".")
    if part:
        wire = {
            "weight": "control_weight",
            "control_prompt": "input_control_prompt",
            "weight_prompt": "control_weight_prompt",
            "checkpoint": "ckpt_path",
        }[part]
        return received["control_inputs"][hint][wire]
    if name == "use_distilled":
        return received["pipeline"] == "DistilledControl2WorldGenerationPipeline"
    if name == "is_av_sample":
        return "av" in received["checkpoint_name"].lower() or "sample" in received["checkpoint_name"].lower()
    if name == "regional_prompts":
        return [{**REGIONS[0], "prompt": text} for text in received["regional_prompts"]]
    return received[name]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Night, dict[str, int]]:
    """One job a parameter, all worked by one worker."""
    night = make_night(tmp_path_factory.mktemp("walk"), roles=ROLES)
    ids = {name: night.enqueue(f"walk {name}", **given) for name, given in ASKED.items()}
    night.work()
    return night, ids


def test_the_walk_covers_the_whole_table() -> None:
    # Only command mode has that one: test_command_mode.py walks it.
    assert set(ASKED) | {"upsample_prompt"} == {parameter.name for parameter in PARAMETERS}


@pytest.mark.parametrize("name", sorted(ASKED))
def test_a_value_that_is_not_the_default_arrives(name: str, worked: tuple[Night, dict[str, int]]) -> None:
    night, ids = worked
    job = night.job(ids[name])
    assert job["status"] == "succeeded", job["message"]
    asked = ASKED[name][name]
    assert name in job["changed"], "the value tested is the default"
    received = next(g["received"] for g in night.generations if g["received"]["prompt"] == f"walk {name}")
    assert arrived(name, received) == asked


@pytest.mark.parametrize("name", sorted(ASKED))
def test_the_spec_that_comes_home_is_what_was_used(name: str, worked: tuple[Night, dict[str, int]]) -> None:
    night, ids = worked
    folder = night.video(ids[name]).parent
    spec = json.loads((folder / "spec.json").read_text())
    received = next(g["received"] for g in night.generations if g["received"]["prompt"] == f"walk {name}")
    assert spec["seed"] == received["seed"]
    assert spec["prompt"] == (folder / "prompt.txt").read_text() == f"walk {name}"
    for hint, control in received["control_inputs"].items():
        if "control_weight_prompt" not in spec[hint]:  # of which the engine makes a weight map
            assert spec[hint]["control_weight"] == control["control_weight"]
        assert Path(spec[hint].get("input_control") or "").name == Path(control.get("input_control") or "").name
