"""The jobs as the page knows them: rows, and what else the ledger has about each, as JSON."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from cosmosq.engines.assignment import differences, from_columns, hints_of
from cosmosq.models import (
    Artifact,
    Attempt,
    Comparison,
    Dependency,
    Job,
    JobInput,
    JobLabel,
    Measurement,
    Rating,
    Video,
)
from cosmosq.report.again import enqueue_lines
from cosmosq.report.aggregate import samples
from cosmosq.report.measures import QUANTITIES
from cosmosq.report.query import Filter
from cosmosq.report.rows import Row
from cosmosq.status import UNSUCCESSFUL, Kind, Need, Phase, Status

Cell = dict[str, Any]
"""One job as the page's scripts read it."""

LOG_LINES = 40
LOG_BYTES = 8 << 10
_PLAIN = (
    *("id", "status", "kind", "clip", "host", "engine", "simulated", "sweep", "trial", "attempts", "priority"),
    "upsampled",
    *("width", "height", "frames", "duration_s", "total_s", "generate_s", "load_s", "error", "message"),
)
COUNTED = tuple(name for name in QUANTITIES if name not in ("stars", "comparison_score"))
"""Quantities that the page is told; of the others it may know more than the ledger."""
_TIMES = ("created_at", "started_at", "ended_at", "pruned_at")


class Prompts:
    """Prompts by the order in which jobs mention them, each told once."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self._at: dict[str, int] = {}

    def index(self, row: Row) -> int:
        """Number of the row's prompt."""
        if row["prompt_id"] not in self._at:
            self._at[row["prompt_id"]] = len(self.told)
            self.told.append({"id": row["prompt_id"], "name": row["prompt_name"], "text": row["prompt"]})
        return self._at[row["prompt_id"]]


class Numbers:
    """What the ledger knows of the jobs of a filter beside their rows, by job id."""

    def __init__(self, session: Session, which: Filter) -> None:
        self.digests = dict(session.execute(select(Job.id, Job.digest).where(which.condition)).all())
        self.again = enqueue_lines(session, self.digests)
        self.labels = _labels(session, which)
        self.measures = _measures(session, which)
        self.quantities = _quantities(session, which)
        self.ratings = _ratings(session, which)
        self.inputs = {**_inputs(session, which), **_sources(session, which)}
        self.logs = _logs(session, which)


def cells(rows: Iterable[Row], numbers: Numbers, prompts: Prompts, root: Path) -> Iterator[Cell]:
    """Each row as the page knows it; files are named as the ledger has them, from `root` on."""
    for row in rows:
        number = row["id"]
        rating, values = numbers.ratings.get(number, {}), from_columns(row)
        yield {
            **{name: row[name] for name in _PLAIN},
            **numbers.quantities.get(number, {}),
            **{name: _iso(row[name]) for name in _TIMES},
            "prompt": prompts.index(row),
            "longer": row["upsampled_prompt"],
            "fps": row["video_fps"],
            "values": differences(values),
            "controls": "+".join(hints_of(values)),
            "seconds": {phase: row[f"{phase}_s"] for phase in Phase if row[f"{phase}_s"]},
            "labels": numbers.labels.get(number, {}),
            "digest": numbers.digests.get(number, ""),
            "measures": numbers.measures.get(number, {}),
            "stars": rating.get("stars"),
            "verdict": rating.get("verdict"),
            "note": rating.get("note"),
            "rated_at": rating.get("rated_at"),
            "inputs": numbers.inputs.get(number, []),
            "output": row["output_path"],
            "again": numbers.again[number],
            "log": _tail(root, numbers.logs.get(number)) if row["status"] in UNSUCCESSFUL else None,
        }


def comparisons(session: Session, which: Filter) -> list[dict[str, Any]]:
    """Which of two jobs was found better, of those among the filter's, oldest first."""
    among = select(Job.id).where(which.condition)
    statement = (
        select(Comparison.better_id, Comparison.worse_id, Comparison.compared_at)
        .where(Comparison.better_id.in_(among), Comparison.worse_id.in_(among))
        .order_by(Comparison.id)
    )
    return [{"better": b, "worse": w, "compared_at": _iso(at)} for b, w, at in session.execute(statement)]


def _labels(session: Session, which: Filter) -> dict[int, dict[str, str]]:
    statement = select(JobLabel.job_id, JobLabel.key, JobLabel.value).join(Job, Job.id == JobLabel.job_id)
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for job, key, value in session.execute(statement.where(which.condition).order_by(JobLabel.key)):
        found[job][key] = value
    return found


def _measures(session: Session, which: Filter) -> dict[int, dict[str, float]]:
    statement = (
        select(Job.id, Measurement.name, Measurement.value)
        .select_from(Measurement)
        .join(Artifact, Artifact.id == Measurement.artifact_id)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .join(Job, and_(Job.id == Attempt.job_id, Job.attempt == Attempt.number))
        .where(which.condition)
        .order_by(Measurement.name)
    )
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for job, name, value in session.execute(statement):
        found[job][name] = value
    return found


def _quantities(session: Session, which: Filter) -> dict[int, dict[str, float | None]]:
    """What tables tell of each job, upsamplings left out as there."""
    base = samples(session, which, {})
    rows = session.execute(select(base.c.id, *(base.c[name] for name in COUNTED)))
    return {number: dict(zip(COUNTED, told, strict=True)) for number, *told in rows}


def _ratings(session: Session, which: Filter) -> dict[int, dict[str, Any]]:
    statement = select(Rating).join(Job, Job.id == Rating.job_id).where(which.condition)
    return {
        r.job_id: {"stars": r.stars, "verdict": r.verdict, "note": r.note, "rated_at": _iso(r.rated_at)}
        for r in session.scalars(statement)
    }


def _inputs(session: Session, which: Filter) -> dict[int, list[dict[str, Any]]]:
    """Role, sha256, path and size of each job's input videos, the input itself before its controls."""
    statement = (
        select(JobInput.job_id, JobInput.role, JobInput.path, Video)
        .join(Job, Job.id == JobInput.job_id)
        .join(Video, Video.sha256 == JobInput.sha256)
        .where(which.condition)
        .order_by(JobInput.job_id, JobInput.role != "input", JobInput.role)
    )
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for job, role, path, video in session.execute(statement):
        found[job].append(_input(role, path, video))
    return found


def _sources(session: Session, which: Filter) -> dict[int, list[dict[str, Any]]]:
    """Likewise of upscales of another job: its video, and the input of that."""
    own = and_(Attempt.job_id == Dependency.depends_on_id, Attempt.status == Status.SUCCEEDED.value)
    video = and_(Artifact.attempt_id == Attempt.id, Artifact.kind == "video", Artifact.pruned_at.is_(None))
    statement = (
        select(Dependency, Artifact, JobInput.path, Video)
        .join(Job, Job.id == Dependency.job_id)
        .outerjoin(Attempt, own)
        .outerjoin(Artifact, video)
        .outerjoin(JobInput, and_(JobInput.job_id == Dependency.depends_on_id, JobInput.role == "input"))
        .outerjoin(Video, Video.sha256 == JobInput.sha256)
        .where(which.condition, Job.kind == Kind.UPSCALE, Dependency.need == Need.RESULT)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for source, made, path, shown in session.execute(statement):
        whole = [] if made is None else [_input(f"source (job {source.depends_on_id})", made.path, made)]
        found[source.job_id] = whole + ([] if shown is None else [_input("input of the source", path, shown)])
    return found


def _input(role: str, path: str, video: Video | Artifact) -> dict[str, Any]:
    size = {"width": video.width, "height": video.height, "fps": video.fps, "frames": video.frames}
    return {"role": role, "sha256": video.sha256, "path": path, **size}


def _logs(session: Session, which: Filter) -> dict[int, str]:
    """Path of the newest attempt's log, of the jobs that ended without success."""
    statement = (
        select(Job.id, Artifact.path)
        .join(Attempt, and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt))
        .join(Artifact, and_(Artifact.attempt_id == Attempt.id, Artifact.kind == "log"))
        .where(which.condition, Job.status.in_([status.value for status in UNSUCCESSFUL]))
    )
    return dict(session.execute(statement).all())


def _tail(root: Path, path: str | None) -> str | None:
    """The last lines of a log; None if there is none."""
    if path is None:
        return None
    try:
        with (root / path).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - LOG_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return None
    return "\n".join(text.splitlines()[-LOG_LINES:])


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
