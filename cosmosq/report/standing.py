"""How a host stands with its worker: when jobs may start there, why none does, what it has cost and will cost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cosmosq.config import Config
from cosmosq.liveness import is_alive
from cosmosq.models import Standstill, Worker
from cosmosq.report import spending
from cosmosq.report.outlook import Outlook, Rules
from cosmosq.windows import Windows, parse_windows


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One host, now."""

    standstill: str | None
    """Why no job starts though some wait."""
    standstill_until: datetime | None
    """When that is over by itself, if it is known."""
    window: str
    """When jobs may start, by the worker or else by cosmosq.toml."""
    spent: Mapping[str, float]
    """What the sessions of the host have cost so far, by currency."""
    to_spend: float | None
    """What is running and queued will cost; None without a price or before anything was made there."""
    currency: str | None
    """Of `to_spend`; None without a price."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


def standing(session: Session, config: Config, host: str, future: Outlook | None, now: datetime) -> Standing:
    """How a host stands; `future` tells what is still to be paid for."""
    found = standstill(session, host, now)
    known = config.hosts.get(host)
    price = known.price_per_hour if known else 0.0
    busy_s = future.busy_s if future else None
    return Standing(
        standstill=found.reason if found else None,
        standstill_until=found.until_at if found else None,
        window=str(rules_of(session, config, host, now).windows),
        spent=spending.spent(session, [host], now).costs,
        to_spend=busy_s / 3600 * price if busy_s is not None and price else None,
        currency=known.currency if known and price else None,
    )


def standstill(session: Session, host: str, now: datetime) -> Standstill | None:
    """Why no job starts on a host; None also when nothing is known against it."""
    lasts = or_(Standstill.until_at.is_(None), Standstill.until_at > now)
    return session.scalar(select(Standstill).where(Standstill.host == host, lasts))


def rules_of(session: Session, config: Config, host: str, now: datetime) -> Rules:
    """When jobs may be begun on a host: as its worker was told, without one as its settings say."""
    known = config.hosts.get(host)
    if known is None:
        return Rules()
    worker = session.get(Worker, host)
    is_there = worker is not None and is_alive(worker, now, config.lease_s)
    told = worker.limits.get("windows", {}).get(host) if worker is not None and is_there else None
    windows: Windows = known.windows if told is None else parse_windows(told)
    return Rules(windows=windows, grace=timedelta(seconds=known.window_grace))
