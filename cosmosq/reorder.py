"""Moving jobs within the line of their host: to its head, to its end, or before another job."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.errors import MoveRefused, NotFound
from cosmosq.jobs import has_not_begun
from cosmosq.models import Attempt, Dependency, Job
from cosmosq.moves import record, touch
from cosmosq.status import BEFORE_GENERATING, WAITING, Status

_IN_LINE = (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What became of a wish to move jobs."""

    ids: tuple[int, ...]
    """In their new order, with those that they wait for."""
    recalled: tuple[int, ...]
    """Claimed jobs that get back into the line, unless they begin before the worker has taken them back."""


def first(ledger: Ledger, ids: Sequence[int], now: datetime) -> Moved:
    """Move jobs to the head of their hosts' lines, with what they wait for.

    Their priority rises above that of all others there: neither an urgent job nor one that fits the open session goes
    before them.

    Raises:
        MoveRefused: a job has begun or ended.
    """
    moved: list[int] = []
    with ledger.write() as session:
        for host, jobs in _by_host(_waiting(session, _with_needed(session, ids))):
            own = [job.id for job in jobs]
            others = (Job.host == host, Job.status.in_(_IN_LINE), Job.id.not_in(own))
            highest = session.scalar(select(func.max(Job.priority)).where(*others))
            priority = max(job.priority for job in jobs)
            priority = priority if highest is None else max(priority, highest + 1)
            lowest = session.scalar(select(func.min(Job.position))) or 0
            _place(session, jobs, priority, lowest - len(own), "first", now)
            moved += own
        recalled = _recall(session, Job.id.in_(moved), now)
    return Moved(ids=tuple(moved), recalled=recalled)


def last(ledger: Ledger, ids: Sequence[int], now: datetime) -> Moved:
    """Move jobs to the end of their hosts' lines; their priority sinks to the lowest there.

    Raises:
        MoveRefused: a job has begun or ended.
    """
    moved: list[int] = []
    with ledger.write() as session:
        for host, jobs in _by_host(_waiting(session, ids)):
            own = [job.id for job in jobs]
            others = (Job.host == host, Job.status == Status.QUEUED, Job.id.not_in(own))
            lowest = session.scalar(select(func.min(Job.priority)).where(*others))
            priority = min(job.priority for job in jobs)
            highest = session.scalar(select(func.max(Job.position))) or 0
            _place(session, jobs, priority if lowest is None else min(priority, lowest), highest + 1, "last", now)
            moved += own
        recalled = _recall(session, Job.id.in_(moved), now)
    return Moved(ids=tuple(moved), recalled=recalled)


def before(ledger: Ledger, ids: Sequence[int], other_id: int, now: datetime) -> Moved:
    """Move jobs right before another one of their host, whose priority they get, with what they wait for.

    Raises:
        MoveRefused: a job has begun or ended, is for another host, or waits for the other one.
    """
    with ledger.write() as session:
        (other,) = _waiting(session, [other_id])
        wanted = _with_needed(session, ids)
        if other_id in wanted:
            if other_id in ids:
                raise MoveRefused(f"job {other_id} cannot be moved before itself: name another one")
            raise MoveRefused(f"a job of these waits for job {other_id}: it cannot go before it")
        spot_of_other = (-other.priority, other.position, other.id)
        jobs = [
            job
            for job in _waiting(session, wanted)
            if job.id in ids or (-job.priority, job.position, job.id) > spot_of_other
        ]
        for job in jobs:
            if job.host != other.host:
                raise MoveRefused(
                    f"job {job.id} is for {job.host} and job {other_id} for {other.host}: they never meet"
                )
        # Whoever stands there already makes room: bystanders keep their order, and their claim to be overtaken no more.
        spot = tuple_(Job.position, Job.id)
        same = (Job.host == other.host, Job.priority == other.priority, Job.status.in_([*WAITING, Status.RUNNING]))
        ahead = spot < (other.position, other.id)
        room = update(Job).where(*same, ahead).values(position=Job.position - len(jobs) - 1)
        session.execute(room, execution_options={"synchronize_session": False})
        _place(session, jobs, other.priority, other.position - len(jobs), f"before {other_id}", now)
        moved = [job.id for job in jobs]
        behind = and_(*same, spot >= (other.position, other.id))
        recalled = _recall(session, or_(Job.id.in_(moved), behind), now)
    return Moved(ids=tuple(moved), recalled=recalled)


def _waiting(session: Session, ids: Sequence[int]) -> list[Any]:
    """The jobs in this order, each of which can still be moved."""
    found = []
    for job_id in dict.fromkeys(ids):
        columns = (Job.id, Job.host, Job.status, Job.priority, Job.position)
        job = session.execute(select(*columns).where(Job.id == job_id)).first()
        if job is None:
            raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
        if job.status not in WAITING and not (job.status == Status.RUNNING and has_not_begun(session, job_id)):
            raise MoveRefused(f"job {job_id} is {job.status} and cannot be moved: only what waits can")
        found.append(job)
    return found


def _with_needed(session: Session, ids: Sequence[int]) -> list[int]:
    """The jobs, each behind those that it waits for."""
    found: dict[int, None] = {}
    unseen = [*reversed(ids)]
    seen: set[int] = set()
    while unseen:
        job_id = unseen[-1]
        needed = select(Job.id).join(Dependency, Dependency.depends_on_id == Job.id)
        waits = needed.where(Dependency.job_id == job_id, Job.status.in_(WAITING)).order_by(Job.id.desc())
        if job_id not in seen and (first := session.scalars(waits).all()):
            unseen += first
        else:
            found.setdefault(unseen.pop())
        seen.add(job_id)
    return list(found)


def _by_host(jobs: Sequence[Any]) -> Iterable[tuple[str, list[Any]]]:
    ordered = sorted(jobs, key=lambda job: str(job.host))
    return ((host, list(group)) for host, group in groupby(ordered, key=lambda job: str(job.host)))


def _place(session: Session, jobs: Sequence[Any], priority: int, position: int, where: str, now: datetime) -> None:
    for number, job in enumerate(jobs):
        touch(session, job.id, priority=priority, position=position + number)
        told = {"place": where, "priority": priority, "priority_before": job.priority}
        record(session, "moved", now, job_id=job.id, **told)


def _recall(session: Session, which: ColumnElement[bool], now: datetime) -> tuple[int, ...]:
    """Ask the worker for those that it has claimed and that have not begun: it claims them anew in their order."""
    newest = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)
    claimed = (Job.status == Status.RUNNING, Attempt.phase.in_(BEFORE_GENERATING))
    ids = session.scalars(select(Job.id).join(Attempt, newest).where(which, *claimed)).all()
    for job_id in ids:
        touch(session, job_id, recall_requested_at=now)
    return tuple(ids)
