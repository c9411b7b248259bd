"""Tickets and jobs that have lost one another."""

from collections.abc import Iterator

from sqlalchemy import select

from cosmosq import pauses
from cosmosq.models import Job
from cosmosq.recovery.scene import Case, Finding, Scene
from cosmosq.status import Status
from cosmosq.waiting import eligible


def find_lost(scene: Scene) -> Iterator[Finding]:
    """Hosts whose queued jobs have no ticket; one is enough to wake it, and a living worker looks for itself."""
    ringing = set(scene.queue.tickets().values())
    for host in scene.hosts:
        if host in scene.living or pauses.why_not(scene.ledger, host, scene.now) is not None:
            continue
        with scene.ledger.read() as session:
            ids = session.scalars(select(Job.id).where(eligible(host, now=scene.now)).order_by(Job.id)).all()
        if ids and not ringing.intersection(ids):
            what = f"job {ids[0]} is queued" if len(ids) == 1 else f"{len(ids)} jobs are queued, the first is {ids[0]}"
            yield Finding(what=f"{what}, and no ticket rings for the host", host=host, key=ids[0])


def ring(scene: Scene, finding: Finding) -> None:
    scene.queue.ring([finding.key])


def find_stale(scene: Scene) -> Iterator[Finding]:
    """Tickets of jobs that are not queued; a living worker takes them away, the last ones when it ends."""
    if scene.living and scene.adopt is None:
        return
    tickets = scene.queue.tickets()
    with scene.ledger.read() as session:
        queued = set(session.scalars(select(Job.id).where(Job.status == Status.QUEUED)))
    stale = [number for number, job_id in tickets.items() if job_id not in queued]
    if stale:
        count = f"{len(stale)} tickets are of jobs that are" if len(stale) > 1 else "a ticket is of a job that is"
        yield Finding(what=f"{count} not queued", host=None, key=stale)


def drop(scene: Scene, finding: Finding) -> None:
    scene.queue.drop(finding.key)


LOST = Case(name="lost_ticket", find=find_lost, mend=ring, remedy="a ticket is put there")
STALE = Case(name="stale_ticket", find=find_stale, mend=drop, remedy="dropped")
