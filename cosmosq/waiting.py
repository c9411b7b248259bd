"""The jobs that wait for a host, and who of them is next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy import BindParameter, ColumnElement, Row, Select, and_, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from cosmosq import policy
from cosmosq.db import Ledger
from cosmosq.engines.engine import UPSAMPLING_KEYS
from cosmosq.models import Dependency, Event, Job
from cosmosq.policy import Waiting
from cosmosq.status import ENDED, Need, Status

Head = Row[int, int, int, str, datetime | None, datetime]
"""Id, priority, position, key, earliest start and time of enqueueing of the job at the head of the line."""
_Statement = Select[int, int, int, str, datetime | None, datetime]


def eligible(
    host: str | BindParameter[str],
    only: Sequence[int] | None = None,
    now: datetime | BindParameter[datetime] | None = None,
) -> ColumnElement[bool]:
    """Condition on Job: may start on `host`, at any time or `now`; `only` narrows it to some ids."""
    needed = aliased(Job)
    unmet = exists().where(
        Dependency.job_id == Job.id,
        Dependency.depends_on_id == needed.id,
        needed.status != Status.SUCCEEDED,
        or_(Dependency.need != Need.END, needed.status.not_in(ENDED)),
    )
    parts = [Job.host == host, Job.status == Status.QUEUED, ~unmet]
    if now is not None:
        parts.append(or_(Job.due_at.is_(None), Job.due_at <= now))
    if only is not None:
        parts.append(Job.id.in_(only))
    return and_(*parts)


def is_empty(ledger: Ledger, host: str, only: Sequence[int] | None = None) -> bool:
    """Whether no job of the host will start, now or when it is due."""
    with ledger.read() as session:
        return session.scalar(select(Job.id).where(eligible(host, only)).limit(1)) is None


def next_in_line(
    ledger: Ledger,
    host: str,
    *,
    now: datetime,
    only: Sequence[int] | None = None,
    open_key: str | None = None,
    max_overtake: int = 0,
    among: ColumnElement[bool] | None = None,
) -> Waiting | None:
    """The job to start next.

    Args:
        open_key: see `policy.choose`, also for `max_overtake`.
        among: a further condition on Job.
    """
    with ledger.read() as session:
        line = _Line(session, host, only, now, among)
        first = line.head()
        if first is None:
            return None
        is_early = first.session_key in UPSAMPLING_KEYS
        found = _waiting(first, is_early=is_early)
        if open_key is None or open_key == first.session_key:
            return found
        fitting = line.first(_fitting_in_line, priority=first.priority, key=open_key)
        if fitting is None:
            return found
        seen = replace(found, overtaken=_overtaken(session, host, first))
    return policy.choose([seen, _waiting(fitting)], open_key, max_overtake)


def _waiting(row: Head, *, is_early: bool = False) -> Waiting:
    return Waiting(id=row.id, priority=row.priority, position=row.position, key=row.session_key, is_early=is_early)


def head(session: Session, host: str, only: Sequence[int] | None, now: datetime) -> Head | None:
    """Highest priority first; within it upsamplings, so that their model is loaded once for all; then by position."""
    return _Line(session, host, only, now).head()


def _overtaken(session: Session, host: str, first: Head) -> int:
    """How many jobs from behind this one began since it could."""
    queued = select(func.max(Event.at)).where(Event.job_id == first.id, Event.event == Status.QUEUED)
    since = max(filter(None, (session.scalar(queued), first.due_at, first.created_at)))
    behind = or_(Job.position > first.position, and_(Job.position == first.position, Job.id > first.id))
    overtook = (Job.host == host, Job.priority == first.priority, behind, Job.started_at >= since)
    return session.scalar(select(func.count()).where(*overtook)) or 0


@dataclass(frozen=True)
class _Line:
    """The jobs that could start on a host now."""

    session: Session
    host: str
    only: Sequence[int] | None
    now: datetime
    among: ColumnElement[bool] | None = None

    def head(self) -> Head | None:
        """See `head`."""
        first = self.first(_in_line)
        if first is None or first.session_key in UPSAMPLING_KEYS:
            return first
        return self.first(_upsamplings_in_line, priority=first.priority) or first

    def first(self, which: Callable[[tuple[int, ...] | None], _Statement], **more: object) -> Head | None:
        """The first of them that a statement finds."""
        statement = which(None if self.only is None else tuple(self.only))
        if self.among is not None:
            statement = statement.where(self.among)
        return self.session.execute(statement, {"host": self.host, "now": self.now, **more}).first()


# A worker asks several times a second for all of the night: to build a statement takes longer than to execute it.


@lru_cache(maxsize=8)
def _in_line(only: tuple[int, ...] | None) -> _Statement:
    """Highest priority first, then by position."""
    columns = (Job.id, Job.priority, Job.position, Job.session_key, Job.due_at, Job.created_at)
    ordered = (Job.priority.desc(), Job.position, Job.id)
    condition = eligible(bindparam("host"), only, bindparam("now"))
    return select(*columns).where(condition).order_by(*ordered).limit(1)


@lru_cache(maxsize=8)
def _upsamplings_in_line(only: tuple[int, ...] | None) -> _Statement:
    return _in_line(only).where(Job.priority == bindparam("priority"), Job.session_key.in_(UPSAMPLING_KEYS))


@lru_cache(maxsize=8)
def _fitting_in_line(only: tuple[int, ...] | None) -> _Statement:
    return _in_line(only).where(Job.priority == bindparam("priority"), Job.session_key == bindparam("key"))
