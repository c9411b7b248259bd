"""What people do with the report's page: choose axes, find, play in step, rate, compare, take along."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.cli import main
from cosmosq.db import Ledger
from cosmosq.models import Artifact, Measurement, Rating
from cosmosq.paths import Workspace
from cosmosq.report.scores import fit
from cosmosq.status import Status
from tests.acceptance.browser import Reader, needs_chromium, report_of, video_job
from tests.ledger_rows import NOW, make_ended_job, make_prompt, make_session, make_workspace

pytestmark = needs_chromium

FRAMES = 48
GUIDANCES, WEIGHTS = (3.0, 5.0, 7.0), (0.2, 0.8)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A sweep of two prompts over guidance and edge.weight: jobs 1 to 12; job 13 failed."""
    workspace, ledger = make_workspace(tmp_path_factory.mktemp("use") / "night")
    with Session(ledger.engine, expire_on_commit=False) as session:
        price = {"price_per_hour": 2.5, "currency": "EUR", "ended_at": NOW + timedelta(hours=2)}
        loaded = make_session(session, **price)
        for prompt in (make_prompt(session, name="harbour"), make_prompt(session, name="street")):
            for number, (guidance, weight) in enumerate(product(GUIDANCES, WEIGHTS)):
                times = {"started_at": NOW + timedelta(minutes=3 * number), "generate_s": 10.0 * guidance + number}
                attempt = {**times, "session_id": loaded.id}
                parameters = {"guidance": guidance, "edge.weight": weight}
                job = video_job(
                    workspace, session, frames=FRAMES, prompt=prompt, parameters=parameters, attempt=attempt,
                    digest=f"{prompt.id}{number}".ljust(64, "0"), labels={"night": "1"},
                )  # fmt: skip
                session.add(_measured(session, job.id, weight + number / 100))
        make_ended_job(
            session, Status.FAILED, error="crashed", message="exit 1", parameters={"guidance": 7.0, "edge.weight": 0.8}
        )
        report_of(workspace, session)
    ledger.close()
    return workspace


def _measured(session: Session, job_id: int, value: float) -> Measurement:
    artifact = session.scalars(select(Artifact).where(Artifact.path == f"outputs/{job_id}/output.mp4")).one()
    return Measurement(artifact_id=artifact.id, name="canny_f1", value=value, created_at=NOW)


@pytest.fixture
def folder(workspace: Workspace) -> Path:
    return workspace.root / "page"


@pytest.fixture
def reader(browser: Browser, folder: Path) -> Iterator[Reader]:
    """A reader of whom nothing but a quiet page is accepted."""
    made = Reader(browser)
    yield made
    made.assert_quiet(folder)
    made.context.close()


def cells(reader: Reader) -> list[int]:
    """The jobs of the sheet from top to bottom."""
    order: list[int] = reader.page.evaluate("cosmosq.sheet.order().map(job => job.id)")
    return order


def heads(reader: Reader) -> list[str]:
    return reader.page.locator(".facet h3, .columnhead").all_inner_texts()


def test_axes_are_chosen_from_what_varied_and_can_be_changed(reader: Reader, browser: Browser, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    chosen = page.eval_on_selector_all("#tools select", "all => all.slice(0, 3).map(each => each.value)")
    assert chosen == ["guidance", "edge.weight", "prompt"]
    columns = ["guidance 3", "guidance 5", "guidance 7"]
    assert heads(reader) == ["prompt: harbour", *columns, "prompt: street", *columns]
    assert cells(reader) == [1, 3, 5, 2, 4, 6, 13, 7, 9, 11, 8, 10, 12]
    reader.keep("contact-sheet")
    page.select_option("#tools select >> nth=0", "prompt")
    page.select_option("#tools select >> nth=2", "guidance")
    assert heads(reader)[:3] == ["guidance: 3", "prompt harbour", "prompt street"]
    again = Reader(browser)
    again.open(folder / "index.html", page.evaluate("location.hash"))
    assert heads(again)[:3] == heads(reader)[:3]
    again.context.close()


def test_a_video_plays_in_its_cell_while_the_mouse_rests_there(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    assert page.locator("video").count() == 0, "posters first"
    page.hover("[data-job='3'] .seen")
    reader.until("document.querySelector('[data-job=\"3\"] video')?.currentTime > 0.1")
    page.hover("h1")
    reader.until("!document.querySelector('video')")


def test_the_head_tells_what_the_night_came_to(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    names, values = (page.locator(f"#figures {tag}").all_inner_texts() for tag in ("dt", "dd"))
    told = dict(zip(names, values, strict=True))
    assert (told["Videos"], told["GPU hours"], told["Cost"], told["Seed"]) == ("12", "0.2", "5.00 EUR", "1")
    assert told["Model loads"] == "1 40.0 s"
    page.locator("#figures .legend a", has_text="failed").click()
    assert (cells(reader), page.evaluate("location.hash")) == ([13], "#status=failed")


def test_what_is_looked_for_is_found(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html", "#x=&y=&facet=")
    for words, found in {
        "harbour guidance>5": [5, 6, 13],
        "edge.weight=0.2 STREET": [7, 9, 11],
        "status=failed": [13],
        "canny_f1": [],
        "measure_canny_f1>=0.84": [6, 12],
        "job 13": [13],
    }.items():
        page.fill("#find", words)
        assert cells(reader) == found, words
    page.fill("#find", "")
    page.select_option("#tools select >> nth=3", "failed")
    assert (cells(reader), page.inner_text("#shown")) == ([13], "1 of 13 jobs")
    page.select_option("#tools select >> nth=3", "")
    page.select_option("#tools select >> nth=5", "-generate_s")
    assert cells(reader) == [6, 12, 5, 11, 4, 10, 3, 9, 2, 8, 1, 7, 13], "what made no video has no time of one"


def test_a_link_leads_to_a_job_and_back_to_its_cell(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html", "#job=9")
    assert page.get_attribute("dialog", "aria-label") == "Job 9"
    line = page.locator("dialog .command code").first.inner_text()
    assert line == "cosmosq enqueue street -s edge.weight=0.2 --host sim --again"
    page.keyboard.press("PageDown")
    assert page.get_attribute("dialog", "aria-label") == "Job 11"
    assert "guidance=7" in page.locator("dialog .command code").first.inner_text()
    assert page.locator("dialog .differs th").all_inner_texts() == ["edge.weight"], "most jobs have 7 and 0.8"
    page.keyboard.press("Escape")
    # A dialog tells of its end a moment after the key.
    reader.until("document.activeElement.dataset.job === '11'")
    assert "job" not in page.evaluate("location.hash")


def test_the_keyboard_alone_is_enough(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    page.locator("[data-job='1']").focus()
    for key, job in {"ArrowRight": "3", "ArrowDown": "4", "ArrowLeft": "2", "ArrowUp": "1"}.items():
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.dataset.job") == job, key
    page.keyboard.press(" ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    assert page.locator(".cell[aria-selected=true]").count() == 2
    page.keyboard.press("Enter")
    assert page.get_attribute("dialog", "aria-label") == "2 videos together"
    page.keyboard.press("Escape")
    reader.until("document.activeElement.matches('.cell')")
    page.keyboard.press("Escape")
    assert page.locator(".cell[aria-selected=true]").count() == 0
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    unnamed = page.eval_on_selector_all(
        "button, input, select, [role=gridcell]",
        "all => all.filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).length",
    )
    assert unnamed == 0


PRESENTED = """() => {
  window.samples = [];
  const videos = [...document.querySelectorAll('dialog video')], shown = videos.map(() => 0);
  videos.forEach((video, at) => {
    const next = () => video.requestVideoFrameCallback(note);
    const note = (_, { mediaTime }) => { shown[at] = Math.round(mediaTime * 24); next(); };
    next();
  });
  const sample = () => { window.samples.push([...shown]); requestAnimationFrame(sample); };
  requestAnimationFrame(sample);
}"""
"""Notes on each redrawing which frame of each video the browser has put on the screen."""


def test_videos_play_in_step_within_one_frame(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    for job in (1, 3, 5, 8):
        page.evaluate("job => cosmosq.sheet.toggle(cosmosq.jobs.byId.get(job))", job)
    page.get_by_role("button", name="Play together").click()
    assert page.locator("dialog video").count() == 4
    page.evaluate(PRESENTED)
    for frame in (0, 17, 18, FRAMES - 1, 5):
        page.evaluate("frame => cosmosq.stage.player().seek(frame)", frame)
        reader.until(f"window.samples.at(-1)?.every(shown => shown === {frame})")
    page.keyboard.press("ArrowRight")
    reader.until("window.samples.at(-1)?.every(shown => shown === 6)")
    page.keyboard.press(" ")
    # A whole round and more; where the machine is too busy the player goes from frame to frame, still in step.
    reader.until("new Set(window.samples.map(each => each[0])).size > 40")
    reader.keep("in-step")
    page.keyboard.press(" ")
    samples: list[list[int]] = page.evaluate("window.samples.slice(5)")
    playing = [each for each in samples if 0 < each[0] < FRAMES - 1]
    apart = [max(each) - min(each) for each in playing]
    # How often it was more is the machine's doing: a frame that comes late is waited for.
    assert sorted(apart)[int(len(apart) * 0.9)] <= 1
    reader.until("new Set(window.samples.at(-1)).size === 1")


def test_two_videos_are_wiped_over_one_another(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    for job in (1, 2):
        page.locator(f"[data-job='{job}'] .choose").check()
    page.locator("#dock").get_by_role("button", name="Wipe").click()
    page.locator(".wiper").fill("25")
    cut = page.evaluate("getComputedStyle(document.querySelectorAll('dialog video')[1]).clipPath")
    assert cut == "inset(0px 0px 0px 25%)"
    box = page.locator(".wiping").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 30)
    page.mouse.up()
    assert abs(float(page.input_value(".wiper")) - 75) < 1


def exported(reader: Reader, folder: Path) -> dict[str, Any]:
    with reader.page.expect_download() as started:
        reader.page.get_by_role("button", name="Export").click()
    assert started.value.suggested_filename == "ratings-night.json"
    path = folder.parent / "exported.json"
    started.value.save_as(path)
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def test_ratings_are_kept_and_exported(reader: Reader, folder: Path, workspace: Workspace) -> None:
    page = reader.open(folder / "index.html")
    page.locator("[data-job='1']").focus()
    for key in ("4", "ArrowRight", "2", "x", "ArrowRight", "5", "p"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    page.fill("dialog .note", 'soft "light" =1+1')
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    reader.open(folder / "index.html")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    assert page.locator("[data-job='5'] .cap").inner_text().startswith("5\n★★★★★\n✓")
    page.select_option("#tools select >> nth=4", "4")
    assert cells(reader) == [1, 5]
    told = exported(reader, folder)
    assert (told["format"], told["version"], told["workspace"], told["comparisons"]) == (
        "cosmosq-ratings", 1, "night", []
    )  # fmt: skip
    rated = {r["job"]: (r["stars"], r["verdict"], r["note"]) for r in told["ratings"]}
    assert rated == {1: (4, None, None), 3: (2, "reject", None), 5: (5, "pick", 'soft "light" =1+1')}
    assert told["ratings"][0]["digest"].startswith("ps_")
    assert main(["-w", str(workspace.root), "rate", "--import", str(folder.parent / "exported.json")]) == 0
    ledger = Ledger(workspace.ledger_path)
    with ledger.write() as session:
        assert session.get_one(Rating, 5).note == 'soft "light" =1+1'
        for rating in session.scalars(select(Rating)):
            session.delete(rating)
    ledger.close()


def test_comparisons_give_scores_and_are_exported(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html", "#find=harbour")
    page.get_by_role("button", name="Which is better?").click()
    for _ in range(6):
        left, right = page.eval_on_selector_all(
            "dialog video", "all => all.map(e => Number(e.src.match(/(\\d+).mp4/)[1]))"
        )
        assert left != right
        page.keyboard.press("ArrowLeft" if left > right else "ArrowRight")
    page.keyboard.press("Escape")
    told = exported(reader, folder)["comparisons"]
    assert len(told) == 6
    assert all(each["better"] > each["worse"] for each in told)
    scores: dict[str, float] = page.evaluate(
        "Object.fromEntries(cosmosq.jobs.list.map(job => [job.id, cosmosq.ratings.score(job)]))"
    )
    ledgers = fit((each["better"], each["worse"]) for each in told)
    assert {int(job): score for job, score in scores.items() if score is not None} == pytest.approx(ledgers, abs=1e-4)


def test_plots_show_every_job_and_the_mean_with_its_interval(reader: Reader, folder: Path) -> None:
    page = reader.open(folder / "index.html")
    page.evaluate("document.querySelector('#plots-section').scrollIntoView()")
    page.wait_for_selector("#night .plot svg")
    titles = page.locator("#plots figcaption").all_inner_texts()
    assert titles == ["guidance", "edge.weight", "mean by guidance and edge.weight", "all together"]
    points, means = page.evaluate(
        "[...document.querySelectorAll('#plots .plot')][1].data.map(t => ({ x: t.x, y: t.y, half: t.error_y?.array }))"
    )
    assert len(points["y"]) == 12
    assert means["x"] == list(WEIGHTS)
    # Six jobs a value, whose measurements are the weight and 0, 2, 4 (or 1, 3, 5) hundredths, twice each.
    assert means["y"] == pytest.approx([0.22, 0.83])
    assert means["half"] == pytest.approx([2.571 * 0.0178885 / 6**0.5] * 2, rel=1e-3)
    heat = page.evaluate("[...document.querySelectorAll('#plots .plot')][2].data[0]")
    ticks = page.evaluate(
        "(l => [l.xaxis.ticktext, l.yaxis.ticktext])([...document.querySelectorAll('#plots .plot')][2].layout)"
    )
    assert ticks == [["3", "5", "7"], ["0.2", "0.8"]]
    assert heat["z"][1] == pytest.approx([0.81, 0.83, 0.85])
    bars = page.evaluate("document.querySelector('#night .plot').data.map(t => [t.name, t.y.length])")
    assert bars == [["generating", 13], ["loading the model", 1], ["faults", 1]]
    reader.keep("plots")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(scheme: Any, browser: Browser, folder: Path) -> None:
    phone = Reader(browser, viewport={"width": 390, "height": 844}, color_scheme=scheme, is_mobile=True, has_touch=True)
    page = phone.open(folder / "index.html")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0] > 128")
    assert light == (scheme == "light")
    phone.keep(f"phone-{scheme}")
    page.locator("[data-job='1'] .seen").tap()
    page.wait_for_selector("dialog video")
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 390
    phone.assert_quiet(folder)
    phone.context.close()
