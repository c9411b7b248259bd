"""`cosmosq demo` as a person runs it, and the scene that it renders."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cosmosq import scene
from cosmosq.cli.demo import LOOK_AROUND, PROMPTS, SHORT
from cosmosq.cli.report_page import has_desktop
from cosmosq.files import sha256_of
from tests.acceptance.command_line import Shell
from tests.acceptance.terminal import Terminal
from tests.night import wait_for

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
        told: list[dict[str, Any]] = json.loads(self.ask("status", "--json"))
        return told

    def ask(self, *arguments: str) -> str:
        """What a command in its workspace prints."""
        command = [sys.executable, "-m", "cosmosq", "-w", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def video(self, job_id: int) -> Path:
        return next(self.root.glob(f"outputs/*/{job_id}-*/output.mp4"))


def demo(*arguments: str, folder: Path, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run it without a terminal."""
    command = [sys.executable, "-m", "cosmosq", "demo", *arguments]
    environment = {**os.environ, **(env or {})}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def desktop(folder: Path) -> dict[str, str]:
    """The environment of one whose browser writes down in `folder/opened` what it was to open."""
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> "{folder}/opened"\n')
    browser.chmod(0o755)
    return {"DISPLAY": ":99", "BROWSER": str(browser)}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One at a terminal of a desktop."""
    folder = tmp_path_factory.mktemp("demo")
    person = Terminal(Shell(folder), patience_s=PATIENCE_S)
    told = person.run("demo", "a night", "--frames", "12", env=desktop(folder))
    return Ended(code=told.code, output=told.out, words=told.err.replace("\r\n", "\n"), root=folder / "a night")


def test_the_demo_ends_well_though_a_job_is_blocked_on_purpose(night: Ended) -> None:
    assert night.code == 0, night.words
    assert [job["status"] for job in night.jobs] == [*["succeeded"] * 7, "blocked", *["succeeded"] * 3]
    assert [job["kind"] for job in night.jobs] == [*["transfer"] * 8, "upsample", "transfer", "upscale"]
    assert "\njob 8 was blocked on purpose\n" in night.words
    assert "GUARDRAIL BLOCKED" in night.output


def test_a_job_of_the_demo_runs_out_of_memory_and_heals_itself(night: Ended) -> None:
    assert "\njob 11 healed itself: it ran out of memory, and was repeated with all models offloaded\n" in night.words
    attempts = json.loads(night.ask("show", "11", "--json"))["attempts"]
    assert [attempt["error"] for attempt in attempts] == ["out_of_memory", None]


def test_a_prompt_of_the_demo_is_made_longer_and_used(night: Ended) -> None:
    (longer,) = (night.root / "outputs").glob("*/10-*/prompt.txt")
    short, whole = PROMPTS[SHORT], longer.read_text(encoding="utf-8")
    assert whole.startswith(short)
    assert len(whole) > len(short) + 50


def test_the_demo_says_where_the_report_is_and_opens_it_at_a_terminal_of_a_desktop(night: Ended) -> None:
    page = Path(night.output.splitlines()[-1])
    assert page == night.root / "report" / "index.html"
    opened = night.root.parent / "opened"
    wait_for(lambda: opened.exists() and opened.read_text().endswith("\n"), "the browser")
    assert opened.read_text() == f"{page.as_uri()}\n"
    text = (page.parent / "data.js").read_text(encoding="utf-8")
    videos = re.findall(r'"video":"(videos/\d+\.mp4)"', text)
    assert len(set(videos)) == 9
    assert all((page.parent / video).is_file() for video in videos)


def test_the_videos_of_the_demo_are_measured(night: Ended) -> None:
    told = json.loads(night.ask(*shlex.split(LOOK_AROUND[-1]), "--json"))
    means = [group["measures"]["measure_canny_f1"]["mean"] for group in told["groups"]]
    assert len(means) == 3
    assert means == sorted(means), "edges are followed the more closely the more they weigh"


def test_everything_in_the_demo_says_that_it_is_simulated(night: Ended) -> None:
    assert "SIMULATED" in night.words
    assert "SIMULATED" in (night.root / "report" / "index.html").read_text(encoding="utf-8")
    assert "SIMULATED" in (night.root / "cosmosq.toml").read_text(encoding="utf-8")


def test_the_demo_shows_which_session_served_how_many_jobs(night: Ended) -> None:
    lines = [re.split(r"\s{2,}", line) for line in night.output.splitlines() if line.startswith("s-")]
    assert [(model, served) for _, model, _, served in lines] == [
        ("prompt upsampler", "1"),
        ("edge depth", "9"),
        ("upscale", "1"),
        ("upscale, all offloaded", "1"),
    ]


def test_weights_guidance_and_prompt_each_change_the_video(night: Ended) -> None:
    videos = [night.video(job_id) for job_id in (*range(1, 8), 10)]
    assert len({sha256_of(video) for video in videos}) == 8


def test_the_upscaled_video_is_three_times_as_large(night: Ended) -> None:
    assert size_of(night.video(1)) == (640, 352)
    assert size_of(night.video(11)) == (1920, 1056)


def size_of(video: Path) -> tuple[int, int]:
    capture = cv2.VideoCapture(str(video))
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def test_there_is_a_desktop_where_a_screen_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert not has_desktop()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_desktop()


def test_without_name_and_terminal_the_demo_gets_a_dated_folder_tells_json_and_opens_nothing(tmp_path: Path) -> None:
    done = demo("--json", "--frames", "2", folder=tmp_path, env=desktop(tmp_path))
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert set(told) == {"workspace", "page", "jobs", "healed", "sessions"}
    assert Path(told["workspace"]).parent == tmp_path / "demo"
    assert re.fullmatch(r"\d{4}(-\d\d){2}_\d\d(-\d\d){2}", Path(told["workspace"]).name)
    assert Path(told["page"]).is_file()
    assert told["healed"] == {"11": ["out_of_memory"]}
    assert sum(session["attempts"] for session in told["sessions"]) == 12
    assert [job["simulated"] for job in told["jobs"]] == [True] * 11
    assert not (tmp_path / "opened").exists()


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
