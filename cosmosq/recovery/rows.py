"""Rows of the ledger that contradict one another."""

from collections.abc import Iterator

from sqlalchemy import and_, func, or_, select

from cosmosq import claims
from cosmosq.models import Attempt, Job
from cosmosq.moves import cancel_dependents, hopeless, move, touch
from cosmosq.recovery.scene import Case, Finding, Scene
from cosmosq.status import Status

_NEWEST = and_(Attempt.job_id == Job.id, Attempt.number == Job.attempt)


def find_hopeless(scene: Scene) -> Iterator[Finding]:
    with scene.ledger.read() as session:
        rows = session.execute(hopeless().where(Job.host.in_(scene.hosts))).all()
    for job_id, host, needed in rows:
        yield Finding(what=f"job {job_id} waits for job {needed}, which did not succeed", host=host, key=needed)


def cancel(scene: Scene, finding: Finding) -> None:
    with scene.ledger.write() as session:
        cancel_dependents(session, finding.key, scene.now)


def find_without_attempt(scene: Scene) -> Iterator[Finding]:
    running = (Job.status == Status.RUNNING, Job.host.in_(scene.hosts))
    lacking = or_(Attempt.id.is_(None), Attempt.status != Status.RUNNING)
    statement = select(Job.id, Job.host).outerjoin(Attempt, _NEWEST).where(*running, lacking)
    with scene.ledger.read() as session:
        rows = session.execute(statement).all()
    for job_id, host in rows:
        yield Finding(what=f"job {job_id} is running, and none of its attempts is", host=host, key=job_id)


def settle(scene: Scene, finding: Finding) -> None:
    """The job gets the ending of its attempt; without one it is queued again."""
    with scene.ledger.write() as session:
        job = session.get_one(Job, finding.key)
        attempt = session.scalar(select(Attempt).where(Attempt.job_id == job.id, Attempt.number == job.attempt))
        if job.status != Status.RUNNING or (attempt is not None and attempt.status == Status.RUNNING):
            return
        if attempt is None:
            newest = session.scalar(select(func.max(Attempt.number)).where(Attempt.job_id == job.id)) or 0
            move(session, job.id, Status.QUEUED, scene.now, attempt=newest, lease_owner=None)
        else:
            told = {"error": attempt.error, "message": attempt.message, "ended_at": attempt.ended_at or scene.now}
            move(session, job.id, Status(attempt.status), scene.now, **told, lease_owner=None)


def find_loose_attempts(scene: Scene) -> Iterator[Finding]:
    loose = or_(Job.status != Status.RUNNING, Attempt.number != Job.attempt)
    statement = select(Attempt.id, Job.id, Attempt.number, Job.host).join(Job, Job.id == Attempt.job_id)
    with scene.ledger.read() as session:
        rows = session.execute(
            statement.where(Attempt.status == Status.RUNNING, loose, Job.host.in_(scene.hosts))
        ).all()
    for attempt_id, job_id, number, host in rows:
        what = f"attempt {number} of job {job_id} is running, and the job is not in it"
        yield Finding(what=what, host=host, key=attempt_id)


def end_attempt(scene: Scene, finding: Finding) -> None:
    with scene.ledger.write() as session:
        claims.end_loose(session, finding.key, scene.now)


def find_stray_leases(scene: Scene) -> Iterator[Finding]:
    stray = (Job.status != Status.RUNNING, Job.lease_owner.is_not(None), Job.host.in_(scene.hosts))
    with scene.ledger.read() as session:
        rows = session.execute(select(Job.id, Job.status, Job.host).where(*stray)).all()
    for job_id, status, host in rows:
        yield Finding(what=f"job {job_id} is {status} under a lease", host=host, key=job_id)


def release(scene: Scene, finding: Finding) -> None:
    with scene.ledger.write() as session:
        touch(session, finding.key, Job.status != Status.RUNNING, lease_owner=None)


HOPELESS = Case(name="hopeless", find=find_hopeless, mend=cancel, remedy="cancelled")
NO_ATTEMPT = Case(name="no_attempt", find=find_without_attempt, mend=settle, remedy="ended as its attempt, or queued")
LOOSE_ATTEMPT = Case(name="loose_attempt", find=find_loose_attempts, mend=end_attempt, remedy="the attempt is ended")
STRAY_LEASE = Case(name="stray_lease", find=find_stray_leases, mend=release, remedy="the lease is taken away")
