"""Removing result files of this workspace that are old enough; the ledger keeps what they were."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from cosmosq.db import Ledger
from cosmosq.files import sha256_of, writing
from cosmosq.models import Artifact, Attempt, ClipVideo, Dependency, Job, JobInput, Rating
from cosmosq.moves import record
from cosmosq.paths import Workspace
from cosmosq.status import ENDED, Need

_VERDICT = "pick"


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """A file or folder that is removed, or is left where it is although its time has come."""

    place: str
    """`outputs`, or the name of a host."""
    kind: str
    """`video`, `prompt`, `spec` or `log` of a job; `session`, `input` or `control` on a host."""
    path: str
    job_id: int | None = None
    bytes: int = 0
    kept: str | None = None
    """Why it stays; None if it goes."""


def prune(
    ledger: Ledger, workspace: Workspace, *, before: datetime, keep_rated: bool, now: datetime, dry_run: bool = False
) -> list[Leaving]:
    """Remove the files of jobs that ended before then, but for those that are still needed.

    Only what the ledger names, lies below outputs/ and is the very file that came home is removed.

    Args:
        keep_rated: keep those of jobs with stars, or that were picked.
        dry_run: say what would be done, and do nothing.
    """
    found = []
    for job_id in _old(ledger, before, keep_rated):
        leavings = _look(ledger, workspace, job_id)
        if not dry_run:
            leavings = _remove(ledger, workspace, job_id, leavings, before, keep_rated, now)
        found += leavings
    return found


def needed_videos(session: Session) -> set[str]:
    """Hashes of the videos that jobs which have not ended are made of."""
    waiting = select(Job.id).where(Job.status.not_in(ENDED))
    pinned = select(JobInput.sha256).where(JobInput.job_id.in_(waiting))
    made = (
        select(Artifact.sha256)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .join(Dependency, Dependency.depends_on_id == Attempt.job_id)
        .where(Dependency.job_id.in_(waiting), Dependency.need == Need.RESULT, Artifact.kind == "video")
    )
    return {*session.scalars(pinned), *session.scalars(made)}


def _old(ledger: Ledger, before: datetime, keep_rated: bool) -> list[int]:
    there = exists().where(Artifact.attempt_id == Attempt.id, Attempt.job_id == Job.id, Artifact.pruned_at.is_(None))
    with ledger.read() as session:
        return list(session.scalars(select(Job.id).where(there, _is_due(before, keep_rated)).order_by(Job.id)))


def _is_due(before: datetime, keep_rated: bool) -> ColumnElement[bool]:
    waiting = aliased(Job)
    needed = exists().where(
        Dependency.depends_on_id == Job.id,
        Dependency.need == Need.RESULT,
        waiting.id == Dependency.job_id,
        waiting.status.not_in(ENDED),
    )
    parts = [Job.status.in_(ENDED), Job.ended_at < before, ~needed]
    if keep_rated:
        liked = or_(Rating.stars.is_not(None), Rating.verdict == _VERDICT)
        parts.append(~exists().where(Rating.job_id == Job.id, liked))
    return and_(*parts)


def _look(ledger: Ledger, workspace: Workspace, job_id: int) -> list[Leaving]:
    """What a job left, each file compared with what came home."""
    with ledger.read() as session:
        used = {*needed_videos(session), *session.scalars(select(ClipVideo.sha256))}
        rows = [(row.kind, row.path, row.sha256, row.bytes) for row in _files(session, job_id)]
    found = []
    for kind, path, sha256, size in rows:
        kept = "a clip or a waiting job uses it" if sha256 in used else _why_not_ours(workspace, path, sha256)
        found.append(Leaving(place="outputs", kind=kind, path=path, job_id=job_id, bytes=size, kept=kept))
    return found


def _files(session: Session, job_id: int) -> Iterator[Artifact]:
    statement = (
        select(Artifact)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .where(Attempt.job_id == job_id, Artifact.pruned_at.is_(None))
        .order_by(Artifact.id)
    )
    yield from session.scalars(statement)


def _why_not_ours(workspace: Workspace, path: str, sha256: str) -> str | None:
    local = workspace.root / path
    if not local.resolve().is_relative_to(workspace.outputs_path.resolve()):
        return "it lies outside of outputs/"
    if local.is_symlink() or (local.exists() and (not local.is_file() or sha256_of(local) != sha256)):
        return "it is not the file that came home"
    return None


def _remove(
    ledger: Ledger,
    workspace: Workspace,
    job_id: int,
    leavings: list[Leaving],
    before: datetime,
    keep_rated: bool,
    now: datetime,
) -> list[Leaving]:
    """File and row in one transaction, in which nobody can ask for the job's result."""
    going = [each for each in leavings if each.kept is None]
    with ledger.write() as session:
        if session.scalar(select(Job.id).where(Job.id == job_id, _is_due(before, keep_rated))) is None:
            return []
        for each in going:
            with writing(workspace.root / each.path):
                (workspace.root / each.path).unlink(missing_ok=True)
        if going:
            attempts = select(Attempt.id).where(Attempt.job_id == job_id)
            gone = (Artifact.attempt_id.in_(attempts), Artifact.path.in_([each.path for each in going]))
            pruned = update(Artifact).where(*gone).values(pruned_at=now)
            session.execute(pruned, execution_options={"synchronize_session": False})
            record(session, "pruned", now, job_id=job_id, files=len(going), bytes=sum(each.bytes for each in going))
    _tidy(workspace, {(workspace.root / each.path).parent for each in going})
    return leavings


def _tidy(workspace: Workspace, folders: Collection[Path]) -> None:
    """Remove folders that are empty now; whatever else lies in one keeps it."""
    for folder in folders:
        while folder != workspace.outputs_path and folder.is_relative_to(workspace.outputs_path):
            try:
                folder.rmdir()
            except OSError:
                break
            folder = folder.parent
