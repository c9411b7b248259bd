"""What a host still has before it: which session, how many loads, and when each job will have ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from cosmosq import dependencies, pauses, policy
from cosmosq.engines.engine import UPSAMPLING_KEYS, key_of_jobs, text_digest
from cosmosq.models import Attempt, EngineSession, Job, ParameterSet
from cosmosq.policy import Waiting
from cosmosq.report.course import Course, steps_done
from cosmosq.report.tempo import Tempo, sizes, tempo_of
from cosmosq.status import Kind, Phase, Status
from cosmosq.windows import Windows


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When jobs may be begun on a host."""

    windows: Windows = field(default_factory=Windows)
    grace: timedelta = timedelta(0)
    """A job may be expected to end so long after its window."""


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
    busy_s: float | None
    """Seconds that the GPU will generate and load."""
    left_s: float | None
    """Seconds until all that is queued has ended; None also if some of it fits into no run window."""
    ends_at: datetime | None
    paused: str | None
    """Why nothing new starts there; the rest is told as if it did."""
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
    made = (
        select(Attempt.id)
        .join(Job, Job.id == Attempt.job_id)
        .where(Attempt.host == host, Attempt.status == Status.SUCCEEDED, Attempt.generate_s.is_not(None))
        .where(Job.kind != Kind.UPSAMPLE)
    )
    running = select(Job.id).where(Job.host == host, Job.status == Status.RUNNING)
    return bool(session.scalar(select(or_(made.exists(), running.exists()))))


def outlook(
    session: Session, host: str, rules: Rules | None = None, *, max_overtake: int, now: datetime, queued: bool = True
) -> Outlook:
    """The future of a host if no job comes, fails or ends early.

    Args:
        queued: whether to look at what is queued as well; what runs is cheaper to tell.
    """
    rules = rules or Rules()
    current, running = _current(session, host), _running(session, host)
    waiting = _queued(session, host) if queued else []
    tempo = tempo_of(session, host)
    course = _course(current, running, tempo, rules, now)
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
    ordered = policy.line_up(line, course.key, max_overtake)
    soon = policy.behind_their_needs(ordered, needs, begun=[row.id for row in running])
    # Nobody waits for those that are not due yet.
    later = sorted((row for row in waiting if _is_later(row, now)), key=lambda row: (row.due_at, row.id))
    course.queue([*(works[job.id] for job in soon), *later])
    is_known = _pace(tempo, running, now) is not None
    has_end = is_known and len(course.ends) == len(running) + len(waiting)
    return Outlook(
        host=host,
        running=len(running),
        queued=len(waiting),
        session_id=current.id if current else None,
        session=None if current is None else "loading" if current.load_s is None else "ready",
        served=_served(session, current.id) if current else 0,
        loads=course.loads,
        busy_s=course.busy_s if is_known else None,
        left_s=max(0.0, (course.at - now).total_seconds()) if has_end else None,
        ends_at=course.at if has_end else None,
        paused=next(map(pauses.words, pauses.in_force(session, host)), None),
        expected_at=course.ends if is_known else {},
        line=tuple(course.ends),
    )


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """What it would mean to begin one more job on a host now; all of it is an estimate."""

    ends_at: datetime
    """When it will have ended, behind all that runs."""
    job_s: float
    """Seconds for the job, with a load of the model if it needs one."""
    generate_s: float
    """The same without the load."""
    pace: float
    """Seconds of a step of a clip."""


def prospect(session: Session, host: str, job_id: int, tempo: Tempo, now: datetime) -> Prospect | None:
    """What a queued job would take if it were begun now; None if nothing of the kind was made there yet."""
    running = _running(session, host)
    pace = _pace(tempo, running, now)
    row = session.execute(_queued_ones(host).where(Job.id == job_id)).first()
    if pace is None or row is None:
        return None
    course = _course(_current(session, host), running, tempo, Rules(), now)
    job_s, generate_s = course.needed_s(row), pace * float(row.work)
    return Prospect(ends_at=course.at + timedelta(seconds=job_s), job_s=job_s, generate_s=generate_s, pace=pace)


def running_ends(session: Session, host: str, tempo: Tempo, now: datetime) -> Mapping[int, datetime]:
    """When each job that runs will have ended, by id; empty if nothing of the kind was made there yet."""
    running = _running(session, host)
    if _pace(tempo, running, now) is None:
        return {}
    return _course(_current(session, host), running, tempo, Rules(), now).ends


def running_s(session: Session, host: str, tempo: Tempo, now: datetime) -> float:
    """Seconds that the GPU still works for what runs."""
    return _course(_current(session, host), _running(session, host), tempo, Rules(), now).busy_s


def fits(pace: float, seconds: float) -> ColumnElement[bool]:
    """Condition on Job: generating it takes no longer."""
    steps, clips = sizes()
    work = select(steps * clips).where(ParameterSet.id == Job.parameter_set_id).correlate(Job).scalar_subquery()
    return work * pace <= seconds


def _course(
    current: EngineSession | None, running: list[Row[Any]], tempo: Tempo, rules: Rules, now: datetime
) -> Course:
    """From now to the end of all that runs."""
    course = Course(
        pace=_pace(tempo, running, now), load_s=tempo.load_s, now=now, windows=rules.windows, grace=rules.grace
    )
    if current is not None and (running or current.load_s is not None):
        course.find(text_digest(key_of_jobs(current.key)), current, now)
    for row in running:
        course.run(row)
    return course


def _pace(tempo: Tempo, running: list[Row[Any]], now: datetime) -> float | None:
    return tempo.pace or _pace_so_far(running, now)


def _current(session: Session, host: str) -> EngineSession | None:
    return session.scalar(
        select(EngineSession)
        .where(EngineSession.host == host, EngineSession.end.is_(None))
        .order_by(EngineSession.started_at.desc())
        .limit(1)
    )


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
    return list(session.execute(_queued_ones(host)).all())


def _queued_ones(host: str) -> Select[Any]:
    steps, clips = sizes()
    return (
        select(Job.id, Job.priority, Job.position, Job.session_key, Job.due_at, (steps * clips).label("work"))
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Job.host == host, Job.status == Status.QUEUED)
    )


def _is_later(row: Row[Any], now: datetime) -> bool:
    return row.due_at is not None and row.due_at > now


def _served(session: Session, session_id: str) -> int:
    statement = select(func.count()).where(Attempt.session_id == session_id, Attempt.status == Status.SUCCEEDED)
    return session.scalar(statement) or 0


def _pace_so_far(running: list[Row[Any]], now: datetime) -> float | None:
    """Seconds a step of what is generated now: before there is any past, it tells the pace."""
    for row in running:
        if row.phase == Phase.GENERATING and (done := steps_done(row)):
            spent: float = (now - row.phase_at).total_seconds()
            return max(0.0, spent) / done
    return None
