"""Sums over the jobs: by status, GPU seconds, by prompt. All of it is computed by the ledger."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session

from cosmosq.models import Attempt, EngineSession, Job, Prompt
from cosmosq.report import query
from cosmosq.report.query import Filter
from cosmosq.report.spending import cost_of_jobs
from cosmosq.status import Kind, Status

_GPU_S = func.coalesce(Attempt.generate_s, Attempt.generating_s)
"""A session measures only what ends as a video; of the rest the phase's seconds are known."""


@dataclass(frozen=True, kw_only=True)
class PromptTotals:
    """The jobs of one prompt."""

    prompt_id: str
    prompt_name: str | None
    jobs: int
    succeeded: int
    failed: int
    blocked: int
    generate_s: float
    """GPU seconds of all attempts; loading the model is not in it, because a load serves several prompts."""
    mean_s: float | None
    """GPU seconds a video took, on average; None without a video."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """All jobs of a report."""

    jobs: int
    by_status: Mapping[str, int]
    generate_s: float
    """GPU seconds of all attempts, also of those that made no video."""
    load_s: float
    """Seconds of all model loads of the sessions that served these jobs."""
    loads: int
    """Number of model loads."""
    costs: Mapping[str, float]
    """What the sessions cost, by currency: of each its share for these jobs, from its start to its end."""
    simulated: bool
    """Whether any attempt was simulated."""
    prompts: tuple[PromptTotals, ...]

    @property
    def gpu_s(self) -> float:
        """Seconds the GPU worked: generating and loading."""
        return self.generate_s + self.load_s

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return {**asdict(self), "gpu_s": self.gpu_s}


def totals(session: Session, which: Filter, now: datetime) -> Totals:
    """The sums of the jobs that match."""
    by_status = query.counts(session, which)
    loads, load_s = _loads(session, which)
    return Totals(
        jobs=sum(by_status.values()),
        by_status=by_status,
        generate_s=_generate_s(session, which),
        load_s=load_s,
        loads=loads,
        costs=cost_of_jobs(session, which, now),
        simulated=simulated(session, which),
        prompts=_prompts(session, which),
    )


def _generate_s(session: Session, which: Filter) -> float:
    statement = select(func.sum(_GPU_S)).join(Job, Job.id == Attempt.job_id).where(which.condition)
    return session.scalar(statement) or 0.0


def _loads(session: Session, which: Filter) -> tuple[int, float]:
    served = select(Attempt.session_id).join(Job, Job.id == Attempt.job_id).where(which.condition)
    loads, seconds = session.execute(
        select(func.count(EngineSession.load_s), func.sum(EngineSession.load_s)).where(EngineSession.id.in_(served))
    ).one()
    return loads, seconds or 0.0


def simulated(session: Session, which: Filter) -> bool:
    """Whether any attempt of the jobs was simulated."""
    found = exists().where(Attempt.job_id == Job.id, Attempt.simulated, which.condition)
    return bool(session.scalar(select(found)))


def _prompts(session: Session, which: Filter) -> tuple[PromptTotals, ...]:
    spent = select(Attempt.job_id, func.sum(_GPU_S).label("s")).group_by(Attempt.job_id).subquery()
    final = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt, Attempt.status == Status.SUCCEEDED.value)
    statement = (
        select(
            Prompt.id.label("prompt_id"),
            Prompt.name.label("prompt_name"),
            func.count().label("jobs"),
            *(_count(status) for status in (Status.SUCCEEDED, Status.FAILED, Status.BLOCKED)),
            func.coalesce(func.sum(spent.c.s), 0.0).label("generate_s"),
            func.avg(case((Job.kind != Kind.UPSAMPLE.value, Attempt.generate_s))).label("mean_s"),
        )
        .select_from(Job)
        .join(Prompt, Prompt.id == Job.prompt_id)
        .outerjoin(spent, spent.c.job_id == Job.id)
        .outerjoin(Attempt, final)
        .where(which.condition)
        .group_by(Prompt.id, Prompt.name)
        .order_by(func.min(Job.id))
    )
    return tuple(PromptTotals(**row) for row in session.execute(statement).mappings())


def _count(status: Status) -> ColumnElement[int]:
    return func.sum(case((Job.status == status.value, 1), else_=0)).label(status.value)
