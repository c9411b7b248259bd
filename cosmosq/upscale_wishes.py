"""Which results are to be upscaled."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.engines.assignment import check_all, check_combination, complete, values_of
from cosmosq.engines.parameter import Values
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Artifact, Attempt, Job, ParameterSet
from cosmosq.status import ENDED, Kind, Status
from cosmosq.wishes import Wish

TAKEN_OVER = ("negative_prompt", "fps", "seed", "guidance")
"""What an upscale has from its source unless told otherwise."""


def upscales_for(
    ledger: Ledger, job_ids: Sequence[int], overrides: Mapping[str, object], *, weight: float | None = None
) -> list[Wish]:
    """One wish a job: its result, upscaled once the job has succeeded.

    Raises:
        NotFound: no such job.
        InvalidInput: the job is an upscale itself, or ended without a result.
    """
    given = check_all({**overrides, **({} if weight is None else {"upscale.weight": weight})})
    with ledger.read() as session:
        return [_upscale(session, job_id, given) for job_id in job_ids]


def _upscale(session: Session, job_id: int, given: Values) -> Wish:
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
    if job.kind == Kind.UPSCALE:
        raise InvalidInput(f"job {job_id} is an upscale already: give the job it upscales")
    if job.kind == Kind.UPSAMPLE:
        raise InvalidInput(f"job {job_id} makes a prompt and no video: give the job of a video")
    if job.status in ENDED and job.status != Status.SUCCEEDED:
        raise InvalidInput(f"job {job_id} is {job.status} and has no result: `cosmosq retry {job_id}` first")
    if _is_pruned(session, job_id):
        raise InvalidInput(f"the video of job {job_id} was pruned: `cosmosq enqueue --again` makes it anew")
    row = session.get_one(ParameterSet, job.parameter_set_id)
    source = values_of(row)
    kept = {name: source[name] for name in TAKEN_OVER}
    values = complete(Kind.UPSCALE, kept, given)
    check_combination(values, {"input"})
    return Wish(prompt_id=job.prompt_id, kind=Kind.UPSCALE, values=values, source_job_id=job_id)


def _is_pruned(session: Session, job_id: int) -> bool:
    statement = (
        select(Artifact.id)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .where(Attempt.job_id == job_id, Artifact.kind == "video", Artifact.pruned_at.is_not(None))
    )
    return session.scalar(statement.limit(1)) is not None
