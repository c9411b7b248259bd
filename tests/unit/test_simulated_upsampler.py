"""The stand-in for the upsampler has the real one's limits and fails in vLLM's words."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.box_tools import SCRIPTS, make_video

PROGRAM = """\
import sys
from cosmos_transfer1.utils import fix_vllm_registration
from cosmos_transfer1.auxiliary.upsampler.model.upsampler import PixtralPromptUpsampler
upsampler = PixtralPromptUpsampler("checkpoints")
print(upsampler._prompt_upsample(sys.argv[1], sys.argv[2:] if sys.argv[2].endswith(".png") else sys.argv[2]))
"""


def ask(*arguments: str | Path, program: str = PROGRAM, **env: str) -> "subprocess.CompletedProcess[str]":
    settings = {"PYTHONPATH": str(SCRIPTS / "simulator"), "VLLM_WORKER_MULTIPROC_METHOD": "spawn", **env}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)


def picture(folder: Path, width: int, height: int, name: str = "a") -> Path:
    path = folder / f"{name}.png"
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def test_the_same_question_has_the_same_answer_in_every_process(tmp_path: Path) -> None:
    path = picture(tmp_path, 64, 48)
    first, second = ask("fog", path).stdout, ask("fog", path).stdout
    assert first == second != ""
    assert first.startswith("fog. ")
    assert "(simulated upsampling)" in first


@pytest.mark.parametrize(("size", "fits"), [((940, 529), True), ((960, 540), False), ((1280, 720), False)])
def test_what_was_measured_of_the_real_one_holds_here(tmp_path: Path, size: tuple[int, int], fits: bool) -> None:
    done = ask("", picture(tmp_path, *size), picture(tmp_path, *size, name="b"))
    assert (done.returncode == 0) == fits
    assert fits or "is longer than the maximum model length of 4096" in done.stderr


def test_three_pictures_are_too_many(tmp_path: Path) -> None:
    done = ask("fog", *(picture(tmp_path, 64, 48, name) for name in "abc"))
    assert "At most 2 image(s) may be provided" in done.stderr


def test_a_video_is_read_at_its_full_size_and_so_fails_where_frames_of_ours_fit(tmp_path: Path) -> None:
    small, large = make_video(tmp_path / "s.mp4"), make_video(tmp_path / "l.mp4", width=1280, height=720, frames=2)
    assert ask("fog", small).returncode == 0
    assert "(length 4690) is longer than the maximum model length" in ask("fog", large).stderr


@pytest.mark.parametrize(
    ("program", "env", "words"),
    [
        (
            PROGRAM.replace("from cosmos_transfer1.utils import fix_vllm_registration\n", ""),
            {},
            "must be imported before",
        ),
        (PROGRAM, {"VLLM_WORKER_MULTIPROC_METHOD": "fork"}, "Use the 'spawn' start method"),
        (PROGRAM, {"TORCHELASTIC_RUN_ID": "1"}, "TORCHELASTIC_RUN_ID"),
        (PROGRAM, {"COSMOS_SIMULATOR": '{"faults": [{"do": "load_failure", "during": "upsampling"}]}'}, "Engine core"),
    ],
)
def test_it_insists_on_what_the_real_one_needs(tmp_path: Path, program: str, env: dict[str, str], words: str) -> None:
    assert words in ask("fog", picture(tmp_path, 64, 48), program=program, **env).stderr
