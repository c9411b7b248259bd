"""Exported jobs into this workspace: the record and its video, so that it is seen, compared and made again here."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import clips, enqueue, jobs, parcels, prompts
from cosmosq.db import Ledger, insert_rows
from cosmosq.engines.assignment import digest_of
from cosmosq.engines.engine import get_engine
from cosmosq.errors import InvalidInput
from cosmosq.exports import NAMES
from cosmosq.files import part_of, publish, sha256_of, sync_folder, writing
from cosmosq.models import Artifact, Attempt, Job, JobInput, JobLabel, ParameterSet, Prompt
from cosmosq.moves import record
from cosmosq.parcels import Parcel
from cosmosq.paths import Workspace
from cosmosq.prompts import Draft
from cosmosq.status import Phase, Status
from cosmosq.wishes import Wish

HOST = "imported"
"""Stands for the host, so that nothing here is forecast from a machine that is elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of one folder."""

    folder: str
    id: int
    new: bool
    """False: the same video of the same job is here already."""


def import_all(ledger: Ledger, workspace: Workspace, folders: Sequence[Path], *, now: datetime) -> list[Imported]:
    """Record the jobs of exported folders, or of all below a folder; nothing unless every folder is in order.

    Raises:
        NotFound: there is no such folder, or no export in it.
        InvalidInput: a manifest or a file is not what an export makes.
        StorageFailed: this workspace cannot be written.
    """
    read = [parcels.read(each) for folder in folders for each in parcels.find(folder)]
    return [_import(ledger, workspace, parcel, now) for parcel in read]


def _import(ledger: Ledger, workspace: Workspace, parcel: Parcel, now: datetime) -> Imported:
    with ledger.read() as session:
        if there := _same(session, parcel):
            return Imported(folder=str(parcel.folder), id=there, new=False)
    inputs = {role: (each.sha256, _keep(workspace, each)) for role, each in parcel.inputs.items()}
    paths = {role: path for role, (_, path) in inputs.items()}
    clip = clips.add_or_find(ledger, workspace, parcel.clip, paths, now=now)
    draft = Draft(text=parcel.text, clip=clip, negative_text=parcel.negative_text, parameters=parcel.own_parameters)
    pinned = {role: (sha256, str(path)) for role, (sha256, path) in inputs.items()}
    wish = Wish(prompt_id=prompts.content_id(draft), kind=parcel.kind, values=parcel.values, inputs=pinned)
    digest = wish.digest(parcel.engine)
    with writing(workspace.outputs_path):
        workspace.outputs_path.mkdir(parents=True, exist_ok=True)
        arrivals = Path(mkdtemp(dir=workspace.outputs_path, prefix=".importing-"))
    landed: Path | None = None
    try:
        _bring(parcel, arrivals)
        with ledger.write() as session:
            if there := _same(session, parcel):
                return Imported(folder=str(parcel.folder), id=there, new=False)
            name = _free_name(session, parcel.prompt_name)
            prompts.record(session, [replace(draft, name=name)], now)
            job_id = _record(session, parcel, wish, digest, now)
            final = workspace.job_folder(now.astimezone(), job_id, name or parcel.text)
            _record_attempt(session, workspace, parcel, job_id, final, now)
            # Before the commit: what the ledger names is there.
            _land(arrivals, final)
            landed = final
    except BaseException:
        if landed is not None:
            shutil.rmtree(landed, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(arrivals, ignore_errors=True)
    return Imported(folder=str(parcel.folder), id=job_id, new=True)


def _keep(workspace: Workspace, file: parcels.File) -> Path:
    """The input where this workspace keeps videos of its own, by its contents."""
    target = workspace.videos_path / f"{file.sha256}.mp4"
    if not target.is_file() or sha256_of(target) != file.sha256:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = part_of(target)
            try:
                shutil.copyfile(file.path, part)
                file.check(part)
                publish(part, target)
            finally:
                with suppress(OSError):
                    part.unlink()
    return target


def _bring(parcel: Parcel, arrivals: Path) -> None:
    with writing(arrivals):
        for kind, file in parcel.artifacts.items():
            shutil.copyfile(file.path, arrivals / NAMES[kind])
            # What was checked before may be another one by now.
            file.check(arrivals / NAMES[kind])
        arrivals.chmod(0o755)


def _land(arrivals: Path, final: Path) -> None:
    with writing(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists() or final.is_symlink():
            # The ledger may be an older copy, which gives ids anew.
            raise InvalidInput(f"{final} is there already: move it away")
        arrivals.rename(final)
        sync_folder(final.parent)


def _same(session: Session, parcel: Parcel) -> int | None:
    """The job that made this very video with these parameters, whatever its clip is called here."""
    statement = (
        select(Job.id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .join(Attempt, Attempt.job_id == Job.id)
        .join(Artifact, Artifact.attempt_id == Attempt.id)
        .where(Job.status == Status.SUCCEEDED, ParameterSet.digest == digest_of(parcel.values))
        .where(Artifact.sha256 == parcel.artifacts["video"].sha256, Artifact.pruned_at.is_(None))
    )
    return session.scalar(statement.limit(1))


def _free_name(session: Session, name: str | None) -> str | None:
    if name is None or name.startswith("ps_"):
        return None
    return None if session.scalar(select(Prompt.id).where(Prompt.name == name)) else name


def _record(session: Session, parcel: Parcel, wish: Wish, digest: str, now: datetime) -> int:
    (set_id,) = enqueue.parameter_sets(session, [wish]).values()
    row = {
        "status": Status.SUCCEEDED,
        "kind": wish.kind,
        "prompt_id": wish.prompt_id,
        "parameter_set_id": set_id,
        "engine": parcel.engine,
        "host": HOST,
        "digest": digest,
        "session_key": wish.model(parcel.engine),
        "attempt": 1,
        "started_at": parcel.started_at,
        "ended_at": parcel.ended_at,
    }
    (job_id,) = jobs.add(session, [row], now)
    insert_rows(session, JobInput, enqueue.input_rows([(job_id, wish)]))
    session.add_all(JobLabel(job_id=job_id, key=key, value=value) for key, value in parcel.labels.items())
    record(session, "imported", now, job_id=job_id, **parcel.origin)
    return job_id


def _record_attempt(
    session: Session,
    workspace: Workspace,
    parcel: Parcel,
    job_id: int,
    folder: Path,
    now: datetime,
) -> None:
    simulated = get_engine(parcel.engine).simulated
    attempt = Attempt(
        job_id=job_id,
        number=1,
        status=Status.SUCCEEDED,
        phase=Phase.RECORDING,
        phase_at=parcel.ended_at,
        host=HOST,
        simulated=simulated,
        generate_s=parcel.generate_s,
        started_at=parcel.started_at,
        ended_at=parcel.ended_at,
        **{f"{phase}_s": parcel.seconds.get(phase, 0.0) for phase in Phase},
    )
    session.add(attempt)
    session.flush()
    for kind, file in parcel.artifacts.items():
        path = workspace.relative(folder / NAMES[kind])
        shown = asdict(parcel.shown) if kind == "video" else {}
        told = {"path": path, "sha256": file.sha256, "bytes": file.bytes, **shown}
        session.add(Artifact(attempt_id=attempt.id, kind=kind, simulated=simulated, created_at=now, **told))
    session.flush()
