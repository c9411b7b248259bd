"""What is to be made: jobs, what they need and wait for, and the sweeps that they belong to."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cosmosq.models import prompts  # noqa: F401
from cosmosq.models.base import Base


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
    """The worker that alone may move the job, for as long as it is heard of."""
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
