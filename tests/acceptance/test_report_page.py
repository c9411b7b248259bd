"""`cosmosq report --html` as a browser shows it."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cosmosq.cli import main
from cosmosq.db import Ledger
from cosmosq.paths import Workspace
from cosmosq.status import Status
from tests.ledger_rows import make_ended_job, make_job, make_prompt, make_workspace
from tests.media import make_video

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

Tag = tuple[str, dict[str, str | None]]


class Dom(HTMLParser):
    """The elements and the text of a document as the browser holds it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[Tag] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def shown_jobs(self) -> list[str | None]:
        """Ids of the rows that are not hidden, from top to bottom."""
        rows = (row for row in self.all("tr") if "data-id" in row)
        return [row["data-id"] for row in rows if "hidden" not in row]


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[str], Dom]:
    def opened(url: str) -> Dom:
        command = [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, check=True, timeout=120)
        return Dom(done.stdout.decode())

    return opened


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


@pytest.fixture
def session(workspace: Workspace) -> Iterator[Session]:
    """What is added here is committed by `page_of`."""
    ledger = Ledger(workspace.ledger_path)
    with Session(ledger.engine, expire_on_commit=False) as session:
        yield session
    ledger.close()


def page_of(workspace: Workspace, session: Session) -> Path:
    session.commit()
    folder = workspace.root / "page"
    assert main(["-w", str(workspace.root), "report", "--html", str(folder)]) == 0
    return folder / "index.html"


def video_job(workspace: Workspace, session: Session, **overrides: object) -> Path:
    """A succeeded job with a real video; returns the video's path."""
    job = make_ended_job(session, **overrides)  # type: ignore[arg-type]
    return make_video(workspace.root / f"outputs/{job.id}/output.mp4", seed=job.id)


@needs_chromium
@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=\"document.body.id='broken'\">",
        "</script><script>document.body.id='broken'</script>",
        '"><svg onload="document.body.id=\'broken\'">',
        "مطبخ دافئ في المساء",
        "steam and rain " * 1333 + "the end",
    ],
    ids=["img", "script", "attribute", "right to left", "20000 characters"],
)
def test_a_prompt_is_only_text(text: str, workspace: Workspace, session: Session, browse: Callable[[str], Dom]) -> None:
    make_job(session, prompt=make_prompt(session, name=text[:60], text=text), labels={"label": text[:60]})
    dom = browse(page_of(workspace, session).as_uri())
    assert text in dom.text
    assert dom.all("img") == []
    assert len(dom.all("script")) == len(dom.all("svg")) == len(dom.all("body")) == 1
    assert dom.all("body")[0].get("id") is None


@needs_chromium
def test_a_prompt_in_a_message_or_parameter_is_only_text(
    workspace: Workspace, session: Session, browse: Callable[[str], Dom]
) -> None:
    markup = "<img src=x onerror=\"document.body.id='broken'\">"
    parameters = {"negative_prompt": markup * 3, "seg.control_prompt": markup}
    make_ended_job(session, Status.FAILED, error="crashed", message=markup, parameters=parameters)
    dom = browse(page_of(workspace, session).as_uri())
    assert (dom.all("img"), dom.all("body")[0].get("id")) == ([], None)
    assert dom.text.count(markup) >= 5


@needs_chromium
def test_every_video_on_the_page_is_a_file_next_to_it(
    workspace: Workspace, session: Session, browse: Callable[[str], Dom]
) -> None:
    made = [video_job(workspace, session) for _ in range(3)]
    page = page_of(workspace, session)
    sources = [video["src"] for video in browse(page.as_uri()).all("video")]
    assert sources == [f"videos/{number}.mp4#t=0.5" for number in (1, 2, 3)]
    for source, original in zip(sources, made, strict=True):
        assert (page.parent / str(source).removesuffix("#t=0.5")).read_bytes() == original.read_bytes()


@needs_chromium
def test_a_link_filters_and_sorts_the_jobs(
    workspace: Workspace, session: Session, browse: Callable[[str], Dom]
) -> None:
    stove, street = make_prompt(session, text="A Stove"), make_prompt(session, text="a street in the rain")
    make_ended_job(session, prompt=street, attempt={"generate_s": 100.0})
    make_ended_job(session, prompt=stove, attempt={"generate_s": 20.0})
    make_ended_job(session, Status.FAILED, prompt=stove, error="crashed", attempt={"generate_s": None})
    page = page_of(workspace, session).as_uri()
    assert browse(page).shown_jobs() == ["1", "2", "3"]
    failed = browse(f"{page}#status=failed")
    assert (failed.shown_jobs(), "1 of 3 shown" in failed.text) == (["3"], True)
    assert browse(f"{page}#find=rain%20street").shown_jobs() == ["1"]
    assert browse(f"{page}#find=stove&sort=gpu").shown_jobs() == ["2", "3"]
    assert browse(f"{page}#sort=gpu").shown_jobs() == ["2", "1", "3"]


@needs_chromium
def test_a_missing_video_is_shown_as_missing(
    workspace: Workspace, session: Session, browse: Callable[[str], Dom]
) -> None:
    video_job(workspace, session).unlink()
    dom = browse(page_of(workspace, session).as_uri())
    assert "The video is missing: outputs/1/output.mp4" in dom.text
    assert dom.all("video") == []


@needs_chromium
@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_a_page_without_any_success_makes_sense(
    jobs: int, workspace: Workspace, session: Session, browse: Callable[[str], Dom]
) -> None:
    for _ in range(jobs):
        make_ended_job(session, Status.FAILED, error="out_of_memory", message="CUDA out of memory")
    dom = browse(page_of(workspace, session).as_uri())
    assert len(dom.shown_jobs()) == jobs
    assert dom.text.count("CUDA out of memory") == jobs
    assert ("No jobs here yet" in dom.text) == (jobs == 0)


def test_the_page_is_marked_only_if_an_attempt_was_simulated(workspace: Workspace, session: Session) -> None:
    make_ended_job(session, engine="cosmos_transfer1")
    assert "SIMULATED" not in page_of(workspace, session).read_text()
    make_ended_job(session, engine="simulated")
    assert "SIMULATED" in page_of(workspace, session).read_text()


def test_the_page_shows_the_parameters_that_differ_from_the_default(workspace: Workspace, session: Session) -> None:
    make_job(session, parameters={"guidance": 7.0, "edge.weight": 0.3, "use_distilled": True})
    chips = re.findall(r"<li>(.*?)</li>", page_of(workspace, session).read_text())
    assert chips == ["guidance<b>7.0</b>", "use_distilled<b>true</b>", "edge.weight<b>0.3</b>"]


def test_the_page_asks_nobody_else(workspace: Workspace, session: Session) -> None:
    video_job(workspace, session)
    html = page_of(workspace, session).read_text()
    assert re.findall(r"(?:https?:)?//[\w.]+\.\w+", html) == []
    assert "default-src 'none'" in html
    assert "unsafe-" not in html


def test_a_second_report_takes_the_place_of_the_first(workspace: Workspace, session: Session) -> None:
    video_job(workspace, session)
    page_of(workspace, session)
    again = video_job(workspace, session, prompt=make_prompt(session))
    page = page_of(workspace, session)
    left = sorted(path.relative_to(page.parent).as_posix() for path in page.parent.rglob("*"))
    assert left == ["index.html", "videos", "videos/1.mp4", "videos/2.mp4"]
    assert (page.parent / "videos/2.mp4").samefile(again)


def test_a_video_is_copied_where_it_cannot_be_linked(workspace: Workspace, session: Session, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here to copy to")
    original = video_job(workspace, session)
    session.commit()
    folder = elsewhere / f"cosmosq-page-{os.getpid()}"
    try:
        for _ in range(2):
            assert main(["-w", str(workspace.root), "report", "--html", str(folder)]) == 0
        assert (folder / "videos/1.mp4").read_bytes() == original.read_bytes()
        assert not list(folder.rglob("*.part"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
