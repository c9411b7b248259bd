"""One row a job: what it was asked, how long it took, what came of it. CSV, page and later aggregates read these."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, aliased

from cosmosq.engines.parameters import PARAMETERS
from cosmosq.models import (
    Artifact,
    Attempt,
    Clip,
    Dependency,
    EngineSession,
    Job,
    JobLabel,
    ParameterSet,
    Prompt,
    Sweep,
    Trial,
    TrialJob,
    UpsampleOrder,
)
from cosmosq.report.query import Filter
from cosmosq.status import Need, Phase, Status

Row = dict[str, Any]
"""Values by the names in `COLUMNS`; times are aware datetimes, what is unknown is None."""

_Longer = aliased(Prompt)
_AT_ONCE = 500
"""Rows in memory; the ledger may hold 100,000 jobs."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of the row: its stable name, what it holds, and where it comes from."""

    name: str
    meaning: str
    value: Any
    """An SQL expression over the tables that `_statement` joins."""


def _labels() -> ColumnElement[str | None]:
    ordered = (
        select((JobLabel.key + "=" + JobLabel.value).label("pair"))
        .where(JobLabel.job_id == Job.id)
        .order_by(JobLabel.key)
        .correlate(Job)
        .subquery()
    )
    return select(func.aggregate_strings(ordered.c.pair, "; ")).scalar_subquery()


def _first_of_sweep(value: Any) -> ColumnElement[Any]:
    return (
        select(value)
        .join_from(TrialJob, Trial, Trial.id == TrialJob.trial_id)
        .join(Sweep, Sweep.id == Trial.sweep_id)
        .where(TrialJob.job_id == Job.id)
        .order_by(Sweep.id)
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )


def _longer(value: Any) -> ColumnElement[Any]:
    """Of the prompt that an upsampling made for the job."""
    return (
        select(value)
        .select_from(Dependency)
        .join(UpsampleOrder, UpsampleOrder.job_id == Dependency.depends_on_id)
        .outerjoin(_Longer, _Longer.id == UpsampleOrder.result_id)
        .where(Dependency.job_id == Job.id, Dependency.need == Need.RESULT.value)
        .correlate(Job)
        .scalar_subquery()
    )


def _column(name: str, value: Any, meaning: str) -> Column:
    return Column(name=name, value=value, meaning=meaning)


_PHASES = tuple(
    _column(f"{phase}_s", getattr(Attempt, f"{phase}_s"), f"Seconds the newest attempt spent {phase}.")
    for phase in Phase
)

TABLE: tuple[Column, ...] = (
    _column("id", Job.id, "Number of the job."),
    _column("status", Job.status, "Where it stands."),
    _column("kind", Job.kind, "transfer, upscale or upsample."),
    _column("prompt_id", Job.prompt_id, "Id of the prompt."),
    _column("prompt_name", Prompt.name, "Name of the prompt, if it has one."),
    _column("prompt", Prompt.text, "Text of the prompt."),
    _column(
        "upsampled", _longer(func.count()) > 0, "Whether a longer prompt, made of this one, was asked for instead."
    ),
    _column("upsampled_prompt", _longer(func.max(_Longer.text)), "Text of the longer prompt, once there is one."),
    _column("clip", Clip.name, "Name of the prompt's clip."),
    _column("host", Job.host, "GPU machine the job is for."),
    _column("engine", Job.engine, "What makes the video."),
    _column("simulated", Attempt.simulated, "Whether the newest attempt was simulated; empty before the first."),
    _column("priority", Job.priority, "Higher goes first."),
    _column("labels", _labels(), "The labels by key: `night=1; try=b`."),
    _column("sweep", _first_of_sweep(Sweep.name), "The sweep that queued it, or the first that it became part of."),
    _column("trial", _first_of_sweep(Trial.number), "Number of its trial in that sweep."),
    _column("attempts", Job.attempt, "Number of attempts so far."),
    *(_column(p.column, getattr(ParameterSet, p.column), p.meaning) for p in PARAMETERS),
    *_PHASES,
    _column("total_s", sum((c.value for c in _PHASES[1:]), _PHASES[0].value), "The phases together, in seconds."),
    _column(
        "generate_s", Attempt.generate_s, "GPU seconds of the newest attempt's generation, as its session measured."
    ),
    _column("session_id", Attempt.session_id, "Session that served the newest attempt."),
    _column("load_s", EngineSession.load_s, "Seconds that session took to load the model, once for all its attempts."),
    _column("output_path", Artifact.path, "The video, relative to the workspace; empty unless the job succeeded."),
    _column("width", Artifact.width, "Pixels of the video."),
    _column("height", Artifact.height, "Pixels of the video."),
    _column("video_fps", Artifact.fps, "Frames a second of the video (`fps` is the parameter)."),
    _column("frames", Artifact.frames, "Frames of the video."),
    _column("duration_s", Artifact.duration_s, "Length of the video in seconds."),
    _column("error", Job.error, "What kind of failure it was."),
    _column("message", Job.message, "What the failure said."),
    _column("created_at", Job.created_at, "When it was enqueued (ISO 8601, UTC)."),
    _column("started_at", Job.started_at, "When the newest attempt started (ISO 8601, UTC)."),
    _column("ended_at", Job.ended_at, "When the job ended (ISO 8601, UTC)."),
)

COLUMNS: tuple[str, ...] = tuple(column.name for column in TABLE)
"""The names in order. Programs rely on them: columns may be added, but never renamed."""


def stream(session: Session, which: Filter) -> Iterator[Row]:
    """The jobs by id, read from one statement while they are consumed."""
    statement = _statement().where(which.condition).order_by(Job.id)
    for row in session.execute(statement, execution_options={"yield_per": _AT_ONCE}).mappings():
        yield dict(row)


def _statement() -> Select[Any]:
    newest = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)
    # A job that succeeded stays so: its newest attempt is the one that made the video.
    video = and_(Artifact.attempt_id == Attempt.id, Artifact.kind == "video", Attempt.status == Status.SUCCEEDED.value)
    return (
        select(*(column.value.label(column.name) for column in TABLE))
        .select_from(Job)
        .join(Prompt, Prompt.id == Job.prompt_id)
        .join(Clip, Clip.id == Prompt.clip_id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .outerjoin(Attempt, newest)
        .outerjoin(EngineSession, EngineSession.id == Attempt.session_id)
        .outerjoin(Artifact, video)
    )
