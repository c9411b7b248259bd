"""Everything the ledger knows of one job."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import measurements
from cosmosq.engines.assignment import differences, values_of
from cosmosq.errors import NotFound
from cosmosq.models import (
    Artifact,
    Attempt,
    Dependency,
    EngineSession,
    Event,
    Job,
    JobInput,
    JobLabel,
    ParameterSet,
    Prompt,
    Rating,
    UpsampleOrder,
)
from cosmosq.report.query import Filter, jobs
from cosmosq.upsampling import prompt_of


def job(session: Session, job_id: int) -> dict[str, Any]:
    """Everything about one job: prompt, parameters, inputs, attempts, artifacts, measurements, events.

    Raises:
        NotFound: no such job.
    """
    rows = jobs(session, Filter(ids=[job_id]))
    if not rows:
        raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
    stored = session.get_one(Job, job_id)
    prompt = session.get_one(Prompt, stored.prompt_id)
    used = prompt_of(session, job_id)
    parameter_set = session.get_one(ParameterSet, stored.parameter_set_id)
    values = values_of(parameter_set)
    dependencies = _dependencies(session, job_id)
    return {
        **rows[0],
        "text": prompt.text,
        "upsampled_text": None if used.id == prompt.id else used.text,
        "engine_text": _engine_text(session, job_id),
        "upsampling": _upsampling(session, job_id),
        "negative_text": prompt.negative_text,
        "digest": stored.digest,
        "labels": dict(session.execute(select(JobLabel.key, JobLabel.value).where(JobLabel.job_id == job_id)).all()),
        "depends_on": [each["job_id"] for each in dependencies],
        "dependencies": dependencies,
        "parameters": values,
        "changed": differences(values),
        "rating": _rating(session, job_id),
        "inputs": _all(session, select(JobInput).where(JobInput.job_id == job_id)),
        "attempts": _attempts(session, job_id),
        "artifacts": _artifacts(session, job_id),
        "measurements": measurements.of_jobs(session, [job_id])[job_id],
        "not_measured": measurements.not_measured(session, [job_id])[job_id],
        "events": _all(session, select(Event).where(Event.job_id == job_id).order_by(Event.id)),
    }


def _engine_text(session: Session, job_id: int) -> str | None:
    """The longer prompt that the engine made itself for the newest attempt, if it was asked to."""
    told = select(Event.data).where(Event.job_id == job_id, Event.event == "done").order_by(Event.id.desc()).limit(1)
    data = session.scalar(told)
    text = data.get("prompt") if data else None
    return text if isinstance(text, str) else None


def _dependencies(session: Session, job_id: int) -> list[dict[str, Any]]:
    """What it waits for: which job, what of it, and where that one stands."""
    statement = (
        select(Dependency.depends_on_id, Dependency.need, Job.status)
        .join(Job, Job.id == Dependency.depends_on_id)
        .where(Dependency.job_id == job_id)
        .order_by(Dependency.depends_on_id)
    )
    return [{"job_id": needed, "need": need, "status": status} for needed, need, status in session.execute(statement)]


def _upsampling(session: Session, job_id: int) -> dict[str, Any] | None:
    """What an upsampling was asked, and the id of what it made."""
    order = session.get(UpsampleOrder, job_id)
    return None if order is None else {n: v for n, v in _columns(order).items() if n != "job_id"}


def _rating(session: Session, job_id: int) -> dict[str, Any] | None:
    """What a person thinks of the video; None if nobody said, or took it back."""
    told = session.get(Rating, job_id)
    if told is None or (told.stars, told.verdict, told.note) == (None, None, None):
        return None
    return _columns(told)


def _attempts(session: Session, job_id: int) -> list[dict[str, Any]]:
    statement = (
        select(Attempt, EngineSession.load_s)
        .outerjoin(EngineSession, EngineSession.id == Attempt.session_id)
        .where(Attempt.job_id == job_id)
        .order_by(Attempt.number)
    )
    return [{**_columns(attempt), "load_s": load_s} for attempt, load_s in session.execute(statement)]


def _artifacts(session: Session, job_id: int) -> list[dict[str, Any]]:
    statement = select(Artifact).join(Attempt, Attempt.id == Artifact.attempt_id).where(Attempt.job_id == job_id)
    return _all(session, statement.order_by(Artifact.id))


def _all(session: Session, statement: Any) -> list[dict[str, Any]]:
    return [_columns(row) for row in session.scalars(statement)]


def _columns(row: Any) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in row.__table__.columns}
