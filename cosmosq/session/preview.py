"""How a host in command mode would group the jobs that are queued for it. Reads only; no host is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import select

from cosmosq.config import HostConfig
from cosmosq.db import Ledger
from cosmosq.engines.batches import plan
from cosmosq.models import Job
from cosmosq.paths import Workspace
from cosmosq.report.query import Filter
from cosmosq.session.order import read_order
from cosmosq.status import Kind

_ROOT = PurePosixPath("/")
"""Any will do: paths count only in so far as they are there."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """Jobs that one process of the engine would make."""

    jobs: tuple[int, ...]
    batch_size: int
    """How many would be generated at once, at most."""
    reason: str
    """Why they are not in an earlier group; empty for the first."""


def preview(ledger: Ledger, workspace: Workspace, host: HostConfig, which: Filter) -> list[Planned]:
    """The groups if all these jobs lay in the inbox together, in the order in which they would be made."""
    with ledger.read() as session:
        # As the worker claims them.
        ids: Sequence[int] = session.scalars(
            select(Job.id)
            .where(which.condition, Job.host == host.name, Job.kind != Kind.UPSAMPLE)
            .order_by(Job.priority.desc(), Job.position, Job.id)
        ).all()
        specs = [read_order(session, workspace, job_id).spec_under(_ROOT) for job_id in ids]
    return [
        Planned(jobs=tuple(ids[number] for number in batch.members), batch_size=batch.batch_size, reason=batch.reason)
        for batch in plan(specs, host.largest_batch)
    ]
