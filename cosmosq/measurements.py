"""Measurements in the ledger: which videos lack some, what they are to be compared with, and what came of it."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from cosmosq.engines.assignment import values_of
from cosmosq.measures.catalogue import DIVERSITY, Measure
from cosmosq.models import (
    Artifact,
    Attempt,
    ClipVideo,
    Dependency,
    Job,
    JobInput,
    Measured,
    Measurement,
    ParameterSet,
    Prompt,
    Video,
)
from cosmosq.status import Kind, Need, Status

NO_SOURCE = "there is no {role} video that it was made from"


@dataclass(frozen=True, kw_only=True)
class Todo:
    """A measure that a video lacks."""

    artifact_id: int
    job_id: int
    measure: Measure


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A file by its hash; `path` as the ledger has it."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A job's video, and what it is compared with."""

    video: Pinned
    sources: Mapping[str, Pinned]
    facts: Mapping[str, Any]


def newest(session: Session) -> int:
    """Id of the newest video, 0 when there is none."""
    newest_first = select(Artifact.id).where(Artifact.kind == "video").order_by(Artifact.id.desc())
    return session.scalar(newest_first.limit(1)) or 0


def _videos() -> Any:
    """The videos of jobs that succeeded, but for those that were pruned."""
    return (
        select(Artifact.id, Job.id.label("job_id"))
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .join(Job, Job.id == Attempt.job_id)
        .join(Prompt, Prompt.id == Job.prompt_id)
        .where(Artifact.kind == "video", Artifact.pruned_at.is_(None), Attempt.status == Status.SUCCEEDED)
    )


def pending(
    session: Session,
    measures: Sequence[Measure],
    *,
    ids: Collection[int] | None = None,
    again: bool = False,
    retry: bool = True,
) -> list[Todo]:
    """What is to be measured, in order: by turn, then the newest video first.

    Args:
        ids: of these jobs alone.
        again: also what has been measured.
        retry: also what was tried in vain.
    """
    found = []
    for measure in measures:
        if measure.lacking is None:
            if measure.name == DIVERSITY:
                statement = _together(measure, ids, again, retry)
            else:
                statement = _lacking(measure, again, retry)
            if ids is not None:
                statement = statement.where(Job.id.in_(ids))
            rows = session.execute(statement)
            found += [Todo(artifact_id=row.id, job_id=row.job_id, measure=measure) for row in rows]
    return sorted(found, key=lambda todo: (todo.measure.turn, -todo.artifact_id))


def _lacking(measure: Measure, again: bool, retry: bool) -> Any:
    statement = _videos()
    if measure.needs is not None:
        statement = statement.where(_has(measure.needs))
    return statement if again else statement.where(~_is_made(measure, retry))


def _is_made(measure: Measure, retry: bool) -> ColumnElement[bool]:
    made = and_(
        Measured.artifact_id == Artifact.id, Measured.measure == measure.name, Measured.version == measure.version
    )
    return exists().where(made, Measured.reason.is_(None)) if retry else exists().where(made)


def _has(role: str) -> ColumnElement[bool]:
    own = JobInput.job_id == Job.id
    of_source = and_(Job.kind == Kind.UPSCALE, JobInput.job_id.in_(_sources_of(Job.id)))
    in_clip = exists().where(ClipVideo.clip_id == Prompt.clip_id, ClipVideo.role == role)
    pinned = exists().where(JobInput.role == role, or_(own, of_source)).correlate(Job)
    return pinned if role == "input" else or_(pinned, in_clip)


def _sources_of(job_id: Any) -> Select[Any]:
    """Jobs whose result this one is made of; others it may only have waited for."""
    return select(Dependency.depends_on_id).where(Dependency.job_id == job_id, Dependency.need == Need.RESULT)


def out_of_reach(session: Session, measures: Sequence[Measure], ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Why measures cannot be made at all of the jobs that have a video, by job and measure."""
    videos = _videos().where(Job.id.in_(ids))
    found: dict[int, dict[str, str]] = {row.job_id: {} for row in session.execute(videos)}
    for measure in measures:
        fit = videos.where(_has(measure.needs)) if measure.needs else videos
        fitting = {row.job_id for row in session.execute(fit)}
        for job_id, reasons in found.items():
            if job_id not in fitting:
                reasons[measure.name] = NO_SOURCE.format(role=measure.needs)
            elif measure.lacking:
                reasons[measure.name] = measure.lacking
    return found


# Seeds

_ALIKE = [c for c in ParameterSet.__table__.columns if c.name not in ("id", "digest", "seed")]


def _alike(session: Session, job_id: int) -> ColumnElement[bool]:
    """Jobs that ask for the same as this one, but for the seed."""
    job = session.get_one(Job, job_id)
    own = session.get_one(ParameterSet, job.parameter_set_id)
    same = [column == getattr(own, column.name) for column in _ALIKE]
    return and_(Job.prompt_id == job.prompt_id, Job.kind == job.kind, Job.engine == job.engine, *same)


def siblings(session: Session, job_id: int) -> dict[int, tuple[int, int]]:
    """Newest video of each seed among the jobs that differ from this one in their seed alone, itself included.

    Returns:
        (artifact id, job id) by seed; fewer than two: there is nothing to compare.
    """
    base = _made_of(session, job_id)
    statement = _videos().add_columns(ParameterSet.seed).join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
    rows = session.execute(statement.where(_alike(session, job_id)).order_by(Artifact.id))
    return {
        row.seed: (row.id, row.job_id) for row in rows if row.job_id == job_id or _made_of(session, row.job_id) == base
    }


def _made_of(session: Session, job_id: int) -> tuple[object, ...]:
    """What the job was made from: files, and the job that it depends on."""
    files = session.execute(select(JobInput.role, JobInput.sha256).where(JobInput.job_id == job_id).order_by("role"))
    return *(tuple(row) for row in files), *session.scalars(_sources_of(job_id).order_by("depends_on_id"))


def _together(measure: Measure, ids: Collection[int] | None, again: bool, retry: bool) -> Any:
    """The videos that have others which differ in the seed alone, if one came since they were measured."""
    # Only prompts that matter: comparing all columns of all jobs takes its time.
    asked = Job.id > 0 if ids is None else Job.prompt_id.in_(select(Job.prompt_id).where(Job.id.in_(ids)))
    groups = (
        select(
            Job.prompt_id.label("prompt"),
            Job.kind.label("kind"),
            Job.engine.label("engine"),
            *(column.label(f"p_{column.name}") for column in _ALIKE),
            func.max(Artifact.created_at).label("newest_at"),
        )
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .join(Job, Job.id == Attempt.job_id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Artifact.kind == "video", Attempt.status == Status.SUCCEEDED, asked)
        .group_by(Job.prompt_id, Job.kind, Job.engine, *_ALIKE)
        .having(func.count(ParameterSet.seed.distinct()) > 1)
        .subquery()
    )
    same = [groups.c[f"p_{column.name}"] == column for column in _ALIKE]
    statement = (
        _videos()
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .join(
            groups,
            and_(groups.c.prompt == Job.prompt_id, groups.c.kind == Job.kind, groups.c.engine == Job.engine, *same),
        )
    )
    if again:
        return statement
    current = and_(
        Measured.artifact_id == Artifact.id,
        Measured.measure == measure.name,
        Measured.version == measure.version,
        Measured.measured_at >= groups.c.newest_at,
    )
    made = exists().where(current, Measured.reason.is_(None)) if retry else exists().where(current)
    return statement.where(~made.correlate(Artifact, groups))


# One video


def subject(session: Session, artifact_id: int) -> Subject:
    """What there is to know of a video."""
    artifact = session.get_one(Artifact, artifact_id)
    attempt = session.get_one(Attempt, artifact.attempt_id)
    job = session.get_one(Job, attempt.job_id)
    row = session.get_one(ParameterSet, job.parameter_set_id)
    return Subject(
        video=Pinned(path=artifact.path, sha256=artifact.sha256),
        sources=_sources(session, job),
        facts={
            "job_id": job.id,
            "kind": job.kind,
            "engine": job.engine,
            "simulated": artifact.simulated,
            "prompt": session.get_one(Prompt, job.prompt_id).text,
            "parameters": values_of(row),
            **{name: getattr(artifact, name) for name in ("width", "height", "fps", "frames", "duration_s", "bytes")},
        },
    )


def _sources(session: Session, job: Job) -> dict[str, Pinned]:
    """The job's own inputs, for an upscale those of its source; and what else the clip has that shows the same."""
    found = _pinned(session, job.id)
    if job.kind == Kind.UPSCALE and not found:
        for source_id in session.scalars(_sources_of(job.id)):
            found = _sources(session, session.get_one(Job, source_id))
    clip = dict(_of_clip(session, session.get_one(Prompt, job.prompt_id).clip_id))
    same = "input" in clip and "input" in found and clip["input"].sha256 == found["input"].sha256
    return {**clip, **found} if same else found


def _pinned(session: Session, job_id: int) -> dict[str, Pinned]:
    rows = session.scalars(select(JobInput).where(JobInput.job_id == job_id)).all()
    return {row.role: Pinned(path=row.path, sha256=row.sha256) for row in rows}


def _of_clip(session: Session, clip_id: int) -> Iterator[tuple[str, Pinned]]:
    statement = select(ClipVideo.role, Video.path, Video.sha256).join(Video, Video.sha256 == ClipVideo.sha256)
    for role, path, sha256 in session.execute(statement.where(ClipVideo.clip_id == clip_id)):
        yield role, Pinned(path=path, sha256=sha256)


def record(session: Session, todo: Todo, values: Mapping[str, float], reason: str | None, now: datetime) -> str | None:
    """Store what a measure gave, in place of what it gave before; numbers that were good outlive a vain try.

    Returns:
        why something is lacking: the reason that was given, or that a value is no finite number.
    """
    finite = {name: value for name, value in values.items() if math.isfinite(value)}
    if lost := sorted(set(values) - set(finite)):
        reason = f"{', '.join(lost)} is no finite number"
    before = session.get(Measured, (todo.artifact_id, todo.measure.name))
    if not finite and before is not None and before.reason is None and before.version == todo.measure.version:
        return reason
    stored = session.execute(
        select(Measurement.id, Measurement.name).where(Measurement.artifact_id == todo.artifact_id)
    )
    old = [row.id for row in stored if todo.measure.owns(row.name)]
    session.execute(delete(Measurement).where(Measurement.id.in_(old)))
    session.add_all(
        Measurement(artifact_id=todo.artifact_id, name=name, value=value, created_at=now)
        for name, value in finite.items()
    )
    session.merge(
        Measured(
            artifact_id=todo.artifact_id,
            measure=todo.measure.name,
            version=todo.measure.version,
            reason=reason,
            measured_at=now,
        )
    )
    return reason


def of_jobs(session: Session, ids: Collection[int]) -> dict[int, dict[str, float]]:
    """Measurements of the jobs' videos by job and name."""
    found: dict[int, dict[str, float]] = {job_id: {} for job_id in ids}
    statement = (
        _videos()
        .add_columns(Measurement.name, Measurement.value)
        .join(Measurement, Measurement.artifact_id == Artifact.id)
    )
    for row in session.execute(statement.where(Job.id.in_(ids)).order_by(Artifact.id, Measurement.id)):
        found[row.job_id][row.name] = row.value
    return found


def not_measured(session: Session, ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Why measures gave no number, by job and measure."""
    found: dict[int, dict[str, str]] = {job_id: {} for job_id in ids}
    statement = (
        _videos().add_columns(Measured.measure, Measured.reason).join(Measured, Measured.artifact_id == Artifact.id)
    )
    for row in session.execute(statement.where(Job.id.in_(ids), Measured.reason.is_not(None))):
        found[row.job_id][row.measure] = row.reason
    return found
