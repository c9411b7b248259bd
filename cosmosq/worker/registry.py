"""Which process serves which host: at most one each."""

import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psutil
from sqlalchemy import delete, select, update

from cosmosq.db import Ledger
from cosmosq.errors import WorkerBusy
from cosmosq.liveness import is_alive, started_at
from cosmosq.models import Heartbeat, Standstill
from cosmosq.models import Worker as Row
from cosmosq.recovery.scene import Presence
from cosmosq.worker.gate import Refusal


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What a worker finds when it enters itself."""

    counts_since: datetime
    """From when on it counts against its limits: now, or as one with the same limits did that was killed."""
    heirs: frozenset[str]
    """Hosts whose last worker was killed."""


def new_owner() -> str:
    """A name for this process that no other, earlier or later, has."""
    return f"{platform.node()[:40]}:{os.getpid()}:{secrets.token_hex(6)}"


def register(
    ledger: Ledger,
    hosts: Sequence[str],
    owner: str,
    *,
    silent_s: float,
    now: datetime,
    limits: Mapping[str, Any] | None = None,
) -> Registration:
    """Enter this process as the worker of the hosts, all or none.

    Args:
        silent_s: a worker on another machine that was silent for so long is taken to be gone.
        limits: what it is allowed.

    Raises:
        WorkerBusy: another living worker serves one of them; the message names it.
    """
    limits = dict(limits or {})
    since, heirs = now, set()
    with ledger.write() as session:
        for host in hosts:
            other = session.get(Row, host)
            if other is not None and is_alive(other, now, silent_s):
                raise WorkerBusy(
                    f"host {host} is served by the worker with pid {other.pid} on {other.machine}: "
                    "stop that one first, or let it do the work"
                )
            if other is not None:
                heirs.add(host)
                if other.limits == limits and other.counts_since is not None:
                    since = min(since, other.counts_since)
        for host in hosts:
            session.merge(
                Row(
                    host=host,
                    owner=owner,
                    machine=platform.node(),
                    pid=os.getpid(),
                    process_started_at=started_at(psutil.Process()),
                    heartbeat_at=now,
                    limits=limits,
                    counts_since=since,
                )
            )
        session.execute(delete(Standstill).where(Standstill.host.in_(hosts)))
    return Registration(counts_since=since, heirs=frozenset(heirs))


def beat(ledger: Ledger, owner: str, now: datetime) -> None:
    """Say that this worker lives."""
    with ledger.write() as session:
        session.execute(update(Row).where(Row.owner == owner).values(heartbeat_at=now))


def unregister(ledger: Ledger, owner: str, now: datetime | None, *, keep_reasons: bool = False) -> None:
    """Take this process out, and note that the hosts had a worker until now.

    Args:
        now: None for a process that was in a worker's place and no worker.
        keep_reasons: why nothing starts holds on without it.
    """
    with ledger.write() as session:
        if not keep_reasons:
            mine = select(Row.host).where(Row.owner == owner)
            session.execute(delete(Standstill).where(Standstill.host.in_(mine)))
        if now is not None:
            for host in session.scalars(select(Row.host).where(Row.owner == owner)):
                session.merge(Heartbeat(host=host, at=now))
        session.execute(delete(Row).where(Row.owner == owner))


def tell(ledger: Ledger, host: str, refusal: Refusal | None, now: datetime) -> None:
    """Note why nothing starts on a host, or that something may."""
    with ledger.write() as session:
        if refusal is None:
            session.execute(delete(Standstill).where(Standstill.host == host))
        else:
            row = session.get(Standstill, host)
            since_at = row.since_at if row is not None and row.reason == refusal.reason else now
            values = {"reason": refusal.reason, "since_at": since_at, "until_at": refusal.until_at}
            session.merge(Standstill(host=host, **values))


def present(ledger: Ledger, *, silent_s: float, now: datetime) -> tuple[dict[str, Presence], list[Presence]]:
    """The workers that live, by host, and those that are entered and do not."""
    living, gone = {}, []
    with ledger.read() as session:
        for row in session.scalars(select(Row).order_by(Row.host)):
            found = Presence(host=row.host, owner=row.owner, machine=row.machine, pid=row.pid)
            if is_alive(row, now, silent_s):
                living[row.host] = found
            else:
                gone.append(found)
    return living, gone


def serving(ledger: Ledger, host: str, *, silent_s: float, now: datetime) -> int | None:
    """The pid of the living worker of a host, or None."""
    with ledger.read() as session:
        other = session.scalar(select(Row).where(Row.host == host))
        return other.pid if other is not None and is_alive(other, now, silent_s) else None
