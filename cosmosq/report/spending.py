"""What sessions have cost: a host is paid for from the start of a session to its end, whatever it does meanwhile."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, case, func, or_, select
from sqlalchemy.orm import Session

from cosmosq.models import Attempt, EngineSession, Job
from cosmosq.report.costs import BY_TIME
from cosmosq.report.query import Filter


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Sums over sessions."""

    held_s: float = 0.0
    """Seconds in which they held the GPU."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """By currency, at the prices that held when they were started."""


def spent(session: Session, hosts: Sequence[str], now: datetime, since: datetime | None = None) -> Spent:
    """What the sessions of some hosts have cost, from a moment on or altogether."""
    statement = _sessions().where(EngineSession.host.in_(hosts))
    if since is not None:
        statement = statement.where(or_(EngineSession.ended_at.is_(None), EngineSession.ended_at > since))
    return _sum(((row, 1.0) for row in session.execute(statement)), now, since)


def cost_of_jobs(session: Session, which: Filter, now: datetime) -> Mapping[str, float]:
    """What some jobs cost, by currency: of each session the share that its time for them has in its time for all."""
    if which == Filter():
        # Also sessions that came to nothing.
        return _sum(((row, 1.0) for row in session.execute(_sessions())), now).costs
    matches = case((which.condition, 1.0), else_=0.0)
    shares = (
        select(Attempt.session_id, (func.sum(matches * BY_TIME) / func.sum(BY_TIME)).label("share"))
        .join(Job, Job.id == Attempt.job_id)
        .group_by(Attempt.session_id)
        .subquery()
    )
    statement = _sessions().add_columns(shares.c.share).join(shares, shares.c.session_id == EngineSession.id)
    statement = statement.where(shares.c.share > 0)
    return _sum(((row, row.share) for row in session.execute(statement)), now).costs


def told(costs: Mapping[str, float]) -> str:
    """Costs for people: `12.30 EUR`."""
    return " + ".join(f"{money(amount)} {currency}" for currency, amount in costs.items())


def money(amount: float) -> str:
    """An amount in cents, or as small as it is."""
    return f"{amount:.2g}" if 0 < amount < 0.01 else f"{amount:.2f}"


def _sessions() -> Any:
    columns = (
        EngineSession.started_at,
        EngineSession.ended_at,
        EngineSession.price_per_hour,
        EngineSession.currency,
    )
    return select(*columns).order_by(EngineSession.started_at)


def _sum(shares: Iterable[tuple[Row[Any], float]], now: datetime, since: datetime | None = None) -> Spent:
    held_s, costs = 0.0, defaultdict[str, float](float)
    for row, share in shares:
        begin = row.started_at if since is None else max(since, row.started_at)
        seconds = share * max(0.0, ((row.ended_at or now) - begin).total_seconds())
        held_s += seconds
        if row.price_per_hour is not None:
            costs[row.currency] += seconds / 3600 * row.price_per_hour
    return Spent(held_s=held_s, costs=dict(costs))
