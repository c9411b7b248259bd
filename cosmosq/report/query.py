"""Reading the ledger for people: which jobs, where they stand, how long they take. Nothing here writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from cosmosq.models import (
    Artifact,
    Attempt,
    EngineSession,
    Event,
    Job,
    JobLabel,
    Prompt,
    Standstill,
    Sweep,
    Trial,
    TrialJob,
)
from cosmosq.status import BEFORE_GENERATING, Status

moment = func.coalesce(Job.ended_at, Job.started_at, Job.created_at)
"""When a job ended, else started, else was enqueued."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which jobs; every condition that is given must hold."""

    ids: Sequence[int] = ()
    statuses: Sequence[str] = ()
    prompt_id: str | None = None
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    sweep: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """A job belongs to the moment when it ended, else started, else was enqueued; `until` itself is out."""

    @property
    def condition(self) -> ColumnElement[bool]:
        """The filter as a condition on `Job`."""
        parts: list[ColumnElement[bool]] = [Job.id > 0]
        if self.ids:
            parts.append(Job.id.in_(self.ids))
        if self.statuses:
            parts.append(Job.status.in_(self.statuses))
        if self.prompt_id is not None:
            parts.append(Job.prompt_id == self.prompt_id)
        if self.host is not None:
            parts.append(Job.host == self.host)
        for key, value in self.labels.items():
            labelled = select(JobLabel.job_id).where(JobLabel.key == key, JobLabel.value == value)
            parts.append(Job.id.in_(labelled))
        if self.sweep is not None:
            parts.append(Job.id.in_(_jobs_of(self.sweep)))
        if self.since is not None:
            parts.append(moment >= self.since)
        if self.until is not None:
            parts.append(moment < self.until)
        return and_(*parts)


def _jobs_of(sweep: str) -> Select[int]:
    return (
        select(TrialJob.job_id)
        .join(Trial, Trial.id == TrialJob.trial_id)
        .join(Sweep, Sweep.id == Trial.sweep_id)
        .where(Sweep.name == sweep)
    )


JOB_FIELDS = (
    "id",
    "status",
    "kind",
    "prompt_id",
    "host",
    "engine",
    "priority",
    "attempt",
    "failures",
    "due_at",
    "error",
    "message",
    "created_at",
    "started_at",
    "ended_at",
)
PROGRESS_FIELDS = ("phase", "clip", "clips", "step", "steps")


def counts(session: Session, which: Filter) -> dict[str, int]:
    """Number of jobs by status."""
    statement = select(Job.status, func.count()).where(which.condition).group_by(Job.status)
    found = dict(session.execute(statement).all())
    return {status.value: found[status] for status in Status if status in found}


def matching_ids(session: Session, which: Filter) -> list[int]:
    """Ids of the jobs, in order."""
    return list(session.scalars(select(Job.id).where(which.condition).order_by(Job.id)))


def claimed_ids(session: Session, which: Filter) -> list[int]:
    """Ids of those among the jobs that run and have not begun to generate."""
    newest = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)
    waits = (Job.status == Status.RUNNING, Attempt.phase.in_(BEFORE_GENERATING))
    return list(session.scalars(select(Job.id).join(Attempt, newest).where(which.condition, *waits)))


def jobs(session: Session, which: Filter, *, newest: int | None = None) -> list[dict[str, Any]]:
    """The jobs by id, with the name of the prompt and how far the newest attempt is.

    Args:
        newest: at most so many, those with the highest ids.
    """
    columns = [getattr(Job, name) for name in JOB_FIELDS]
    progress = [getattr(Attempt, name) for name in PROGRESS_FIELDS]
    statement = (
        select(*columns, Prompt.name.label("prompt_name"), *progress, Attempt.phase_at)
        .join(Prompt, Prompt.id == Job.prompt_id)
        .outerjoin(Attempt, and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt))
        .where(which.condition)
        .order_by(Job.id.desc())
    )
    if newest is not None:
        statement = statement.limit(newest)
    rows = [dict(row._mapping) for row in session.execute(statement)]
    rows.reverse()
    return rows


def status_of(session: Session, job_id: int) -> Status:
    """Where a job stands."""
    return Status(session.scalars(select(Job.status).where(Job.id == job_id)).one())


@dataclass(frozen=True, kw_only=True)
class LogPlace:
    """Where the log of an attempt lies."""

    attempt: int
    path: str | None
    """Relative to the workspace; None while it is on the host."""
    session_path: str | None
    """Folder of the attempt's session on its host."""
    host: str | None


def newest_log(session: Session, job_id: int) -> LogPlace | None:
    """The log of a job's newest attempt; None before there is one."""
    statement = (
        select(Attempt.number, Artifact.path, EngineSession.remote_path, Attempt.host)
        .outerjoin(Artifact, and_(Artifact.attempt_id == Attempt.id, Artifact.kind == "log", *_kept(Artifact)))
        .outerjoin(EngineSession, and_(EngineSession.id == Attempt.session_id, *_kept(EngineSession)))
        .where(Attempt.job_id == job_id)
        .order_by(Attempt.number.desc())
        .limit(1)
    )
    row = session.execute(statement).first()
    if row is None or (row.path is None and row.remote_path is None):
        return None
    return LogPlace(attempt=row.number, path=row.path, session_path=row.remote_path, host=row.host)


def _kept(model: type[Artifact] | type[EngineSession]) -> tuple[ColumnElement[bool], ...]:
    return (model.pruned_at.is_(None),)


_MOVES = (
    select(Event.id, Event.job_id, Event.event, Event.data)
    .where(Event.id > bindparam("after"), Event.session_id.is_(None), Event.event.in_([s.value for s in Status]))
    .order_by(Event.id)
)


def moves_since(session: Session, event_id: int, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Moves of jobs after an event: its id, the job and the status; of some jobs, or of all."""
    statement = _MOVES.where(Event.job_id.in_(ids)) if ids else _MOVES
    return [dict(row._mapping) for row in session.execute(statement, {"after": event_id})]


def newest_event(session: Session) -> int:
    """Id of the newest event, 0 when there is none."""
    return session.scalar(select(func.max(Event.id))) or 0


def video_of(session: Session, job_id: int) -> str | None:
    """Path of a job's video, relative to the workspace."""
    statement = (
        select(Artifact.path)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .where(Attempt.job_id == job_id, Artifact.kind == "video", Attempt.status == Status.SUCCEEDED, *_kept(Artifact))
    )
    return session.scalar(statement)


def hosts_to_tell_of(session: Session) -> set[str]:
    """Hosts on which something cost money or nothing starts; it spares others a look, and whoever asks the imports."""
    cost = select(EngineSession.host).where(EngineSession.price_per_hour.is_not(None))
    return set(session.scalars(select(Standstill.host).union(cost)))
