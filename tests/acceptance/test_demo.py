"""`cosmosq demo` as a person runs it, and the scene that it renders."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cosmosq import scene
from cosmosq.files import sha256_of

PATIENCE_S = 240


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A demo that was run: what it said and where it is."""

    code: int
    output: str
    words: str
    root: Path

    @property
    def jobs(self) -> list[dict[str, Any]]:
        command = [sys.executable, "-m", "cosmosq", "-w", str(self.root), "status", "--json"]
        told: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return told

    def video(self, job_id: int) -> Path:
        return next(self.root.glob(f"outputs/*/{job_id}-*/output.mp4"))


def demo(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cosmosq", "demo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("demo")
    done = demo("a night", "--frames", "12", folder=folder)
    return Ended(code=done.returncode, output=done.stdout, words=done.stderr, root=folder / "a night")


def test_the_demo_ends_well_though_one_job_is_blocked_on_purpose(night: Ended) -> None:
    assert night.code == 0, night.words
    assert [job["status"] for job in night.jobs] == [*["succeeded"] * 4, "blocked", "succeeded", "succeeded"]
    assert "job 5 was blocked on purpose" in night.words
    assert "GUARDRAIL BLOCKED" in night.output


def test_the_demo_says_where_the_report_is(night: Ended) -> None:
    page = Path(night.output.splitlines()[-1])
    assert page == night.root / "report" / "index.html"
    text = (page.parent / "data.js").read_text(encoding="utf-8")
    videos = re.findall(r'"video":"(videos/\d+\.mp4)"', text)
    assert len(set(videos)) == 6
    assert all((page.parent / video).is_file() for video in videos)


def test_everything_in_the_demo_says_that_it_is_simulated(night: Ended) -> None:
    assert "SIMULATED" in night.words
    assert "SIMULATED" in (night.root / "report" / "index.html").read_text(encoding="utf-8")
    assert "SIMULATED" in (night.root / "cosmosq.toml").read_text(encoding="utf-8")


def test_the_demo_shows_which_session_served_how_many_jobs(night: Ended) -> None:
    sessions = re.findall(r"^s-\S+\s+(edge depth seg|edge depth|upscale)\s+\S+ s\s+(\d)$", night.output, re.MULTILINE)
    assert sessions == [("edge depth", "5"), ("edge depth seg", "1"), ("upscale", "1")]


def test_seed_weights_prompt_and_hints_each_change_the_video(night: Ended) -> None:
    videos = [night.video(job_id) for job_id in (1, 2, 3, 4, 6)]
    assert len({sha256_of(video) for video in videos}) == 5


def test_the_upscaled_video_is_three_times_as_large(night: Ended) -> None:
    assert size_of(night.video(1)) == (640, 352)
    assert size_of(night.video(7)) == (1920, 1056)


def size_of(video: Path) -> tuple[int, int]:
    capture = cv2.VideoCapture(str(video))
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def test_without_a_name_the_demo_gets_a_dated_folder_and_tells_all_as_json(tmp_path: Path) -> None:
    done = demo("--json", "--frames", "2", folder=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert set(told) == {"workspace", "page", "jobs", "sessions"}
    assert Path(told["workspace"]).parent == tmp_path / "demo"
    assert re.fullmatch(r"\d{4}(-\d\d){2}_\d\d(-\d\d){2}", Path(told["workspace"]).name)
    assert Path(told["page"]).is_file()
    assert sum(session["attempts"] for session in told["sessions"]) == len(told["jobs"]) == 7
    assert {job["simulated"] for job in told["jobs"]} == {True}


def test_the_demo_refuses_a_folder_with_something_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    done = demo("mine", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "cosmosq: mine is not empty: name a new folder for the demo\n"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.fixture(scope="module")
def ground() -> scene.Array:
    return scene.lit_ground()


def test_the_scene_is_the_same_each_time(tmp_path: Path) -> None:
    first = scene.write_frames(tmp_path / "a", frames=2, width=64, height=36)
    second = scene.write_frames(tmp_path / "b", frames=2, width=64, height=36)
    assert [path.name for path in first] == [
        *("color.0001.png", "depth.0001.png", "segmentation.0001.png"),
        *("color.0002.png", "depth.0002.png", "segmentation.0002.png"),
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_the_passes_of_a_frame_fit_together(ground: scene.Array) -> None:
    frame = scene.render(0.5, ground, 160, 88)
    assert frame.color.shape == frame.segmentation.shape == (88, 160, 3)
    assert frame.depth.shape == (88, 160)
    sky = (frame.segmentation == scene.LABELS[scene.SKY]).all(axis=-1)
    assert 0.1 < sky.mean() < 0.6
    assert (frame.depth[sky] == 0).all()
    assert frame.depth[-1].mean() > frame.depth[44].mean() > 0
    used = {tuple(int(v) for v in colour) for colour in frame.segmentation.reshape(-1, 3)}
    assert used <= set(scene.LABELS)
    assert len(used) >= 7


def test_the_camera_moves_and_nothing_else_does(ground: scene.Array) -> None:
    frames = [scene.render(time, ground, 160, 88).color.astype(int) for time in (0.3, 0.31, 0.6)]
    near, far = (np.abs(frames[0] - other).mean() for other in frames[1:])
    assert 0 < near < 8 < far
