"""A migrated ledger and factories that fill it; every default can be overridden by column name."""

import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.engines.assignment import complete, digest_of, to_columns
from cosmosq.models import (
    Artifact,
    Attempt,
    Base,
    Clip,
    EngineSession,
    Job,
    JobLabel,
    Measurement,
    ParameterSet,
    Prompt,
    Rating,
)
from cosmosq.paths import Workspace
from cosmosq.status import Kind, Phase, Status
from cosmosq.template import TEMPLATE

RowT = TypeVar("RowT", bound=Base)

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)


@cache
def _migrated() -> bytes:
    """An empty ledger of this version; migrating takes longer than most tests."""
    from cosmosq.migrate import create

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        create(path)
        return path.read_bytes()


def make_ledger(path: Path) -> Ledger:
    """An empty ledger at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_migrated())
    return Ledger(path)


def make_workspace(root: Path) -> tuple[Workspace, Ledger]:
    """A workspace with its settings and an empty ledger."""
    workspace = Workspace(root=root)
    root.mkdir(parents=True, exist_ok=True)
    workspace.config_path.write_text(TEMPLATE, encoding="utf-8")
    return workspace, make_ledger(workspace.ledger_path)


def make_clip(session: Session, name: str = "kitchen") -> Clip:
    """The clip of that name, made at its first mention."""
    clip = session.scalar(select(Clip).where(Clip.name == name))
    return clip or _added(session, Clip(name=name, created_at=NOW))


def make_prompt(session: Session, *, clip: str = "kitchen", **overrides: Any) -> Prompt:
    """A prompt; ids count up so that each is another one."""
    number = len(session.scalars(select(Prompt.id)).all()) + 1
    values = {
        "id": f"ps_{number:012x}",
        "name": f"prompt-{number}",
        "text": "a kitchen in the evening",
        "clip_id": make_clip(session, clip).id,
        "parameters": {},
        "created_at": NOW,
        **overrides,
    }
    return _added(session, Prompt(**values))


def make_parameter_set(session: Session, kind: Kind = Kind.TRANSFER, **values: Any) -> ParameterSet:
    """The set with these values by parameter name (`**{"edge.weight": 0.5}`), defaults elsewhere."""
    full = complete(kind, {"edge.weight": 0.5}, values)
    digest = digest_of(full)
    found = session.scalar(select(ParameterSet).where(ParameterSet.digest == digest))
    return found or _added(session, ParameterSet(digest=digest, **to_columns(full)))


def make_job(
    session: Session,
    *,
    prompt: Prompt | None = None,
    parameters: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    **overrides: Any,
) -> Job:
    """A queued job on the simulated host, without attempts."""
    prompt = prompt or session.scalar(select(Prompt).limit(1)) or make_prompt(session)
    kind = Kind(overrides.get("kind", Kind.TRANSFER))
    values = {
        "status": Status.QUEUED,
        "kind": kind,
        "prompt_id": prompt.id,
        "parameter_set_id": make_parameter_set(session, kind, **(parameters or {})).id,
        "engine": "simulated",
        "host": "sim",
        "digest": "0" * 64,
        "session_key": "0" * 64,
        "attempt": 0,
        "created_at": NOW,
        **overrides,
    }
    job = _added(session, Job(**values))
    session.add_all(JobLabel(job_id=job.id, key=key, value=value) for key, value in (labels or {}).items())
    session.flush()
    return job


def make_session(session: Session, **overrides: Any) -> EngineSession:
    """A session that has loaded its model; ids count up."""
    number = len(session.scalars(select(EngineSession.id)).all()) + 1
    values = {
        "id": f"session-{number}",
        "host": "sim",
        "engine": "simulated",
        "simulated": True,
        "key": "{}",
        "scripts_digest": "0" * 64,
        "remote_path": f"/box/sessions/session-{number}",
        "load_s": 40.0,
        "started_at": NOW,
        **overrides,
    }
    return _added(session, EngineSession(**values))


def make_attempt(session: Session, job: Job, **overrides: Any) -> Attempt:
    """The next attempt of the job, running unless told otherwise."""
    job.attempt += 1
    values = {
        "job_id": job.id,
        "number": job.attempt,
        "status": Status.RUNNING,
        "phase": Phase.PREPARING,
        "phase_at": NOW,
        "host": job.host,
        "simulated": job.engine == "simulated",
        "started_at": NOW,
        **overrides,
    }
    return _added(session, Attempt(**values))


def make_artifact(session: Session, attempt: Attempt, **overrides: Any) -> Artifact:
    """The video of an attempt; the file itself is the test's to make."""
    values = {
        "attempt_id": attempt.id,
        "kind": "video",
        "path": f"outputs/{attempt.job_id}/output.mp4",
        "sha256": "0" * 64,
        "bytes": 1000,
        "simulated": attempt.simulated,
        "width": 64,
        "height": 48,
        "fps": 24.0,
        "frames": 12,
        "duration_s": 0.5,
        "created_at": NOW,
        **overrides,
    }
    return _added(session, Artifact(**values))


def make_ended_job(
    session: Session,
    status: Status = Status.SUCCEEDED,
    *,
    attempt: Mapping[str, Any] | None = None,
    artifact: Mapping[str, Any] | None = None,
    measured: Mapping[str, float] | None = None,
    stars: int | None = None,
    **overrides: Any,
) -> Job:
    """A job with one attempt that ended as told; a succeeded one has a video. See `make_job` for `overrides`.

    Args:
        measured: measurements of the video by name.
        stars: its rating.
    """
    times = {"started_at": NOW, "ended_at": NOW + timedelta(minutes=3)}
    job = make_job(session, **{"status": status, **times, **overrides})
    seconds = {"waiting_s": 2.0, "generating_s": 130.0, "recording_s": 0.5, "generate_s": 120.0}
    ended = {"phase": Phase.RECORDING, "error": job.error, "message": job.message, **times, **seconds}
    made = make_attempt(session, job, **{"status": status, **ended, **(attempt or {})})
    if status is Status.SUCCEEDED:
        video = make_artifact(session, made, **(artifact or {}))
        for name, value in (measured or {}).items():
            session.add(Measurement(artifact_id=video.id, name=name, value=value, created_at=NOW))
    if stars is not None:
        session.add(Rating(job_id=job.id, stars=stars, rated_at=NOW))
    session.flush()
    return job


def _added(session: Session, row: RowT) -> RowT:
    session.add(row)
    session.flush()
    return row
