"""inference.sh and upscale.sh where a real checkout is: what torchrun is called with, word for word."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.box_tools import SCRIPTS

RECORDER = """\
#!{python}
import json, os, sys
print(json.dumps({{"argv": sys.argv[1:], "cwd": os.getcwd()}}))
"""
STRANGE = "a 'strange' $(name); of a folder"


def torchrun(folder: Path) -> Path:
    """A program of that name that says how it was called."""
    folder.mkdir()
    program = folder / "torchrun"
    program.write_text(RECORDER.format(python=sys.executable))
    program.chmod(0o755)
    return program


def run(script: str, checkout: Path, python: Path, path: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(SCRIPTS / script), str(python), "2", f"/x/{STRANGE}/spec.json", "/x/outputs", *arguments]
    environment = {**os.environ, "PYTHONPATH": f"{checkout}:/elsewhere", "PATH": f"{path}:/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["inference.sh", "upscale.sh"])
@pytest.mark.parametrize("beside", [True, False], ids=["beside python", "on the path"])
def test_torchrun_is_called_as_nvidia_documents_from_the_checkouts_root(
    tmp_path: Path, script: str, beside: bool
) -> None:
    checkout = tmp_path / STRANGE
    checkout.mkdir()
    torchrun(tmp_path / "bin")
    python = tmp_path / ("bin" if beside else "elsewhere") / "python"
    done = run(script, checkout, python, "/nowhere" if beside else str(tmp_path / "bin"), "--offload_guardrail_models")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "cwd": str(checkout),
        "argv": [
            "--nproc_per_node=2",
            "--nnodes=1",
            "--node_rank=0",
            "cosmos_transfer1/diffusion/inference/transfer.py",
            "--controlnet_specs",
            f"/x/{STRANGE}/spec.json",
            "--video_save_folder",
            "/x/outputs",
            "--num_gpus",
            "2",
            "--offload_guardrail_models",
        ],
    }


def test_an_upscale_is_refused_in_a_batch(tmp_path: Path) -> None:
    done = run("upscale.sh", tmp_path, tmp_path / "python", "/nowhere", "--batch_input_path", "items.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no part of a batch" in done.stderr
