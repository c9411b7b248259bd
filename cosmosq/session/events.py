"""`events.jsonl` of a session, recorded in the ledger as it grows."""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from cosmosq import claims
from cosmosq.db import Ledger
from cosmosq.hosts import Host
from cosmosq.models import Attempt, EngineSession, Event
from cosmosq.session.folder import SessionFolder

CHUNK_BYTES = 1 << 20
_ACCEPTED = "accepted"
_ENDINGS = ("done", "blocked", "failed")
_NAME = re.compile(r"(\d{1,15})-(\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the session says an attempt ended: `done`, `blocked` or `failed`."""

    event: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Told:
    """An attempt that a session has accepted, and its end if it was told."""

    ending: Ending | None


_OFFSET = select(EngineSession.events_bytes).where(EngineSession.id == bindparam("id"))


def record_new(ledger: Ledger, host: Host, session_id: str, folder: SessionFolder, now: datetime) -> int:
    """Record what was appended since the stored offset; returns the number of bytes read.

    The rows and the offset change in one transaction, so each line is recorded once, whoever dies when.
    """
    with ledger.read() as reading:
        offset = reading.execute(_OFFSET, {"id": session_id}).scalar_one()
    chunk = host.read(folder.events, offset=offset, limit=CHUNK_BYTES)
    whole = chunk.rfind(b"\n") + 1
    if whole == 0 and len(chunk) < CHUNK_BYTES:
        return 0
    # A line as long as a chunk is no event of ours: step over it.
    taken = whole or len(chunk)
    parsed = _parse_all(chunk[:taken])
    with ledger.write() as session:
        moved = update(EngineSession).where(EngineSession.id == session_id, EngineSession.events_bytes == offset)
        session.execute(moved.values(events_bytes=offset + taken))
        _record(session, session_id, parsed, now)
    return taken


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def seconds(value: object) -> float | None:
    """A span of time that a session told, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**9:
        return None
    return float(value)


def _parse_all(chunk: bytes) -> list[dict[str, Any]]:
    """The events in order, and one more that counts the lines that are none: a broken box must not fill the ledger."""
    lines = chunk.splitlines()
    found = [_parse(line) for line in lines]
    broken = [line for line, event in zip(lines, found, strict=True) if event is None]
    if broken:
        found.append({"event": "unreadable", "lines": len(broken), "first": broken[0][:200].decode(errors="replace")})
    return [event for event in found if event is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line, parse_constant=_refuse_constant)
        if b"\\ud" in line.lower():
            # Half a surrogate pair, as Python writes a file name that is not UTF-8, cannot be stored.
            event = json.loads(json.dumps(event, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def _record(session: Session, session_id: str, parsed: list[dict[str, Any]], now: datetime) -> None:
    attempts = _attempts(session, session_id, {str(data.get("attempt")) for data in parsed})
    rows = []
    for data in parsed:
        event = str(data.pop("event"))[:30]
        job_id, attempt_id = attempts.get(str(data.get("attempt")), (None, None))
        if event == "step" and attempt_id is not None:
            claims.progress(
                session, attempt_id, **{key: _count(data, key) for key in ("clip", "clips", "step", "steps")}
            )
            continue
        if event == "ready":
            loaded = update(EngineSession).where(EngineSession.id == session_id)
            session.execute(loaded.values(load_s=seconds(data.get("load_s"))))
        at = _time(data.pop("at", None), now)
        ids = {"job_id": job_id, "attempt_id": attempt_id, "session_id": session_id}
        rows.append({"at": at, "event": event, "data": data, **ids})
    if rows:
        session.execute(insert(Event), rows)


def _attempts(session: Session, session_id: str, names: Collection[str]) -> dict[str, tuple[int, int]]:
    """(job id, attempt id) by name, of those names that are attempts bound to this session."""
    job_ids = {int(match[1]) for name in names if (match := _NAME.fullmatch(name))}
    statement = select(Attempt.job_id, Attempt.number, Attempt.id).where(
        Attempt.session_id == session_id, Attempt.job_id.in_(job_ids)
    )
    return {f"{job_id}-{number}": (job_id, attempt_id) for job_id, number, attempt_id in session.execute(statement)}


def _count(data: dict[str, Any], key: str) -> int:
    value = data.get(key)
    return value if type(value) is int and 0 <= value < 10**9 else 0


def _time(text: object, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return now
    return at if at.tzinfo else now


def told(ledger: Ledger, attempt_ids: Sequence[int]) -> dict[int, Told]:
    """What sessions said about these attempts, by id, of those that were accepted at least."""
    statement = (
        select(Event.attempt_id, Event.event, Event.data)
        .where(Event.attempt_id.in_(attempt_ids), Event.session_id.is_not(None))
        .where(Event.event.in_((_ACCEPTED, *_ENDINGS)))
        .order_by(Event.id)
    )
    found: dict[int, Told] = {}
    with ledger.read() as session:
        for attempt_id, event, data in session.execute(statement):
            if event != _ACCEPTED:
                found[attempt_id] = Told(ending=Ending(event=event, data=data))
            else:
                # A session may be so far ahead of its own account that it tells the end first.
                found.setdefault(attempt_id, Told(ending=None))
    return found


def ending_of(ledger: Ledger, attempt_id: int) -> Ending | None:
    """What the session said about the end of an attempt, if it has."""
    found = told(ledger, [attempt_id]).get(attempt_id)
    return found.ending if found else None


def failure_of(ledger: Ledger, session_id: str) -> Ending | None:
    """What the session said about its own failure, e.g. to load the model."""
    statement = (
        select(Event.event, Event.data)
        .where(Event.session_id == session_id, Event.attempt_id.is_(None), Event.event.in_(_ENDINGS))
        .order_by(Event.id.desc())
    )
    with ledger.read() as session:
        # What is said about an attempt that was given back is not about the session.
        own = (Ending(event=event, data=data) for event, data in session.execute(statement) if not data.get("attempt"))
        return next(own, None)


def ended_by_an_attempt(ledger: Ledger, session_id: str) -> bool:
    """Whether the session said of an attempt that it can serve no more after it."""
    statement = select(Event.data).where(
        Event.session_id == session_id, Event.attempt_id.is_not(None), Event.event.in_(_ENDINGS)
    )
    with ledger.read() as session:
        return any(data.get("fatal") for data in session.scalars(statement))
