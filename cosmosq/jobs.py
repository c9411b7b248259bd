"""Jobs as people handle them: enqueued, held, released, retried, cancelled, removed."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from cosmosq.db import Ledger, add_rows, insert_rows
from cosmosq.errors import MoveRefused
from cosmosq.models import (
    Artifact,
    Attempt,
    Comparison,
    Dependency,
    Event,
    Job,
    JobInput,
    JobLabel,
    Measured,
    Measurement,
    Rating,
    TrialJob,
    UpsampleOrder,
)
from cosmosq.moves import cancel_dependents, move, record, refusal, touch
from cosmosq.status import BEFORE_GENERATING, ENDED, UNSUCCESSFUL, WAITING, Need, Status


def add(session: Session, rows: Sequence[dict[str, Any]], now: datetime) -> list[int]:
    """Insert jobs behind all others and return their ids in order."""
    last = session.scalar(select(func.max(Job.position))) or 0
    placed = [{"created_at": now, "position": number, **row} for number, row in enumerate(rows, start=last + 1)]
    ids = add_rows(session, Job, placed)
    insert_rows(
        session,
        Event,
        (
            {"at": now, "event": row["status"], "job_id": job_id, "data": {}}
            for job_id, row in zip(ids, rows, strict=True)
        ),
    )
    return ids


def hold(ledger: Ledger, ids: Iterable[int], now: datetime) -> tuple[list[int], list[int]]:
    """Keep queued jobs back, and ask the worker for those that it has claimed and that have not begun.

    Returns:
        ids that are held, ids that will be unless they begin before the worker has taken them back.
    """
    held: list[int] = []
    asked: list[int] = []
    with ledger.write() as session:
        for job_id in ids:
            if move(session, job_id, Status.HELD, now):
                held.append(job_id)
            elif has_not_begun(session, job_id) and touch(
                session, job_id, Job.status == Status.RUNNING, hold_requested_at=now
            ):
                record(session, "hold_requested", now, job_id=job_id)
                asked.append(job_id)
            else:
                raise MoveRefused(refusal(session, job_id, Status.HELD))
    return held, asked


def has_not_begun(session: Session, job_id: int) -> bool:
    """Whether a running job is still before its generation."""
    newest = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)
    phase = session.scalar(select(Attempt.phase).join(Job, newest).where(Job.id == job_id))
    return phase in BEFORE_GENERATING


def release(ledger: Ledger, ids: Iterable[int], now: datetime) -> list[int]:
    """Queue held jobs again."""
    with ledger.write() as session:
        return _move_each(session, ids, Status.QUEUED, now, Job.status == Status.HELD)


def retry(ledger: Ledger, ids: Iterable[int], now: datetime) -> list[int]:
    """Queue jobs again that ended without success, and those that were cancelled for want of them.

    Their failures are forgiven.

    Raises:
        MoveRefused: a job did not end so, or depends on one that did and is not retried with it.
    """
    forgiven: dict[str, object] = {
        "failures": 0,
        "error": None,
        "message": None,
        "ended_at": None,
        "cancel_requested_at": None,
        "due_at": None,
    }
    with ledger.write() as session:
        queued: list[int] = []
        for job_id in ids:
            if job_id not in queued:
                queued += _move_each(session, [job_id], Status.QUEUED, now, Job.status.in_(UNSUCCESSFUL), **forgiven)
                queued += _with_dependents(session, job_id, now, forgiven)
        for job_id in queued:
            _refuse_hopeless(session, job_id)
    return queued


def _with_dependents(session: Session, job_id: int, now: datetime, forgiven: dict[str, object]) -> list[int]:
    """Queue those again that were cancelled only because this job did not succeed."""
    queued: list[int] = []
    retried = [job_id]
    while retried:
        needed = retried.pop()
        waiting = select(Dependency.job_id).where(Dependency.depends_on_id == needed, Dependency.need != Need.END)
        given_up = select(Job.id).where(Job.id.in_(waiting), Job.status == Status.CANCELLED, Job.error == "dependency")
        waits = session.scalars(given_up).all()
        again = [each for each in waits if move(session, each, Status.QUEUED, now, **forgiven)]
        queued += again
        retried += again
    return queued


def _refuse_hopeless(session: Session, job_id: int) -> None:
    needed = select(Dependency.depends_on_id).where(Dependency.job_id == job_id, Dependency.need != Need.END)
    failed = session.execute(select(Job.id, Job.status).where(Job.id.in_(needed), Job.status.in_(UNSUCCESSFUL))).first()
    if failed is not None:
        raise MoveRefused(
            f"job {job_id} depends on job {failed.id}, which is {failed.status}: "
            f"`cosmosq retry {failed.id} {job_id}` retries both"
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
            waiting = Job.status.in_(WAITING)
            if move(session, job_id, Status.CANCELLED, now, waiting, error="cancelled", ended_at=now):
                with_others.update(cancel_dependents(session, job_id, now))
                done.append(job_id)
            elif job_id in with_others:
                done.append(job_id)
            elif touch(session, job_id, Job.status == Status.RUNNING, cancel_requested_at=now):
                record(session, "cancel_requested", now, job_id=job_id)
                asked.append(job_id)
            else:
                raise MoveRefused(refusal(session, job_id, Status.CANCELLED))
    return done, asked


def _move_each(
    session: Session,
    ids: Iterable[int],
    target: Status,
    now: datetime,
    *guards: ColumnElement[bool],
    **values: object,
) -> list[int]:
    moved = []
    for job_id in ids:
        if not move(session, job_id, target, now, *guards, **values):
            raise MoveRefused(refusal(session, job_id, target))
        moved.append(job_id)
    return moved


def remove(ledger: Ledger, ids: Sequence[int]) -> None:
    """Forget jobs that do not run, with all that was recorded of them.

    Raises:
        MoveRefused: a job runs, another one is made of it, or one that has not ended waits for it.
    """
    with ledger.write() as session:
        for job_id in ids:
            status = session.scalar(select(Job.status).where(Job.id == job_id))
            if status == Status.RUNNING:
                raise MoveRefused(f"job {job_id} is running: `cosmosq cancel {job_id}` first")
            needs = select(Dependency.job_id).join(Job, Job.id == Dependency.job_id)
            matters = or_(Dependency.need == Need.RESULT, Job.status.not_in(ENDED))
            needed_by = session.scalars(needs.where(Dependency.depends_on_id == job_id, matters)).all()
            if left := sorted(set(needed_by) - set(ids)):
                raise MoveRefused(f"job {job_id} is what job {left[0]} depends on: remove that one too")
        _delete(session, list(ids))


def _delete(session: Session, ids: list[int]) -> None:
    attempts = select(Attempt.id).where(Attempt.job_id.in_(ids))
    artifacts = select(Artifact.id).where(Artifact.attempt_id.in_(attempts))
    for statement in (
        delete(Measurement).where(Measurement.artifact_id.in_(artifacts)),
        delete(Measured).where(Measured.artifact_id.in_(artifacts)),
        delete(Event).where(or_(Event.job_id.in_(ids), Event.attempt_id.in_(attempts))),
        delete(Artifact).where(Artifact.attempt_id.in_(attempts)),
        delete(Attempt).where(Attempt.job_id.in_(ids)),
        delete(Dependency).where(or_(Dependency.job_id.in_(ids), Dependency.depends_on_id.in_(ids))),
        delete(JobInput).where(JobInput.job_id.in_(ids)),
        delete(Rating).where(Rating.job_id.in_(ids)),
        delete(Comparison).where(or_(Comparison.better_id.in_(ids), Comparison.worse_id.in_(ids))),
        delete(JobLabel).where(JobLabel.job_id.in_(ids)),
        delete(TrialJob).where(TrialJob.job_id.in_(ids)),
        delete(UpsampleOrder).where(UpsampleOrder.job_id.in_(ids)),
        delete(Job).where(Job.id.in_(ids)),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
