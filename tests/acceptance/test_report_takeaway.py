"""What goes out of the report: one file to mail, a mosaic, a page that renews itself."""

import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cosmosq.paths import Workspace
from cosmosq.status import Status
from cosmosq.videos import probe
from tests.acceptance.browser import Reader, data_of, needs_chromium, report_of, video_job
from tests.acceptance.command_line import Shell
from tests.ledger_rows import make_ended_job, make_prompt
from tests.media import decoded, make_video
from tests.night import COMMAND_LINE


def words_of(line: str) -> list[str]:
    """The arguments that a shell gives to cosmosq."""
    told = subprocess.run(
        ["bash", "-c", f"cosmosq() {{ printf '%s\\0' \"$@\"; }}; {line}"], capture_output=True, check=True
    )
    return told.stdout.decode().split("\0")[:-1]


def sweep(workspace: Workspace, session: Session) -> None:
    """Two prompts over guidance and edge.weight, 8 jobs, and a failed one."""
    for prompt in (make_prompt(session, name="harbour"), make_prompt(session, name="Straße")):
        for guidance, weight in product((3.0, 7.0), (0.2, 0.8)):
            video_job(workspace, session, prompt=prompt, parameters={"guidance": guidance, "edge.weight": weight})
        make_ended_job(session, Status.FAILED, error="crashed")


@needs_chromium
def test_a_single_file_has_the_pictures_and_needs_nothing_else(
    workspace: Workspace, session: Session, reader: Reader, tmp_path: Path
) -> None:
    sweep(workspace, session)
    folder = report_of(workspace, session, "--single-file")
    assert [path.name for path in folder.iterdir()] == ["report.html"]
    mailed = tmp_path / "mailed" / "of the night.html"
    mailed.parent.mkdir()
    (folder / "report.html").rename(mailed)
    page = reader.open(mailed)
    reader.until("[...document.querySelectorAll('.cell img')].filter(e => e.naturalWidth === 64).length >= 4")
    page.locator(".cell img").first.click()
    assert "videos are not in this file" in page.locator("dialog figcaption").inner_text()
    reader.close_job()
    page.evaluate("document.querySelector('#plots-section').scrollIntoView()")
    page.wait_for_selector("#plots .plot svg")
    reader.assert_quiet(mailed.parent)


def test_the_mosaic_plays_every_video_in_its_place(workspace: Workspace, session: Session, shell: Shell) -> None:
    sweep(workspace, session)
    session.commit()
    shell.ok("report", "--mosaic", "mosaic.mp4")
    info = probe(workspace.root / "mosaic.mp4")
    # Two columns of at most 480 pixels; a prompt has two headings, and two lines of 360 and a caption.
    assert (info.width, info.frames, info.fps) == (110 + 960, 12, 24)
    lines = (info.height - 2 * (30 + 40)) / 4
    assert lines == 360 + 22
    shown = decoded(workspace.root / "mosaic.mp4")
    for number, (line, column) in {1: (0, 0), 2: (1, 0), 3: (0, 1), 4: (1, 1)}.items():
        top, left = 70 + line * int(lines), 110 + column * 480
        for frame in (0, 11):
            original = decoded(workspace.root / f"outputs/{number}/output.mp4")[frame]
            cell = shown[frame][top : top + 358, left : left + 477]
            assert cell.mean((0, 1)) == pytest.approx(original.mean((0, 1)), abs=4), (number, frame)
    shell.ok("report", "--mosaic", "time.mp4", "--layout", "time", "--prompt", "harbour")
    assert probe(workspace.root / "time.mp4").height == 2 * int(lines)


def test_a_mosaic_shows_the_same_frame_of_all(workspace: Workspace, session: Session, shell: Shell) -> None:
    for number, fps in ((1, 12), (2, 24)):
        video_job(workspace, session, parameters={"fps": fps}, artifact={"fps": float(fps), "frames": 12})
        make_video(workspace.root / f"outputs/{number}/output.mp4", seed=number, frames=12, fps=fps)
    session.commit()
    shell.ok("report", "--mosaic", "mosaic.mp4", "--layout", "time")
    shown = decoded(workspace.root / "mosaic.mp4")
    assert len(shown) == 12, "not the 24 in which the slower one is over by the clock"
    for number, left in {1: 0, 2: 480}.items():
        original = decoded(workspace.root / f"outputs/{number}/output.mp4")[6]
        assert shown[6][:358, left : left + 477].mean((0, 1)) == pytest.approx(original.mean((0, 1)), abs=4), number


def test_a_mosaic_of_nothing_says_so(workspace: Workspace, session: Session, shell: Shell) -> None:
    make_ended_job(session, Status.FAILED, error="crashed")
    session.commit()
    done = shell.run("report", "--mosaic", "mosaic.mp4")
    assert done.code == 2
    assert "no job here has a video" in done.err


@needs_chromium
def test_a_watched_page_takes_in_what_is_new(workspace: Workspace, shell: Shell, reader: Reader) -> None:
    folder = workspace.root / "live"
    command = [sys.executable, "-c", COMMAND_LINE, "-w", str(workspace.root), "report", "--html", str(folder)]
    watching = subprocess.Popen([*command, "--watch"], stderr=subprocess.PIPE, text=True, env=os.environ)
    assert watching.stderr
    try:
        assert "open it in a browser" in watching.stderr.readline()
        page = reader.open(folder / "index.html")
        assert "No jobs here yet" in page.inner_text("main")
        for number in (1, 2):
            shell.ok("enqueue", "kitchen", "-s", f"seed={number}")
            page.wait_for_selector(f".cell.queued[data-job='{number}']")
            if number == 1:
                page.locator("[data-job='1']").focus()
                page.keyboard.press(" ")
        assert page.locator(".cell.selected").get_attribute("data-job") == "1"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=60) == 0
        reader.until("cosmosq.jobs.data.watch_s === null")
        reader.assert_quiet(folder)
    finally:
        watching.kill()
        watching.wait()
        watching.stderr.close()


@needs_chromium
def test_the_layout_says_what_comes_first(workspace: Workspace, session: Session, reader: Reader) -> None:
    sweep(workspace, session)
    layouts = {"parameter": ["guidance", "edge.weight", "prompt"], "time": ["", "", ""], "prompt": ["", "", "prompt"]}
    for layout, axes in layouts.items():
        page = reader.open(report_of(workspace, session, "--layout", layout) / "index.html")
        chosen = page.eval_on_selector_all("#tools select", "all => all.slice(0, 3).map(each => each.value)")
        assert chosen == axes, layout


def test_the_command_of_a_job_asks_for_the_very_same(workspace: Workspace, shell: Shell) -> None:
    strange = "no \"quotes\", 'none',\n no $(date) `x` \\ é\u200f"
    shell.ok("prompt", "add", "a street", "--clip", "shot", "--name=-rf", "-s", "edge.weight=1", "-s", "guidance=9")
    shell.ok("enqueue", "kitchen", "-s", f"negative_prompt={strange}", "-s", "sigma_max=33.333333333333336")
    # What the prompt would set otherwise has to be told too.
    shell.ok("enqueue", "-s", "guidance=5", "-s", "depth.weight=0.1", "-s", "edge.weight=0", "--", "-rf")
    shell.ok("enqueue", "--upscale", "1", "-s", "upscale.weight=0.7")
    shell.ok("report", "--html", "page")
    before = data_of(workspace.root / "page")["jobs"]
    for job in before:
        shell.ok(*words_of(job["again"]))
    shell.ok("report", "--html", "page")
    jobs = data_of(workspace.root / "page")["jobs"]
    assert [job["digest"] for job in jobs[3:]] == [job["digest"] for job in before]


@pytest.mark.parametrize("option", ["--single-file", "--watch", "--open"])
def test_what_belongs_to_a_page_needs_one(option: str, shell: Shell) -> None:
    done = shell.run("report", option)
    assert done.code == 2
    assert f"{option} belongs to a page: give --html DIR too" in done.err
