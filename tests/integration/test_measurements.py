"""What is compared with what, as the ledger tells."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import measurements
from cosmosq.db import Ledger
from cosmosq.models import Artifact, Attempt, Dependency, Job, JobInput, Video
from cosmosq.status import Kind, Need
from tests.ledger_rows import NOW, make_ended_job


def _of(session: Session, path: str) -> Job:
    """A job that has ended, made of the file at `path`."""
    job = make_ended_job(session)
    sha256 = f"{job.id:064}"
    facts = {"bytes": 1, "width": 64, "height": 36, "fps": 24.0, "frames": 9, "duration_s": 0.375}
    session.add(Video(sha256=sha256, path=path, created_at=NOW, **facts))
    session.flush()
    session.add(JobInput(job_id=job.id, role="input", sha256=sha256, path=path))
    return job


def _upscale(session: Session, source: Job, *others: Job, seed: int = 1) -> Job:
    """An upscale of `source` that waits for the others too, as `enqueue --upscale ID --after IDS` makes it."""
    job = make_ended_job(session, kind=Kind.UPSCALE, parameters={"seed": seed})
    session.add(Dependency(job_id=job.id, depends_on_id=source.id, need=Need.RESULT))
    session.add_all(Dependency(job_id=job.id, depends_on_id=other.id, need=Need.SUCCESS) for other in others)
    session.flush()
    return job


def _video(session: Session, job: Job) -> int:
    return session.scalars(select(Artifact.id).join(Attempt).where(Attempt.job_id == job.id)).one()


def test_an_upscale_is_compared_with_what_its_source_was_made_of_whatever_else_it_waited_for(ledger: Ledger) -> None:
    with ledger.write() as session:
        source, other = _of(session, "own.mp4"), _of(session, "another.mp4")
        upscale = _upscale(session, source, other)
        assert measurements.subject(session, _video(session, upscale)).sources["input"].path == "own.mp4"


def test_seeds_are_alike_whatever_else_one_of_them_waited_for(ledger: Ledger) -> None:
    with ledger.write() as session:
        source, other = _of(session, "own.mp4"), _of(session, "another.mp4")
        first, second = _upscale(session, source), _upscale(session, source, other, seed=2)
        found = measurements.siblings(session, first.id)
        assert {seed: job_id for seed, (_, job_id) in found.items()} == {1: first.id, 2: second.id}
