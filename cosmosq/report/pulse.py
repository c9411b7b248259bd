"""Whether somebody works on a host's jobs, and since when nobody does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.liveness import is_alive
from cosmosq.models import Heartbeat, Worker


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """The worker of a host, now."""

    host: str
    worker: str
    """`alive`, `silent` (its process is there and has said nothing for `lease_s`) or `none`."""
    worker_pid: int | None
    worker_machine: str | None
    heartbeat_at: datetime | None
    """When a worker of the host was last known to live; null: there was none yet."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name, without the host."""
        return {name: value for name, value in vars(self).items() if name != "host"}


def pulses(
    session: Session, hosts: Iterable[str], *, served: bool = False, silent_s: float, now: datetime
) -> list[Pulse]:
    """One for each of the hosts, in their order.

    Args:
        served: also for each that a worker has entered itself for, living or not, by name.
        silent_s: a worker is expected to say something so often.
    """
    rows = {worker.host: worker for worker in session.scalars(select(Worker))}
    left = {beat.host: beat.at for beat in session.scalars(select(Heartbeat))}
    found = []
    for host in sorted({*hosts, *rows}) if served else hosts:
        worker = rows.get(host)
        if worker is not None and is_alive(worker, now, silent_s):
            silent = now - worker.heartbeat_at > timedelta(seconds=silent_s)
            pulse = Pulse(
                host=host,
                worker="silent" if silent else "alive",
                worker_pid=worker.pid,
                worker_machine=worker.machine,
                heartbeat_at=worker.heartbeat_at,
            )
        else:
            # A worker that was killed has left its row, and its last heartbeat in it.
            at = worker.heartbeat_at if worker is not None else left.get(host)
            pulse = Pulse(host=host, worker="none", worker_pid=None, worker_machine=None, heartbeat_at=at)
        found.append(pulse)
    return found
