"""The only writer of job and attempt rows: every move of a job is one guarded UPDATE here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, exists, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, aliased

from cosmosq.db import Ledger
from cosmosq.errors import MoveRefused, StaleClaim
from cosmosq.models import (
    Artifact,
    Attempt,
    Dependency,
    Event,
    Job,
    JobInput,
    JobLabel,
    Measurement,
)
from cosmosq.status import UNSUCCESSFUL, Phase, Status, sources


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
        return f"{self.job_id}-{self.number}"


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


def add(session: Session, rows: Sequence[dict[str, Any]], now: datetime) -> list[int]:
    """Insert queued or held jobs and return their ids in order."""
    statement = insert(Job).returning(Job.id, sort_by_parameter_order=True)
    ids = list(session.scalars(statement, [{"created_at": now, **row} for row in rows]))
    session.execute(
        insert(Event),
        [
            {"at": now, "event": row["status"], "job_id": job_id, "data": {}}
            for job_id, row in zip(ids, rows, strict=True)
        ],
    )
    return ids


def hold(ledger: Ledger, ids: Iterable[int], now: datetime) -> list[int]:
    """Keep queued jobs back."""
    return _move_each(ledger, ids, Status.HELD, now)


def release(ledger: Ledger, ids: Iterable[int], now: datetime) -> list[int]:
    """Queue held jobs again."""
    return _move_each(ledger, ids, Status.QUEUED, now, Job.status == Status.HELD)


def retry(ledger: Ledger, ids: Iterable[int], now: datetime) -> list[int]:
    """Queue jobs again that ended without success; their failures are forgiven."""
    return _move_each(
        ledger,
        ids,
        Status.QUEUED,
        now,
        Job.status.in_(UNSUCCESSFUL),
        failures=0,
        error=None,
        message=None,
        ended_at=None,
        cancel_requested_at=None,
    )


def cancel(ledger: Ledger, ids: Iterable[int], now: datetime) -> tuple[list[int], list[int]]:
    """Cancel waiting jobs at once and ask the worker to stop running ones.

    Returns:
        ids that are cancelled, ids that will be as soon as their session has stopped them.
    """
    done: list[int] = []
    asked: list[int] = []
    with_others: set[int] = set()
    with ledger.write() as session:
        for job_id in ids:
            waiting = Job.status.in_([Status.HELD, Status.QUEUED])
            if _move(session, job_id, Status.CANCELLED, now, waiting, error="cancelled", ended_at=now):
                with_others.update(_cancel_dependents(session, job_id, now))
                done.append(job_id)
            elif job_id in with_others:
                done.append(job_id)
            elif _touch(session, job_id, Job.status == Status.RUNNING, cancel_requested_at=now):
                _record(session, "cancel_requested", now, job_id=job_id)
                asked.append(job_id)
            else:
                raise MoveRefused(_refusal(session, job_id, Status.CANCELLED))
    return done, asked


def remove(ledger: Ledger, ids: Sequence[int]) -> None:
    """Forget jobs that do not run and on which no other job depends, with all that was recorded of them."""
    with ledger.write() as session:
        for job_id in ids:
            status = session.scalar(select(Job.status).where(Job.id == job_id))
            if status == Status.RUNNING:
                raise MoveRefused(f"job {job_id} is running: `cosmosq cancel {job_id}` first")
            needed_by = session.scalars(select(Dependency.job_id).where(Dependency.depends_on_id == job_id)).all()
            if left := sorted(set(needed_by) - set(ids)):
                raise MoveRefused(f"job {job_id} is what job {left[0]} depends on: remove that one too")
        _delete(session, list(ids))


def _delete(session: Session, ids: list[int]) -> None:
    attempts = select(Attempt.id).where(Attempt.job_id.in_(ids))
    artifacts = select(Artifact.id).where(Artifact.attempt_id.in_(attempts))
    for statement in (
        delete(Measurement).where(Measurement.artifact_id.in_(artifacts)),
        delete(Event).where(or_(Event.job_id.in_(ids), Event.attempt_id.in_(attempts))),
        delete(Artifact).where(Artifact.attempt_id.in_(attempts)),
        delete(Attempt).where(Attempt.job_id.in_(ids)),
        delete(Dependency).where(Dependency.job_id.in_(ids)),
        delete(JobInput).where(JobInput.job_id.in_(ids)),
        delete(JobLabel).where(JobLabel.job_id.in_(ids)),
        delete(Job).where(Job.id.in_(ids)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))


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
        _require(_move(session, job.id, Status.RUNNING, now, started_at=now, ended_at=None, **lease), job.id)
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
            _record(session, "adopted", now, job_id=row.job_id, attempt_id=row.id)
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
            _record(session, "phase", now, job_id=claim.job_id, attempt_id=claim.attempt_id, phase=phase)


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
        target = Status.QUEUED if again else outcome.status
        moved = _move(
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
            _cancel_dependents(session, claim.job_id, now)
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


def _cancel_dependents(session: Session, job_id: int, now: datetime) -> set[int]:
    """Whoever waits for a job that will not succeed would wait for ever; returns their ids."""
    cancelled: set[int] = set()
    waiting = (
        select(Job.id)
        .join(Dependency, Dependency.job_id == Job.id)
        .where(Dependency.depends_on_id == job_id, Job.status.in_([Status.HELD, Status.QUEUED]))
    )
    for dependent in session.scalars(waiting).all():
        why = f"job {job_id}, which it depends on, did not succeed"
        if _move(session, dependent, Status.CANCELLED, now, error="dependency", message=why, ended_at=now):
            cancelled |= {dependent, *_cancel_dependents(session, dependent, now)}
    return cancelled


def _move_each(
    ledger: Ledger,
    ids: Iterable[int],
    target: Status,
    now: datetime,
    *guards: ColumnElement[bool],
    **values: object,
) -> list[int]:
    moved = []
    with ledger.write() as session:
        for job_id in ids:
            if not _move(session, job_id, target, now, *guards, **values):
                raise MoveRefused(_refusal(session, job_id, target))
            moved.append(job_id)
    return moved


def _move(
    session: Session,
    job_id: int,
    target: Status,
    now: datetime,
    *guards: ColumnElement[bool],
    **values: object,
) -> bool:
    allowed = Job.status.in_(sources(target))
    moved = _touch(session, job_id, allowed, *guards, status=target, **values)
    if moved:
        told = {key: values[key] for key in ("error", "message") if values.get(key)}
        session.add(Event(at=now, event=target, job_id=job_id, data=told))
    return moved


def _touch(session: Session, job_id: int, *guards: ColumnElement[bool], **values: object) -> bool:
    statement = update(Job).where(Job.id == job_id, *guards).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": "evaluate"})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _require(held: bool, job_id: int) -> None:
    if not held:
        raise StaleClaim(f"job {job_id} is no longer ours: another worker took it or it has ended")


def _refusal(session: Session, job_id: int, target: Status) -> str:
    status = session.scalar(select(Job.status).where(Job.id == job_id))
    remedy = "`cosmosq enqueue --again` repeats it" if status == Status.SUCCEEDED else "see `cosmosq status`"
    return f"job {job_id} is {status} and cannot become {target}: {remedy}"


def _record(
    session: Session, event: str, now: datetime, *, job_id: int, attempt_id: int | None = None, **data: object
) -> None:
    session.add(Event(at=now, event=event, job_id=job_id, attempt_id=attempt_id, data=data))
