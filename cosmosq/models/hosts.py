"""Who works on a host, and what keeps it from working."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cosmosq.models.base import Base


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
