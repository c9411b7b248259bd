"""GPU seconds of a job, and what they cost."""

from typing import Any

from sqlalchemy import ColumnElement, Float, Subquery, cast, func, null, select

from cosmosq.models import Attempt, EngineSession


def cost(gpu_s: ColumnElement[float]) -> ColumnElement[float | None]:
    """What seconds of an attempt cost, by the price of its session's host; null without a price."""
    price: Any = getattr(EngineSession, "price_per_hour", None)
    return cast(null(), Float) if price is None else gpu_s / 3600 * price


def spent() -> Subquery:
    """`gpu_s` and `cost` of each job that was ever attempted: all its attempts, and of each load its share.

    A load is shared by all attempts that its session served.
    """
    each_load = served()
    # A session measures only what ends as a video; of the rest the phase's seconds are known.
    generating = func.coalesce(Attempt.generate_s, Attempt.generating_s)
    gpu_s = generating + func.coalesce(EngineSession.load_s / each_load.c.attempts, 0.0)
    return (
        select(Attempt.job_id, func.sum(gpu_s).label("gpu_s"), func.sum(cost(gpu_s)).label("cost"))
        .outerjoin(EngineSession, EngineSession.id == Attempt.session_id)
        .outerjoin(each_load, each_load.c.session_id == Attempt.session_id)
        .group_by(Attempt.job_id)
        .subquery("spent")
    )


def served() -> Subquery:
    """How many `attempts` each session served."""
    return (
        select(Attempt.session_id, func.count().label("attempts"))
        .where(Attempt.session_id.is_not(None))
        .group_by(Attempt.session_id)
        .subquery()
    )
