"""What the stand-in says, refuses and gets wrong, as the engine would or as it was told to."""

import errno
import inspect
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.integration.box_tools import SCRIPTS, make_video

sys.path.insert(0, str(SCRIPTS / "simulator"))
from cosmos_transfer1 import checkpoints
from cosmos_transfer1.diffusion.inference.inference_utils import (
    default_distilled_model_names,
    default_model_names,
    load_controlnet_specs,
    valid_hint_keys,
    validate_controlnet_specs,
)
from cosmos_transfer1.diffusion.inference.preprocessors import Preprocessors
from cosmos_transfer1.diffusion.inference.world_generation_pipeline import DiffusionControl2WorldGenerationPipeline
from cosmos_transfer1.utils.io import read_prompts_from_file, save_video

LOG_LINE = re.compile(r"^\[\d\d-\d\d \d\d:\d\d:\d\d\|[A-Z]+\|[\w./]+:\d+:\w+\] .+$")


class Simulator:
    """The stand-in with settings, and a video to give it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self._monkeypatch = monkeypatch
        self.folder = folder
        self.ledger = folder / "ledger.jsonl"
        self.video = make_video(folder / "video.mp4")
        self.told()

    def told(self, **settings: Any) -> None:
        whole = {"scale": 0.1, "clip_frames": 9, "ledger": str(self.ledger), **settings}
        self._monkeypatch.setenv("COSMOS_SIMULATOR", json.dumps(whole))

    def pipeline(self, **attributes: Any) -> DiffusionControl2WorldGenerationPipeline:
        return DiffusionControl2WorldGenerationPipeline(
            "checkpoints", checkpoints.BASE_7B_CHECKPOINT_PATH, control_inputs={"edge": {}}, num_steps=4, **attributes
        )

    def generate(self, prompt: str = "a kitchen", negative_prompt: str | None = "blurry", **attributes: Any) -> Any:
        return self.pipeline(**attributes).generate(
            [prompt], [str(self.video)], negative_prompt, [{"edge": {"control_weight": 0.5}}]
        )

    def entries(self, kind: str) -> list[dict[str, Any]]:
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Simulator:
    return Simulator(monkeypatch, tmp_path)


def test_the_pipeline_takes_the_engines_arguments_with_its_defaults() -> None:
    parameters = inspect.signature(DiffusionControl2WorldGenerationPipeline).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    expected = {
        "has_text_input": True,
        "offload_network": False,
        "offload_tokenizer": False,
        "offload_text_encoder_model": False,
        "offload_guardrail_models": False,
        "guidance": 7.0,
        "num_steps": 35,
        "height": 704,
        "width": 1280,
        "fps": 24,
        "num_video_frames": 121,
        "seed": 0,
        "num_input_frames": 1,
        "control_inputs": None,
        "sigma_max": 70.0,
        "blur_strength": "medium",
        "canny_threshold": "medium",
        "upsample_prompt": False,
        "offload_prompt_upsampler": False,
        "process_group": None,
        "regional_prompts": None,
        "region_definitions": None,
    }
    assert list(defaults)[: 2 + len(expected)] == ["checkpoint_dir", "checkpoint_name", *expected]
    assert {name: defaults[name] for name in expected} == expected


def test_log_lines_and_bars_look_like_the_engines(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    simulator.generate()
    printed = capfd.readouterr()
    assert printed.out == ""
    lines = [line for line in re.split(r"[\r\n]", printed.err) if line]
    bars = [line for line in lines if "|" in line and "%" in line]
    assert all(LOG_LINE.match(line) for line in lines if line not in bars)
    assert [bar for bar in bars if "/4 [" in bar][-1].startswith("100%|██████████| 4/4 [00:00<00:00")
    assert bars[0].startswith("  0%|          | 0/1 [00:00<?, ?it/s]")
    messages = " ".join(lines)
    order = [
        "Running guardrail checks",
        "Starting T5 compute",
        "Completed T5 compute",
        "Starting latent encoding",
        "Starting diffusion sampling",
        "Completed diffusion sampling",
        "Starting VAE decode",
        "Completed VAE decode",
        "Run guardrail on generated videos",
    ]
    places = [messages.index(text) for text in order]
    assert places == sorted(places)


@pytest.mark.parametrize("prompt", ["", "   ", "a forbidden thing"])
def test_a_blocked_prompt_returns_none(simulator: Simulator, capfd: pytest.CaptureFixture[str], prompt: str) -> None:
    simulator.told(faults=[{"match": "forbidden", "do": "block"}])
    assert simulator.generate(prompt) is None
    assert "GUARDRAIL BLOCKED: BLOCKLIST" in capfd.readouterr().err
    assert simulator.entries("generation") == []


@pytest.mark.parametrize("negative_prompt", ["", None])
def test_an_empty_negative_prompt_crashes(simulator: Simulator, negative_prompt: str | None) -> None:
    with pytest.raises(TypeError, match="NoneType"):
        simulator.generate(negative_prompt=negative_prompt)


def test_the_ledger_has_a_line_for_every_load_and_every_finished_generation(simulator: Simulator) -> None:
    simulator.told(faults=[{"match": "bad", "do": "raise"}])
    simulator.generate(seed=5, guidance=6.5)
    with pytest.raises(RuntimeError):
        simulator.generate("bad")
    (generation,) = simulator.entries("generation")
    assert generation["seed"] == 5
    assert generation["received"]["guidance"] == 6.5
    assert generation["received"]["control_inputs"] == {"edge": {"control_weight": 0.5}}
    assert len(simulator.entries("load")) == 2
    assert simulator.entries("load")[0]["hints"] == ["edge"]


def test_reloading_is_a_load(simulator: Simulator) -> None:
    simulator.pipeline().reload_model({"depth": {}})
    assert [entry["hints"] for entry in simulator.entries("load")] == [["edge"], ["depth"]]


def test_out_of_memory_has_the_name_and_the_words_of_torchs(simulator: Simulator) -> None:
    simulator.told(faults=[{"do": "oom", "step": 2}])
    with pytest.raises(RuntimeError, match="CUDA out of memory") as caught:
        simulator.generate()
    assert type(caught.value).__name__ == "OutOfMemoryError"


# One hint and one clip need 52 GB; see simulated/memory.py.
@pytest.mark.parametrize(("budget", "offload", "fits"), [(52, False, True), (51, False, False), (28, True, True)])
def test_the_memory_budget_counts_hints_clips_and_offloading(
    simulator: Simulator, budget: float, offload: bool, fits: bool
) -> None:
    simulator.told(memory_gb=budget)
    names = ("offload_network", "offload_text_encoder_model", "offload_guardrail_models")
    flags: dict[str, Any] = dict.fromkeys(names, offload)
    if fits:
        assert simulator.generate(**flags) is not None
    else:
        with pytest.raises(RuntimeError, match="CUDA out of memory"):
            simulator.generate(**flags)


def test_a_fault_may_happen_a_number_of_times_and_only_where_it_matches(simulator: Simulator) -> None:
    simulator.told(faults=[{"match": "bad", "do": "raise", "times": 2, "step": 99}])
    assert simulator.generate("good") is not None
    for _ in range(2):
        with pytest.raises(RuntimeError):
            simulator.generate("bad")
    assert simulator.generate("bad") is not None
    assert (simulator.folder / "ledger.jsonl.faults.json").exists()


def test_a_load_can_fail_for_want_of_a_checkpoint(simulator: Simulator) -> None:
    simulator.told(faults=[{"do": "load_failure", "times": 1}])
    with pytest.raises(FileNotFoundError, match=r"checkpoints/nvidia/.*\.pt"):
        simulator.pipeline()
    simulator.pipeline()


def test_saving_can_fill_the_disk_or_lose_the_end(simulator: Simulator) -> None:
    faults = [{"match": "full", "do": "disk_full"}, {"match": "cut", "do": "truncate"}]
    simulator.told(faults=faults)
    sizes = {}
    for prompt in ("cut", "whole"):
        video = simulator.generate(prompt)[0][0]
        path = simulator.folder / f"{prompt}.mp4"
        save_video(video, 24, video.shape[1], video.shape[2], 5, str(path))
        sizes[prompt] = path.stat().st_size
    assert sizes["cut"] < 0.7 * sizes["whole"]
    video = simulator.generate("full")[0][0]
    with pytest.raises(OSError, match="No space") as caught:
        save_video(video, 24, video.shape[1], video.shape[2], 5, str(simulator.folder / "full.mp4"))
    assert caught.value.errno == errno.ENOSPC


def test_preprocessors_keep_the_first_presets_that_they_see(simulator: Simulator) -> None:
    made = []
    kept = Preprocessors()
    for number, (preprocessors, threshold) in enumerate(((kept, "low"), (kept, "high"), (Preprocessors(), "high"))):
        folder = simulator.folder / str(number)
        folder.mkdir()
        controls: dict[str, dict[str, Any]] = {"edge": {"control_weight": 0.5}}
        preprocessors(str(simulator.video), "p", controls, str(folder), None, "medium", threshold)
        assert controls["edge"]["input_control"] == str(folder / "edge_input_control_0.mp4")
        made.append((folder / "edge_input_control_0.mp4").read_bytes())
    assert made[0] == made[1] != made[2]


def cfg(path: Path | None = None, **changes: Any) -> SimpleNamespace:
    settings = {"controlnet_specs": str(path), "checkpoint_dir": "checkpoints", "sigma_max": 70.0}
    return SimpleNamespace(**{**settings, "input_video_path": "v.mp4", "use_distilled": False, **changes})


def test_a_spec_is_split_into_hints_and_arguments(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"prompt": "p", "seed": 3, "edge": {"control_weight": 1}, "misspelt": 1}))
    assert load_controlnet_specs(cfg(path)) == (
        {"edge": {"control_weight": 1}},
        {"prompt": "p", "seed": 3, "misspelt": 1},
    )
    path.write_text(json.dumps({"egde": {"control_weight": 1}}))
    with pytest.raises(ValueError, match="Invalid hint_key: egde"):
        load_controlnet_specs(cfg(path))


def test_validation_fills_in_checkpoint_and_weight() -> None:
    specs: dict[str, dict[str, Any]] = {"edge": {}}
    assert validate_controlnet_specs(cfg(), specs) is specs
    assert specs["edge"] == {
        "ckpt_path": "checkpoints/nvidia/Cosmos-Transfer1-7B/edge_control.pt",
        "control_weight": "0.5",
    }
    distilled = validate_controlnet_specs(cfg(use_distilled=True), {"edge": {}})
    assert distilled["edge"]["ckpt_path"].endswith(default_distilled_model_names["edge"])


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        ({"edge": {"control_weight": -1}}, {}, "Control weight for edge"),
        ({"edge": {"control_weight": "much"}}, {}, "Control weight for edge"),
        ({"edge": {"control_weight": None}}, {}, "Control weight for edge"),
        ({"edge": {}}, {"input_video_path": ""}, "Must have 'input_video'"),
        ({"edge": {}}, {"input_video_path": "", "sigma_max": 80.0}, "'input_control' video specified"),
        ({"other": {}}, {}, "Invalid hint_key"),
    ],
)
def test_validation_refuses_in_the_engines_words(
    spec: dict[str, dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        validate_controlnet_specs(cfg(**changes), spec)


def test_there_is_a_checkpoint_for_every_hint() -> None:
    assert set(default_model_names) == valid_hint_keys


def test_prompts_are_read_a_line_at_a_time_and_blank_lines_are_not_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    assert read_prompts_from_file(str(path)) == [{"prompt": "a"}, {"prompt": "b"}]
    path.write_text('{"prompt": "a"}\n\n')
    with pytest.raises(json.JSONDecodeError):
        read_prompts_from_file(str(path))
