"""The stand-in's transfer.py as a process: flags, precedence, layout, and the ways in which a batch fails."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.box_tools import SCRIPTS, TINY, Json, frame_count, make_spec, make_video, sha256

TRANSFER = "cosmos_transfer1/diffusion/inference/transfer.py"


class Checkout:
    """The stand-in as a checkout, with an account of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.video = make_video(folder / "video.mp4")
        self.outputs = folder / "outputs"

    def run(
        self, spec: Json, *arguments: str, items: Sequence[Json] = (), torchrun: bool = False, **told: Any
    ) -> "subprocess.CompletedProcess[str]":
        (self.folder / "spec.json").write_text(json.dumps(spec))
        launch = ["-m", "simulated.torchrun", "--nproc_per_node=1", "--nnodes=1"] if torchrun else []
        command = [sys.executable, *launch, TRANSFER, "--controlnet_specs", str(self.folder / "spec.json")]
        if items:
            lines = self.folder / "items.jsonl"
            lines.write_text("".join(json.dumps(item) + "\n" for item in items))
            command += ["--batch_input_path", str(lines)]
        settings = {**TINY, "ledger": str(self.folder / "ledger.jsonl"), **told}
        simulator = str(SCRIPTS / "simulator")
        return subprocess.run(
            [*command, "--video_save_folder", str(self.outputs), *arguments],
            cwd=simulator,
            env={**os.environ, "PYTHONPATH": simulator, "COSMOS_SIMULATOR": json.dumps(settings)},
            capture_output=True,
            text=True,
            check=False,
        )

    def item(self, prompt: str, **overrides: Any) -> Json:
        return {"visual_input": str(self.video), "prompt": prompt, "control_overrides": {"edge": overrides}}

    def received(self) -> list[Json]:
        path = self.folder / "ledger.jsonl"
        entries = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [entry["received"] for entry in entries if entry["kind"] == "generation"]

    def told(self, number: int) -> str:
        return (self.outputs / f"video_{number}" / "prompt.txt").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_single_run_names_its_files_and_lets_an_exact_flag_alone_win(checkout: Checkout) -> None:
    arguments = ("--seed=5", "--guidance", "9", "--video_save_name", "harbour", "--offload_guardrail_models")
    done = checkout.run(make_spec(checkout.video), *arguments)
    assert done.returncode == 0, done.stderr
    assert frame_count(checkout.outputs / "harbour.mp4") == 9
    assert (checkout.outputs / "harbour.txt").read_text() == "a kitchen in the evening"
    assert (checkout.outputs / "edge_input_control_0.mp4").exists()
    (received,) = checkout.received()
    assert (received["seed"], received["guidance"], received["numpy_seed"]) == (1, 9.0, 1)
    assert received["offload_guardrail_models"]
    lines = ("running preprocessor", "Running guardrail checks", "Starting diffusion sampling", "Saved video to")
    assert [line for line in lines if line not in done.stderr] == []


def test_a_batch_makes_a_folder_an_item_and_overrides_only_hints_that_the_spec_has(checkout: Checkout) -> None:
    strange = {**checkout.item("two", control_weight=0.2), "control_overrides": {"depth": {"control_weight": 1}}}
    items = [checkout.item("one", control_weight=0.9), strange]
    done = checkout.run(make_spec(checkout.video), items=items)
    assert done.returncode == 0, done.stderr
    assert [checkout.told(number) for number in range(2)] == ["one", "two"]
    assert "Ignoring unknown control key in override: depth" in done.stderr
    weights = [received["control_inputs"]["edge"]["control_weight"] for received in checkout.received()]
    assert weights == [0.9, 0.6]
    assert (checkout.outputs / "video_1" / "edge_input_control_0.mp4").exists()


def test_in_a_batch_of_several_the_first_items_weights_act_on_all(checkout: Checkout) -> None:
    alone, both = checkout.folder / "alone", checkout.folder / "both"
    items = [checkout.item("one", control_weight=0.9), checkout.item("two", control_weight=0.1)]
    for size, outputs in (("1", alone), ("2", both)):
        checkout.outputs = outputs
        assert checkout.run(make_spec(checkout.video), "--batch_size", size, items=items).returncode == 0
    same = [sha256(alone / f"video_{n}/output.mp4") == sha256(both / f"video_{n}/output.mp4") for n in range(2)]
    assert same == [True, False]


def test_a_blocked_item_kills_the_process_and_loses_those_behind_it(checkout: Checkout) -> None:
    items = [checkout.item(prompt) for prompt in ("one", "forbidden", "three")]
    done = checkout.run(
        make_spec(checkout.video), items=items, faults=[{"match": "forbidden", "do": "block"}], torchrun=True
    )
    assert done.returncode == 1
    assert "GUARDRAIL BLOCKED: BLOCKLIST" in done.stderr
    assert "TypeError" in done.stderr
    assert "NoneType" in done.stderr
    assert "ChildFailedError" in done.stderr
    assert [checkout.told(0), (checkout.outputs / "video_2").exists()] == ["one", False]


def test_a_partly_blocked_batch_shifts_its_outputs(checkout: Checkout) -> None:
    items = [checkout.item(prompt) for prompt in ("forbidden", "two", "three")]
    done = checkout.run(
        make_spec(checkout.video), "--batch_size", "3", items=items, faults=[{"match": "forbidden", "do": "block"}]
    )
    assert done.returncode == 0, done.stderr
    assert "Input text prompt 1 is not safe" in done.stderr
    assert [checkout.told(0), checkout.told(1)] == ["two", "three"]
    assert not (checkout.outputs / "video_2" / "output.mp4").exists()


def test_outputs_of_a_batch_change_places_when_told_to(checkout: Checkout) -> None:
    items = [checkout.item(prompt) for prompt in ("one", "two", "three")]
    done = checkout.run(
        make_spec(checkout.video), "--batch_size", "3", items=items, faults=[{"match": "two", "do": "shift"}]
    )
    assert done.returncode == 0, done.stderr
    assert [checkout.told(number) for number in range(3)] == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"memory_gb": 50}, "CUDA out of memory"),
        ({"faults": [{"do": "crash"}]}, "exitcode  : 1 "),
        ({"faults": [{"do": "kill"}]}, "exitcode  : -9 "),
        ({"faults": [{"do": "load_failure"}]}, "base_model.pt"),
        ({"faults": [{"do": "disk_full"}]}, "No space left on device"),
    ],
    ids=["memory", "crash", "kill", "checkpoint", "disk"],
)
def test_every_failure_is_wrapped_by_torchrun(checkout: Checkout, told: Json, shown: str) -> None:
    done = checkout.run(make_spec(checkout.video), torchrun=True, **told)
    assert done.returncode == 1
    assert "ChildFailedError" in done.stderr
    assert shown in done.stderr
    assert not (checkout.outputs / "output.txt").exists()


def test_a_batch_needs_memory_for_each_of_its_items(checkout: Checkout) -> None:
    items = [checkout.item(prompt) for prompt in ("one", "two", "three")]
    spec = make_spec(checkout.video)
    assert checkout.run(spec, "--batch_size", "3", items=items, memory_gb=60).returncode == 1
    assert checkout.run(spec, "--batch_size", "2", items=items, memory_gb=60).returncode == 0
