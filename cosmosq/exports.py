"""A job as a folder that stands for itself: its video, what it was made of, and how to make it again."""

import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import __version__, job_inputs, prompts, upsampling
from cosmosq.db import Ledger
from cosmosq.engines.assignment import differences, overrides, settings, values_of
from cosmosq.engines.parameter import Value, Values
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of, sync_folder, write_whole, writing
from cosmosq.models import (
    REVISION,
    Artifact,
    Attempt,
    EngineSession,
    Job,
    JobLabel,
    ParameterSet,
    Prompt,
)
from cosmosq.paths import Workspace, slug
from cosmosq.prompts import PromptRecord
from cosmosq.status import Kind, Status

MANIFEST = "manifest.json"
FORMAT = "cosmosq export"
VERSION = 1
TEXT = "text.txt"
NAMES = {"video": "output.mp4", "prompt": "prompt.txt", "spec": "spec.json", "log": "log.txt"}
"""File in the folder by kind of artifact."""


@dataclass(frozen=True, kw_only=True)
class _Parcel:
    """One job's folder before it is written."""

    name: str
    manifest: dict[str, Any]
    sources: Mapping[str, tuple[Path, str]]
    """(file, sha256) by path in the folder."""
    text: str


def export(ledger: Ledger, workspace: Workspace, ids: Sequence[int], folder: Path, *, now: datetime) -> list[Path]:
    """Write a folder for each job below `folder`, all or none; returns their paths.

    Raises:
        NotFound: no such job.
        InvalidInput: a job has no video, a file is not what it was, or there is such a folder already.
        StorageFailed: `folder` cannot be written.
    """
    with ledger.read() as session:
        parcels = [_parcel(session, workspace, job_id, now) for job_id in dict.fromkeys(ids)]
    targets = [folder / parcel.name for parcel in parcels]
    for target in targets:
        if target.exists() or target.is_symlink():
            raise InvalidInput(f"{target} is there already: move it away, or export to another folder")
    parts = [target.with_name(f".{target.name}.part") for target in targets]
    try:
        for parcel, part in zip(parcels, parts, strict=True):
            _write(parcel, part)
        for part, target in zip(parts, targets, strict=True):
            part.rename(target)
        sync_folder(folder)
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)
    return targets


def _write(parcel: _Parcel, part: Path) -> None:
    with writing(part):
        shutil.rmtree(part, ignore_errors=True)
        files = []
        for name, (source, sha256) in parcel.sources.items():
            target = part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not source.is_file():
                raise InvalidInput(f"{source} is missing: put it back, or enqueue the job --again")
            shutil.copyfile(source, target)
            if sha256_of(target) != sha256:
                raise InvalidInput(f"{source} is not the file that it was: put the old one back")
            files.append({"path": name, "sha256": sha256, "bytes": target.stat().st_size})
        # Its end is not part of the text when it is read back.
        write_whole(part / TEXT, f"{parcel.text}\n".encode())
        files.append({"path": TEXT, "sha256": sha256_of(part / TEXT), "bytes": (part / TEXT).stat().st_size})
        document = json.dumps({**parcel.manifest, "files": files}, ensure_ascii=False, indent=2, default=_as_text)
        write_whole(part / MANIFEST, document.encode())


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


# What is told of a job


def _parcel(session: Session, workspace: Workspace, job_id: int, now: datetime) -> _Parcel:
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
    if job.status != Status.SUCCEEDED or job.kind == Kind.UPSAMPLE:
        what = "makes a prompt" if job.kind == Kind.UPSAMPLE else f"is {job.status}"
        raise InvalidInput(f"job {job_id} {what} and has no video: export those that have one")
    attempt = session.scalars(select(Attempt).where(Attempt.job_id == job_id, Attempt.number == job.attempt)).one()
    artifacts = {
        row.kind: row
        for row in session.scalars(select(Artifact).where(Artifact.attempt_id == attempt.id))
        if row.kind in NAMES and row.pruned_at is None
    }
    if "video" not in artifacts:
        raise InvalidInput(f"the video of job {job_id} was pruned: `cosmosq enqueue --again` makes it anew")
    used = upsampling.prompt_of(session, job_id)
    prompt = prompts.resolve(session, used.id)
    asked = session.get_one(Prompt, job.prompt_id)
    values = _values(session, job)
    inputs = {each.role: (each.sha256, each.path) for each in job_inputs.inputs_of(session, workspace, job)}
    in_folder = {role: f"inputs/{role}{path.suffix or '.mp4'}" for role, (_, path) in inputs.items()}
    sources = {NAMES[kind]: (workspace.root / row.path, row.sha256) for kind, row in artifacts.items()}
    sources |= {in_folder[role]: (path, sha256) for role, (sha256, path) in inputs.items()}
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": now,
        "cosmosq": __version__,
        "ledger": REVISION,
        "job": {
            **_some(job, "id", "kind", "engine", "host", "digest", "priority", "created_at", "started_at", "ended_at"),
            "labels": dict(
                session.execute(select(JobLabel.key, JobLabel.value).where(JobLabel.job_id == job_id)).all()
            ),
        },
        "prompt": {
            **_some(prompt, "id", "name", "text", "negative_text", "clip"),
            "parameters": dict(prompt.parameters),
            "upsampled_from": asked.text if asked.id != used.id else None,
        },
        "parameters": values,
        "changed": differences(values),
        "inputs": {
            role: {"file": in_folder[role], "sha256": sha256, "path": path} for role, (sha256, path) in inputs.items()
        },
        "artifacts": {kind: NAMES[kind] for kind in artifacts},
        "attempt": _attempt(session, attempt),
        "reproduce": _reproduce(prompt, values, in_folder),
    }
    return _Parcel(
        name=f"{job_id}-{slug(prompt.name or prompt.text)}", manifest=manifest, sources=sources, text=prompt.text
    )


def _some(row: object, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _values(session: Session, job: Job) -> dict[str, Value]:
    row = session.get_one(ParameterSet, job.parameter_set_id)
    return values_of(row)


def _attempt(session: Session, attempt: Attempt) -> dict[str, Any]:
    facts = {c.name: getattr(attempt, c.name) for c in Attempt.__table__.columns if c.name not in ("id", "job_id")}
    served = session.get(EngineSession, attempt.session_id) if attempt.session_id else None
    told = _some(served, "id", "scripts_digest", "key", "load_s") if served is not None else None
    return {**facts, "session": told}


def _reproduce(prompt: PromptRecord, values: Values, in_folder: Mapping[str, str]) -> list[str]:
    """The command lines that ask for the same, from within the folder."""
    over = overrides(prompt.own_values, values)
    name = prompt.name or prompt.id
    add = ["prompt", "add", f"@{TEXT}", "--clip", prompt.clip, *(["--name", prompt.name] if prompt.name else [])]
    add += [] if prompt.negative_text is None else [f"--negative={prompt.negative_text}"]
    lines = (
        ["clip", "add", prompt.clip, *(f"{role}={path}" for role, path in in_folder.items())],
        [*add, *settings(prompt.parameters)],
        ["enqueue", name, *settings(over)],
    )
    return [shlex.join(["cosmosq", *words]) for words in lines]
