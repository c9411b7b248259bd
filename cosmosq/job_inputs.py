"""The videos that a job is made of, pinned by their hashes."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.errors import InvalidInput
from cosmosq.files import sha256_of
from cosmosq.models import Artifact, Attempt, Dependency, Job, JobInput
from cosmosq.paths import Workspace
from cosmosq.status import Kind, Need, Status


class InputChanged(InvalidInput):
    """An input is not the file that was enqueued any more."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One of them."""

    role: str
    sha256: str
    path: Path

    def verify(self) -> None:
        """Refuse a file that changed since it was enqueued.

        Raises:
            InputChanged: it is missing or has other contents; names the file.
        """
        if not self.path.is_file():
            raise InputChanged(f"the {self.role} video {self.path} is missing: put it back, then retry the job")
        if sha256_of(self.path) != self.sha256:
            raise InputChanged(
                f"the {self.role} video {self.path} changed after it was enqueued: "
                "put the old one back and retry, or add the clip again and enqueue anew"
            )


def inputs_of(session: Session, workspace: Workspace, job: Job) -> tuple[Input, ...]:
    """By role; of an upscale what its source has made, with an empty hash while that has made nothing."""
    rows = session.scalars(select(JobInput).where(JobInput.job_id == job.id).order_by(JobInput.role)).all()
    if job.kind == Kind.UPSCALE and not rows:
        return (_result_of_source(session, workspace, job.id),)
    return tuple(Input(role=row.role, sha256=row.sha256, path=Path(row.path)) for row in rows)


def _result_of_source(session: Session, workspace: Workspace, job_id: int) -> Input:
    """The newest video of the job that an upscale depends on."""
    statement = (
        select(Artifact.sha256, Artifact.path)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .join(Dependency, Dependency.depends_on_id == Attempt.job_id)
        .where(Dependency.job_id == job_id, Dependency.need == Need.RESULT)
        .where(Artifact.kind == "video", Attempt.status == Status.SUCCEEDED)
        .order_by(Attempt.number.desc())
    )
    sha256, path = session.execute(statement).first() or ("", "")
    return Input(role="input", sha256=sha256, path=workspace.root / path)
