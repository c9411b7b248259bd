"""Schedules as people handle them: added, listed, enabled, disabled, removed."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cosmosq import cron
from cosmosq.db import Ledger
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Firing, Schedule
from cosmosq.moments import parse_zone
from cosmosq.paths import Workspace
from cosmosq.spelling import nearest

LABEL = "schedule"
"""Key of the label that tells which schedule queued a job."""
UPCOMING = 3


class CatchUp(StrEnum):
    """What becomes of the times that passed while no worker ran or the machine slept."""

    SKIP = "skip"
    """Nothing."""
    ONCE = "once"
    """One firing for all of them."""
    ALL = "all"
    """A firing each."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A schedule to be added; its line was tried out."""

    name: str
    expression: str
    zone: str
    catch_up: CatchUp
    line: Sequence[str]
    """The words behind `cosmosq enqueue`."""
    folder: Path
    """Where the line is run."""


@dataclass(frozen=True, kw_only=True)
class FiringRecord:
    """One time of a schedule, and what became of it."""

    due_at: datetime
    fired_at: datetime
    by_hand: bool
    outcome: str
    jobs: int
    first_job_id: int | None
    last_job_id: int | None
    missed: int
    message: str | None

    @property
    def ids(self) -> str:
        """The jobs that it queued, as commands take them."""
        if self.first_job_id == self.last_job_id:
            return str(self.first_job_id or "")
        return f"{self.first_job_id}-{self.last_job_id}"


@dataclass(frozen=True, kw_only=True)
class ScheduleRecord:
    """A recurring enqueue."""

    name: str
    expression: str
    zone: str
    catch_up: str
    line: list[str]
    folder: str
    enabled: bool
    created_at: datetime
    next_at: list[datetime]
    """The next times, oldest first; none while it is disabled."""
    last: FiringRecord | None
    """The newest firing."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


def add(ledger: Ledger, workspace: Workspace, draft: Draft, now: datetime) -> None:
    """Record a schedule; its first time is the next one.

    Raises:
        InvalidInput: a name, expression or zone that is none, or a name that is taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,59}", draft.name):
        raise InvalidInput(f"{draft.name[:60]!r} is no name of a schedule: write letters, digits, dots, dashes")
    row = Schedule(
        name=draft.name,
        expression=cron.check(draft.expression),
        zone=parse_zone(draft.zone).key,
        catch_up=draft.catch_up,
        line=list(draft.line),
        folder=_kept(draft.folder, workspace),
        enabled=True,
        done_until=now,
        created_at=now,
    )
    with ledger.write() as session:
        if session.scalar(select(Schedule.id).where(Schedule.name == draft.name)) is not None:
            raise InvalidInput(f"{draft.name} is a schedule already: `cosmosq schedule remove {draft.name}` first")
        session.add(row)


def _kept(folder: Path, workspace: Workspace) -> str:
    """A folder in the workspace moves with it."""
    here = folder.resolve()
    return workspace.relative(here) if here.is_relative_to(workspace.root) else here.as_posix()


def folder_of(schedule: Schedule, workspace: Workspace) -> Path:
    """Where its line is run."""
    return workspace.root / schedule.folder


def get(session: Session, name: str) -> Schedule:
    """The schedule of that name.

    Raises:
        NotFound: there is none.
    """
    found = session.scalar(select(Schedule).where(Schedule.name == name))
    if found is None:
        names = session.scalars(select(Schedule.name)).all()
        raise NotFound(f"{name} is no schedule{nearest(name, names)}: `cosmosq schedule list` shows them")
    return found


def records(
    ledger: Ledger, now: datetime, names: Sequence[str] = (), *, upcoming: int = UPCOMING
) -> list[ScheduleRecord]:
    """The schedules by name, all or some, each with its next times.

    Raises:
        NotFound: one of them does not exist.
    """
    with ledger.read() as session:
        if names:
            found = [get(session, name) for name in names]
        else:
            found = list(session.scalars(select(Schedule).order_by(Schedule.name)))
        return [_record(session, schedule, now, upcoming) for schedule in found]


def _record(session: Session, schedule: Schedule, now: datetime, upcoming: int) -> ScheduleRecord:
    last = select(Firing).where(Firing.schedule_id == schedule.id).order_by(Firing.id.desc())
    firing = session.scalar(last.limit(1))
    times = cron.after(schedule.expression, now, parse_zone(schedule.zone)) if schedule.enabled else iter(())
    told = {name: getattr(schedule, name) for name in ScheduleRecord.__dataclass_fields__ if hasattr(schedule, name)}
    kept = {} if firing is None else {name: getattr(firing, name) for name in FiringRecord.__dataclass_fields__}
    return ScheduleRecord(
        **told, next_at=list(islice(times, upcoming)), last=FiringRecord(**kept) if firing is not None else None
    )


def enable(ledger: Ledger, name: str, now: datetime) -> None:
    """Let it fire again, from now on: what passed while it was disabled was not missed."""
    with ledger.write() as session:
        schedule = get(session, name)
        if not schedule.enabled:
            schedule.enabled, schedule.done_until = True, now


def disable(ledger: Ledger, name: str) -> None:
    """Keep it from firing until it is enabled."""
    with ledger.write() as session:
        get(session, name).enabled = False


def remove(ledger: Ledger, name: str) -> None:
    """Forget a schedule and its firings; the jobs that it queued stay, with their label."""
    with ledger.write() as session:
        schedule = get(session, name)
        session.execute(delete(Firing).where(Firing.schedule_id == schedule.id))
        session.delete(schedule)
