"""What a worker is allowed, and the words for what it is not."""

from datetime import UTC, datetime, timedelta

import pytest

from cosmosq.report.outlook import Prospect, Rules
from cosmosq.windows import parse_windows
from cosmosq.worker.gate import Refusal
from cosmosq.worker.limits import Limits, Tally, closed, too_late

NOW = datetime(2026, 11, 26, 23, 0, tzinfo=UTC)
NIGHT = parse_windows("22:00-07:00@UTC")


def would(*, job_s: float = 3600, load_s: float = 0, ends_at: datetime = NOW) -> Prospect:
    return Prospect(ends_at=ends_at, job_s=job_s, generate_s=job_s - load_s, pace=10)


def words(refusal: Refusal | None) -> str | None:
    return refusal.reason if refusal else None


@pytest.mark.parametrize(
    ("limits", "tally"),
    [
        (Limits(), Tally()),
        (Limits(until=NOW + timedelta(seconds=1)), Tally()),
        (Limits(max_jobs=2), Tally(begun=frozenset({1}))),
        (Limits(max_jobs=2), Tally(begun=frozenset({1, 2}), unended=1)),
        (Limits(max_gpu_hours=1), Tally(held_s=3599)),
        (Limits(budget=20, currency="EUR"), Tally(cost=19.99)),
    ],
)
def test_within_its_limits_a_worker_goes_on(limits: Limits, tally: Tally) -> None:
    assert limits.reached(tally, NOW) is None


@pytest.mark.parametrize(
    ("limits", "tally", "reason"),
    [
        (
            Limits(until=NOW - timedelta(days=2)),
            Tally(),
            f"--until {(NOW - timedelta(days=2)).astimezone():%Y-%m-%d %H:%M} is past",
        ),
        (Limits(max_jobs=2), Tally(begun=frozenset({1, 2})), "--max-jobs 2 is reached"),
        (Limits(max_gpu_hours=1.5), Tally(held_s=5400), "--max-gpu-hours 1.5 are used up"),
        (Limits(budget=20, currency="EUR"), Tally(cost=20.0), "budget of 20 EUR spent"),
    ],
)
def test_a_limit_that_is_reached_ends_the_work(limits: Limits, tally: Tally, reason: str) -> None:
    refusal = limits.reached(tally, NOW)
    assert words(refusal) == reason
    assert refusal is not None
    assert refusal.is_final


def test_a_job_too_many_waits_while_those_that_were_begun_may_be_repeated() -> None:
    limits = Limits(max_jobs=2)
    busy, done = Tally(begun=frozenset({1, 2}), unended=1), Tally(begun=frozenset({1, 2}))
    assert limits.exceeded_by_number(1, busy) is None
    refusal = limits.exceeded_by_number(3, busy)
    assert refusal is not None
    assert not refusal.is_final
    assert refusal.others is not None
    last = limits.exceeded_by_number(3, done)
    assert last is not None
    assert last.is_final


def test_a_job_that_takes_more_hours_than_are_left_is_not_begun() -> None:
    tally = Tally(held_s=1800, running_s=1800)
    assert Limits(max_gpu_hours=2).exceeded_by(7, would(job_s=3600), tally, 0) is None
    refusal = Limits(max_gpu_hours=2).exceeded_by(7, would(job_s=3601), tally, 0)
    assert words(refusal) == "job 7 takes about 1.00 GPU hours, 1.00 of --max-gpu-hours 2 are left"
    assert refusal is not None
    assert refusal.is_final
    assert refusal.others is not None


def test_a_job_that_costs_more_than_is_left_is_not_begun() -> None:
    tally = Tally(cost=15, running_cost=4)
    limits = Limits(budget=20, currency="EUR")
    assert limits.exceeded_by(7, would(job_s=1800), tally, 2.0) is None
    assert words(limits.exceeded_by(7, would(job_s=3600), tally, 2.0)) == (
        "job 7 costs about 2.00 EUR, 1.00 of the budget of 20 EUR are left"
    )
    assert limits.exceeded_by(7, would(job_s=3600), tally, 0) is None, "that host costs nothing"


def test_outside_the_windows_nothing_starts() -> None:
    assert closed(NIGHT, NOW) is None
    noon = NOW.replace(hour=12)
    refusal = closed(NIGHT, noon)
    assert refusal is not None
    opens_at = NOW.replace(hour=22)
    assert (refusal.until_at, refusal.is_final) == (opens_at, False)
    assert refusal.reason == f"outside the window until {opens_at.astimezone():%H:%M}"


def test_a_job_that_ends_after_the_window_is_not_begun_unless_grace_allows() -> None:
    end = datetime(2026, 11, 27, 7, tzinfo=UTC)
    rules, gracious = Rules(windows=NIGHT), Rules(windows=NIGHT, grace=timedelta(seconds=600))
    assert too_late(7, would(ends_at=end), rules, NOW) is None
    late = would(ends_at=end + timedelta(minutes=10), job_s=1200)
    assert too_late(7, late, gracious, NOW) is None
    refusal = too_late(7, late, rules, NOW)
    assert refusal is not None
    assert (refusal.until_at, refusal.is_final) == (end, False)
    assert refusal.others is not None, "ten minutes are left, and there may be a job for them"
    assert refusal.reason == (
        f"job 7 takes about 20:00 and would end after the window, which ends at {end.astimezone():%H:%M}"
    )


def test_without_windows_no_job_is_too_late() -> None:
    assert too_late(7, would(ends_at=NOW + timedelta(days=9)), Rules(), NOW) is None


def test_nothing_is_tried_in_its_place_when_no_time_is_left() -> None:
    refusal = too_late(7, would(ends_at=NOW + timedelta(hours=20), job_s=3600), Rules(windows=NIGHT), NOW)
    assert refusal is not None
    assert refusal.others is None
