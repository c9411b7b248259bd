"""Firings: which times of schedules are due, and what became of each, recorded once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cosmosq import cron, schedules
from cosmosq.alarms import Occasion, sound
from cosmosq.db import Ledger
from cosmosq.enqueue import Beside
from cosmosq.errors import StaleFiring
from cosmosq.models import Firing, Job, JobLabel, Schedule
from cosmosq.moments import parse_zone
from cosmosq.schedules import CatchUp

ON_TIME = timedelta(minutes=5)
"""A time that is fired within it was not missed: a big sweep takes a while to plan."""
MOST_CAUGHT_UP = 100
"""So many of the newest missed times are fired one by one at most."""
MOST_LOOKED_AT = 2_000
"""Of more times than that, only the first ones and the recent ones are looked at."""
RECENTLY = timedelta(hours=30)


class Outcome(StrEnum):
    """What became of a time."""

    QUEUED = "queued"
    """Its line was run; jobs that were there already were not queued again."""
    FAILED = "failed"
    """Its line could not be run."""
    SKIPPED = "skipped"
    """It was missed and is not caught up."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What is to be done next about a schedule."""

    name: str
    due_at: datetime
    skips: bool
    """Whether the time is given up instead of fired."""
    line: tuple[str, ...]
    folder: str


def due(ledger: Ledger, now: datetime) -> list[Turn]:
    """The next turn of each schedule that has a time due; writes if the clock was set back."""
    with ledger.read() as session:
        found = list(session.scalars(select(Schedule).where(Schedule.enabled).order_by(Schedule.name)))
        if all(schedule.done_until <= now for schedule in found):
            return [turn for schedule in found if (turn := _turn(session, schedule, now))]
    _follow_clock(ledger, now)
    return due(ledger, now)


def _follow_clock(ledger: Ledger, now: datetime) -> None:
    """A clock that was set back comes to times again that were not fired: they must not wait until it caught up."""
    with ledger.write() as session:
        for schedule in session.scalars(select(Schedule).where(Schedule.done_until > now)):
            schedule.done_until = now


def _turn(session: Session, schedule: Schedule, now: datetime) -> Turn | None:
    chosen = choose(_open_times(session, schedule, now), CatchUp(schedule.catch_up), now)
    if chosen is None:
        return None
    due_at, skips = chosen
    return Turn(name=schedule.name, due_at=due_at, skips=skips, line=tuple(schedule.line), folder=schedule.folder)


def choose(times: Sequence[datetime], catch_up: CatchUp, now: datetime) -> tuple[datetime, bool] | None:
    """Which of the times that are due is next, and whether it is given up; those before it are never fired.

    Args:
        times: oldest first.
    """
    if not times:
        return None
    if catch_up is CatchUp.ALL:
        return times[-MOST_CAUGHT_UP:][0], False
    return times[-1], catch_up is CatchUp.SKIP and now - times[-1] > ON_TIME


def _open_times(session: Session, schedule: Schedule, until: datetime) -> list[datetime]:
    """Times of a schedule up to a moment that were not seen to; a clock that was set back repeats none."""
    passed = _times(schedule, schedule.done_until, until)
    if len(passed) > MOST_LOOKED_AT:
        # After a year of minutes nobody asks for each.
        passed += _times(schedule, max(passed[-1], until - RECENTLY), until)
    if not passed:
        return []
    of_these = (Firing.schedule_id == schedule.id, Firing.due_at.between(passed[0], passed[-1]))
    fired = set(session.scalars(select(Firing.due_at).where(*of_these)))
    return [time for time in passed if time not in fired]


def _times(schedule: Schedule, begin: datetime, until: datetime) -> list[datetime]:
    times = cron.after(schedule.expression, begin, parse_zone(schedule.zone))
    return list(islice(takewhile(lambda time: time <= until, times), MOST_LOOKED_AT + 1))


def record(
    session: Session, name: str, due_at: datetime, outcome: Outcome, now: datetime, *, message: str | None = None
) -> None:
    """Record what became of a time, in the transaction of the jobs that its line queued at `now`.

    Raises:
        StaleFiring: somebody did so already, or nobody wants it any more.
    """
    schedule = schedules.get(session, name)
    times = _open_times(session, schedule, max(due_at, now - ON_TIME)) if schedule.enabled else []
    if due_at not in times:
        raise StaleFiring(f"schedule {name} is not due for {due_at.isoformat()}: see `cosmosq schedule list`")
    late = [time for time in times if time < due_at or now - time > ON_TIME]
    firing = _firing(session, schedule, now, outcome=outcome, message=message)
    firing.due_at, firing.missed = due_at, sum(time <= due_at for time in late)
    _sound(session, schedule, firing, late, now)
    session.add(firing)
    schedule.done_until = due_at


def noted(name: str, due_at: datetime | None) -> Beside:
    """What records a firing with the jobs that it queues; None for one by hand."""
    if due_at is None:
        return lambda session, now: record_by_hand(session, name, now)
    return lambda session, now: record(session, name, due_at, Outcome.QUEUED, now)


def record_by_hand(session: Session, name: str, now: datetime) -> None:
    """Record that a person had the line run at `now`, whenever it is due."""
    firing = _firing(session, schedules.get(session, name), now, outcome=Outcome.QUEUED, message=None)
    # No cron expression has a microsecond of its own.
    firing.due_at, firing.missed, firing.by_hand = now.replace(microsecond=now.microsecond or 1), 0, True
    session.add(firing)


def give_up(ledger: Ledger, turn: Turn, now: datetime, *, message: str) -> None:
    """Record that a time is skipped, or that its line failed, unless somebody saw to it meanwhile."""
    outcome = Outcome.SKIPPED if turn.skips else Outcome.FAILED
    try:
        with ledger.write() as session:
            record(session, turn.name, turn.due_at, outcome, now, message=message)
    except StaleFiring:
        return


def is_open(ledger: Ledger, turn: Turn) -> bool:
    """Whether nobody has seen to it yet."""
    with ledger.read() as session:
        found = select(Schedule).where(Schedule.name == turn.name, Schedule.enabled)
        schedule = session.scalar(found)
        return schedule is not None and turn.due_at in _open_times(session, schedule, turn.due_at)


def _firing(session: Session, schedule: Schedule, now: datetime, *, outcome: Outcome, message: str | None) -> Firing:
    """The row, with the jobs that this transaction queued at `now`: nobody else could meanwhile."""
    labelled = (JobLabel.key == schedules.LABEL, JobLabel.value == schedule.name)
    own = select(func.count(), func.min(Job.id), func.max(Job.id)).join(JobLabel, JobLabel.job_id == Job.id)
    count, first, last = session.execute(own.where(*labelled, Job.created_at == now)).one()
    return Firing(
        schedule_id=schedule.id,
        fired_at=now,
        by_hand=False,
        outcome=outcome,
        message=message,
        jobs=count,
        first_job_id=first,
        last_job_id=last,
    )


def _sound(session: Session, schedule: Schedule, firing: Firing, late: Sequence[datetime], now: datetime) -> None:
    """One alarm for all that was missed at once, and one if the line fails."""
    earlier = select(Firing).where(Firing.schedule_id == schedule.id, ~Firing.by_hand)
    before = session.scalar(earlier.order_by(Firing.id.desc()).limit(1))
    # When that was fired, this one was due already and was told with it.
    is_told = before is not None and firing.due_at <= before.fired_at <= now
    if firing.outcome == Outcome.FAILED and not (is_told and before is not None and before.outcome == Outcome.FAILED):
        text = f"schedule {schedule.name} queued nothing for {_clock(firing.due_at, schedule)}: {firing.message}"
    elif late and not is_told:
        text = _missed_text(schedule, late)
    else:
        return
    sound(
        session,
        Occasion.SCHEDULE_MISSED,
        text,
        now,
        schedule=schedule.name,
        due_at=firing.due_at.isoformat(),
        outcome=firing.outcome,
        missed=len(late),
        jobs=firing.jobs,
    )


def _missed_text(schedule: Schedule, late: Sequence[datetime]) -> str:
    times = f"its time {_clock(late[-1], schedule)}"
    if len(late) > 1:
        count = f"more than {MOST_LOOKED_AT:,}" if len(late) > MOST_LOOKED_AT else f"{len(late)}"
        times = f"{count} times from {_clock(late[0], schedule)} to {_clock(late[-1], schedule)}"
    what = {
        CatchUp.SKIP: f"nothing was queued (catch-up skip): `cosmosq schedule run {schedule.name}` does it now",
        CatchUp.ONCE: "caught up now, once",
        CatchUp.ALL: f"caught up now, one by one{f', the last {MOST_CAUGHT_UP}' if len(late) > MOST_CAUGHT_UP else ''}",
    }
    reason = "no worker ran, or the machine slept"
    return f"schedule {schedule.name} missed {times} ({reason}): {what[CatchUp(schedule.catch_up)]}"


def _clock(moment: datetime, schedule: Schedule) -> str:
    return f"{moment.astimezone(parse_zone(schedule.zone)):%Y-%m-%d %H:%M %Z}"
