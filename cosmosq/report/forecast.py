"""How long jobs will take on a host, from what was made there before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import Integer, case, cast, func, select
from sqlalchemy.orm import Session, aliased

from cosmosq.engines.engine import UPSAMPLE
from cosmosq.engines.parameter import Values
from cosmosq.models import Attempt, EngineSession, Job, JobInput, ParameterSet, Video
from cosmosq.status import Kind, Status

CLIP_FRAMES = 121
"""Frames that the engine makes at once; longer inputs are made in several clips that overlap by one."""
NEWEST = 200
"""So many of a host's videos and loads tell how fast it is; older ones may be of another engine."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What some jobs will cost; None where nothing of the kind was made on the host yet."""

    generate_s: float | None
    """GPU seconds of generating all of them."""
    load_s: float | None
    """Seconds of the model loads."""
    ahead_s: float | None
    """Seconds of what waits on the host before them."""
    ends_at: datetime | None
    """When the last would be done if the host began now and never rested."""

    @property
    def gpu_h(self) -> float | None:
        """GPU hours of the jobs, loads included."""
        return None if self.generate_s is None else (self.generate_s + (self.load_s or 0.0)) / 3600

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {**asdict(self), "gpu_h": self.gpu_h}


def forecast(
    session: Session,
    host: str,
    jobs: Iterable[tuple[Values, Mapping[str, tuple[str, str]]]],
    *,
    loads: int,
    now: datetime,
) -> Forecast:
    """What jobs that are not queued yet will cost.

    Args:
        jobs: every parameter's value, and (sha256, path) of the inputs by role.
        loads: how often the model is loaded for them.
    """
    pace = pace_of(session, host)
    load_s = median_load_s(session, host)
    if pace is None:
        return Forecast(generate_s=None, load_s=None, ahead_s=None, ends_at=None)
    told = list(jobs)
    frames = _frames(session, {sha256 for _, inputs in told for sha256, _ in inputs.values()})
    generate_s = sum(pace * _work(values, [frames[sha256] for sha256, _ in inputs.values()]) for values, inputs in told)
    ahead_s = pace * _waiting(session, host)
    loading_s = loads * (load_s or 0.0)
    ends_at = now + timedelta(seconds=generate_s + loading_s + ahead_s)
    return Forecast(generate_s=generate_s, load_s=loading_s, ahead_s=ahead_s, ends_at=ends_at)


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


def _waiting(session: Session, host: str) -> float:
    """Steps times clips of the jobs that are queued or running."""
    steps, clips = sizes()
    statement = (
        select(func.sum(steps * clips))
        .select_from(Job)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Job.host == host, Job.status.in_([Status.QUEUED, Status.RUNNING]))
    )
    return float(session.scalar(statement) or 0)


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


def _work(values: Values, frames: Sequence[int]) -> int:
    clips = max(1, (max(frames, default=CLIP_FRAMES) - 2) // (CLIP_FRAMES - 1) + 1)
    return int(values["num_steps"]) * clips


def _frames(session: Session, digests: set[str]) -> dict[str, int]:
    rows = session.execute(select(Video.sha256, Video.frames).where(Video.sha256.in_(digests)))
    return dict(rows.all())
