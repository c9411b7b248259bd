"""The guarded UPDATE: the only place that changes a job's status."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session, aliased

from cosmosq.models import Dependency, Event, Job
from cosmosq.status import UNSUCCESSFUL, WAITING, Need, Status, sources


def move(
    session: Session,
    job_id: int,
    target: Status,
    now: datetime,
    *guards: ColumnElement[bool],
    **values: object,
) -> bool:
    """Give a job another status and note the event; False if it may not become that, or a guard does not hold.

    Args:
        guards: conditions on Job that must hold in the same moment, such as who owns it.
        values: other columns of the job to set with it; `error` and `message` are told in the event.
    """
    allowed = Job.status.in_(sources(target))
    moved = touch(session, job_id, allowed, *guards, status=target, **values)
    if moved:
        told = {key: values[key] for key in ("error", "message") if values.get(key)}
        session.add(Event(at=now, event=target, job_id=job_id, data=told))
    return moved


def touch(session: Session, job_id: int, *guards: ColumnElement[bool], **values: object) -> bool:
    """Set columns of a job if all guards hold; returns whether they did. The status itself is `move`'s."""
    statement = update(Job).where(Job.id == job_id, *guards).values(**values)
    result = session.execute(statement, execution_options={"synchronize_session": "evaluate"})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def record(
    session: Session, event: str, now: datetime, *, job_id: int, attempt_id: int | None = None, **data: object
) -> None:
    """Note an event of a job; REFERENCE.md lists them."""
    session.add(Event(at=now, event=event, job_id=job_id, attempt_id=attempt_id, data=data))


def refusal(session: Session, job_id: int, target: Status) -> str:
    """What is said of a job that cannot be moved there, with what to do."""
    status = session.scalar(select(Job.status).where(Job.id == job_id))
    remedy = "`cosmosq enqueue --again` repeats it" if status == Status.SUCCEEDED else "see `cosmosq status`"
    return f"job {job_id} is {status} and cannot become {target}: {remedy}"


def hopeless() -> Select[int, str, int]:
    """Jobs that wait for one that did not succeed: id, host, and the id of that one."""
    needed = aliased(Job)
    return (
        select(Job.id, Job.host, needed.id)
        .join(Dependency, Dependency.job_id == Job.id)
        .join(needed, needed.id == Dependency.depends_on_id)
        .where(Dependency.need != Need.END)
        .where(Job.status.in_(WAITING), needed.status.in_(UNSUCCESSFUL))
        .order_by(Job.id)
    )


def cancel_dependents(session: Session, job_id: int, now: datetime) -> set[int]:
    """Whoever waits for a job that will not succeed would wait for ever; returns their ids."""
    cancelled: set[int] = set()
    unsuccessful = [job_id]
    while unsuccessful:
        needed = unsuccessful.pop()
        waiting = (
            select(Job.id)
            .join(Dependency, Dependency.job_id == Job.id)
            .where(Dependency.depends_on_id == needed, Dependency.need != Need.END)
            .where(Job.status.in_(WAITING))
        )
        why = f"job {needed}, which it depends on, did not succeed"
        for dependent in session.scalars(waiting).all():
            if move(session, dependent, Status.CANCELLED, now, error="dependency", message=why, ended_at=now):
                cancelled.add(dependent)
                unsuccessful.append(dependent)
    return cancelled
