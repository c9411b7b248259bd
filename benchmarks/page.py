"""The report's page of a sweep of 1,000 jobs: seconds to write it, and seconds until a browser shows it."""

import shutil
import tempfile
import time
from itertools import product
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from sqlalchemy.orm import Session

from benchmarks.ratio import Missing, Row, compare, process
from benchmarks.start_up import COSMOSQ
from cosmosq.models import Measurement
from tests.ledger_rows import make_artifact, make_attempt, make_job, make_prompt, make_session, make_workspace
from tests.media import make_video

GUIDANCES = [1.0 + number / 2 for number in range(10)]
WEIGHTS = [number / 10 for number in range(1, 11)]
PROMPTS = 10
PAINTED = """() => new Promise(resolve => {
  const sheet = () => document.querySelector('.cell img')
    ? requestAnimationFrame(() => resolve(performance.now() / 1000)) : requestAnimationFrame(sheet);
  sheet();
})"""
"""Resolves with the seconds from the start of the navigation to the first frame in which cells were drawn."""


def measure() -> list[Row]:
    """Writing against the five seconds that it may take, painting against two."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "night"
        fill(root)
        page = Path(folder) / "page"
        write = process(COSMOSQ, "-w", str(root), "report", "--html", str(page))
        began = time.perf_counter()
        write()
        print(f"  the first time, with {count():,} posters to be made: {time.perf_counter() - began:.1f} s")
        ratios = [
            compare(
                f"page of a sweep of {count():,} jobs : five seconds",
                write,
                lambda: time.sleep(5),
                limit=1.0,
                rounds=3,
            )
        ]
        return [*ratios, painting(page / "index.html")]


def painting(index: Path) -> Row:
    """How soon Debian's Chromium shows cells."""
    name = f"first paint of {count():,} cells : two seconds"
    if (chromium := shutil.which("chromium")) is None:
        return Missing(name=name, reason="no Chromium: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        ratio = compare(name, lambda: paint(tab, index), lambda: time.sleep(2), limit=1.0, rounds=3)
        browser.close()
    return ratio


def count() -> int:
    """Number of jobs."""
    return len(GUIDANCES) * len(WEIGHTS) * PROMPTS


def paint(tab: Page, index: Path) -> float:
    """Open the page and wait until cells have been painted."""
    tab.goto(index.as_uri(), wait_until="commit")
    return float(tab.evaluate(PAINTED))


def fill(root: Path) -> None:
    """A ledger of 1,000 jobs that succeeded, each with a video of its own and three measurements."""
    _, ledger = make_workspace(root)
    videos = [make_video(root / f"{seed}.mp4", width=1280, height=704, frames=24, seed=seed) for seed in range(8)]
    with Session(ledger.engine) as session:
        loaded = make_session(session)
        prompts = [make_prompt(session, text=f"a kitchen in the evening, number {n} " * 8) for n in range(PROMPTS)]
        for prompt, guidance, weight in product(prompts, GUIDANCES, WEIGHTS):
            parameters = {"guidance": guidance, "edge.weight": weight}
            job = make_job(session, prompt=prompt, parameters=parameters, status="succeeded")
            seconds = {"generating_s": 130.0, "generate_s": 100 + guidance, "downloading_s": 1.0}
            attempt = make_attempt(session, job, status="succeeded", session_id=loaded.id, **seconds)
            size = {"width": 1280, "height": 704, "frames": 24, "duration_s": 1.0}
            artifact = make_artifact(session, attempt, **size)
            for name, value in {"canny_f1": weight, "blur_ssim": 1 - weight, "motion": guidance}.items():
                measured = {"name": name, "value": value, "created_at": job.created_at}
                session.add(Measurement(artifact_id=artifact.id, **measured))
            target = root / f"outputs/{job.id}/output.mp4"
            target.parent.mkdir(parents=True)
            shutil.copyfile(videos[job.id % len(videos)], target)
        session.commit()
    ledger.close()
