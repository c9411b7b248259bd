"""Prompts: text, negative text, clip and their own default parameters."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, func, or_, select
from sqlalchemy.orm import Session

from cosmosq import clips
from cosmosq.db import Ledger
from cosmosq.engines.assignment import check_all
from cosmosq.engines.parameter import Value
from cosmosq.engines.spec import SpecContents, parse
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Clip, Job, Prompt, UpsampleOrder, Upsampling
from cosmosq.paths import Workspace
from cosmosq.spelling import nearest
from cosmosq.videos import probe


@dataclass(frozen=True, kw_only=True)
class PromptRecord:
    """A prompt as it is recorded."""

    id: str
    name: str | None
    text: str
    negative_text: str | None
    clip: str
    parameters: Mapping[str, Value]
    upsampled: bool
    original_id: str | None
    created_at: datetime
    notes: tuple[str, ...] = ()
    """What an import left out; not recorded."""

    @property
    def own_values(self) -> dict[str, Value]:
        """Its parameters, the negative text among them."""
        return own_values(self.negative_text, self.parameters)

    def as_json(self) -> dict[str, Any]:
        """Fields by name, times in ISO 8601."""
        return {**asdict(self), "parameters": dict(self.parameters), "created_at": self.created_at.isoformat()}


def own_values(negative_text: str | None, parameters: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters that jobs of a prompt have unless they are told otherwise."""
    own = {} if negative_text is None else {"negative_prompt": negative_text}
    return {**own, **parameters}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A prompt that is not yet recorded."""

    text: str
    clip: str
    name: str | None = None
    negative_text: str | None = None
    parameters: Mapping[str, object] | None = None


def add(ledger: Ledger, drafts: Sequence[Draft], now: datetime) -> list[PromptRecord]:
    """Record prompts, all or none; a prompt with the same contents is returned as it is.

    Raises:
        InvalidInput: empty text, a parameter that is not allowed, or a name that is taken.
        NotFound: no such clip.
    """
    with ledger.write() as session:
        return record(session, drafts, now)


def record(session: Session, drafts: Sequence[Draft], now: datetime) -> list[PromptRecord]:
    """Like `add`, within a transaction of the caller."""
    checked = [_check(draft) for draft in drafts]
    clip_ids = {row.name: row.id for row in session.execute(select(Clip.name, Clip.id))}
    # A microsecond apart: the order of a file is the order of the night.
    times = (now + timedelta(microseconds=number) for number in range(len(checked)))
    return [_add_one(session, draft, clip_ids, at) for draft, at in zip(checked, times, strict=True)]


def _check(draft: Draft) -> Draft:
    for what, text in (("the text", draft.text), ("the negative text", draft.negative_text), ("the name", draft.name)):
        if text is not None:
            check_text(what, text)
    if draft.name is not None and not _is_name(draft.name):
        raise InvalidInput(f"{draft.name[:60]} is no name for a prompt: one line, at most 200 characters, not ps_…")
    return Draft(**{**asdict(draft), "parameters": check_all(draft.parameters or {})})


def _is_name(name: str) -> bool:
    # `ps_…` would be taken for an id.
    return len(name) <= 200 and "\n" not in name and not name.startswith("ps_")


def check_text(what: str, text: str) -> None:
    """Refuse what can be no text of a prompt.

    Raises:
        InvalidInput: it is empty, or cannot be stored.
    """
    if not text.strip():
        raise InvalidInput(
            f"{what} of a prompt is empty: the guardrail would block it; write what the video should show"
        )
    if "\x00" in text:
        raise InvalidInput(f"{what} of a prompt holds a NUL byte: remove it")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} of a prompt is not valid UTF-8: save it as UTF-8") from error


def _add_one(session: Session, draft: Draft, clip_ids: Mapping[str, int], now: datetime) -> PromptRecord:
    if draft.clip not in clip_ids:
        raise NotFound(f"{draft.clip} is no clip{nearest(draft.clip, clip_ids)}: `cosmosq clip list` shows them")
    prompt_id = content_id(draft)
    prompt = session.get(Prompt, prompt_id)
    if prompt is None:
        owner = session.scalar(select(Prompt.id).where(Prompt.name == draft.name)) if draft.name else None
        if owner:
            raise InvalidInput(f"the name {draft.name} is taken by {owner}: choose another with --name")
        prompt = Prompt(
            id=prompt_id,
            name=draft.name,
            text=draft.text,
            negative_text=draft.negative_text,
            clip_id=clip_ids[draft.clip],
            parameters=dict(draft.parameters or {}),
            upsampled=False,
            created_at=now,
        )
        session.add(prompt)
        session.flush()
    return _record(prompt, draft.clip)


def content_id(draft: Draft) -> str:
    """`ps_` and the first 12 hex digits of the contents' sha256."""
    contents = [draft.text, draft.negative_text, draft.clip, draft.parameters or {}]
    text = json.dumps(contents, ensure_ascii=False, sort_keys=True)
    return f"ps_{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _record(prompt: Prompt, clip: str) -> PromptRecord:
    return PromptRecord(
        id=prompt.id,
        name=prompt.name,
        text=prompt.text,
        negative_text=prompt.negative_text,
        clip=clip,
        parameters=prompt.parameters,
        upsampled=prompt.upsampled,
        original_id=prompt.original_id,
        created_at=prompt.created_at,
    )


@dataclass(frozen=True, kw_only=True)
class _Import:
    """A controlnet spec that can be imported: its contents, and its videos by role."""

    path: Path
    contents: SpecContents
    inputs: Mapping[str, Path]


def import_specs(
    ledger: Ledger, workspace: Workspace, paths: Sequence[Path], *, root: Path | None, now: datetime
) -> list[PromptRecord]:
    """Record what controlnet specs ask for as prompts, their videos as clips; nothing unless all can be read.

    Args:
        paths: the JSON files that transfer.py would take.
        root: folder below which the videos named in it are looked for; by default the spec's own folder, the ones
            above it and the current one.

    Raises:
        NotFound: a spec or a video in it does not exist; the message names it.
        InvalidInput: a spec is not one, or names a file that is no video.
    """
    read = [_read_spec(path, root) for path in paths]
    return [_record_import(ledger, workspace, one, now) for one in read]


def _read_spec(path: Path, root: Path | None) -> _Import:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"no such spec: {path}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error
    contents = parse(text, source=str(path))
    check_text("the text", contents.text)
    inputs = {role: _find(written, path, root) for role, written in contents.inputs.items()}
    if not inputs:
        raise InvalidInput(f"{path} names no video: give it an input_video_path")
    for video in inputs.values():
        probe(video)
    return _Import(path=path, contents=contents, inputs=inputs)


def _record_import(ledger: Ledger, workspace: Workspace, read: _Import, now: datetime) -> PromptRecord:
    path, contents = read.path, read.contents
    values = dict(contents.values)
    negative = values.pop("negative_prompt", None)
    clip = clips.add_or_find(ledger, workspace, path.stem, read.inputs, now=now)
    draft = Draft(
        text=contents.text,
        negative_text=None if negative is None else str(negative),
        clip=clip,
        name=_free_name(ledger, path.stem),
        parameters=values,
    )
    record = add(ledger, [draft], now)[0]
    return PromptRecord(**{**{f: getattr(record, f) for f in record.__dataclass_fields__}, "notes": contents.notes})


def _find(written: str, spec: Path, root: Path | None) -> Path:
    """NVIDIA's specs name videos relative to the checkout; people keep them elsewhere."""
    named = Path(written)
    if root is not None:
        places = [root / named, root / named.name]
    else:
        spec = spec.absolute()
        places = [*(folder / named for folder in spec.parents), Path.cwd() / named]
    for place in places:
        if place.is_file():
            return place
    raise NotFound(f"{spec}: the video {written} is missing: put it there or name its folder with --root")


def _free_name(ledger: Ledger, stem: str) -> str | None:
    with ledger.read() as session:
        taken = session.scalar(select(Prompt.id).where(Prompt.name == stem)) is not None
    return None if taken or not _is_name(stem) else stem


def get(ledger: Ledger, reference: str) -> PromptRecord:
    """The prompt of that id, unambiguous beginning of an id, or name.

    Raises:
        NotFound: there is none.
        InvalidInput: the beginning fits several.
    """
    with ledger.read() as session:
        return resolve(session, reference)


def resolve(session: Session, reference: str) -> PromptRecord:
    """Like `get`, within a transaction of the caller."""
    exact = or_(Prompt.id == reference, Prompt.name == reference)
    found = session.execute(_select().where(exact)).all()
    if not found and reference.startswith("ps_") and len(reference) > 3:
        found = session.execute(_select().where(Prompt.id.startswith(reference, autoescape=True))).all()
    if len(found) > 1:
        raise InvalidInput(f"{reference} fits {len(found)} prompts: give more of the id")
    if not found:
        names = session.scalars(select(func.coalesce(Prompt.name, Prompt.id))).all()
        raise NotFound(f"{reference} is no prompt{nearest(reference, names)}: `cosmosq prompt list` shows them")
    return _record(*_row(found[0]))


def _select() -> Any:
    return select(Prompt, Clip.name).join(Clip, Clip.id == Prompt.clip_id)


def _row(row: Row[Prompt, str]) -> tuple[Prompt, str]:
    return row[0], row[1]


def resolve_all(session: Session, references: Sequence[str] | None) -> list[PromptRecord]:
    """The prompts that are named; None stands for all, oldest first."""
    if references is not None:
        return [resolve(session, reference) for reference in references]
    rows = session.execute(_select().order_by(Prompt.created_at, Prompt.id)).all()
    return [_record(*_row(row)) for row in rows]


def list_prompts(ledger: Ledger) -> list[PromptRecord]:
    """All prompts, oldest first."""
    with ledger.read() as session:
        return resolve_all(session, None)


def remove(ledger: Ledger, references: Sequence[str]) -> list[PromptRecord]:
    """Forget prompts that no job uses, all or none; returns what they were.

    Raises:
        InvalidInput: a job uses one.
    """
    removed = []
    with ledger.write() as session:
        for reference in references:
            record = resolve(session, reference)
            removed.append(record)
            job = session.scalar(select(Job.id).where(Job.prompt_id == record.id).limit(1))
            if job is not None:
                raise InvalidInput(f"{reference} is used by job {job}: remove its jobs first")
            made_by = session.scalar(select(UpsampleOrder.job_id).where(UpsampleOrder.result_id == record.id).limit(1))
            if made_by is not None:
                raise InvalidInput(f"{reference} is what job {made_by} made: remove that job first")
            longer = session.scalar(select(Prompt.id).where(Prompt.original_id == record.id).limit(1))
            if longer is not None:
                raise InvalidInput(f"{reference} is the original of {longer}: remove that one first")
            session.execute(delete(Upsampling).where(Upsampling.prompt_id == record.id))
            session.delete(session.get_one(Prompt, record.id))
            session.flush()
    return removed
