"""What a host still has before it: which session, how many loads, and when each job will have ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, func, select
from sqlalchemy.orm import Session

from cosmosq import dependencies, policy
from cosmosq.engines.engine import UPSAMPLING_KEYS, key_of_jobs, text_digest
from cosmosq.models import Attempt, EngineSession, Job, ParameterSet
from cosmosq.policy import Waiting
from cosmosq.report.forecast import mean_load_s, pace_of, sizes
from cosmosq.status import BEFORE_GENERATING, Phase, Status

OF_JOBS = ("expected_at", "line")
"""Fields of an outlook that tell of single jobs."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """One host, now; None where nothing of the kind was made there yet."""

    host: str
    running: int
    queued: int
    session_id: str | None
    """The open session."""
    session: str | None
    """`loading` or `ready`."""
    served: int
    """Jobs that it has made."""
    loads: int
    """How often the model will be loaded yet, one under way included."""
    left_s: float | None
    """Seconds until all that is queued has ended."""
    ends_at: datetime | None
    expected_at: Mapping[int, datetime] = field(default_factory=dict)
    """When each running or queued job will have ended, by id."""
    line: tuple[int, ...] = ()
    """What runs and what is queued, as it will begin; without what waits for a job that will not end here."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name, without the jobs'."""
        return {name: value for name, value in vars(self).items() if name not in OF_JOBS}


def hosts(session: Session) -> list[str]:
    """Hosts that have something to do."""
    statement = select(Job.host).where(Job.status.in_([Status.QUEUED, Status.RUNNING])).distinct().order_by(Job.host)
    return list(session.scalars(statement))


def is_known(session: Session, host: str) -> bool:
    """Whether anything can be told of a host's future: something was made there, or is being made."""
    return pace_of(session, host) is not None or bool(_running(session, host))


def outlook(session: Session, host: str, *, max_overtake: int, now: datetime, queued: bool = True) -> Outlook:
    """The future of a host if no job comes, fails or ends early.

    Args:
        queued: whether to look at what is queued as well; what runs is cheaper to tell.
    """
    current = session.scalar(
        select(EngineSession)
        .where(EngineSession.host == host, EngineSession.end.is_(None))
        .order_by(EngineSession.started_at.desc())
        .limit(1)
    )
    running = _running(session, host)
    pace = pace_of(session, host) or _pace_so_far(running, now)
    waiting = _queued(session, host) if queued else []
    clock = _Clock(pace=pace, load_s=mean_load_s(session, host) or 0.0, now=now)
    if current is not None and (running or current.load_s is not None):
        clock.find(text_digest(key_of_jobs(current.key)), current, now)
    for row in running:
        clock.run(row)
    works = {row.id: row for row in waiting}
    line = [
        Waiting(
            id=row.id,
            priority=row.priority,
            position=row.position,
            key=row.session_key,
            is_early=row.session_key in UPSAMPLING_KEYS,
        )
        for row in waiting
        if not _is_later(row, now)
    ]
    needs = dependencies.unmet(session) if queued else {}
    ordered = policy.line_up(line, clock.key, max_overtake)
    for job in policy.behind_their_needs(ordered, needs, begun=[row.id for row in running]):
        clock.queue(works[job.id])
    for row in sorted((row for row in waiting if _is_later(row, now)), key=lambda row: (row.due_at, row.id)):
        # Nobody waits for those that are not due yet.
        clock.queue(row)
    return Outlook(
        host=host,
        running=len(running),
        queued=len(waiting),
        session_id=current.id if current else None,
        session=None if current is None else "loading" if current.load_s is None else "ready",
        served=_served(session, current.id) if current else 0,
        loads=clock.loads,
        left_s=None if pace is None else max(0.0, (clock.at - now).total_seconds()),
        ends_at=None if pace is None else clock.at,
        expected_at=clock.ends if pace is not None else {},
        line=tuple(clock.ends),
    )


class _Clock:
    """Goes from job to job and counts the loads between them."""

    def __init__(self, *, pace: float | None, load_s: float, now: datetime) -> None:
        self.at, self.loads = now, 0
        self.key: str | None = None
        self.ends: dict[int, datetime] = {}
        self._pace, self._load_s = pace or 0.0, load_s

    def find(self, key: str, session: EngineSession, now: datetime) -> None:
        """An open session; if it loads, what is left of that."""
        self.key = key
        if session.load_s is None:
            self.loads += 1
            left = self._load_s - (now - session.started_at).total_seconds()
            self.at += timedelta(seconds=max(0.0, left))

    def run(self, row: Row[Any]) -> None:
        """A running job: what is left of its generation."""
        if row.phase not in (*BEFORE_GENERATING, Phase.GENERATING):
            self.ends[row.id] = self.at
            return
        done = _steps_done(row) if row.phase == Phase.GENERATING else 0
        self._spend(row, max(0, row.work - done))

    def queue(self, row: Row[Any]) -> None:
        """A queued job, not before it is due."""
        if row.due_at is not None:
            self.at = max(self.at, row.due_at)
        self._spend(row, row.work)

    def _spend(self, row: Row[Any], steps: int) -> None:
        if row.session_key != self.key:
            self.key = row.session_key
            self.loads += 1
            self.at += timedelta(seconds=self._load_s)
        self.at += timedelta(seconds=self._pace * steps)
        self.ends[row.id] = self.at


def _running(session: Session, host: str) -> list[Row[Any]]:
    steps, clips = sizes()
    statement = (
        select(
            Job.id,
            Job.session_key,
            (steps * clips).label("work"),
            Attempt.phase,
            Attempt.phase_at,
            Attempt.clip,
            Attempt.steps,
            Attempt.step,
        )
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .join(Attempt, and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt))
        .where(Job.host == host, Job.status == Status.RUNNING)
        .order_by(Attempt.id)
    )
    return list(session.execute(statement).all())


def _queued(session: Session, host: str) -> list[Row[Any]]:
    steps, clips = sizes()
    statement = (
        select(Job.id, Job.priority, Job.position, Job.session_key, Job.due_at, (steps * clips).label("work"))
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Job.host == host, Job.status == Status.QUEUED)
    )
    return list(session.execute(statement).all())


def _is_later(row: Row[Any], now: datetime) -> bool:
    return row.due_at is not None and row.due_at > now


def _served(session: Session, session_id: str) -> int:
    statement = select(func.count()).where(Attempt.session_id == session_id, Attempt.status == Status.SUCCEEDED)
    return session.scalar(statement) or 0


def _pace_so_far(running: list[Row[Any]], now: datetime) -> float | None:
    """Seconds a step of what is generated now: before there is any past, it tells the pace."""
    for row in running:
        if row.phase == Phase.GENERATING and (done := _steps_done(row)):
            spent: float = (now - row.phase_at).total_seconds()
            return max(0.0, spent) / done
    return None


def _steps_done(row: Row[Any]) -> int:
    """Steps of the clips that are finished, and of the one under way."""
    return (max(row.clip or 1, 1) - 1) * (row.steps or 0) + (row.step or 0)
