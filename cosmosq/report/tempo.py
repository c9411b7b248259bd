"""How fast a host is, from what was made there, and how much work a job is."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Integer, case, cast, func, select
from sqlalchemy.orm import Session, aliased

from cosmosq.engines.engine import UPSAMPLE
from cosmosq.models import Attempt, EngineSession, Job, JobInput, ParameterSet, Video
from cosmosq.status import Kind, Status

CLIP_FRAMES = 121
"""Frames that the engine makes at once; longer inputs are made in several clips that overlap by one."""
NEWEST = 200
"""So many of a host's videos and loads tell how fast it is; older ones may be of another engine."""


@dataclass(frozen=True, kw_only=True)
class Tempo:
    """How fast a host is; None before the first of a kind."""

    pace: float | None
    """Seconds of a step of a clip."""
    load_s: float | None
    """Seconds of a model load."""


def tempo_of(session: Session, host: str) -> Tempo:
    """How fast a host was so far."""
    return Tempo(pace=pace_of(session, host), load_s=median_load_s(session, host))


def pace_of(session: Session, host: str) -> float | None:
    """Median GPU seconds of a step of one clip on a host, over the newest videos made there; None before the first."""
    steps, clips = sizes()
    statement = (
        select(Attempt.generate_s / (steps * clips))
        .join(Job, Job.id == Attempt.job_id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Attempt.host == host, Attempt.status == Status.SUCCEEDED, Attempt.generate_s.is_not(None))
        .where(Job.kind != Kind.UPSAMPLE)
        .order_by(Attempt.id.desc())
        .limit(NEWEST)
    )
    return _median(session.scalars(statement))


def median_load_s(session: Session, host: str) -> float | None:
    """Median seconds of the newest model loads on a host; None before the first."""
    # The upsampler is another model.
    other = EngineSession.key.not_like(f'%"pipeline": "{UPSAMPLE}"%')
    loaded = EngineSession.host == host, EngineSession.load_s.is_not(None), other
    statement = select(EngineSession.load_s).where(*loaded).order_by(EngineSession.started_at.desc()).limit(NEWEST)
    return _median(session.scalars(statement))


def _median(seconds: Iterable[float | None]) -> float | None:
    # One that was slow for a reason of its own, as the first after a cold start, tells nothing about the others.
    known = [value for value in seconds if value is not None]
    return median(known) if known else None


def sizes() -> tuple[Any, Any]:
    """Steps and clips of a job as expressions over `Job` and `ParameterSet`."""
    video = aliased(Video)
    frames = (
        select(func.max(video.frames))
        .join(JobInput, JobInput.sha256 == video.sha256)
        .where(JobInput.job_id == Job.id)
        .correlate(Job)
        .scalar_subquery()
    )
    clips = cast((func.coalesce(frames, CLIP_FRAMES) - 2) / (CLIP_FRAMES - 1), Integer) + 1
    # An upsampling takes seconds; its steps are nobody's.
    return case((Job.kind == Kind.UPSAMPLE, 0), else_=ParameterSet.num_steps), clips


def clips_of(frames: int) -> int:
    """In how many clips an input of so many frames is made."""
    return max(1, (frames - 2) // (CLIP_FRAMES - 1) + 1)
