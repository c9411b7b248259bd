"""Looking for what an end without a word has left behind, from outside a worker."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from cosmosq.config import Config
from cosmosq.db import Ledger
from cosmosq.errors import StaleClaim, WorkerBusy
from cosmosq.models import Attempt, Job, Worker
from cosmosq.paths import Workspace
from cosmosq.queue import Queue
from cosmosq.recovery.scene import Case, Finding, Scene, Seen
from cosmosq.recovery.table import look
from cosmosq.session import remote
from cosmosq.session.site import Site
from cosmosq.status import Status
from cosmosq.worker import registry


@dataclass(frozen=True, kw_only=True)
class Found:
    """One finding as `cosmosq doctor` tells it."""

    case: str
    host: str | None
    what: str
    remedy: str
    fixed: bool
    left_to: str | None
    """Who sees to it instead: a living worker."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def scene_of(
    workspace: Workspace, ledger: Ledger, config: Config, queue: Queue, *, now: datetime, sessions: Sequence[Seen] = ()
) -> Scene:
    """The workspace as whoever is no worker sees it."""
    living, gone = registry.present(ledger, silent_s=config.lease_s, now=now)
    with ledger.read() as session:
        recorded = {*session.scalars(select(Job.host).distinct()), *session.scalars(select(Worker.host))}
    hosts = sorted({*config.hosts, *recorded})
    return Scene(
        workspace=workspace,
        ledger=ledger,
        queue=queue,
        hosts=hosts,
        now=now,
        living=living,
        gone=gone,
        sessions=sessions,
    )


def ask(site: Site) -> Iterator[Seen]:
    """The sessions of a host of which no end is recorded, as the host answers for them.

    Raises:
        Unreachable: it does not answer.
        HostFailed: its answer makes no sense.
    """
    with site.ledger.read() as session:
        needed = set(session.scalars(select(Attempt.session_id).where(Attempt.status == Status.RUNNING)))
    for found in remote.unended(site):
        state = remote.state_of(site, found)
        yield Seen(
            id=found.id,
            host=site.host.name,
            state=state,
            is_needed=found.id in needed,
            end=lambda found=found: _end(site, found),  # type: ignore[misc]
        )


def _end(site: Site, found: remote.RemoteSession) -> None:
    if (state := remote.state_of(site, found)) == "running":
        remote.close(site, found)
    else:
        remote.record_end(site, found, state)


def examine(scene: Scene, *, fix: bool) -> Iterator[Found]:
    """All that is found; with `fix`, what no living worker sees to is mended at once."""
    for case, finding in look(scene):
        worker = _worker_for(scene, finding)
        fixed = fix and worker is None and _mended(scene, case, finding)
        yield Found(
            case=case.name,
            host=finding.host,
            what=finding.what,
            remedy=case.remedy,
            fixed=fixed,
            left_to=worker,
        )


def _worker_for(scene: Scene, finding: Finding) -> str | None:
    present = scene.living.get(finding.host) if finding.host is not None else None
    return f"the worker with pid {present.pid}" if present else None


def _mended(scene: Scene, case: Case, finding: Finding) -> bool:
    try:
        case.mend(scene, finding)
    except StaleClaim:
        # Somebody was faster, which is as good.
        return False
    return True


@contextmanager
def in_place_of_a_worker(ledger: Ledger, hosts: Iterable[str], *, silent_s: float, now: datetime) -> Iterator[bool]:
    """Keep workers from starting on these hosts meanwhile; whether that could be had."""
    owner = registry.new_owner()
    try:
        registry.register(ledger, list(hosts), owner, silent_s=silent_s, now=now)
    except WorkerBusy:
        yield False
        return
    try:
        yield True
    finally:
        registry.unregister(ledger, owner, None)
