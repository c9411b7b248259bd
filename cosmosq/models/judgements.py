"""What videos are like: measured, and as people see it."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cosmosq.models import attempts  # noqa: F401
from cosmosq.models.base import Base


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
