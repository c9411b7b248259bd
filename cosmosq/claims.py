"""Claims: a worker's right to a job, from taking it to the end of its attempt. Only this module writes attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, exists, select, update
from sqlalchemy.orm import Session, aliased

from cosmosq.db import Ledger
from cosmosq.errors import StaleClaim
from cosmosq.models import Artifact, Attempt, Dependency, Job
from cosmosq.moves import cancel_dependents, move, record
from cosmosq.status import UNSUCCESSFUL, Phase, Status


def attempt_name(job_id: int, number: int) -> str:
    """Name of an attempt in its session's folder."""
    return f"{job_id}-{number}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A job that is ours until the lease runs out: proof of the right to move it."""

    job_id: int
    attempt_id: int
    number: int
    owner: str
    host: str
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
    repeatable: bool = False
    """Whether another attempt may cure it."""
    generate_s: float | None = None
    artifacts: tuple[dict[str, Any], ...] = ()
    """Rows for `artifacts`, without the attempt."""


def eligible(host: str, only: Sequence[int] | None = None) -> ColumnElement[bool]:
    """Condition on Job: may start now on `host`; `only` narrows it to some ids."""
    needed = aliased(Job)
    unmet = exists().where(
        Dependency.job_id == Job.id, Dependency.depends_on_id == needed.id, needed.status != Status.SUCCEEDED
    )
    condition = and_(Job.host == host, Job.status == Status.QUEUED, ~unmet)
    return condition if only is None else and_(condition, Job.id.in_(only))


def next_id(ledger: Ledger, host: str, only: Sequence[int] | None = None) -> int | None:
    """Id of the job that would be claimed now."""
    with ledger.read() as session:
        return session.scalar(_in_line(host, only))


def _in_line(host: str, only: Sequence[int] | None) -> Select[int]:
    """Highest priority first, oldest within it."""
    return select(Job.id).where(eligible(host, only)).order_by(Job.priority.desc(), Job.id).limit(1)


def claim(
    ledger: Ledger,
    host: str,
    owner: str,
    *,
    lease_s: float,
    simulated: bool,
    now: datetime,
    only: Sequence[int] | None = None,
) -> Claim | None:
    """Take the next job of the host; None when there is none."""
    with ledger.write() as session:
        job = session.scalar(select(Job).where(Job.id == _in_line(host, only).scalar_subquery()))
        if job is None:
            return None
        number = job.attempt + 1
        lease = {
            "lease_owner": owner,
            "lease_expires_at": now + timedelta(seconds=lease_s),
            "attempt": number,
        }
        _require(move(session, job.id, Status.RUNNING, now, started_at=now, ended_at=None, **lease), job.id)
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
        return Claim(job_id=job.id, attempt_id=attempt.id, number=number, owner=owner, host=host)


def adopt(ledger: Ledger, host: str, owner: str, *, lease_s: float, now: datetime) -> list[Claim]:
    """Take over the running jobs of a host whose worker is gone; the attempts go on where they are.

    Only the registered worker of the host may call this: there is no other who could hold them.
    """
    with ledger.write() as session:
        rows = _running(session, host)
        session.execute(
            update(Job)
            .where(Job.id.in_([row.job_id for row in rows]))
            .values(lease_owner=owner, lease_expires_at=now + timedelta(seconds=lease_s))
        )
        for row in rows:
            record(session, "adopted", now, job_id=row.job_id, attempt_id=row.id)
        return [
            Claim(
                job_id=row.job_id,
                attempt_id=row.id,
                number=row.number,
                owner=owner,
                host=host,
                session_id=row.session_id,
            )
            for row in rows
        ]


def _running(session: Session, host: str) -> Sequence[Row[int, int, int, str | None]]:
    statement = (
        select(Attempt.id, Attempt.job_id, Attempt.number, Attempt.session_id)
        .join(Job, and_(Job.id == Attempt.job_id, Job.attempt == Attempt.number))
        .where(Job.host == host, Job.status == Status.RUNNING)
        .order_by(Job.priority.desc(), Job.id)
    )
    return session.execute(statement).all()


def renew(ledger: Ledger, owner: str, *, lease_s: float, now: datetime) -> None:
    """Heartbeat: push the end of every lease of this owner out."""
    with ledger.write() as session:
        session.execute(
            update(Job)
            .where(Job.lease_owner == owner, Job.status == Status.RUNNING)
            .values(lease_expires_at=now + timedelta(seconds=lease_s))
        )


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


def cancel_requested(ledger: Ledger, claim: Claim) -> bool:
    """Whether a person asked to stop this job."""
    with ledger.read() as session:
        return session.scalar(select(Job.cancel_requested_at).where(Job.id == claim.job_id)) is not None


def finish(ledger: Ledger, claim: Claim, outcome: Outcome, *, retries: int, now: datetime) -> Status:
    """End the attempt, exactly once, and move the job; returns the job's status.

    A failure that a repetition may cure sends the job back to the queue while `retries` are left.

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
        job = session.get_one(Job, claim.job_id)
        failed = outcome.status == Status.FAILED
        again = failed and outcome.repeatable and job.failures < retries and job.cancel_requested_at is None
        asked = failed and job.cancel_requested_at is not None
        target = Status.QUEUED if again else Status.CANCELLED if asked else outcome.status
        moved = move(
            session,
            claim.job_id,
            target,
            now,
            *_owned(claim),
            failures=Job.failures + failed,
            error=outcome.error,
            message=outcome.message,
            lease_owner=None,
            lease_expires_at=None,
            cancel_requested_at=None,
            ended_at=None if again else now,
        )
        _require(moved, claim.job_id)
        if target in UNSUCCESSFUL:
            cancel_dependents(session, claim.job_id, now)
        return target


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
