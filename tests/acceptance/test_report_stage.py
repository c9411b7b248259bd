"""Jobs as they are looked at on the report's page: opened, left, renewed, and played in step."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.models import Artifact, Job, JobInput, Prompt, Video
from cosmosq.paths import Workspace
from cosmosq.status import Status
from tests.acceptance.browser import Reader, needs_chromium, report_of, video_job
from tests.ledger_rows import NOW, make_artifact, make_attempt, make_job, make_prompt, make_workspace
from tests.media import make_video

pytestmark = needs_chromium


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


@pytest.fixture
def prompt(session: Session) -> Prompt:
    return make_prompt(session, name="harbour")


@pytest.fixture
def videos(workspace: Workspace, session: Session, prompt: Prompt) -> list[Job]:
    """Four jobs of one prompt, in the order of the sheet."""
    return [video_job(workspace, session, prompt=prompt, parameters={"guidance": 3.0 + n}) for n in range(4)]


CLOSED = "!document.querySelector('dialog[open]')"


def test_back_closes_a_job_and_stays_on_the_page(
    workspace: Workspace, session: Session, videos: list[Job], reader: Reader
) -> None:
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", "#sort=-id")
    page.locator("[data-job='3'] .seen").click()
    page.keyboard.press("PageUp")
    opened = page.get_attribute("dialog", "aria-label")
    assert opened in ("Job 2", "Job 4")
    page.go_back()
    reader.until(CLOSED)
    assert page.evaluate("location.hash") == "#sort=-id"
    assert page.evaluate("document.activeElement.dataset.job") == opened[-1], "the cell of what was looked at last"
    page.go_forward()
    page.wait_for_selector(f"dialog[open][aria-label='{opened}']")
    page.reload()
    page.wait_for_selector(f"dialog[open][aria-label='{opened}']")
    page.go_back()
    reader.until(CLOSED)
    assert page.url.endswith("index.html#sort=-id")
    reader.assert_quiet(folder)


def test_what_was_closed_otherwise_needs_no_back(
    workspace: Workspace, session: Session, videos: list[Job], reader: Reader
) -> None:
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    before = page.evaluate("history.length")
    # At once one after the other: the browser goes back only a moment after it is asked to.
    page.evaluate("""async () => {
      for (const job of ['1', '2', '3']) {
        cosmosq.state.set({ job });
        cosmosq.stage.close();
        await new Promise(resolve => setTimeout(resolve));
      }
      cosmosq.state.set({ job: '4', sort: '-id' });
    }""")
    reader.until("location.hash === '#sort=-id&job=4'")
    page.wait_for_selector("dialog[open][aria-label='Job 4']")
    page.keyboard.press("Escape")
    reader.until("location.hash === '#sort=-id'")
    assert page.evaluate("history.length") == before + 1, "one entry to go forward to"
    page.go_back()
    assert page.url == "about:blank"


def test_several_videos_stand_in_the_address_and_back_closes_them(
    workspace: Workspace, session: Session, videos: list[Job], reader: Reader
) -> None:
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    for job in videos[:3]:
        page.locator(f"[data-job='{job.id}'] .choose").check()
    page.get_by_role("button", name="Play together").click()
    assert page.evaluate("location.hash") == "#job=1%2C2%2C3"
    page.reload()
    page.wait_for_selector("dialog[open][aria-label='3 videos together']")
    page.go_back()
    reader.until(CLOSED)
    page.get_by_role("button", name="Which is better?").click()
    page.wait_for_selector("dialog[open]")
    page.go_back()
    reader.until(CLOSED)
    assert page.url.endswith("index.html")
    reader.assert_quiet(folder)


def renew(reader: Reader, workspace: Workspace, session: Session, *options: str) -> None:
    """Newer data, taken in by the page that is open as `--watch` has them taken in."""
    before = reader.page.evaluate("cosmosq.jobs.data.made_at")
    report_of(workspace, session, *options)
    reader.page.evaluate("cosmosq.pulse('newer')")
    reader.until(f"cosmosq.jobs.data.made_at !== '{before}'")


def test_an_open_job_keeps_its_place_when_data_are_renewed(
    workspace: Workspace, session: Session, videos: list[Job], reader: Reader, prompt: Prompt
) -> None:
    waits = make_job(session, prompt=prompt, parameters={"guidance": 9.0})
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", "#job=2")
    page.evaluate("() => { document.querySelector('dialog video').id = 'same'; }")
    page.locator("dialog .note").fill("half a th")
    waits.status = Status.RUNNING
    renew(reader, workspace, session)
    assert page.locator("dialog video").get_attribute("id") == "same", "what is the same plays on"
    assert page.input_value("dialog .note:focus") == "half a th"
    page.locator("dialog .play").focus()
    page.keyboard.press("4")
    assert page.locator("[data-job='2'] .cap .stars").inner_text() == "★★★★"
    for job in (3, 4, 5):
        page.keyboard.press("PageDown")
        assert page.get_attribute("dialog", "aria-label") == f"Job {job}"
    assert page.locator("dialog .stagebar .status").inner_text() == "running"
    renew(reader, workspace, session, "--status", "succeeded")
    reader.until(CLOSED)
    assert page.evaluate("cosmosq.state.values.job") is None
    reader.assert_quiet(folder)


def test_an_open_job_shows_its_video_when_there_is_one(workspace: Workspace, session: Session, reader: Reader) -> None:
    job = make_job(session, status=Status.RUNNING)
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", "#job=1")
    assert page.locator("dialog .lack.running").count() == 1
    job.status = Status.SUCCEEDED
    make_artifact(session, make_attempt(session, job, status=Status.SUCCEEDED, ended_at=NOW))
    make_video(workspace.root / "outputs/1/output.mp4")
    renew(reader, workspace, session)
    assert page.locator("dialog video").count() == 1
    assert page.locator("dialog .rating").count() == 1
    reader.assert_quiet(folder)


PRESENTED = """rates => {
  const videos = [...document.querySelectorAll('dialog video')];
  window.shown = videos.map(() => 0);
  window.samples = [];
  videos.forEach((video, at) => {
    const note = (_, { mediaTime }) => { window.shown[at] = Math.round(mediaTime * rates[at]); next(); };
    const next = () => video.requestVideoFrameCallback(note);
    next();
  });
  const sample = () => { window.samples.push([...window.shown]); requestAnimationFrame(sample); };
  requestAnimationFrame(sample);
}"""
"""Notes which frame of each video the browser has put on the screen; `rates` are their frames a second."""


def test_the_nth_frame_of_the_input_stands_beside_the_nth_of_the_output(
    workspace: Workspace, session: Session, reader: Reader
) -> None:
    job = video_job(workspace, session, frames=60)
    path = make_video(workspace.root / "input.mp4", frames=60, fps=30, seed=7)
    size = {"width": 64, "height": 48, "fps": 30.0, "frames": 60, "duration_s": 2.0, "bytes": 1}
    session.add(Video(sha256="1" * 64, path=str(path), created_at=NOW, **size))
    session.flush()
    session.add(JobInput(job_id=job.id, role="input", sha256="1" * 64, path=str(path)))
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", "#job=1")
    page.evaluate(PRESENTED, [24, 30])
    assert page.get_attribute(".scrub", "max") == "59"
    for frame in (10, 59, 30):
        page.evaluate("frame => cosmosq.stage.player().seek(frame)", frame)
        reader.until(f"window.shown.every(shown => shown === {frame})")
    assert page.inner_text(".count") == "31 / 60"
    page.keyboard.press("ArrowRight")
    reader.until("window.shown.every(shown => shown === 31)")
    page.keyboard.press(" ")
    reader.until("new Set(window.samples.map(each => each[0])).size > 45")
    page.keyboard.press(" ")
    samples: list[list[int]] = page.evaluate("window.samples.slice(5)")
    apart = sorted(abs(output - shown) for output, shown in samples if 0 < output < 59)
    # How often it was more is the machine's doing: a frame that comes late is waited for.
    assert apart[int(len(apart) * 0.9)] <= 1
    reader.until("window.shown[0] === window.shown[1]")


def test_every_speed_is_one_that_the_browser_plays(workspace: Workspace, session: Session, reader: Reader) -> None:
    for fps in (12, 60):
        job = video_job(workspace, session, parameters={"fps": fps}, artifact={"fps": float(fps), "frames": 48})
        make_video(workspace.root / f"outputs/{job.id}/output.mp4", frames=48, fps=fps)
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", "#job=1,2")
    page.evaluate(PRESENTED, [12, 60])
    for speed in ("2", "0.1"):
        page.get_by_label("Speed").select_option(speed)
        page.locator("dialog .play").focus()
        page.keyboard.press(" ")
        reader.until("window.shown[0] > 3")
        page.keyboard.press(" ")
        reader.until("window.shown[0] === window.shown[1]")
        page.keyboard.press("Home")
        reader.until("window.shown.every(shown => shown === 0)")
    reader.assert_quiet(folder)


@pytest.mark.parametrize("size", [(1400, 900), (1280, 720), (390, 844)], ids=["desktop", "laptop", "phone"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_nothing_covers_videos_that_play_together(
    count: int, size: tuple[int, int], workspace: Workspace, session: Session, videos: list[Job], browser: Browser
) -> None:
    for job in videos:
        make_video(workspace.root / f"outputs/{job.id}/output.mp4", width=160, height=88)
        for artifact in session.scalars(select(Artifact)):
            artifact.width, artifact.height = 160, 88
    folder = report_of(workspace, session)
    reader = Reader(browser, viewport={"width": size[0], "height": size[1]})
    page = reader.open(folder / "index.html", f"#job={','.join(str(job.id) for job in videos[:count])}")
    reader.until(f"document.querySelectorAll('dialog .tile .rating').length === {count}")
    reader.keep(f"together-{count}-{size[0]}")
    transport, *seen = (
        page.evaluate(f"[...document.querySelectorAll('dialog {what}')].map(e => e.getBoundingClientRect().{edge})")
        for what, edge in ((".transport", "top"), (".tile video", "bottom"), (".tile .rating", "bottom"))
    )
    assert max(max(each) for each in seen) <= transport[0] < size[1]
    widths = page.eval_on_selector_all("dialog .tile video", "all => all.map(e => e.clientWidth)")
    assert min(widths) > size[0] * (0.3 if count > 2 else 0.4)
    reader.context.close()


def test_a_phone_shows_a_job_from_top_to_bottom(
    workspace: Workspace, session: Session, videos: list[Job], browser: Browser
) -> None:
    folder = report_of(workspace, session)
    reader = Reader(browser, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = reader.open(folder / "index.html", "#job=1")
    page.wait_for_selector("dialog .detail")
    tops, bottoms = (
        [
            page.evaluate(f"document.querySelector('dialog {part}').getBoundingClientRect().{edge}")
            for part in (".stagebar", ".tile video", ".tile figcaption", ".transport", ".detail")
        ]
        for edge in ("top", "bottom")
    )
    assert all(below >= above for below, above in zip(tops[1:], bottoms, strict=False)), "nothing lies over another"
    close = page.locator("dialog .close").bounding_box()
    assert close
    assert close["y"] < 40, "at the side of the number"
    reader.assert_quiet(folder)
    reader.context.close()
