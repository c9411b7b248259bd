"""One row a job: what it was asked, how long it took, what came of it. CSV and page read these."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, func, select
from sqlalchemy.orm import Session, aliased, join

from cosmosq.engines.parameters import PARAMETERS
from cosmosq.models import (
    Artifact,
    Attempt,
    Clip,
    Dependency,
    EngineSession,
    Job,
    JobLabel,
    Measurement,
    ParameterSet,
    Prompt,
    Rating,
    Sweep,
    Trial,
    TrialJob,
    UpsampleOrder,
)
from cosmosq.report import costs
from cosmosq.report.query import Filter
from cosmosq.report.scores import relation, scores
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


def first_of_sweep(value: Any) -> ColumnElement[Any]:
    """Of the first sweep that the job belongs to, or its trial there."""
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


def _kept(value: Any) -> ColumnElement[Any]:
    """Of a file that was not pruned."""
    return case((Artifact.pruned_at.is_(None), value))


upsampled: ColumnElement[bool] = _longer(func.count()) > 0
"""Whether a job waits, or waited, for a longer prompt."""


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
    _column("upsampled", upsampled, "Whether a longer prompt, made of this one, was asked for instead."),
    _column("upsampled_prompt", _longer(func.max(_Longer.text)), "Text of the longer prompt, once there is one."),
    _column("clip", Clip.name, "Name of the prompt's clip."),
    _column("host", Job.host, "GPU machine the job is for."),
    _column("engine", Job.engine, "What makes the video."),
    _column("simulated", Attempt.simulated, "Whether the newest attempt was simulated; empty before the first."),
    _column("priority", Job.priority, "Higher goes first."),
    _column("labels", _labels(), "The labels by key: `night=1; try=b`."),
    _column("sweep", first_of_sweep(Sweep.name), "The sweep that queued it, or the first that it became part of."),
    _column("trial", first_of_sweep(Trial.number), "Number of its trial in that sweep."),
    _column("attempts", Job.attempt, "Number of attempts so far."),
    *(_column(p.column, getattr(ParameterSet, p.column), p.meaning) for p in PARAMETERS),
    *_PHASES,
    _column("total_s", sum((c.value for c in _PHASES[1:]), _PHASES[0].value), "The phases together, in seconds."),
    _column(
        "generate_s", Attempt.generate_s, "GPU seconds of the newest attempt's generation, as its session measured."
    ),
    _column("session_id", Attempt.session_id, "Session that served the newest attempt."),
    _column("load_s", EngineSession.load_s, "Seconds that session took to load the model, once for all its attempts."),
    _column("output_path", _kept(Artifact.path), "The video, relative to the workspace; empty if there is none."),
    _column("pruned_at", Artifact.pruned_at, "When the video was pruned (ISO 8601, UTC)."),
    _column("width", Artifact.width, "Pixels of the video."),
    _column("height", Artifact.height, "Pixels of the video."),
    _column("video_fps", Artifact.fps, "Frames a second of the video (`fps` is the parameter)."),
    _column("frames", Artifact.frames, "Frames of the video."),
    _column("duration_s", Artifact.duration_s, "Length of the video in seconds."),
    _column("stars", Rating.stars, "Rating of the video, 1 to 5."),
    _column("verdict", Rating.verdict, "pick or reject."),
    _column("note", Rating.note, "What the person who rated it wrote."),
    _column("error", Job.error, "What kind of failure it was."),
    _column("message", Job.message, "What the failure said."),
    _column("created_at", Job.created_at, "When it was enqueued (ISO 8601, UTC)."),
    _column("started_at", Job.started_at, "When the newest attempt started (ISO 8601, UTC)."),
    _column("ended_at", Job.ended_at, "When the job ended (ISO 8601, UTC)."),
)

COLUMNS: tuple[str, ...] = tuple(column.name for column in TABLE)
"""The names in order. Programs rely on them: columns may be added, but never renamed."""

BEHIND: Mapping[str, str] = {
    "gpu_s": "GPU seconds of all its attempts, and of each load its share.",
    "cost": "Its share of what its sessions cost, from their start to their end; empty without a price.",
    "currency": "What the cost is in.",
    "comparison_score": "Score from comparisons of two (Bradley–Terry, log odds); empty if it was never compared.",
    "measure_…": "A column for each measurement that the selected jobs have, by its name: `measure_canny_f1`.",
}
"""What stands behind these columns in a CSV, and what it means."""

_MOST_JOINS = 40
"""SQLite joins 64 tables at most."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns, and the statement that reads them."""

    columns: tuple[Column, ...]
    statement: Select[Any]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def stream(session: Session, which: Filter) -> Iterator[Row]:
    """The jobs by id, read from one statement while they are consumed."""
    statement = _statement(TABLE, joined()).where(which.condition).order_by(Job.id)
    for row in session.execute(statement, execution_options={"yield_per": _AT_ONCE}).mappings():
        yield dict(row)


def whole(session: Session, which: Filter) -> Table:
    """All there is about the jobs: `TABLE`, then the columns of `BEHIND`."""
    spent, compared = costs.spent(), relation(scores(session))
    tables = joined().outerjoin(spent, spent.c.job_id == Job.id).outerjoin(compared, compared.c.job_id == Job.id)
    values = (spent.c.gpu_s, spent.c.cost, spent.c.currency, compared.c.score)
    columns = [*TABLE, *(_column(name, value, BEHIND[name]) for name, value in zip(BEHIND, values, strict=False))]
    for number, name in enumerate(measurement_names(session, which)):
        measured = aliased(Measurement)
        its = and_(measured.artifact_id == Artifact.id, measured.name == name)
        value: Any = measured.value
        if number < _MOST_JOINS:
            tables = tables.outerjoin(measured, its)
        else:
            value = select(measured.value).where(its).correlate(Artifact).scalar_subquery()
        columns.append(_column(f"measure_{name}", value, f"Measurement {name}."))
    statement = _statement(columns, tables).where(which.condition).order_by(Job.id)
    return Table(columns=tuple(columns), statement=statement)


def measurement_names(session: Session, which: Filter) -> list[str]:
    """What was measured of the jobs' videos, by name."""
    statement = select(Measurement.name).distinct().order_by(Measurement.name)
    if which != Filter():
        videos = select(Artifact.id).select_from(joined()).where(which.condition)
        statement = statement.where(Measurement.artifact_id.in_(videos))
    return list(session.scalars(statement))


def _statement(columns: Sequence[Column], tables: FromClause) -> Select[Any]:
    return select(*(column.value.label(column.name) for column in columns)).select_from(tables)


def joined() -> Any:
    """Jobs with their prompt, parameters, newest attempt, video and rating."""
    newest = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)
    # A job that succeeded stays so: its newest attempt is the one that made the video.
    video = and_(Artifact.attempt_id == Attempt.id, Artifact.kind == "video", Attempt.status == Status.SUCCEEDED.value)
    return (
        join(Job, Prompt, Prompt.id == Job.prompt_id)
        .join(Clip, Clip.id == Prompt.clip_id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .outerjoin(Attempt, newest)
        .outerjoin(EngineSession, EngineSession.id == Attempt.session_id)
        .outerjoin(Artifact, video)
        .outerjoin(Rating, Rating.job_id == Job.id)
    )
