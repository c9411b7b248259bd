"""What happened: sessions, attempts, their files, and events."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cosmosq.models import jobs  # noqa: F401
from cosmosq.models.base import Base


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
