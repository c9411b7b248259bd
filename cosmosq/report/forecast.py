"""What jobs that are not queued yet will cost on a host, and when they would be done."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.models import Video
from cosmosq.plan import PlannedJob
from cosmosq.report.course import Course
from cosmosq.report.outlook import Outlook, Rules
from cosmosq.report.tempo import CLIP_FRAMES, clips_of, tempo_of


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What some jobs will cost; None where nothing of the kind was made on the host yet."""

    generate_s: float | None
    """GPU seconds of generating all of them."""
    load_s: float | None
    """Seconds of the model loads."""
    ahead_s: float | None
    """GPU seconds of what runs and waits on the host before them."""
    ends_at: datetime | None
    """When the last would be done if they were queued now; None also if some of it fits into no run window."""

    @property
    def gpu_h(self) -> float | None:
        """GPU hours of the jobs, loads included."""
        return None if self.generate_s is None else (self.generate_s + (self.load_s or 0.0)) / 3600

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {**asdict(self), "gpu_h": self.gpu_h}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A planned job as `Course` takes one that is queued."""

    id: int
    work: int
    session_key: str
    due_at: datetime | None = None


def forecast(
    session: Session, ahead: Outlook, rules: Rules, jobs: Sequence[PlannedJob], *, loads: int, now: datetime
) -> Forecast:
    """What the jobs will cost, behind all that the host has before it already.

    Args:
        ahead: the host's future without them, by the same rules.
        jobs: in the order in which a worker would take them.
        loads: how often a model is loaded for them.
    """
    tempo = tempo_of(session, ahead.host)
    if tempo.pace is None:
        return Forecast(generate_s=None, load_s=None, ahead_s=None, ends_at=None)
    frames = _frames(session, {sha256 for job in jobs for sha256, _ in job.wish.inputs.values()})
    rows = [_Row(id=number, work=_work(job, frames), session_key=job.model) for number, job in enumerate(jobs, start=1)]
    loading_s = loads * (tempo.load_s or 0.0)
    ends_at = None
    if ahead.ends_at is not None:
        course = Course(
            pace=tempo.pace, load_s=tempo.load_s, now=ahead.ends_at, windows=rules.windows, grace=rules.grace
        )
        course.queue(rows)
        # The upsampler's load is none of theirs.
        others_s = max(0, loads - course.loads) * (tempo.load_s or 0.0)
        ends_at = course.at + timedelta(seconds=others_s) if len(course.ends) == len(rows) else None
    return Forecast(
        generate_s=tempo.pace * sum(row.work for row in rows), load_s=loading_s, ahead_s=ahead.busy_s, ends_at=ends_at
    )


def _work(job: PlannedJob, frames: dict[str, int]) -> int:
    """Steps times clips."""
    longest = max((frames[sha256] for sha256, _ in job.wish.inputs.values()), default=CLIP_FRAMES)
    return int(job.wish.values["num_steps"]) * clips_of(longest)


def _frames(session: Session, digests: set[str]) -> dict[str, int]:
    rows = session.execute(select(Video.sha256, Video.frames).where(Video.sha256.in_(digests)))
    return dict(rows.all())
