"""What a worker notes beside its lines: why they stand still, and the end of a window, once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cosmosq.config import parse_config
from cosmosq.db import Ledger
from cosmosq.models import Alarm, Job, Standstill
from cosmosq.policy import Waiting
from cosmosq.status import Status
from cosmosq.windows import parse_windows
from cosmosq.worker import registry
from cosmosq.worker.account import Account, LimitGate
from cosmosq.worker.gate import Gate, Refusal
from cosmosq.worker.limits import Limits
from cosmosq.worker.line import Line
from cosmosq.worker.watchman import Watchman
from tests.ledger_rows import NOW, make_ended_job, make_job, make_session
from tests.night import Night, site_of

MakeNight = Callable[..., Night]
LIMITS = Limits(windows={"sim": parse_windows("03:00-04:00@UTC")})
"""It is half past three in it at NOW."""
HOUR = timedelta(hours=1)
END = NOW + HOUR / 2


class Barrier(Gate):
    """Shut as long as a test wants."""

    refusal: Refusal | None = None

    def shut(self) -> Refusal | None:
        return self.refusal


@pytest.fixture
def barrier() -> Barrier:
    return Barrier()


@pytest.fixture
def night(make: MakeNight) -> Night:
    return make()


def _watchman(night: Night, gate: Gate, **options: Any) -> Watchman:
    line = Line(site_of(night), "me", stopping=lambda: False, linger=True, only=None, gate=gate)
    return Watchman(night.ledger, {"sim": line}, LIMITS, **options)


def _alarms(ledger: Ledger) -> list[tuple[str, str | None, datetime]]:
    with ledger.read() as session:
        return [(alarm.occasion, alarm.host, alarm.at) for alarm in session.scalars(select(Alarm))]


def _standstill(ledger: Ledger) -> tuple[str, datetime] | None:
    with ledger.read() as session:
        row = session.get(Standstill, "sim")
        return (row.reason, row.since_at) if row else None


def test_the_reason_is_noted_when_it_changes_and_taken_away_when_it_is_gone(night: Night, barrier: Barrier) -> None:
    night.enqueue()
    told: list[str] = []
    watchman = _watchman(night, barrier, announce=told.append)
    watchman.look(NOW)
    assert _standstill(night.ledger) is None
    barrier.refusal = Refusal(reason="paused by a person")
    watchman.look(NOW)
    watchman.look(NOW + HOUR / 4)
    assert _standstill(night.ledger) == ("paused by a person", NOW)
    assert told == ["sim: nothing starts: paused by a person"]
    barrier.refusal = None
    watchman.look(NOW + HOUR / 3)
    assert _standstill(night.ledger) is None


def test_only_a_final_reason_stops_the_worker(night: Night, barrier: Barrier) -> None:
    watchman = _watchman(night, barrier)
    barrier.refusal = Refusal(reason="outside the window")
    watchman.look(NOW)
    assert watchman.reason_to_stop() is None
    barrier.refusal = Refusal(reason="budget of 20 EUR spent", is_final=True)
    watchman.look(NOW)
    assert watchman.reason_to_stop() == barrier.refusal


def test_the_end_of_a_window_is_told_once_with_the_numbers_of_the_night(night: Night, barrier: Barrier) -> None:
    with night.ledger.write() as session:
        made = make_session(session, ended_at=END, end="exited 0", price_per_hour=2.0, currency="EUR")
        make_ended_job(session, attempt={"session_id": made.id})
        make_job(session, due_at=END + HOUR)
    watchman = _watchman(night, barrier)
    watchman.look(NOW)
    assert _alarms(night.ledger) == []
    watchman.look(END)
    watchman.look(END + HOUR / 4)
    _watchman(night, barrier).look(END + HOUR / 3)
    assert _alarms(night.ledger) == [("window_ended", "sim", END)]
    with night.ledger.read() as session:
        alarm = session.scalars(select(Alarm)).one()
    assert "1 succeeded, 1 still queued, GPU time 30:00, 1.00 EUR" in alarm.text
    assert alarm.data == {
        "opened_at": (NOW - HOUR / 2).isoformat(),
        "closed_at": END.isoformat(),
        "ended": {"succeeded": 1},
        "queued": 1,
        "gpu_h": 0.5,
        "costs": {"EUR": 1.0},
    }


def test_the_end_of_every_window_is_told(night: Night, barrier: Barrier) -> None:
    watchman = _watchman(night, barrier)
    for days in range(3):
        watchman.look(NOW + timedelta(days=days))
        watchman.look(END + timedelta(days=days))
    assert [at for _, _, at in _alarms(night.ledger)] == [END + timedelta(days=days) for days in range(3)]


def test_while_the_last_job_is_on_its_way_home_the_night_is_not_over(night: Night, barrier: Barrier) -> None:
    watchman = _watchman(night, barrier)
    watchman.look(NOW)
    line = watchman._lines["sim"]
    line.adopt()
    watchman.look(END)
    assert _alarms(night.ledger) == []
    line.reconcile()
    watchman.look(END + HOUR)
    assert _alarms(night.ledger) == [("window_ended", "sim", END + HOUR)]


def test_a_worker_that_comes_for_one_that_was_killed_tells_the_end_that_it_missed(
    night: Night, barrier: Barrier
) -> None:
    _watchman(night, barrier, heirs={"sim"}).look(END + HOUR)
    assert _alarms(night.ledger) == [], "nothing had begun in that window"
    with night.ledger.write() as session:
        make_ended_job(session)
    _watchman(night, barrier).look(END + HOUR)
    assert _alarms(night.ledger) == [], "whoever ended the last worker knew what he did"
    _watchman(night, barrier, heirs={"sim"}).look(END + 2 * HOUR)
    assert len(_alarms(night.ledger)) == 1


def _register(ledger: Ledger, limits: Limits, now: datetime, owner: str) -> datetime:
    found = registry.register(ledger, ["sim"], owner, silent_s=60, now=now, limits=limits.as_json())
    return found.counts_since


def _kill(ledger: Ledger) -> None:
    """The process of the registered worker is gone."""
    with ledger.write() as session:
        session.connection().exec_driver_sql("UPDATE workers SET pid = 4194304")


def test_after_a_kill_a_worker_with_the_same_limits_goes_on_counting(ledger: Ledger) -> None:
    limits = Limits(budget=20, currency="EUR")
    assert _register(ledger, limits, NOW, "first") == NOW
    _kill(ledger)
    assert _register(ledger, limits, NOW + HOUR, "second") == NOW
    _kill(ledger)
    assert _register(ledger, limits, NOW + 2 * HOUR, "third") == NOW
    registry.unregister(ledger, "third", NOW)
    assert _register(ledger, limits, NOW + 3 * HOUR, "fourth") == NOW + 3 * HOUR, "the third had ended in order"
    _kill(ledger)
    other = Limits(budget=30, currency="EUR")
    assert _register(ledger, other, NOW + 4 * HOUR, "fifth") == NOW + 4 * HOUR


def test_the_reason_of_a_worker_that_ended_at_a_limit_stays_until_the_next_one(ledger: Ledger) -> None:
    for keep in (False, True):
        _register(ledger, Limits(), NOW, "me")
        registry.tell(ledger, "sim", Refusal(reason="budget of 20 EUR spent", is_final=True), NOW)
        registry.unregister(ledger, "me", NOW, keep_reasons=keep)
        assert (_standstill(ledger) is not None) == keep
    _register(ledger, Limits(), NOW, "next")
    assert _standstill(ledger) is None


def test_what_one_host_was_granted_another_one_is_not(ledger: Ledger) -> None:
    config = parse_config({"hosts": {"sim": {}, "box": {}}}, source="x")
    account = Account(ledger, config, ["sim", "box"], Limits(max_jobs=1), NOW)
    with ledger.write() as session:
        here, there = (Waiting(id=make_job(session, host=host).id, priority=0, key="k") for host in ("sim", "box"))
    first, second = (LimitGate(account, host, lambda: NOW) for host in ("sim", "box"))
    assert first.refuse(here) is None
    assert second.refuse(there) is not None
    with ledger.write() as session:
        session.get_one(Job, here.id).status = Status.CANCELLED
    assert second.refuse(there) is None
