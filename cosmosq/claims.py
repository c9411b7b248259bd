"""Claims: a worker's right to a job, from taking it to the end of its attempt. Only this module writes attempts, and
`imports` those that were made elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from cosmosq import offloading, pauses, upsampling, waiting
from cosmosq.alarms import sound_failure
from cosmosq.breaker import Rule
from cosmosq.db import Ledger
from cosmosq.errors import StaleClaim
from cosmosq.models import Artifact, Attempt, Event, Job
from cosmosq.moves import cancel_dependents, move, record
from cosmosq.retries import Repeat, pause_s
from cosmosq.status import UNSUCCESSFUL, Kind, Phase, Status
from cosmosq.upsampling import Answer

NEVER_STOP = Rule()


def attempt_name(job_id: int, number: int) -> str:
    """Name of an attempt in its session's folder."""
    return f"{job_id}-{number}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A job that is ours for as long as our worker is heard of: proof of the right to move it."""

    job_id: int
    attempt_id: int
    number: int
    owner: str
    host: str
    priority: int = 0
    key: str = ""
    """Digest of what its session must have loaded."""
    session_id: str | None = None
    """Session of an attempt that was taken over; None for a new one."""

    @property
    def name(self) -> str:
        """Name of the attempt in the session folder."""
        return attempt_name(self.job_id, self.number)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended."""

    status: Status
    error: str | None = None
    message: str | None = None
    repeat: Repeat = Repeat.NEVER
    """Whether another attempt may cure it, and how it is made."""
    answer: Answer | None = None
    """The longer prompt, of an upsampling that succeeded."""
    generate_s: float | None = None
    artifacts: tuple[dict[str, Any], ...] = ()
    """Rows for `artifacts`, without the attempt."""


def claim(
    ledger: Ledger,
    host: str,
    owner: str,
    *,
    simulated: bool,
    now: datetime,
    only: Sequence[int] | None = None,
    key: str | None = None,
) -> Claim | None:
    """Take the next job of the host; None when there is none, or when it has another key by now than `key`."""
    with ledger.write() as session:
        head = waiting.head(session, host, only, now)
        if head is None or key not in (None, head.session_key):
            return None
        job = session.get_one(Job, head.id)
        number = job.attempt + 1
        taken = move(
            session, job.id, Status.RUNNING, now, started_at=now, ended_at=None, lease_owner=owner, attempt=number
        )
        _require(taken, job.id)
        attempt = Attempt(
            job_id=job.id,
            number=number,
            status=Status.RUNNING,
            phase=Phase.PREPARING,
            phase_at=now,
            host=host,
            simulated=simulated,
            started_at=now,
        )
        session.add(attempt)
        session.flush()
        pauses.let_through(session, host, job.id, now)
        return Claim(
            job_id=job.id,
            attempt_id=attempt.id,
            number=number,
            owner=owner,
            host=host,
            priority=job.priority,
            key=job.session_key,
        )


def adopt(ledger: Ledger, host: str, owner: str, *, now: datetime) -> list[Claim]:
    """Take over the running jobs of a host whose worker is gone; the attempts go on where they are.

    Only the registered worker of the host may call this: there is no other who could hold them.
    """
    with ledger.write() as session:
        rows = _running(session, host)
        session.execute(update(Job).where(Job.id.in_([row.job_id for row in rows])).values(lease_owner=owner))
        for row in rows:
            record(session, "adopted", now, job_id=row.job_id, attempt_id=row.id)
        return [
            Claim(
                job_id=row.job_id,
                attempt_id=row.id,
                number=row.number,
                owner=owner,
                host=host,
                priority=row.priority,
                key=row.session_key,
                session_id=row.session_id,
            )
            for row in rows
        ]


def _running(session: Session, host: str) -> Sequence[Row[int, int, int, str | None, int, str]]:
    statement = (
        select(Attempt.id, Attempt.job_id, Attempt.number, Attempt.session_id, Job.priority, Job.session_key)
        .join(Job, and_(Job.id == Attempt.job_id, Job.attempt == Attempt.number))
        .where(Job.host == host, Job.status == Status.RUNNING)
        .order_by(Attempt.id)
    )
    return session.execute(statement).all()


def enter(ledger: Ledger, claim: Claim, phase: Phase, now: datetime) -> None:
    """Move the attempt to a phase and book the seconds of the one before it."""
    with ledger.write() as session:
        attempt = _own(session, claim)
        if attempt.phase != phase:
            _book_seconds(attempt, now)
            attempt.phase = phase
            record(session, "phase", now, job_id=claim.job_id, attempt_id=claim.attempt_id, phase=phase)


def bind(ledger: Ledger, claim: Claim, session_id: str) -> None:
    """Record which session serves the attempt, before anything is sent to it."""
    with ledger.write() as session:
        _own(session, claim).session_id = session_id


def session_of(ledger: Ledger, claim: Claim) -> str | None:
    """The session that the attempt is bound to."""
    with ledger.read() as session:
        return session.scalar(select(Attempt.session_id).where(Attempt.id == claim.attempt_id))


def progress(session: Session, attempt_id: int, *, clip: int, clips: int, step: int, steps: int) -> None:
    """Store how far the generation is; part of the caller's transaction."""
    session.execute(
        update(Attempt).where(Attempt.id == attempt_id).values(clip=clip, clips=clips, step=step, steps=steps)
    )


def wanted_otherwise(ledger: Ledger, job_ids: Sequence[int]) -> dict[int, str]:
    """By id, what a person asked of these running jobs meanwhile: `cancel`, `hold` or `recall`."""
    with ledger.read() as session:
        rows = session.execute(_asked_of(), {"ids": job_ids})
        return {job_id: "cancel" if cancel else "hold" if hold else "recall" for job_id, cancel, hold, _ in rows}


@lru_cache(maxsize=1)
def _asked_of() -> Select[int, datetime | None, datetime | None, datetime | None]:
    columns = (Job.cancel_requested_at, Job.hold_requested_at, Job.recall_requested_at)
    asked = or_(*(column.is_not(None) for column in columns))
    return select(Job.id, *columns).where(Job.id.in_(bindparam("ids", expanding=True)), asked)


def give_back(ledger: Ledger, claim: Claim, reason: str, now: datetime) -> Status:
    """Undo a claim whose attempt has not begun on the host, and is sure not to; returns the job's status.

    The attempt's row goes, so that its number is free again: it was none. An event keeps the reason.

    Raises:
        StaleClaim: the job is no longer ours.
    """
    with ledger.write() as session:
        _own(session, claim)
        session.execute(delete(Event).where(Event.attempt_id == claim.attempt_id))
        session.execute(delete(Attempt).where(Attempt.id == claim.attempt_id))
        record(session, "returned", now, job_id=claim.job_id, reason=reason)
        began = select(Attempt.started_at).where(Attempt.job_id == claim.job_id, Attempt.number == claim.number - 1)
        job = session.get_one(Job, claim.job_id)
        target = Status.QUEUED if job.cancel_requested_at is None else Status.CANCELLED
        values: dict[str, Any] = {"attempt": claim.number - 1, "started_at": session.scalar(began)}
        if target == Status.CANCELLED:
            values |= {"error": "cancelled", "ended_at": now}
        return _leave(session, claim, target, now, values)


def finish(
    ledger: Ledger,
    claim: Claim,
    outcome: Outcome,
    *,
    retries: int,
    now: datetime,
    backoff_s: float = 0.0,
    rule: Rule = NEVER_STOP,
) -> Status:
    """End the attempt, exactly once, and move the job; returns the job's status.

    A failure that a repetition may cure sends the job back to the queue while `retries` are left, or however often
    if it does not count. Too many in a row pause the host, as `rule` says.

    Raises:
        StaleClaim: the job is no longer ours.
    """
    with ledger.write() as session:
        attempt = _own(session, claim)
        _book_seconds(attempt, now)
        attempt.status, attempt.error, attempt.message = outcome.status, outcome.error, outcome.message
        attempt.ended_at, attempt.generate_s = now, outcome.generate_s
        session.add_all(
            Artifact(attempt_id=attempt.id, simulated=attempt.simulated, created_at=now, **row)
            for row in outcome.artifacts
        )
        session.flush()
        if outcome.answer is not None:
            # In the transaction that lets the dependent jobs start: they are made with it.
            upsampling.keep(session, claim.job_id, outcome.answer, simulated=attempt.simulated, now=now)
        job = session.get_one(Job, claim.job_id)
        if job.kind != Kind.UPSAMPLE:
            # An upsampler that finds no memory has met somebody else's: nothing of its own could make room.
            outcome = _offloaded(session, attempt, outcome, now)
        failed = outcome.status == Status.FAILED
        stopped = outcome.status in (Status.FAILED, Status.CANCELLED)
        failures = job.failures + (failed and outcome.repeat != Repeat.UNCOUNTED)
        left = outcome.repeat == Repeat.UNCOUNTED or (outcome.repeat != Repeat.NEVER and job.failures < retries)
        again = stopped and left and job.cancel_requested_at is None
        asked = failed and job.cancel_requested_at is not None
        target = Status.QUEUED if again else Status.CANCELLED if asked else outcome.status
        values: dict[str, Any] = {"failures": failures, "error": outcome.error, "message": outcome.message}
        if not again:
            values["ended_at"] = now
        elif outcome.repeat == Repeat.BACKOFF and backoff_s:
            values["due_at"] = now + timedelta(seconds=pause_s(backoff_s, failures))
        left_as = _leave(session, claim, target, now, values)
        if left_as in (Status.FAILED, Status.BLOCKED):
            sound_failure(session, claim.job_id, claim.host, left_as, outcome.error, outcome.message, now)
        if outcome.status == Status.SUCCEEDED:
            pauses.note_success(session, claim.host)
        elif failed and outcome.error:
            pauses.note_failure(session, claim.host, outcome.error, rule, now, job=claim.job_id)
        return left_as


def end_loose(session: Session, attempt_id: int, now: datetime) -> None:
    """End a running attempt that its job knows nothing of; one that is its job's own by now is left alone."""
    loose = or_(Job.status != Status.RUNNING, Attempt.number != Job.attempt)
    attempt = session.scalar(
        select(Attempt)
        .join(Job, Job.id == Attempt.job_id)
        .where(Attempt.id == attempt_id, Attempt.status == Status.RUNNING, loose)
    )
    if attempt is not None:
        attempt.status, attempt.error, attempt.ended_at = Status.FAILED, "lost", now
        attempt.message = "found running without its job"
        record(session, "settled", now, job_id=attempt.job_id, attempt_id=attempt_id)


def _offloaded(session: Session, attempt: Attempt, outcome: Outcome, now: datetime) -> Outcome:
    """What ran out of memory is repeated with more of it, or not at all."""
    if outcome.error != "out_of_memory" or outcome.repeat == Repeat.NEVER or attempt.session_id is None:
        return outcome
    if not offloading.move_on(session, attempt.job_id, attempt.session_id):
        return replace(outcome, repeat=Repeat.NEVER)
    record(session, "offloaded", now, job_id=attempt.job_id, attempt_id=attempt.id)
    return outcome


def _leave(session: Session, claim: Claim, target: Status, now: datetime, values: dict[str, Any]) -> Status:
    """Move the job on and let go of it; a hold that was asked for meanwhile is made good."""
    held = target == Status.QUEUED and session.get_one(Job, claim.job_id).hold_requested_at is not None
    requests = ("cancel_requested_at", "hold_requested_at", "recall_requested_at")
    released = dict.fromkeys(("lease_owner", *requests))
    _require(move(session, claim.job_id, target, now, *_owned(claim), **released, **values), claim.job_id)
    if held:
        _require(move(session, claim.job_id, Status.HELD, now), claim.job_id)
    if target in UNSUCCESSFUL:
        cancel_dependents(session, claim.job_id, now)
    return Status.HELD if held else target


def _own(session: Session, claim: Claim) -> Attempt:
    held = session.scalar(select(Job.id).where(Job.id == claim.job_id, Job.status == Status.RUNNING, *_owned(claim)))
    _require(held is not None, claim.job_id)
    return session.get_one(Attempt, claim.attempt_id)


def _owned(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return (Job.lease_owner == claim.owner, Job.attempt == claim.number)


def _book_seconds(attempt: Attempt, now: datetime) -> None:
    column = f"{attempt.phase}_s"
    # The wall clock may be set back meanwhile.
    spent = max(0.0, (now - attempt.phase_at).total_seconds())
    setattr(attempt, column, getattr(attempt, column) + spent)
    attempt.phase_at = now


def _require(held: bool, job_id: int) -> None:
    if not held:
        raise StaleClaim(f"job {job_id} is no longer ours: another worker took it or it has ended")
