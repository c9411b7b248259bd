"""Schedules in the ledger: what is due, what was missed, and that no time comes twice, whatever the clock does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cosmosq import firings, schedules
from cosmosq.alarms import Occasion
from cosmosq.errors import InvalidInput, NotFound, StaleFiring
from cosmosq.firings import MOST_CAUGHT_UP, Outcome, Turn, choose
from cosmosq.models import Alarm, Firing
from cosmosq.paths import Workspace
from cosmosq.schedules import CatchUp, Draft, ScheduleRecord
from tests.ledger_rows import make_job, make_workspace

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEN = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
"""The first time of the schedule `nightly`."""
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Desk:
    """A ledger with a schedule for each night at ten, which was added at noon."""

    def __init__(self, root: Path) -> None:
        self.workspace, self.ledger = make_workspace(root)

    def add(self, name: str = "nightly", **overrides: Any) -> None:
        told: dict[str, Any] = {
            "expression": "0 22 * * *",
            "zone": "UTC",
            "catch_up": CatchUp.ONCE,
            "line": ["kitchen", "--again"],
            "folder": self.workspace.root,
            **overrides,
        }
        schedules.add(self.ledger, self.workspace, Draft(name=name, **told), MONDAY)

    def due(self, now: datetime) -> list[tuple[str, datetime, bool]]:
        return [(turn.name, turn.due_at, turn.skips) for turn in firings.due(self.ledger, now)]

    def fire(self, now: datetime, *, jobs: int = 2, outcome: Outcome = Outcome.QUEUED) -> Turn | None:
        """Do what is due, as the worker and the command line that it starts do."""
        turns = firings.due(self.ledger, now)
        for turn in turns:
            if turn.skips:
                firings.give_up(self.ledger, turn, now, message="missed")
                continue
            with self.ledger.write() as session:
                for _ in range(jobs):
                    make_job(session, labels={"schedule": turn.name}, created_at=now)
                message = "no such file" if outcome == Outcome.FAILED else None
                firings.record(session, turn.name, turn.due_at, outcome, now, message=message)
        return turns[0] if turns else None

    def record(self, name: str = "nightly", now: datetime = MONDAY) -> ScheduleRecord:
        return schedules.records(self.ledger, now, [name])[0]

    def rows(self) -> list[tuple[datetime, str, int]]:
        """Time, outcome and number of missed ones of each firing."""
        with self.ledger.read() as session:
            found = session.scalars(select(Firing).order_by(Firing.id))
            return [(firing.due_at, firing.outcome, firing.missed) for firing in found]

    def alarms(self) -> list[str]:
        with self.ledger.read() as session:
            found = list(session.scalars(select(Alarm).order_by(Alarm.id)))
        assert {alarm.occasion for alarm in found} <= {Occasion.SCHEDULE_MISSED}
        return [alarm.text for alarm in found]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "ws")
    yield desk
    desk.ledger.close()


# What people do


def test_a_schedule_tells_its_next_three_times_and_its_last_firing(desk: Desk) -> None:
    desk.add()
    assert desk.record().next_at == [TEN, TEN + DAY, TEN + 2 * DAY]
    assert desk.record().last is None
    desk.fire(TEN, jobs=3)
    last = desk.record(now=TEN).last
    assert last is not None
    assert (last.due_at, last.outcome, last.jobs, last.ids, last.missed) == (TEN, "queued", 3, "1-3", 0)
    assert desk.record(now=TEN).next_at[0] == TEN + DAY


def test_jobs_of_others_are_not_counted_and_none_is_fine(desk: Desk) -> None:
    desk.add()
    with desk.ledger.write() as session:
        make_job(session, labels={"schedule": "nightly"}, created_at=TEN - MINUTE)
        make_job(session, labels={"schedule": "weekly"}, created_at=TEN)
    desk.fire(TEN, jobs=1)
    desk.fire(TEN + DAY, jobs=0)
    with desk.ledger.read() as session:
        found = [(f.jobs, f.first_job_id, f.last_job_id) for f in session.scalars(select(Firing).order_by(Firing.id))]
    assert found == [(1, 3, 3), (0, None, None)]


def test_a_disabled_schedule_is_never_due_and_has_missed_nothing_once_it_is_enabled(desk: Desk) -> None:
    desk.add()
    schedules.disable(desk.ledger, "nightly")
    assert desk.due(TEN + 3 * DAY) == []
    assert desk.record().next_at == []
    schedules.enable(desk.ledger, "nightly", TEN + 3 * DAY + MINUTE)
    assert desk.due(TEN + 3 * DAY + 2 * MINUTE) == []
    assert desk.due(TEN + 4 * DAY) == [("nightly", TEN + 4 * DAY, False)]
    schedules.enable(desk.ledger, "nightly", TEN + 5 * DAY)
    assert desk.due(TEN + 4 * DAY) != [], "enabling what is enabled gives nothing up"


def test_a_removed_schedule_leaves_no_trace_and_its_name_is_free(desk: Desk) -> None:
    desk.add()
    desk.fire(TEN)
    schedules.remove(desk.ledger, "nightly")
    assert (desk.rows(), desk.due(TEN + 9 * DAY), schedules.records(desk.ledger, TEN)) == ([], [], [])
    desk.add()
    with pytest.raises(InvalidInput, match="is a schedule already"):
        desk.add()
    for name in ("nothing", "nightli"):
        with pytest.raises(NotFound, match="is no schedule"):
            schedules.remove(desk.ledger, name)


@pytest.mark.parametrize("name", ["", "two words", "a/b", "-x", "x" * 61, "ä", "a@b"])
def test_a_name_that_a_command_or_a_label_would_not_take_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(InvalidInput, match="is no name of a schedule"):
        desk.add(name)


def test_a_folder_in_the_workspace_is_kept_relative_to_it(desk: Desk, tmp_path: Path) -> None:
    (desk.workspace.root / "sweeps").mkdir()
    folders = {"root": desk.workspace.root, "in": desk.workspace.root / "sweeps", "out": tmp_path}
    for name, folder in folders.items():
        desk.add(name, folder=folder)
    moved = Workspace(root=tmp_path / "elsewhere")
    with desk.ledger.read() as session:
        found = {name: schedules.folder_of(schedules.get(session, name), moved) for name in folders}
    assert found == {"root": moved.root, "in": moved.root / "sweeps", "out": tmp_path.resolve()}


# What is due


def test_a_time_is_due_from_its_very_moment_on(desk: Desk) -> None:
    desk.add()
    assert desk.due(TEN - timedelta(microseconds=1)) == []
    assert desk.due(TEN) == [("nightly", TEN, False)]
    assert desk.due(TEN + 4 * MINUTE) == [("nightly", TEN, False)]


def test_each_schedule_is_due_in_its_own_zone(desk: Desk) -> None:
    desk.add("here")
    desk.add("berlin", zone="Europe/Berlin")
    assert desk.due(TEN - MINUTE) == [("berlin", TEN - timedelta(hours=1), False)]


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_what_is_fired_in_time_was_not_missed(desk: Desk, catch_up: CatchUp) -> None:
    desk.add(catch_up=catch_up)
    for days in range(3):
        assert desk.fire(TEN + days * DAY + 2 * MINUTE) is not None
    assert desk.rows() == [(TEN + days * DAY, "queued", 0) for days in range(3)]
    assert desk.alarms() == []


def test_skip_queues_nothing_for_what_was_missed_and_tells(desk: Desk) -> None:
    desk.add(catch_up=CatchUp.SKIP)
    back = TEN + 2 * DAY + 6 * MINUTE
    assert desk.due(back) == [("nightly", TEN + 2 * DAY, True)]
    desk.fire(back)
    assert desk.rows() == [(TEN + 2 * DAY, "skipped", 3)]
    assert desk.due(back + MINUTE) == []
    assert desk.due(TEN + 3 * DAY) == [("nightly", TEN + 3 * DAY, False)]
    (text,) = desk.alarms()
    assert "missed 3 times from 2026-11-23 22:00 UTC to 2026-11-25 22:00 UTC" in text
    assert "`cosmosq schedule run nightly` does it now" in text


def test_once_queues_once_for_all_that_were_missed(desk: Desk) -> None:
    desk.add(catch_up=CatchUp.ONCE)
    back = TEN + 2 * DAY + timedelta(hours=9)
    assert desk.fire(back) is not None
    assert desk.fire(back + MINUTE) is None
    assert desk.rows() == [(TEN + 2 * DAY, "queued", 3)]
    (text,) = desk.alarms()
    assert "missed 3 times" in text
    assert text.endswith("caught up now, once")


def test_what_is_due_now_catches_up_for_what_was_missed_before(desk: Desk) -> None:
    desk.add(catch_up=CatchUp.ONCE)
    desk.fire(TEN + 2 * DAY)
    assert desk.rows() == [(TEN + 2 * DAY, "queued", 2)]
    assert "missed 2 times" in desk.alarms()[0]


def test_all_queues_for_each_that_was_missed_and_tells_it_once(desk: Desk) -> None:
    desk.add(catch_up=CatchUp.ALL)
    back = TEN + 2 * DAY + timedelta(hours=9)
    for seconds in range(3):
        assert desk.fire(back + timedelta(seconds=seconds)) is not None
    assert desk.fire(back + MINUTE) is None
    assert desk.rows() == [(TEN + days * DAY, "queued", 1) for days in range(3)]
    (text,) = desk.alarms()
    assert "missed 3 times" in text
    desk.fire(back + DAY)
    assert len(desk.alarms()) == 2, "another night, another alarm"


def test_all_is_bounded(desk: Desk) -> None:
    desk.add(expression="* * * * *", catch_up=CatchUp.ALL)
    back = MONDAY + 10 * DAY + timedelta(seconds=30)
    turn = desk.fire(back)
    assert turn is not None
    assert turn.due_at == MONDAY + 10 * DAY - (MOST_CAUGHT_UP - 1) * MINUTE
    assert f"one by one, the last {MOST_CAUGHT_UP}" in desk.alarms()[0]


def test_a_line_that_fails_is_told_and_not_tried_for_ever(desk: Desk) -> None:
    desk.add()
    desk.fire(TEN, outcome=Outcome.FAILED, jobs=0)
    assert desk.rows() == [(TEN, "failed", 0)]
    assert desk.due(TEN + MINUTE) == []
    (text,) = desk.alarms()
    assert text == "schedule nightly queued nothing for 2026-11-23 22:00 UTC: no such file"
    desk.fire(TEN + DAY, outcome=Outcome.FAILED, jobs=0)
    assert len(desk.alarms()) == 2


# Once, whatever happens


def test_a_time_is_recorded_once_or_not_at_all(desk: Desk) -> None:
    desk.add()
    (turn,) = firings.due(desk.ledger, TEN)
    assert firings.is_open(desk.ledger, turn)
    desk.fire(TEN)
    assert not firings.is_open(desk.ledger, turn)
    with pytest.raises(StaleFiring), desk.ledger.write() as session:
        firings.record(session, "nightly", TEN, Outcome.QUEUED, TEN + MINUTE)
    firings.give_up(desk.ledger, turn, TEN + MINUTE, message="too late")
    assert desk.rows() == [(TEN, "queued", 0)]


def test_the_ledger_itself_refuses_a_time_twice(desk: Desk) -> None:
    desk.add()
    desk.fire(TEN)
    with desk.ledger.read() as session:
        firing = session.scalars(select(Firing)).one()
    copied = {c.name: getattr(firing, c.name) for c in Firing.__table__.columns if c.name != "id"}
    with pytest.raises(IntegrityError), desk.ledger.write() as session:
        session.add(Firing(**copied))


@pytest.mark.parametrize("change", [schedules.disable, schedules.remove])
def test_what_nobody_wants_any_more_is_not_recorded(desk: Desk, change: Any) -> None:
    desk.add()
    (turn,) = firings.due(desk.ledger, TEN)
    change(desk.ledger, "nightly")
    assert not firings.is_open(desk.ledger, turn)
    with pytest.raises((StaleFiring, NotFound)), desk.ledger.write() as session:
        firings.record(session, "nightly", TEN, Outcome.QUEUED, TEN)


def test_a_time_that_is_none_is_not_recorded(desk: Desk) -> None:
    desk.add()
    for due_at in (TEN - MINUTE, TEN + MINUTE, MONDAY, TEN - DAY):
        with pytest.raises(StaleFiring), desk.ledger.write() as session:
            firings.record(session, "nightly", due_at, Outcome.QUEUED, TEN + 2 * MINUTE)


@pytest.mark.parametrize("catch_up", list(CatchUp))
@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=25)])
def test_a_clock_that_is_set_back_fires_nothing_again(desk: Desk, catch_up: CatchUp, back: timedelta) -> None:
    desk.add(catch_up=catch_up)
    desk.fire(TEN)
    moment, end = TEN - back, TEN + DAY
    while moment < end:
        desk.fire(moment)
        moment += timedelta(hours=1)
    assert [due_at for due_at, *_ in desk.rows()].count(TEN) == 1
    assert desk.due(TEN + DAY) == [("nightly", TEN + DAY, False)]


def test_a_clock_that_was_years_ahead_for_a_moment_silences_nothing(desk: Desk) -> None:
    desk.add()
    far = TEN.replace(year=2036)
    desk.fire(far)
    assert desk.rows()[0][0] == far
    assert desk.due(TEN - MINUTE) == []
    assert desk.due(TEN) == [("nightly", TEN, False)]
    desk.fire(TEN)
    assert [due_at for due_at, *_ in desk.rows()] == [far, TEN]
    alarms = len(desk.alarms())
    desk.fire(TEN + 3 * DAY)
    assert len(desk.alarms()) == alarms + 1
    last = desk.record(now=TEN).last
    assert last is not None
    assert last.due_at == TEN + 3 * DAY


def test_a_firing_by_hand_changes_nothing_about_the_times(desk: Desk) -> None:
    desk.add()
    for moment in (MONDAY, TEN):
        with desk.ledger.write() as session:
            make_job(session, labels={"schedule": "nightly"}, created_at=moment)
            firings.record_by_hand(session, "nightly", moment)
    assert desk.due(TEN) == [("nightly", TEN, False)]
    desk.fire(TEN)
    assert [outcome for _, outcome, _ in desk.rows()] == ["queued"] * 3
    last = desk.record(now=TEN).last
    assert last is not None
    assert not last.by_hand


def test_which_time_is_next_is_told_without_a_ledger() -> None:
    times = [TEN, TEN + DAY]
    late = TEN + DAY + timedelta(hours=1)
    assert choose([], CatchUp.ALL, late) is None
    assert choose(times, CatchUp.ALL, late) == (TEN, False)
    assert choose(times, CatchUp.ONCE, late) == (TEN + DAY, False)
    assert choose(times, CatchUp.SKIP, late) == (TEN + DAY, True)
    assert choose(times, CatchUp.SKIP, TEN + DAY) == (TEN + DAY, False)


def test_minutes_that_were_missed_for_years_are_seen_to_at_once(desk: Desk) -> None:
    desk.add(expression="* * * * *")
    back = MONDAY + 3650 * DAY + timedelta(seconds=30)
    turn = desk.fire(back)
    assert turn is not None
    assert turn.due_at == back - timedelta(seconds=30)
    assert "missed more than 2,000 times from 2026-11-23 12:01 UTC" in desk.alarms()[0]
    assert desk.due(back) == []
