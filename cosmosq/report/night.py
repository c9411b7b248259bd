"""What a night looked like on its hosts: when the GPU worked, loaded and rested, and what went wrong."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.models import Attempt, EngineSession, Event, Job
from cosmosq.report.query import Filter
from cosmosq.status import UNSUCCESSFUL, Phase

TRANSFERS = (Phase.UPLOADING, Phase.DOWNLOADING)


def night(session: Session, which: Filter) -> dict[str, Any]:
    """Spans and faults of the jobs that match, and how much of the time from first to last the GPU was busy."""
    attempts = list(
        session.scalars(select(Attempt).join(Job, Job.id == Attempt.job_id).where(which.condition).order_by(Attempt.id))
    )
    served = {attempt.session_id for attempt in attempts}
    sessions = [s for s in session.scalars(select(EngineSession).order_by(EngineSession.started_at)) if s.id in served]
    spans = [span for loaded in sessions for span in _of_session(loaded)]
    spans += [span for attempt in attempts for span in _of_attempt(attempt)]
    return {
        "spans": [{**span, "from": span["from"].isoformat(), "to": span["to"].isoformat()} for span in spans],
        "faults": [*_bad_attempts(attempts), *_bad_sessions(sessions)],
        "busy_share": _busy_share(spans),
        "engines": _engine_versions(session, served),
        "scripts": sorted({loaded.scripts_digest[:8] for loaded in sessions}),
        "first_at": min((span["from"] for span in spans), default=None),
        "last_at": max((span["to"] for span in spans), default=None),
    }


def _engine_versions(session: Session, served: Collection[str | None]) -> list[str]:
    """What the engines of these sessions said they were."""
    ready = select(Event.data).where(Event.session_id.in_(served), Event.event == "ready")
    return sorted({str(data["engine_version"])[:60] for data in session.scalars(ready) if data.get("engine_version")})


def _of_session(loaded: EngineSession) -> Iterable[dict[str, Any]]:
    if loaded.load_s is not None:
        yield _span("loading", loaded.host, loaded.started_at, loaded.load_s, session=loaded.id)


def _of_attempt(attempt: Attempt) -> Iterable[dict[str, Any]]:
    """Phases follow one another, so that their seconds tell when each was."""
    at = attempt.started_at
    for phase in Phase:
        seconds = getattr(attempt, f"{phase}_s") or 0.0
        if seconds > 0 and phase is Phase.GENERATING:
            # The session measures the generation alone; the rest of the phase is its result being noticed.
            worked = min(seconds, attempt.generate_s or seconds)
            yield _span("generating", attempt.host, at, worked, job=attempt.job_id, attempt=attempt.number)
        elif seconds > 0 and phase in TRANSFERS:
            yield _span("transfer", attempt.host, at, seconds, job=attempt.job_id, attempt=attempt.number)
        at += timedelta(seconds=seconds)


def _span(kind: str, host: str, at: datetime, seconds: float, **about: object) -> dict[str, Any]:
    return {"kind": kind, "host": host, "from": at, "to": at + timedelta(seconds=seconds), **about}


def _bad_attempts(attempts: Iterable[Attempt]) -> Iterable[dict[str, Any]]:
    for attempt in attempts:
        if attempt.status in UNSUCCESSFUL and attempt.ended_at is not None:
            told = {"host": attempt.host, "at": attempt.ended_at.isoformat(), "error": attempt.error or attempt.status}
            yield {**told, "job": attempt.job_id, "attempt": attempt.number, "message": attempt.message}


def _bad_sessions(sessions: Iterable[EngineSession]) -> Iterable[dict[str, Any]]:
    for ended in sessions:
        if ended.end not in (None, "exited 0") and ended.ended_at is not None:
            yield {"host": ended.host, "at": ended.ended_at.isoformat(), "error": f"session {ended.end}"}


def _busy_share(spans: Iterable[dict[str, Any]]) -> float | None:
    """Seconds of generating and loading by the seconds between the first and the last of them, over all hosts."""
    busy = whole = 0.0
    working = [span for span in spans if span["kind"] != "transfer"]
    for host in {span["host"] for span in working}:
        own = [span for span in working if span["host"] == host]
        whole += (max(span["to"] for span in own) - min(span["from"] for span in own)).total_seconds()
        busy += _covered(own)
    return busy / whole if whole > 0 else None


def _covered(spans: list[dict[str, Any]]) -> float:
    """Seconds in which any of the spans was under way."""
    covered, until = 0.0, None
    for span in sorted(spans, key=lambda span: (span["from"], span["to"])):
        begin = span["from"] if until is None else max(span["from"], until)
        covered += max(0.0, (span["to"] - begin).total_seconds())
        until = span["to"] if until is None else max(until, span["to"])
    return covered
