"""`cosmosq report --html` as a browser shows it."""

import os
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser
from sqlalchemy.orm import Session

from cosmosq.cli import main
from cosmosq.models import JobInput, Video
from cosmosq.paths import Workspace
from cosmosq.status import Status
from tests.acceptance.browser import Reader, data_of, needs_chromium, report_of, video_job
from tests.ledger_rows import NOW, make_artifact, make_attempt, make_ended_job, make_job, make_prompt, make_workspace
from tests.media import make_video


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


HOSTILE = {
    "img": "<img src=x onerror=\"document.body.id='broken'\">",
    "script": "</script><script>document.body.id='broken'</script>",
    "comment": "<!--<script>document.body.id='broken'",
    "attribute": '"><svg onload="document.body.id=\'broken\'">',
    "quotes": "\"'`${document.body.id='broken'}\\u2028\u2028 \\",
    "right to left": "مطبخ دافئ في المساء \u202e olleh",
    "20000 characters": "steam and rain " * 1333 + "the end",
}


@needs_chromium
@pytest.mark.parametrize("single", [False, True], ids=["folder", "single file"])
def test_what_comes_from_outside_is_only_text(
    single: bool, workspace: Workspace, session: Session, reader: Reader
) -> None:
    for text in HOSTILE.values():
        parameters = {"negative_prompt": text, "seg.control_prompt": text}
        prompt = make_prompt(session, name=text[:60], text=text)
        outcome: dict[str, Any] = {"error": "crashed", "message": text, "labels": {"label": text[:60]}}
        make_ended_job(session, Status.FAILED, prompt=prompt, parameters=parameters, **outcome)
        make_ended_job(session, prompt=prompt, parameters=parameters)
    folder = report_of(workspace, session, *(["--single-file"] if single else []))
    page = reader.open(folder / ("report.html" if single else "index.html"))
    for axis in ("negative_prompt", "prompt", "label:label", "seg.control_prompt"):
        page.evaluate("axis => cosmosq.state.set({ x: axis, facet: axis })", axis)
    for job, text in zip(range(1, 15, 2), HOSTILE.values(), strict=True):
        page.evaluate("job => cosmosq.state.set({ job: String(job) })", job)
        assert text in str(page.evaluate("document.querySelector('dialog').textContent"))
        reader.close_job()
    page.evaluate("document.querySelector('#plots-section').scrollIntoView()")
    page.wait_for_selector("#plots .plot svg")
    assert page.evaluate("document.body.id") == ""
    # Only those of the page and of the plots.
    assert page.locator("img[src=x], svg[onload], main script").count() == 0
    reader.assert_quiet(folder)


@needs_chromium
def test_every_video_on_the_page_is_a_file_next_to_it(workspace: Workspace, session: Session, reader: Reader) -> None:
    jobs = [video_job(workspace, session) for _ in range(3)]
    make_ended_job(session, Status.FAILED, error="crashed")
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    assert page.locator(".cell img").count() == 3
    for job in jobs:
        page.locator(f"[data-job='{job.id}'] .seen").click()
        source = page.locator("dialog video").get_attribute("src")
        assert source == f"videos/{job.id}.mp4"
        assert (folder / source).read_bytes() == (workspace.root / f"outputs/{job.id}/output.mp4").read_bytes()
        reader.until("document.querySelector('dialog video').readyState >= 2")
        page.keyboard.press("Escape")
    reader.assert_quiet(folder)


@needs_chromium
def test_the_input_and_its_controls_stand_beside_the_output(
    workspace: Workspace, session: Session, reader: Reader
) -> None:
    job = video_job(workspace, session)
    for number, role in enumerate(("depth", "input", "edge")):
        path = make_video(workspace.root / f"{role}.mp4", seed=10 + number)
        size = {"width": 64, "height": 48, "fps": 24.0, "frames": 12, "duration_s": 0.5, "bytes": 1}
        session.add(Video(sha256=str(number) * 64, path=str(path), created_at=NOW, **size))
        session.flush()
        session.add(JobInput(job_id=job.id, role=role, sha256=str(number) * 64, path=str(path)))
    session.flush()
    (workspace.root / "edge.mp4").unlink()
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", f"#job={job.id}")
    assert page.locator("dialog figcaption b").all_inner_texts() == ["output", "input", "depth", "edge"]
    assert page.locator("dialog video").count() == 3
    assert page.locator("dialog .missing").inner_text() == "the file is missing"


@needs_chromium
def test_cells_without_a_video_look_different(workspace: Workspace, session: Session, reader: Reader) -> None:
    video_job(workspace, session)
    gone = video_job(workspace, session, artifact={"path": "outputs/elsewhere.mp4"})
    for status in (Status.FAILED, Status.BLOCKED, Status.CANCELLED):
        make_ended_job(session, status, error=status.value, message="so it was")
    for status in (Status.QUEUED, Status.HELD, Status.RUNNING):
        make_job(session, status=status)
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    looks = page.eval_on_selector_all(
        ".cell .lack", "all => all.map(e => { const s = getComputedStyle(e); return s.border + s.backgroundImage; })"
    )
    assert len(looks) == len(set(looks)) + 1 == 7, "only queued and held look alike but for their signs"
    words = page.locator(".cell .lack").all_inner_texts()
    assert len(set(words)) == 7
    assert "the file is missing" in words[0]
    assert "outputs/elsewhere.mp4" in page.locator("#failures").inner_text()
    assert gone.id in [job["id"] for job in data_of(folder)["jobs"] if job["missing"]]


@needs_chromium
@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_a_page_without_any_success_makes_sense(
    jobs: int, workspace: Workspace, session: Session, reader: Reader
) -> None:
    for number in range(jobs):
        seconds: dict[str, Any] = {"ended_at": NOW + timedelta(minutes=number)}
        make_ended_job(session, Status.FAILED, error="out_of_memory", message="CUDA out of memory", **seconds)
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    assert page.locator(".cell").count() == jobs
    if jobs:
        page.evaluate("document.querySelector('#plots-section').scrollIntoView()")
        page.wait_for_selector("#night svg")
        assert "No parameter varied" in page.locator("#plots").inner_text()
        assert page.locator("#failures article").count() == 1, "the same failure is told once"
        assert ("cosmosq retry 1" if jobs == 1 else "cosmosq retry 1-3") in page.locator("#failures").inner_text()
    else:
        assert "No jobs here yet" in page.locator("main").inner_text()
    reader.assert_quiet(folder)


@needs_chromium
def test_one_job_and_a_parameter_that_never_varied(workspace: Workspace, session: Session, reader: Reader) -> None:
    video_job(workspace, session, parameters={"guidance": 7.0, "edge.weight": 0.3, "use_distilled": True})
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    assert page.locator(".cell img").count() == 1
    assert page.locator("#tools label span").all_inner_texts() == ["Status", "Rating", "Order", "Size"]
    page.locator(".cell .seen").click()
    assert "guidance=7" in page.locator("dialog .command code").first.inner_text()
    values = page.locator("dialog .fields").first.locator("td:nth-child(2)").all_inner_texts()
    assert values == ["7", "true", "0.3"]
    reader.assert_quiet(folder)


@needs_chromium
def test_times_are_the_readers_own(workspace: Workspace, session: Session, browser: Browser) -> None:
    video_job(workspace, session)
    folder = report_of(workspace, session)
    zone = ZoneInfo("Asia/Kathmandu")
    reader = Reader(browser, timezone_id=str(zone))
    page = reader.open(folder / "index.html")
    there = datetime.fromisoformat(page.get_attribute("#made", "datetime") or "").astimezone(zone)
    assert re.findall(r"\d+:\d+", page.inner_text("#made")) == [there.strftime("%-I:%M")]
    assert "UTC" not in page.inner_text("#head .over")
    page.evaluate("document.querySelector('#night-section').scrollIntoView()")
    page.wait_for_selector("#night .plot svg")
    begun = datetime.fromisoformat(data_of(folder)["night"]["spans"][0]["from"]).astimezone(zone)
    assert begun.strftime("%Y-%m-%dT%H:%M") in page.evaluate("document.querySelector('#night .plot').data[0].base[0]")
    reader.context.close()


@needs_chromium
def test_what_was_cancelled_is_no_failure(workspace: Workspace, session: Session, reader: Reader) -> None:
    for status in (Status.FAILED, Status.BLOCKED, Status.CANCELLED, Status.CANCELLED):
        make_ended_job(session, status, error=status.value)
    page = reader.open(report_of(workspace, session) / "index.html")
    assert page.get_by_role("button", name="Failures (2)").is_visible()


@needs_chromium
def test_the_tools_stand_in_one_line(workspace: Workspace, session: Session, reader: Reader) -> None:
    video_job(workspace, session)
    page = reader.open(report_of(workspace, session) / "index.html")
    tops = page.eval_on_selector_all("#tools label span", "all => all.map(e => e.getBoundingClientRect().top)")
    assert len(tops) == 4
    assert max(tops) - min(tops) < 1


@needs_chromium
def test_the_end_of_the_log_explains_a_failure(workspace: Workspace, session: Session, reader: Reader) -> None:
    job = make_job(session, status=Status.FAILED, error="crashed", message="exit code 1", ended_at=NOW)
    attempt = make_attempt(session, job, status=Status.FAILED, ended_at=NOW)
    make_artifact(session, attempt, kind="log", path="outputs/log.txt")
    log = workspace.root / "outputs/log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"line {n}\n" for n in range(500)) + "<b>CUDA</b> error\n", encoding="utf-8")
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    page.locator("#failures summary").click()
    shown = page.locator("#failures pre").inner_text()
    assert shown.endswith("line 499\n<b>CUDA</b> error")
    assert "line 400\n" not in shown


def test_the_page_is_marked_only_if_an_attempt_was_simulated(workspace: Workspace, session: Session) -> None:
    make_ended_job(session, engine="cosmos_transfer1")
    assert "SIMULATED" not in (report_of(workspace, session) / "index.html").read_text()
    make_ended_job(session, engine="simulated")
    assert "SIMULATED" in (report_of(workspace, session) / "index.html").read_text()


@pytest.mark.parametrize("options", [[], ["--single-file"]], ids=["folder", "single file"])
def test_the_page_asks_nobody_else(options: list[str], workspace: Workspace, session: Session) -> None:
    video_job(workspace, session)
    folder = report_of(workspace, session, *options)
    html = (folder / ("report.html" if options else "index.html")).read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', html)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "https:" not in policy[1]
    (scripts,) = re.findall(r"script-src (.*?);", policy[1])
    assert "unsafe-" not in scripts


def test_a_second_report_takes_the_place_of_the_first(workspace: Workspace, session: Session) -> None:
    video_job(workspace, session)
    report_of(workspace, session)
    video_job(workspace, session, prompt=make_prompt(session))
    folder = report_of(workspace, session)
    left = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = ["app.js", "data.js", "index.html", "plotly.min.js", "posters/1.jpg", "posters/2.jpg", "pulse.js"]
    assert left == [*files, "style.css", "videos/1.mp4", "videos/2.mp4"]
    assert (folder / "videos/2.mp4").samefile(workspace.root / "outputs/2/output.mp4")


def test_a_report_of_fewer_jobs_leaves_no_video_of_the_others_and_what_is_not_its_own_alone(
    workspace: Workspace, session: Session
) -> None:
    for _ in range(2):
        video_job(workspace, session)
    folder = report_of(workspace, session)
    mine = [folder / "videos" / "mine.mp4", folder / "notes" / "1.mp4"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    make_job(session, labels={"night": "2"})
    report_of(workspace, session, "--label", "night=2")
    left = {path.name for kind in ("videos", "posters") for path in (folder / kind).iterdir()}
    assert (left, all(path.exists() for path in mine)) == ({"mine.mp4"}, True)
    assert (workspace.root / "outputs/1/output.mp4").exists()


def test_a_poster_is_made_once_and_again_when_its_video_changes(workspace: Workspace, session: Session) -> None:
    video_job(workspace, session)
    poster = report_of(workspace, session) / "posters/1.jpg"
    made = poster.stat().st_ino
    report_of(workspace, session)
    assert poster.stat().st_ino == made
    before = poster.read_bytes()
    make_video(workspace.root / "outputs/1/output.mp4", seed=77)
    report_of(workspace, session)
    assert poster.read_bytes() != before


def test_a_video_that_cannot_be_decoded_has_no_poster(workspace: Workspace, session: Session) -> None:
    video_job(workspace, session)
    (workspace.root / "outputs/1/output.mp4").write_bytes(b"no video at all")
    (job,) = data_of(report_of(workspace, session))["jobs"]
    assert (job["video"], job["poster"], job["missing"]) == ("videos/1.mp4", None, False)


def test_a_video_is_copied_where_it_cannot_be_linked(workspace: Workspace, session: Session, tmp_path: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here to copy to")
    video_job(workspace, session)
    session.commit()
    folder = elsewhere / f"cosmosq-page-{os.getpid()}"
    try:
        for _ in range(2):
            assert main(["-w", str(workspace.root), "report", "--html", str(folder)]) == 0
        assert (folder / "videos/1.mp4").read_bytes() == (workspace.root / "outputs/1/output.mp4").read_bytes()
        assert not list(folder.rglob("*.part"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
