"""Which jobs a new one waits for. They are there before it, so that a circle cannot be made."""

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Dependency, Job
from cosmosq.status import ENDED, UNSUCCESSFUL, WAITING, Need, Status

After = Mapping[int, Need]
"""What of which job must be there before another one starts."""
MOST = 1_000
"""Each is a row for each job that waits."""


def check(session: Session, after: After) -> None:
    """Refuse to wait for what is not there, or for ever.

    Raises:
        NotFound: no such job.
        InvalidInput: a job that was to succeed ended otherwise, or there are too many.
    """
    if len(after) > MOST:
        raise InvalidInput(f"{len(after):,} jobs to wait for are more than {MOST:,}: wait for the last of them")
    statuses = dict(session.execute(select(Job.id, Job.status).where(Job.id.in_(after))).all())
    for job_id, need in after.items():
        if job_id not in statuses:
            raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
        if need != Need.END and statuses[job_id] in UNSUCCESSFUL:
            raise InvalidInput(
                f"job {job_id} is {statuses[job_id]}: `cosmosq retry {job_id}` first, or give --after-any {job_id}"
            )


def needs_of(after: After, source_id: int | None) -> dict[int, Need]:
    """All that a job waits for: what it is made of, and what a person wants before it."""
    return {**after, **({source_id: Need.RESULT} if source_id else {})}


def unmet(session: Session, job_ids: Collection[int] | None = None) -> dict[int, list[int]]:
    """Ids that waiting jobs still wait for, by the waiting job; of all such jobs or of these."""
    waiting = select(Job.id).where(Job.status.in_(WAITING))
    statement = (
        select(Dependency.job_id, Dependency.depends_on_id, Dependency.need, Job.status)
        .join(Job, Job.id == Dependency.depends_on_id)
        .where(Dependency.job_id.in_(waiting), Job.status != Status.SUCCEEDED)
        .order_by(Dependency.depends_on_id)
    )
    if job_ids is not None:
        statement = statement.where(Dependency.job_id.in_(job_ids))
    found: dict[int, list[int]] = {}
    for job_id, needed, need, status in session.execute(statement):
        if need != Need.END or status not in ENDED:
            found.setdefault(job_id, []).append(needed)
    return found
