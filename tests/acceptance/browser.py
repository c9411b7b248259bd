"""Reports as headless Chromium shows them; what they do wrong there is a failure."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy.orm import Session

from cosmosq.cli import main
from cosmosq.models import Job
from cosmosq.paths import Workspace
from tests.ledger_rows import make_ended_job
from tests.media import make_video

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 60_000

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser for many pages: starting it takes longer than most of them."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Reader:
    """Opens pages and notes what they must not do: complain, or ask for anything outside their folder."""

    def __init__(self, browser: Browser, **how: Any) -> None:
        self.context = browser.new_context(viewport=how.pop("viewport", {"width": 1280, "height": 900}), **how)
        self.context.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page: Page = self._tab()

    def _tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self._heard(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def open(self, index: Path, hash_: str = "") -> Page:
        """The page, once it has drawn itself."""
        return _drawn(self.page, f"{index.as_uri()}{hash_}")

    def open_beside(self, index: Path) -> Page:
        """The page in a tab of its own, beside those that are open already."""
        return _drawn(self._tab(), index.as_uri())

    def until(self, expression: str) -> None:
        """Wait for an expression to be true; the page's policy keeps the driver's own way of waiting out."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.page.wait_for_timeout(20)

    def close_job(self) -> None:
        """Close the job that is open, and wait until its cell has the keyboard: the page scrolls to it last."""
        self.page.keyboard.press("Escape")
        self.until("document.activeElement.matches('.cell')")

    def assert_quiet(self, folder: Path) -> None:
        """No error in the console, and no request that left the folder."""
        assert self.complaints == []
        allowed = (folder.as_uri() + "/", "data:", "blob:")
        assert [url for url in self.requests if not url.startswith(allowed)] == []

    def keep(self, name: str) -> None:
        """A screenshot for people, where CI wants some."""
        if folder := os.environ.get("SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=str(Path(folder) / f"{name}.png"))


def _drawn(page: Page, url: str) -> Page:
    page.goto(url)
    page.wait_for_selector("html[data-ready]", state="attached")
    return page


def report_of(workspace: Workspace, session: Session, *options: str, name: str = "page") -> Path:
    """Commit what the test added and write the page; returns its folder."""
    session.commit()
    folder = workspace.root / name
    assert main(["-w", str(workspace.root), "report", "--html", str(folder), *options]) == 0
    return folder


def data_of(folder: Path) -> dict[str, Any]:
    """What the page is given."""
    text = (folder / "data.js").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text.removeprefix("cosmosq.receive(").rpartition(',"')[0])
    return data


def video_job(workspace: Workspace, session: Session, *, frames: int = 12, **overrides: Any) -> Job:
    """A succeeded job with a real video."""
    artifact = {"frames": frames, "duration_s": frames / 24, **overrides.pop("artifact", {})}
    job = make_ended_job(session, artifact=artifact, **overrides)
    make_video(workspace.root / f"outputs/{job.id}/output.mp4", seed=job.id, frames=frames)
    return job
