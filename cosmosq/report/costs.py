"""GPU seconds of a job, and its share of what the sessions cost that served it."""

from sqlalchemy import ColumnElement, Subquery, case, func, select

from cosmosq.models import Attempt, EngineSession

# A session measures only what ends as a video; of the rest the phase's seconds are known.
_GENERATING = func.coalesce(Attempt.generate_s, Attempt.generating_s)
BY_TIME = _GENERATING + 1e-6
"""What a session's cost is shared by: every attempt counts for a little, so that one that only failed is somebody's."""


def spent() -> Subquery:
    """`gpu_s`, `cost` and `currency` of each job that was ever attempted, over all attempts: of each session its share.

    A load is shared by all attempts that its session served, the cost by the time that it spent on each. Where its
    sessions were paid for in several currencies, both are null.
    """
    each = served()
    gpu_s = _GENERATING + func.coalesce(EngineSession.load_s / each.c.attempts, 0.0)
    cost = _held_s() / 3600 * EngineSession.price_per_hour * BY_TIME / each.c.seconds
    currencies = func.count(EngineSession.currency.distinct())
    return (
        select(
            Attempt.job_id,
            func.sum(gpu_s).label("gpu_s"),
            case((currencies <= 1, func.sum(cost))).label("cost"),
            case((currencies == 1, func.max(EngineSession.currency))).label("currency"),
        )
        .outerjoin(EngineSession, EngineSession.id == Attempt.session_id)
        .outerjoin(each, each.c.session_id == Attempt.session_id)
        .group_by(Attempt.job_id)
        .subquery("spent")
    )


def _held_s() -> ColumnElement[float]:
    """From the start of a session to its end, or to now."""
    days = func.julianday(func.coalesce(EngineSession.ended_at, func.current_timestamp()))
    return func.max(0.0, (days - func.julianday(EngineSession.started_at)) * 86400)


def served() -> Subquery:
    """How many `attempts` each session served, and the `seconds` that they were generated."""
    return (
        select(Attempt.session_id, func.count().label("attempts"), func.sum(BY_TIME).label("seconds"))
        .where(Attempt.session_id.is_not(None))
        .group_by(Attempt.session_id)
        .subquery()
    )
