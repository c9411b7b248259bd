"""Where jobs stand on the page, and what is found: upscales, upsamplings and values that look alike among them."""

from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from scipy.special import stdtrit
from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.models import Artifact, Dependency, Job, JobInput, Video
from cosmosq.paths import Workspace
from cosmosq.report.aggregate import group
from cosmosq.report.measures import measure
from cosmosq.report.query import Filter
from cosmosq.status import Kind, Need, Status
from tests.acceptance.browser import Reader, needs_chromium, report_of, video_job
from tests.ledger_rows import NOW, make_ended_job, make_prompt, make_session, make_workspace
from tests.media import make_video

pytestmark = needs_chromium


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


def heads(reader: Reader) -> list[str]:
    return reader.page.locator(".facet h3, .columnhead").all_inner_texts()


def lines(reader: Reader) -> list[str]:
    """Headings and the jobs of each line of the sheet, from top to bottom."""
    told: list[str] = reader.page.evaluate(
        """[...document.querySelectorAll('#sheet .row')].sort((a, b) => parseInt(a.style.top) - parseInt(b.style.top))
        .map(row => [...row.querySelectorAll('h3, .columnhead, .rowhead, .cell')]
          .map(e => e.dataset.job ?? e.textContent).filter(Boolean).join(' | '))"""
    )
    return told


def plots(reader: Reader) -> list[Any]:
    """Title and traces of each plot."""
    reader.page.evaluate("document.querySelector('#plots-section').scrollIntoView()")
    reader.page.wait_for_selector("#night svg")
    told: list[Any] = reader.page.evaluate(
        """[...document.querySelectorAll('#plots figure')].map(each => [each, each.querySelector('.plot')])
        .map(([each, { data, layout }]) => [each.querySelector('figcaption').textContent, data, layout])"""
    )
    return told


def upscale_of(workspace: Workspace, session: Session, source: Job, **overrides: Any) -> Job:
    job = video_job(workspace, session, kind=Kind.UPSCALE, attempt={"generate_s": 900.0}, **overrides)
    session.add(Dependency(job_id=job.id, depends_on_id=source.id, need=Need.RESULT))
    return job


def sweep(workspace: Workspace, session: Session) -> list[Job]:
    """Jobs 1 to 4 over two weights and two guidances, an upsampling, and an upscale of job 1."""
    made = [
        video_job(workspace, session, parameters={"edge.weight": weight, "guidance": guidance, "num_steps": 20})
        for weight, guidance in product((0.2, 0.6), (3.0, 7.0))
    ]
    make_ended_job(session, kind=Kind.UPSAMPLE, attempt={"generate_s": 5000.0})
    upscale_of(workspace, session, made[0], parameters={"guidance": 3.0, "edge.weight": 0.0})
    return made


def test_upscales_and_upsamplings_stand_on_no_axis_of_transfers(
    workspace: Workspace, session: Session, reader: Reader
) -> None:
    sweep(workspace, session)
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    assert page.evaluate("cosmosq.jobs.varied.map(each => each.name)") == ["guidance", "edge.weight"]
    assert heads(reader) == ["guidance 3", "guidance 7", "Longer prompts"]
    told = ["edge.weight 0.2 | 1 | 2", "edge.weight 0.6 | 3 | 4", "upscales | 6"]
    assert lines(reader) == ["guidance 3 | guidance 7", *told, "Longer prompts", "5"]
    reader.keep("upscale-and-upsampling")
    page.evaluate("cosmosq.state.set({ x: 'edge.weight', y: '' })")
    assert lines(reader)[:5] == ["edge.weight 0.2 | edge.weight 0.6", "1 | 3", "2 | 4", "upscales", "6"]
    page.evaluate("cosmosq.state.set({ measure: 'generate_s' })")
    shown = {title: data for title, data, _ in plots(reader)}
    assert list(shown) == ["guidance", "edge.weight", "mean by guidance and edge.weight", "all together"]
    assert sorted(shown["edge.weight"][0]["customdata"]) == [1, 2, 3, 4]
    assert sorted(shown["guidance"][0]["customdata"]) == [1, 2, 3, 4, 6], "its guidance is its own"
    assert shown["mean by guidance and edge.weight"][0]["z"] == [[120, 120], [120, 120]]
    reader.assert_quiet(folder)


def test_an_upscale_shows_what_it_was_made_of(workspace: Workspace, session: Session, reader: Reader) -> None:
    source = video_job(workspace, session, parameters={"edge.weight": 0.7})
    path = make_video(workspace.root / "shot.mp4", seed=9)
    size = {"width": 64, "height": 48, "fps": 24.0, "frames": 12, "duration_s": 0.5, "bytes": 1}
    session.add(Video(sha256="9" * 64, path=str(path), created_at=NOW, **size))
    session.flush()
    session.add(JobInput(job_id=source.id, role="input", sha256="9" * 64, path=str(path)))
    session.scalars(select(Artifact)).one().sha256 = "8" * 64
    upscale_of(workspace, session, source, parameters={"guidance": 3.0}, labels={"large": "1"})
    folder = report_of(workspace, session, "--label", "large=1")
    page = reader.open(folder / "index.html", "#job=2")
    told = page.locator("dialog figcaption b").all_inner_texts()
    assert told == ["output", "source (job 1)", "input of the source"]
    reader.until("[...document.querySelectorAll('dialog video')].every(video => video.readyState >= 2)")
    assert page.locator("dialog video").count() == 3
    names = page.locator("dialog .fields").first.locator("th").all_inner_texts()
    assert "edge.weight" not in names
    assert "upscale.weight" in names
    reader.keep("upscale")


def test_values_that_look_alike_are_told_apart(workspace: Workspace, session: Session, reader: Reader) -> None:
    common = "blurry, dark, low quality, "
    for number, (sigma, negative) in enumerate(product((20.0001, 20.0002, 60.0), (f"{common}fog", f"{common}rain"))):
        video_job(
            workspace, session, parameters={"sigma_max": sigma, "negative_prompt": negative},
            attempt={"generate_s": 100.0 + number},
        )  # fmt: skip
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html")
    assert heads(reader) == ["sigma_max 20.0001", "sigma_max 20.0002", "sigma_max 60"]
    assert [line.split(" | ")[1:] for line in lines(reader)[1:]] == [["1", "3", "5"], ["2", "4", "6"]]
    page.evaluate("cosmosq.state.set({ y: '' })")
    captions = page.locator(".cell .what").all_inner_texts()
    assert ["rain" in caption for caption in captions] == [False] * 3 + [True] * 3, "most have fog"
    page.evaluate("cosmosq.state.set({ y: 'negative_prompt' })")
    shown = {title: (data, layout) for title, data, layout in plots(reader)}
    (_, means), layout = shown["negative_prompt"]
    assert (means["x"], means["y"]) == ([0, 1], [102, 103])
    assert len(set(layout["xaxis"]["ticktext"])) == 2
    (heat,), layout = shown["mean by sigma_max and negative_prompt"]
    assert heat["z"] == [[100, 102, 104], [101, 103, 105]]
    assert len(set(layout["yaxis"]["ticktext"])) == 2
    reader.assert_quiet(folder)


def test_the_seed_is_no_axis_before_what_was_swept(workspace: Workspace, session: Session, reader: Reader) -> None:
    for weight, guidance, seed in product((0.2, 0.6, 1.0), (3.0, 7.0), (1, 2, 3, 4)):
        video_job(workspace, session, parameters={"edge.weight": weight, "guidance": guidance, "seed": seed})
    page = reader.open(report_of(workspace, session) / "index.html")
    chosen = page.eval_on_selector_all("#tools select", "all => all.slice(0, 3).map(each => each.value)")
    assert chosen == ["edge.weight", "guidance", ""]
    assert [title for title, *_ in plots(reader)][:3] == ["edge.weight", "guidance", "seed"]


def test_every_name_that_the_command_line_knows_is_found(
    workspace: Workspace, session: Session, reader: Reader
) -> None:
    priced = make_session(session, price_per_hour=2.0, currency="EUR", ended_at=NOW + timedelta(hours=1))
    harbour, street = make_prompt(session, name="harbour"), make_prompt(session, name="the street", text="a=b+c")
    for prompt, weight in product((harbour, street), (0.2, 0.8)):
        video_job(
            workspace, session, prompt=prompt, parameters={"edge.weight": weight}, measured={"canny_f1": weight},
            stars=4 if weight > 0.5 else None, labels={"night": "1"},
            attempt={"session_id": priced.id, "uploading_s": 3.0, "downloading_s": 4.0 * weight},
        )  # fmt: skip
    make_ended_job(session, Status.FAILED, error="crashed", prompt=street)
    folder = report_of(workspace, session)
    page = reader.open(folder / "index.html", "#x=&y=&facet=")
    made = [1, 2, 3, 4]
    for words, found in {
        "prompt=harbour": [1, 2],
        f"prompt={harbour.id}": [1, 2],
        'prompt="the street" edge.weight<0.3': [3],
        "prompt=0": [],
        "canny_f1>0.1": made,
        "measure_canny_f1>0.5": [2, 4],
        "gpu_s>0": [*made, 5],
        "load_share_s=10": made,
        "cost>0": made,
        "uploading_s=3": made,
        "downloading_s>1": [2, 4],
        "generate_s=120": made,
        "comparison_score>0": [],
        "stars=4": [2, 4],
        "day=2026-11-22": [*made, 5],
        "day>2026-11-21 day<2026-11-23": [*made, 5],
        "controls=edge": [*made, 5],
        "kind=transfer": [*made, 5],
        "upsampled=true": [],
        "num_steps=35": [*made, 5],
        "night=1": made,
        "a=b": [3, 4, 5],
    }.items():
        page.fill("#find", words)
        order = page.evaluate("cosmosq.sheet.order().map(job => job.id)")
        assert order == found, words
        assert ("nothing here is called" in page.inner_text("#shown")) == (words == "a=b"), words
    page.fill("#find", "cany_f1>0.1")
    assert "nothing here is called “cany_f1”" in page.inner_text("#shown")
    names = page.evaluate("cosmosq.quantities().map(each => each.name)")
    grouped = group(session, Filter())
    assert set(names) >= {each.column for each in grouped.measures}


def test_intervals_and_amounts_are_those_of_the_tables(workspace: Workspace, session: Session, reader: Reader) -> None:
    priced = make_session(session, price_per_hour=0.0034, currency="EUR", ended_at=NOW + timedelta(hours=1))
    for number in range(51):
        weight = (0.2, 0.8)[number % 2]
        make_ended_job(
            session,
            parameters={"edge.weight": weight},
            attempt={"session_id": priced.id, "generate_s": 10.0 + number**1.5},
        )
    summaries = {
        grouped.values[0]: grouped.summaries["generate_s"]
        for grouped in group(session, Filter(), ["edge.weight"], measures=[measure("generate_s", [])]).groups
    }
    page = reader.open(report_of(workspace, session) / "index.html")
    shown = {title: data for title, data, _ in plots(reader)}
    means = shown["edge.weight"][1]
    assert means["error_y"]["array"] == pytest.approx([summaries[w].half for w in (0.2, 0.8)], rel=1e-9)
    freedoms = [*range(1, 201), 999]
    told = page.evaluate(
        """all => all.map(freedom => cosmosq.statistics.summary([...Array(freedom + 1).keys()]))
        .map(({ n, half, deviation }) => half / deviation * Math.sqrt(n))""",
        freedoms,
    )
    assert told == pytest.approx([float(stdtrit(freedom, 0.975)) for freedom in freedoms], rel=1e-9)
    names, values = (page.locator(f"#figures {tag}").all_inner_texts() for tag in ("dt", "dd"))
    assert dict(zip(names, values, strict=True))["Cost"] == "0.0034 EUR"


def test_words_beside_a_parameter_are_not_broken(workspace: Workspace, session: Session, reader: Reader) -> None:
    video_job(workspace, session, parameters={"negative_prompt": "x" * 50, "seg.control_prompt": "word " * 11})
    video_job(workspace, session, parameters={"guidance": 7.0})
    page = reader.open(report_of(workspace, session) / "index.html", "#job=1")
    heights = page.evaluate(
        """[...document.querySelectorAll('dialog .detail td.sub')].filter(e => e.textContent === 'the default')
        .map(e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects().length; })"""
    )
    assert heights == [1]
    assert page.evaluate("(e => e.scrollWidth - e.clientWidth)(document.querySelector('dialog .detail'))") <= 0
    reader.keep("parameters")
