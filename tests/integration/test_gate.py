"""Whether the job whose turn it is may start, and who may in its place."""

from collections.abc import Callable

import pytest

from cosmosq.models import Job
from cosmosq.policy import Waiting
from cosmosq.worker.gate import Gate, Refusal
from cosmosq.worker.lineup import Lineup
from tests.night import Night, site_of

MakeNight = Callable[..., Night]


class Shut(Gate):
    def shut(self) -> Refusal | None:
        return Refusal(reason="nobody passes")


class Picky(Gate):
    """Refuses every job up to one; those behind it may start before, or must wait too."""

    def __init__(self, last: int, *, others_may: bool) -> None:
        self.last, self.others_may = last, others_may

    def refuse(self, job: Waiting) -> Refusal | None:
        if job.id > self.last:
            return None
        return Refusal(reason=f"not job {job.id}", others=Job.id > job.id if self.others_may else None)


@pytest.fixture
def night(make: MakeNight) -> Night:
    night = make()
    for seed in range(3):
        night.enqueue(seed=seed)
    return night


def _lineup(night: Night, gate: Gate) -> Lineup:
    return Lineup(site_of(night), gate, None)


def _next_id(lineup: Lineup) -> int | None:
    following = lineup.next()
    return following.id if following else None


def test_an_open_gate_lets_the_first_one_start(night: Night) -> None:
    lineup = _lineup(night, Gate())
    assert (_next_id(lineup), lineup.standstill(), lineup.is_empty()) == (1, None, False)


def test_behind_a_shut_gate_nothing_will_start(night: Night) -> None:
    lineup = _lineup(night, Shut())
    assert (_next_id(lineup), lineup.standstill(), lineup.is_empty()) == (None, Refusal(reason="nobody passes"), True)


def test_a_job_that_may_not_start_lets_others_go_first(night: Night) -> None:
    lineup = _lineup(night, Picky(2, others_may=True))
    assert (_next_id(lineup), lineup.standstill(), lineup.is_empty()) == (3, None, False)


def test_a_job_that_may_not_start_keeps_all_back(night: Night) -> None:
    lineup = _lineup(night, Picky(2, others_may=False))
    found = lineup.standstill()
    assert (_next_id(lineup), found and found.reason, lineup.is_empty()) == (None, "not job 1", True)


def test_the_first_refusal_is_the_reason_when_none_may_start(night: Night) -> None:
    lineup = _lineup(night, Picky(3, others_may=True))
    found = lineup.standstill()
    assert (_next_id(lineup), found and found.reason, lineup.is_empty()) == (None, "not job 1", True)
