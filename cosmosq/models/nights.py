"""What goes on by itself: alarms and who was told, schedules and when they fired."""

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
