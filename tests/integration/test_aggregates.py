"""Groups of jobs: every number against numpy and statistics, every key, and what is left out."""

import json
import math
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import t
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.errors import InvalidInput
from cosmosq.models import Comparison, Sweep, Trial, TrialJob
from cosmosq.report import best, tables
from cosmosq.report.aggregate import Group, Grouping, group
from cosmosq.report.keys import KEYS
from cosmosq.report.measures import Measure, Summary
from cosmosq.report.query import Filter
from cosmosq.status import Kind, Status
from tests.ledger_rows import (
    NOW,
    make_attempt,
    make_ended_job,
    make_job,
    make_ledger,
    make_prompt,
    make_session,
)

CANNY = Measure(column="measure_canny_f1")


def grouped(ledger: Ledger, by: Sequence[str] = (), which: Filter | None = None, **more: Any) -> Grouping:
    with ledger.read() as session:
        return group(session, which or Filter(), by, **more)


def by_value(grouping: Grouping) -> dict[Any, Group]:
    return {g.values[0] if len(g.values) == 1 else g.values: g for g in grouping.groups}


# Numbers


def as_numpy_has_it(values: Sequence[float], found: Summary) -> None:
    scale = max(map(abs, values), default=1.0) or 1.0
    sample = np.array(values)
    assert found.n == len(values)
    assert found.mean == pytest.approx(sample.mean(), rel=1e-12, abs=1e-12 * scale)
    if found.n == 1:
        assert (found.sd, found.low, found.high) == (None, None, None)
        return
    assert found.sd is not None
    # What the values themselves lose by their size is lost by numpy too.
    assert found.sd == pytest.approx(sample.std(ddof=1), rel=1e-9, abs=1e-14 * scale)
    assert found.sd == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-14 * scale)
    low, high = t.interval(0.95, len(values) - 1, loc=found.mean, scale=found.sd / np.sqrt(len(values)))
    if found.sd > 0:
        assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9, abs=1e-14 * scale)


numbers = st.floats(-1e6, 1e6) | st.floats(1e9, 1e9 + 1) | st.floats(0, 1e-9)
samples = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 1.0]), numbers, st.none() | numbers), min_size=1, max_size=12)


@settings(max_examples=6)
@given(told=samples)
@example(told=[(0.5, 1e9 + n / 1000, None) for n in range(9)] + [(1.0, -1e9, 3.0)])
def test_every_number_is_what_numpy_makes_of_the_same_jobs(
    told: list[tuple[float, float, float | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = make_ledger(tmp_path_factory.mktemp("sums") / "ledger.db")
    with ledger.write() as session:
        for weight, value, measured in told:
            make_ended_job(
                session,
                parameters={"edge.weight": weight},
                attempt={"generate_s": value},
                measured={} if measured is None else {"canny_f1": measured},
            )
    found = by_value(grouped(ledger, ["edge.weight"]))
    ledger.close()
    assert set(found) == {weight for weight, *_ in told}
    for weight, one in found.items():
        as_numpy_has_it([value for w, value, _ in told if w == weight], one.summaries["generate_s"])
        has = [m for w, _, m in told if w == weight and m is not None]
        assert ("measure_canny_f1" in one.summaries) == bool(has)
        if has:
            as_numpy_has_it(has, one.summaries["measure_canny_f1"])


def test_jobs_are_counted_by_what_came_of_them(ledger: Ledger) -> None:
    with ledger.write() as session:
        for status in (Status.SUCCEEDED, Status.SUCCEEDED, Status.FAILED, Status.BLOCKED, Status.CANCELLED):
            make_ended_job(session, status)
        make_job(session)
        make_job(session, kind=Kind.UPSAMPLE)
    (one,) = grouped(ledger).groups
    assert (one.jobs, one.succeeded, one.failed, one.blocked, one.cancelled) == (6, 2, 1, 1, 1)
    assert one.success_rate == 0.5


def test_seconds_are_those_of_the_videos_and_gpu_seconds_those_of_everything(ledger: Ledger) -> None:
    with ledger.write() as session:
        load = make_session(session, load_s=30.0).id
        seconds = {"session_id": load, "uploading_s": 1.0, "downloading_s": 2.0}
        make_ended_job(session, attempt={**seconds, "generate_s": 100.0})
        failed = make_job(session, status=Status.FAILED)
        make_attempt(session, failed, status=Status.FAILED, session_id=load, generating_s=7.0, uploading_s=50.0)
        make_attempt(session, failed, status=Status.FAILED, session_id=load, generating_s=8.0, uploading_s=50.0)
    (one,) = grouped(ledger).groups
    means = {name: (summary.n, summary.mean) for name, summary in one.summaries.items()}
    assert means == {
        "generate_s": (1, 100.0),
        "load_share_s": (1, 10.0),
        "uploading_s": (1, 1.0),
        "downloading_s": (1, 2.0),
        "gpu_s": (2, (100 + 10 + 7 + 8 + 20) / 2),
    }


def test_stars_and_scores_are_measures_too(ledger: Ledger) -> None:
    with ledger.write() as session:
        for stars in (2, 5, None):
            make_ended_job(session, stars=stars, parameters={"seed": stars or 0})
        session.add(Comparison(better_id=2, worse_id=1, compared_at=NOW))
    (one,) = grouped(ledger).groups
    assert (one.summaries["stars"].n, one.summaries["stars"].mean) == (2, 3.5)
    scores = {g.values[0]: g.summaries["comparison_score"].mean for g in grouped(ledger, ["seed"]).groups[1:]}
    assert scores[5] == pytest.approx(-scores[2])
    assert scores[5] > 0


# Keys


def put_into_sweep(session: Session, job_id: int, *, number: int = 3, name: str = "s") -> None:
    """The job becomes that trial of a sweep of that name."""
    about = {"method": "grid", "sweep_seed": 1, "host": "sim", "text": "", "definition": {}}
    sweep = Sweep(name=name, created_at=NOW, changed_at=NOW, **about)
    session.add(sweep)
    session.flush()
    trial = Trial(sweep_id=sweep.id, number=number, assignment="{}")
    session.add(trial)
    session.flush()
    session.add(TrialJob(trial_id=trial.id, job_id=job_id))


def test_every_key_groups(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-12")
    time.tzset()
    try:
        with ledger.write() as session:
            named = make_prompt(session, name="harbour", clip="shot")
            at = NOW.replace(hour=13)
            make_ended_job(session, prompt=named, parameters={"depth.weight": 1.0}, ended_at=at, host="box")
            make_ended_job(session, prompt=make_prompt(session, name=None), ended_at=NOW.replace(hour=11))
            put_into_sweep(session, 1)
        found = {name: [g.values[0] for g in grouped(ledger, [name]).groups] for name in KEYS}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == {
        "prompt": ["harbour", "ps_000000000002"],
        "clip": ["kitchen", "shot"],
        "host": ["box", "sim"],
        "day": ["2026-11-22", "2026-11-23"],
        "upsampled": [False],
        "sweep": ["s", None],
        "trial": [3, None],
        "controls": ["edge", "edge+depth"],
        "kind": ["transfer"],
    }


def test_values_come_in_their_own_order(ledger: Ledger) -> None:
    with ledger.write() as session:
        for preset, guidance in (("high", 10), ("very_low", 9), ("medium", 1.5)):
            make_ended_job(session, parameters={"canny_threshold": preset, "guidance": guidance})
    assert list(by_value(grouped(ledger, ["canny_threshold"]))) == ["very_low", "medium", "high"]
    assert list(by_value(grouped(ledger, ["guidance"]))) == [1.5, 9, 10]
    assert next(iter(by_value(grouped(ledger, ["canny_threshold", "guidance"])))) == ("very_low", 9)


@pytest.mark.parametrize("names", [["edge.wieght"], ["seed", "seed"], ["status; DROP TABLE jobs"]])
def test_what_is_no_key_is_refused(names: list[str], ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match=r"is nothing to group by|is there twice"):
        grouped(ledger, names)


@settings(max_examples=6)
@given(weights=st.lists(st.floats(0, 1).map(lambda x: round(x, 3)), min_size=1, max_size=20), count=st.integers(1, 6))
def test_bins_hold_what_numpys_histogram_holds(
    weights: list[float], count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = make_ledger(tmp_path_factory.mktemp("bins") / "ledger.db")
    with ledger.write() as session:
        for weight in weights:
            make_ended_job(session, parameters={"edge.weight": weight})
    found = grouped(ledger, ["edge.weight"], bins=count).groups
    ledger.close()
    if len(set(weights)) <= count:
        assert [g.values[0] for g in found] == sorted(set(weights))
        return
    low, high = min(weights), max(weights)
    edges = [low + (high - low) * number / count for number in range(count)] + [high]
    expected = np.histogram(weights, edges)[0]
    assert [(g.values[0].low, g.values[0].high, g.jobs) for g in found] == [
        (a, b, n) for a, b, n in zip(edges, edges[1:], expected, strict=False) if n
    ]


def test_bins_do_not_reach_as_far_as_the_parameters_of_upsamplings(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number in range(4):
            make_ended_job(session, parameters={"guidance": 10 + number})
        make_job(session, kind=Kind.UPSAMPLE)
    assert [str(g.values[0]) for g in grouped(ledger, ["guidance"], bins=2).groups] == ["10 to 11.5", "11.5 to 13"]


def test_of_a_sweep_the_sweep_and_its_trials_are_meant(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session)
        for number, name in ((1, "first"), (2, "second")):
            put_into_sweep(session, 1, number=number, name=name)
    assert [g.values for g in grouped(ledger, ["sweep", "trial"]).groups] == [("first", 1)]
    assert [g.values for g in grouped(ledger, ["sweep", "trial"], Filter(sweep="second")).groups] == [("second", 2)]


def test_a_filter_narrows_the_groups(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, labels={"night": "1"}, ended_at=NOW)
        make_ended_job(session, labels={"night": "2"}, ended_at=NOW - timedelta(days=2), measured={"x": 1.0})
    assert grouped(ledger, ["host"], Filter(labels={"night": "1"})).groups[0].jobs == 1
    assert "measure_x" not in grouped(ledger, ["host"], Filter(since=NOW)).groups[0].summaries


# Nothing much


@pytest.mark.parametrize("by", [(), ("edge.weight",), ("prompt", "day")])
def test_no_jobs_are_no_groups(by: tuple[str, ...], ledger: Ledger) -> None:
    found = grouped(ledger, by)
    assert (found.groups, found.measures) == ((), ())


def test_one_job_and_one_value_are_one_group_without_a_spread(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, measured={"canny_f1": 0.5})
    (one,) = grouped(ledger, ["guidance"], bins=5).groups
    assert (one.values, one.jobs, one.success_rate) == ((5.0,), 1, 1.0)
    assert one.summaries["measure_canny_f1"] == Summary(n=1, mean=0.5, sd=None)


def test_jobs_that_all_failed_have_counts_alone(ledger: Ledger) -> None:
    with ledger.write() as session:
        for _ in range(3):
            make_ended_job(session, Status.FAILED, attempt={"generate_s": None, "generating_s": 0.0})
    found = grouped(ledger, ["edge.weight"])
    assert found.groups[0].success_rate == 0
    assert [m.column for m in found.measures] == ["gpu_s"]


def test_infinite_measurements_are_told_and_break_nothing(ledger: Ledger) -> None:
    with ledger.write() as session:
        for value, weight in ((math.inf, 0.5), (math.inf, 0.5), (math.inf, 1.0), (3.0, 1.0)):
            make_ended_job(session, parameters={"edge.weight": weight}, measured={"psnr": value})
    found = grouped(ledger, ["edge.weight"])
    assert [g.summaries["measure_psnr"].mean for g in found.groups] == [math.inf, math.inf]
    told = json.loads(json.dumps(tables.json_of_groups(found), allow_nan=False))
    assert told["groups"][0]["measures"]["measure_psnr"]["n"] == 2
    assert told["groups"][0]["measures"]["measure_psnr"]["mean"] is None


# Sorted, as a matrix, the best


@pytest.fixture
def measured(ledger: Ledger) -> Ledger:
    """Canny-F1 by edge.weight and guidance; 0.2 × 7 has none, 1.0 × 3 failed."""
    with ledger.write() as session:
        for weight, guidance, value in (
            (0.2, 3, 0.3),
            (0.2, 7, None),
            (0.5, 3, 0.9),
            (0.5, 3, 0.7),
            (0.5, 7, 0.6),
            (1.0, 7, 0.75),
        ):
            make_ended_job(
                session,
                parameters={"edge.weight": weight, "guidance": guidance},
                digest=f"{weight}{guidance}".ljust(64, "0"),
                measured={} if value is None else {"canny_f1": value, "luma": value},
                attempt={"generate_s": 100 * weight},
            )
        make_ended_job(session, Status.FAILED, parameters={"edge.weight": 1.0, "guidance": 3})
    return ledger


@pytest.mark.parametrize(
    ("name", "highest", "weights"),
    [
        ("edge.weight", None, [0.2, 0.5, 1.0]),
        ("edge.weight", True, [1.0, 0.5, 0.2]),
        ("jobs", None, [0.5, 0.2, 1.0]),
        ("jobs", False, [0.2, 1.0, 0.5]),
        ("success_rate", False, [1.0, 0.2, 0.5]),
        ("canny_f1", None, [1.0, 0.5, 0.2]),
        ("canny_f1", False, [0.2, 0.5, 1.0]),
        ("generate_s", None, [0.2, 0.5, 1.0]),
        ("measure_luma", None, [1.0, 0.5, 0.2]),
    ],
)
def test_groups_are_sorted_by_the_better_end(
    name: str, highest: bool | None, weights: list[float], measured: Ledger
) -> None:
    found = tables.in_order(grouped(measured, ["edge.weight"]), name, highest)
    assert [g.values[0] for g in found.groups] == weights


def test_groups_without_the_measure_come_last(measured: Ledger) -> None:
    found = tables.in_order(grouped(measured, ["edge.weight", "guidance"]), "canny_f1")
    assert [g.values for g in found.groups][-2:] == [(0.2, 7.0), (1.0, 3.0)]
    with pytest.raises(InvalidInput, match="did you mean canny_f1"):
        tables.in_order(found, "cany_f1")


def test_two_keys_make_a_matrix_with_holes(measured: Ledger) -> None:
    found = tables.pivot(grouped(measured, ["edge.weight", "guidance"], measures=[CANNY]), CANNY)
    assert (found.rows, found.columns) == ((0.2, 0.5, 1.0), (3.0, 7.0))
    means = [[cell and round(cell.mean, 9) for cell in row] for row in found.cells]
    assert means == [[0.3, None], [0.8, 0.6], [None, 0.75]]
    columns, rows = tables.csv_of_pivot(found)
    assert columns == ["edge_weight", "guidance=3.0", "guidance=7.0"]
    assert [row["guidance=7.0"] for row in rows] == [None, 0.6, 0.75]
    assert tables.json_of_pivot(found)["cells"][0][1] is None


def ranked(ledger: Ledger, measure: Measure, count: int = 9, by: Sequence[str] = (), **more: Any) -> best.Ranking:
    with ledger.read() as session:
        return best.best(session, Filter(), measure, count, by, **more)


def test_the_best_jobs_are_told_with_those_that_are_the_same(measured: Ledger) -> None:
    found = ranked(measured, CANNY, 3)
    assert [(b.job, b.n, round(b.mean, 9), b.value) for b in found.best] == [
        (3, 2, 0.8, 0.9),
        (6, 1, 0.75, 0.75),
        (5, 1, 0.6, 0.6),
    ]
    assert [b.job for b in ranked(measured, Measure(column="generate_s"), 2).best] == [1, 2]


def test_the_best_groups_are_told_with_their_best_job(measured: Ledger) -> None:
    found = ranked(measured, CANNY, by=["edge.weight"])
    assert [(b.values, b.job, b.n) for b in found.best] == [((1.0,), 6, 1), ((0.5,), 3, 3), ((0.2,), 1, 1)]
    lowest = ranked(measured, CANNY, 1, ["guidance"], highest=False)
    assert [(b.values, b.job) for b in lowest.best] == [((3.0,), 1)]
    assert str(ranked(measured, CANNY, 1, ["edge.weight"], bins=2).best[0].values[0]) == "0.6 to 1"


def test_a_job_that_came_to_nothing_is_not_the_best_though_it_was_the_cheapest(ledger: Ledger) -> None:
    with ledger.write() as session:
        video = make_ended_job(session, attempt={"generate_s": 100.0})
        make_ended_job(session, Status.BLOCKED, attempt={"generate_s": 1.0})
        found = best.best(session, Filter(), Measure(column="gpu_s"), 2)
    assert [one.job for one in found.best] == [video.id]


def test_costs_in_several_currencies_are_neither_added_up_nor_compared(ledger: Ledger) -> None:
    with ledger.write() as session:
        for host, currency in (("sim", "EUR"), ("sim", "EUR"), ("away", "JPY")):
            held = {"ended_at": NOW + timedelta(hours=1), "end": "exited 0"}
            paid = make_session(session, host=host, price_per_hour=2.0, currency=currency, **held)
            make_ended_job(session, host=host, attempt={"session_id": paid.id, "generate_s": 10.0})
        with pytest.raises(InvalidInput, match="costs in EUR and JPY are not comparable"):
            best.best(session, Filter(), Measure(column="cost"), 1)
    (together,) = grouped(ledger).groups
    assert (together.currency, "cost" in together.summaries, "gpu_s" in together.summaries) == (None, False, True)
    by_host = by_value(grouped(ledger, ["host"]))
    costs = {host: (g.currency, round(g.summaries["cost"].total, 6)) for host, g in by_host.items()}
    assert costs == {"away": ("JPY", 2.0), "sim": ("EUR", 4.0)}


def test_an_upscale_has_no_weights_of_hints(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, parameters={"edge.weight": 0.5})
        make_ended_job(session, kind=Kind.UPSCALE)
    assert {values: g.jobs for values, g in by_value(grouped(ledger, ["edge.weight"])).items()} == {0.5: 1, None: 1}
    assert set(by_value(grouped(ledger, ["upscale.weight"]))) == {0.0, 0.5}


def test_which_end_of_an_unknown_measure_is_better_must_be_said(measured: Ledger) -> None:
    luma = Measure(column="measure_luma")
    with pytest.raises(InvalidInput, match="give --highest or --lowest"):
        ranked(measured, luma)
    assert ranked(measured, luma, 1, highest=False).best[0].job == 1


@pytest.mark.parametrize(
    ("name", "highest"),
    [
        ("canny_f1", True),
        ("canny_precision", True),
        ("blur_ssim", True),
        ("depth_si_rmse", False),
        ("seg_miou", True),
        ("diversity", True),
        ("black_frames", False),
        ("luma_variance", None),
        ("motion_energy", None),
        ("duration_s", None),
    ],
)
def test_the_better_end_is_known_by_the_name(name: str, highest: bool | None) -> None:
    assert Measure(column=f"measure_{name}").highest is highest
