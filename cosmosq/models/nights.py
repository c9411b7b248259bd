"""What goes on by itself: schedules, alarms, workers, and what keeps hosts from working."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cosmosq.models.base import Base


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
