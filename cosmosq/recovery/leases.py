"""Workers that are gone, and the jobs and sessions that they have left."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import and_, delete, select

from cosmosq import claims
from cosmosq.claims import Claim
from cosmosq.models import Attempt, Job, Worker
from cosmosq.moves import touch
from cosmosq.recovery.scene import Case, Finding, Scene
from cosmosq.status import Status


def find_gone(scene: Scene) -> Iterator[Finding]:
    for each in scene.gone:
        yield Finding(what=f"the worker with pid {each.pid} on {each.machine} is gone", host=each.host, key=each)


def take_out(scene: Scene, finding: Finding) -> None:
    with scene.ledger.write() as session:
        session.execute(delete(Worker).where(Worker.host == finding.key.host, Worker.owner == finding.key.owner))


def _running(scene: Scene) -> list[tuple[Any, Claim]]:
    """Running jobs that no living worker holds."""
    newest = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)
    columns = (Job.id, Job.host, Job.lease_owner, Attempt.number, Attempt.id.label("attempt_id"), Attempt.session_id)
    running = (Job.status == Status.RUNNING, Job.host.in_(scene.hosts), Attempt.status == Status.RUNNING)
    with scene.ledger.read() as session:
        rows = session.execute(select(*columns).join(Attempt, newest).where(*running).order_by(Attempt.id)).all()
    found = []
    for row in rows:
        worker = scene.living.get(row.host)
        # Nobody's jobs are the next worker's, but if there is one it ought to have taken them.
        if row.lease_owner != (worker.owner if worker else None):
            owner = row.lease_owner or ""
            claim = Claim(job_id=row.id, attempt_id=row.attempt_id, number=row.number, owner=owner, host=row.host)
            found.append((row, claim))
    return found


def find_unsent(scene: Scene) -> Iterator[Finding]:
    for row, claim in _running(scene):
        if row.session_id is None and claim.owner:
            yield Finding(what=f"job {row.id} was claimed by a worker that is gone", host=row.host, key=claim)


def give_back(scene: Scene, finding: Finding) -> None:
    claims.give_back(scene.ledger, finding.key, "its worker was gone", scene.now)


def find_orphans(scene: Scene) -> Iterator[Finding]:
    for row, claim in _running(scene):
        if row.session_id is not None or not claim.owner:
            yield Finding(what=f"job {row.id} runs, and no living worker follows it", host=row.host, key=claim)


def hand_over(scene: Scene, finding: Finding) -> None:
    """To the worker that looks, else to the next one: only a worker may ask the session."""
    claim: Claim = finding.key
    if scene.adopt is not None:
        scene.adopt(claim.host)
        return
    with scene.ledger.write() as session:
        held = (Job.status == Status.RUNNING, Job.attempt == claim.number, Job.lease_owner == claim.owner)
        touch(session, claim.job_id, *held, lease_owner=None)


def find_idle_sessions(scene: Scene) -> Iterator[Finding]:
    for seen in scene.sessions:
        if seen.state == "running" and not seen.is_needed and seen.host not in scene.living:
            yield Finding(what=f"session {seen.id} lives, and no job needs it", host=seen.host, key=seen)


def find_ended_sessions(scene: Scene) -> Iterator[Finding]:
    for seen in scene.sessions:
        if seen.state != "running" and seen.host not in scene.living:
            yield Finding(what=f"session {seen.id} is open in the ledger and {seen.state}", host=seen.host, key=seen)


def end(_: Scene, finding: Finding) -> None:
    finding.key.end()


GONE = Case(name="worker_gone", find=find_gone, mend=take_out, remedy="its entry is taken out")
UNSENT = Case(name="unsent", find=find_unsent, mend=give_back, remedy="given back to the queue")
ORPHANED = Case(name="orphaned", find=find_orphans, mend=hand_over, remedy="handed over to the next worker")
IDLE = Case(name="idle_session", find=find_idle_sessions, mend=end, remedy="closed", is_slow=True)
ENDED = Case(name="ended_session", find=find_ended_sessions, mend=end, remedy="its end is recorded", is_slow=True)
