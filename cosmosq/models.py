"""The tables of the ledger."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, false
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

REVISION = "0012"
"""The Alembic revision that these models equal; a ledger of another one is upgraded or refused."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored as UTC without its zone because SQLite has none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value}")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012


class Video(Base):
    """One input video by its contents; `path` is where it was last seen."""

    __tablename__ = "videos"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[float]
    frames: Mapped[int]
    duration_s: Mapped[float]
    created_at: Mapped[datetime]


class Clip(Base):
    """A named set of input videos."""

    __tablename__ = "clips"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]


class ClipVideo(Base):
    """Which video plays which role (`input`, `depth`, …) in a clip."""

    __tablename__ = "clip_videos"
    clip_id: Mapped[int] = mapped_column(ForeignKey("clips.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("videos.sha256"))


class Prompt(Base):
    """Text, negative text and clip; `parameters` are its own defaults by parameter name."""

    __tablename__ = "prompts"
    id: Mapped[str] = mapped_column(String(15), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200), unique=True)
    text: Mapped[str] = mapped_column(Text)
    negative_text: Mapped[str | None] = mapped_column(Text)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clips.id"), index=True)
    parameters: Mapped[dict[str, Any]]
    upsampled: Mapped[bool] = mapped_column(default=False)
    original_id: Mapped[str | None] = mapped_column(ForeignKey("prompts.id"), index=True)
    created_at: Mapped[datetime]


class ParameterSet(Base):
    """All parameters of a job, one typed column each; unique by digest."""

    __tablename__ = "parameter_sets"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    negative_prompt: Mapped[str] = mapped_column(Text)
    num_steps: Mapped[int]
    guidance: Mapped[float]
    sigma_max: Mapped[float]
    seed: Mapped[int] = mapped_column(BigInteger)
    fps: Mapped[int]
    blur_strength: Mapped[str] = mapped_column(String(20))
    canny_threshold: Mapped[str] = mapped_column(String(20))
    use_distilled: Mapped[bool]
    is_av_sample: Mapped[bool]
    upsample_prompt: Mapped[bool] = mapped_column(server_default=false())
    regional_prompts: Mapped[str] = mapped_column(Text)
    vis_weight: Mapped[float]
    edge_weight: Mapped[float]
    depth_weight: Mapped[float]
    seg_weight: Mapped[float]
    keypoint_weight: Mapped[float]
    hdmap_weight: Mapped[float]
    lidar_weight: Mapped[float]
    upscale_weight: Mapped[float]
    seg_control_prompt: Mapped[str] = mapped_column(Text)
    seg_weight_prompt: Mapped[str] = mapped_column(Text)
    vis_checkpoint: Mapped[str] = mapped_column(Text)
    edge_checkpoint: Mapped[str] = mapped_column(Text)
    depth_checkpoint: Mapped[str] = mapped_column(Text)
    seg_checkpoint: Mapped[str] = mapped_column(Text)
    keypoint_checkpoint: Mapped[str] = mapped_column(Text)
    hdmap_checkpoint: Mapped[str] = mapped_column(Text)
    lidar_checkpoint: Mapped[str] = mapped_column(Text)
    upscale_checkpoint: Mapped[str] = mapped_column(Text)


class Job(Base):
    """One requested result: prompt × parameter set."""

    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[str] = mapped_column(String(10))
    kind: Mapped[str] = mapped_column(String(10))
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"), index=True)
    parameter_set_id: Mapped[int] = mapped_column(ForeignKey("parameter_sets.id"), index=True)
    engine: Mapped[str] = mapped_column(String(30))
    host: Mapped[str] = mapped_column(String(60))
    priority: Mapped[int] = mapped_column(default=0)
    position: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Among those of its priority the smallest goes first; it grows from job to job, until a person moves one."""
    digest: Mapped[str] = mapped_column(String(64), index=True)
    session_key: Mapped[str] = mapped_column(String(64), server_default="")
    """Digest of what a session must have loaded to serve the job."""
    attempt: Mapped[int] = mapped_column(default=0)
    """Number of the newest attempt; 0 before the first."""
    failures: Mapped[int] = mapped_column(default=0)
    """Attempts that ended badly since the job was enqueued or retried by a person."""
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    lease_expires_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]
    hold_requested_at: Mapped[datetime | None]
    """When a person asked to keep back a job that was claimed and had not begun."""
    recall_requested_at: Mapped[datetime | None]
    """When a person moved the line, so that a job that was claimed and had not begun is to get back into it."""
    due_at: Mapped[datetime | None]
    """Not started before; null: at any time."""
    error: Mapped[str | None] = mapped_column(String(30))
    message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    __table_args__ = (
        Index("ix_jobs_host_status_priority_position", "host", "status", priority.desc(), "position"),
        Index(
            "ix_jobs_host_status_priority_session_key_position",
            *("host", "status", "priority", "session_key", "position"),
        ),
        Index("ix_jobs_position", "position"),
        Index("ix_jobs_status", "status"),
        {"sqlite_autoincrement": True},
    )


class JobInput(Base):
    """An input video pinned to a job when it was enqueued."""

    __tablename__ = "job_inputs"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("videos.sha256"), index=True)
    path: Mapped[str] = mapped_column(Text)


class JobLabel(Base):
    """`key=value` that a person hung on a job."""

    __tablename__ = "job_labels"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(String(200))
    __table_args__ = (Index("ix_job_labels_key_value", "key", "value"),)


class Dependency(Base):
    """`job_id` starts after `depends_on_id`, which was there before it: jobs cannot wait for each other in a circle."""

    __tablename__ = "dependencies"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    depends_on_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)
    need: Mapped[str] = mapped_column(String(10), default="result", server_default="result")
    """What of it: its `result`, its `success`, or no more than its `end`."""


class UpsampleOrder(Base):
    """What a job of kind `upsample` was asked beside its prompt, and the longer prompt that came of it."""

    __tablename__ = "upsample_orders"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    frames: Mapped[str] = mapped_column(String(30))
    max_size: Mapped[str] = mapped_column(String(20))
    variant: Mapped[int]
    result_id: Mapped[str | None] = mapped_column(ForeignKey("prompts.id"), index=True)


class Upsampling(Base):
    """How a longer prompt was made from its original."""

    __tablename__ = "upsamplings"
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"), primary_key=True)
    job_id: Mapped[int]
    """The job that made it; it may be forgotten by now."""
    model: Mapped[str] = mapped_column(String(100))
    frames: Mapped[str] = mapped_column(String(60))
    """Indices of the frames that were shown, as in `0,60`."""
    width: Mapped[int]
    height: Mapped[int]
    tokens: Mapped[int]
    """What the model was given, by its own count or as much as it could be."""
    upsample_s: Mapped[float]
    simulated: Mapped[bool]
    created_at: Mapped[datetime]


class Sweep(Base):
    """A randomised or gridded set of jobs."""

    __tablename__ = "sweeps"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    method: Mapped[str] = mapped_column(String(60))
    sweep_seed: Mapped[int] = mapped_column(BigInteger)
    drawn: Mapped[int | None]
    """Trials that have been asked for so far, also by `extend`; null for all there are."""
    host: Mapped[str] = mapped_column(String(60))
    text: Mapped[str] = mapped_column(Text)
    """The file as it was, or the document that the command line stood for."""
    definition: Mapped[dict[str, Any]]
    """The same with everything expanded, as the drawing reads it."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class Trial(Base):
    """One drawn assignment of a sweep."""

    __tablename__ = "trials"
    id: Mapped[int] = mapped_column(primary_key=True)
    sweep_id: Mapped[int] = mapped_column(ForeignKey("sweeps.id"))
    number: Mapped[int]
    """Counts from 1 within the sweep, in the order of drawing."""
    assignment: Mapped[str] = mapped_column(Text)
    """What varies, as JSON with sorted keys."""
    __table_args__ = (UniqueConstraint("sweep_id", "number"), UniqueConstraint("sweep_id", "assignment"))


class TrialJob(Base):
    """A job that shows what a trial makes, one for each prompt; a job may belong to several sweeps."""

    __tablename__ = "trial_jobs"
    trial_id: Mapped[int] = mapped_column(ForeignKey("trials.id"), primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)


class EngineSession(Base):
    """One remote process that keeps the model loaded."""

    __tablename__ = "sessions"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    host: Mapped[str] = mapped_column(String(60), index=True)
    engine: Mapped[str] = mapped_column(String(30))
    simulated: Mapped[bool]
    key: Mapped[str] = mapped_column(Text)
    scripts_digest: Mapped[str] = mapped_column(String(64))
    remote_path: Mapped[str] = mapped_column(Text)
    events_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    """How far `events.jsonl` has been recorded."""
    load_s: Mapped[float | None]
    end: Mapped[str | None] = mapped_column(String(40))
    """How it ended: `exited N`, `lost: rebooted` or `lost: killed`; null while open."""
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    pruned_at: Mapped[datetime | None]
    """When its folder was removed from the host."""
    price_per_hour: Mapped[float | None]
    """What an hour of its host cost when it was started; null for nothing."""
    currency: Mapped[str | None] = mapped_column(String(10))


class Attempt(Base):
    """One execution of a job."""

    __tablename__ = "attempts"
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    number: Mapped[int]
    status: Mapped[str] = mapped_column(String(10))
    phase: Mapped[str] = mapped_column(String(12))
    phase_at: Mapped[datetime]
    host: Mapped[str] = mapped_column(String(60))
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"), index=True)
    simulated: Mapped[bool]
    clip: Mapped[int | None]
    clips: Mapped[int | None]
    step: Mapped[int | None]
    steps: Mapped[int | None]
    preparing_s: Mapped[float] = mapped_column(default=0.0)
    uploading_s: Mapped[float] = mapped_column(default=0.0)
    waiting_s: Mapped[float] = mapped_column(default=0.0)
    generating_s: Mapped[float] = mapped_column(default=0.0)
    downloading_s: Mapped[float] = mapped_column(default=0.0)
    recording_s: Mapped[float] = mapped_column(default=0.0)
    generate_s: Mapped[float | None]
    """GPU seconds of the generation alone, as the session measured them."""
    error: Mapped[str | None] = mapped_column(String(30))
    message: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    __table_args__ = (UniqueConstraint("job_id", "number"),)


class Artifact(Base):
    """A file that came home; `path` is relative to the workspace."""

    __tablename__ = "artifacts"
    id: Mapped[int] = mapped_column(primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"))
    kind: Mapped[str] = mapped_column(String(10))
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(BigInteger)
    simulated: Mapped[bool]
    width: Mapped[int | None]
    height: Mapped[int | None]
    fps: Mapped[float | None]
    frames: Mapped[int | None]
    duration_s: Mapped[float | None]
    created_at: Mapped[datetime]
    pruned_at: Mapped[datetime | None]
    """When the file was removed."""
    __table_args__ = (UniqueConstraint("attempt_id", "kind"),)


class Measurement(Base):
    """A recorded number about an artifact."""

    __tablename__ = "measurements"
    id: Mapped[int] = mapped_column(primary_key=True)
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id"))
    name: Mapped[str] = mapped_column(String(60))
    value: Mapped[float]
    created_at: Mapped[datetime]
    __table_args__ = (UniqueConstraint("artifact_id", "name"),)


class Measured(Base):
    """That a measure was made of an artifact, or was tried in vain."""

    __tablename__ = "measured"
    artifact_id: Mapped[int] = mapped_column(ForeignKey("artifacts.id"), primary_key=True)
    measure: Mapped[str] = mapped_column(String(30), primary_key=True)
    version: Mapped[int]
    """Of the measure's definition."""
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it gave no number; null if it gave some."""
    measured_at: Mapped[datetime]


class Rating(Base):
    """What a person thinks of a job's video."""

    __tablename__ = "ratings"
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    stars: Mapped[int | None]
    """1 to 5."""
    verdict: Mapped[str | None] = mapped_column(String(10))
    """`pick` or `reject`."""
    note: Mapped[str | None] = mapped_column(Text)
    rated_at: Mapped[datetime]


class Comparison(Base):
    """Which of two videos a person found better."""

    __tablename__ = "comparisons"
    id: Mapped[int] = mapped_column(primary_key=True)
    better_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    worse_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    compared_at: Mapped[datetime]


class Alarm(Base):
    """What a person may want to be woken for; delivered by the worker."""

    __tablename__ = "alarms"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    occasion: Mapped[str] = mapped_column(String(20))
    text: Mapped[str] = mapped_column(Text)
    host: Mapped[str | None] = mapped_column(String(60))
    job_id: Mapped[int | None]
    """The job may be forgotten by now."""
    data: Mapped[dict[str, Any]]
    delivered_at: Mapped[datetime | None] = mapped_column(index=True)
    """When every way that is configured had its try; null: still to be told."""


class Schedule(Base):
    """A recurring enqueue."""

    __tablename__ = "schedules"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    expression: Mapped[str] = mapped_column(String(200))
    """When it fires: five fields of cron, or a name such as @daily."""
    zone: Mapped[str] = mapped_column(String(60))
    """The IANA zone in which the expression is meant."""
    catch_up: Mapped[str] = mapped_column(String(10))
    """What becomes of times that were missed: `skip`, `once` or `all`."""
    line: Mapped[list[str]] = mapped_column(JSON)
    """What is enqueued: the words behind `cosmosq enqueue`."""
    folder: Mapped[str] = mapped_column(Text)
    """Where the line is run, so that the files it names are found; relative to the workspace if it is in there."""
    enabled: Mapped[bool]
    done_until: Mapped[datetime]
    """All times up to here have been fired, or were given up."""
    created_at: Mapped[datetime]
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012


class Firing(Base):
    """One time of a schedule, and what became of it; written with the jobs that it queued."""

    __tablename__ = "firings"
    id: Mapped[int] = mapped_column(primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedules.id"))
    due_at: Mapped[datetime]
    fired_at: Mapped[datetime]
    by_hand: Mapped[bool]
    """Fired by `cosmosq schedule run`, when it was not due."""
    outcome: Mapped[str] = mapped_column(String(10))
    """`queued`, `failed` or `skipped`."""
    jobs: Mapped[int]
    """How many jobs it queued."""
    first_job_id: Mapped[int | None]
    last_job_id: Mapped[int | None]
    """All between the two are its own; they may be forgotten by now."""
    missed: Mapped[int]
    """Times that had passed before it was fired or given up; it stands for them all."""
    message: Mapped[str | None] = mapped_column(Text)
    """Why it failed or was skipped."""
    __table_args__ = (UniqueConstraint("schedule_id", "due_at"),)


class Delivery(Base):
    """An alarm on one way to a person: `command`, `webhook` or `desktop`."""

    __tablename__ = "deliveries"
    alarm_id: Mapped[int] = mapped_column(ForeignKey("alarms.id"), primary_key=True)
    way: Mapped[str] = mapped_column(String(10), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    """The process that took it; taken again once that one is gone without an end."""
    taken_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(Text)
    """Why it was given up; null with `ended_at`: delivered."""
    __table_args__ = (Index("ix_deliveries_way_taken_at", "way", "taken_at"),)


class Pause(Base):
    """Nothing new starts on a host; a person and the breaker may both have paused it."""

    __tablename__ = "pauses"
    host: Mapped[str] = mapped_column(String(60), primary_key=True)
    """`*` for all."""
    paused_by: Mapped[str] = mapped_column(String(10), primary_key=True)
    """`person` or `breaker`."""
    since: Mapped[datetime]
    reason: Mapped[str] = mapped_column(Text)
    at_once: Mapped[bool] = mapped_column(default=False)
    """Whether what is generated is stopped as well."""
    tries: Mapped[int] = mapped_column(default=0)
    """Probes that have failed since the breaker paused the host."""
    probe_at: Mapped[datetime | None]
    """When the breaker lets one job through."""
    probe_job_id: Mapped[int | None]
    """The one that it let through last; the job may be forgotten by now."""


class Streak(Base):
    """Failures in a row on a host that tell against the host; none after a success."""

    __tablename__ = "streaks"
    host: Mapped[str] = mapped_column(String(60), primary_key=True)
    failures: Mapped[list[Any]] = mapped_column(JSON)
    """Oldest first: whose failure it was, as in `job 12`, and its error."""


class Event(Base):
    """What happened, and when: of a job, an attempt or a session."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    event: Mapped[str] = mapped_column(String(30))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    attempt_id: Mapped[int | None] = mapped_column(ForeignKey("attempts.id"), index=True)
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id"), index=True)
    data: Mapped[dict[str, Any]]


class Worker(Base):
    """The process that serves a host now; at most one a host."""

    __tablename__ = "workers"
    host: Mapped[str] = mapped_column(String(60), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    machine: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    process_started_at: Mapped[datetime]
    """Start time of the process: a pid alone is reused."""
    heartbeat_at: Mapped[datetime]
    limits: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """What it was told of when to start jobs and when to stop."""
    counts_since: Mapped[datetime | None]
    """From when on it counts jobs, hours and costs against its limits."""


class Standstill(Base):
    """Why no job starts on a host though some wait; the last word of a worker that stopped for a limit stays."""

    __tablename__ = "standstills"
    host: Mapped[str] = mapped_column(String(60), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    since_at: Mapped[datetime]
    until_at: Mapped[datetime | None]
    """When it is over by itself; null: it is not known."""


class Heartbeat(Base):
    """When a host last had a worker; written when that one left."""

    __tablename__ = "heartbeats"
    host: Mapped[str] = mapped_column(String(60), primary_key=True)
    at: Mapped[datetime]
