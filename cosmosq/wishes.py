"""What jobs are asked to be: prompts and parameters as wishes, checked and not yet recorded."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import prompts, upsampling
from cosmosq.db import Ledger
from cosmosq.engines.assignment import (
    check_all,
    check_combination,
    complete,
    digest_of,
    hints_of,
    in_one_spelling,
    kind_of,
    relevant,
)
from cosmosq.engines.engine import key_digest, model_digest, upsampling_key
from cosmosq.engines.parameter import Values
from cosmosq.engines.upsampling import Request
from cosmosq.errors import InvalidInput
from cosmosq.models import Clip, ClipVideo, Video
from cosmosq.status import Kind

_NO_VALUES = complete(Kind.UPSAMPLE)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """One job that is asked for, checked and not yet recorded."""

    prompt_id: str
    kind: Kind
    values: Values
    inputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """(sha256, path) by role."""
    source_job_id: int | None = None
    """The job whose result is upscaled."""
    upsample: Request | None = None
    """What an upsampling is asked; for any other job, that its prompt is made longer first."""

    @cached_property
    def set_digest(self) -> str:
        """Digest of its parameter set."""
        return digest_of(self.values)

    @cached_property
    def _relevant_digest(self) -> str:
        told = relevant(self.values, self.inputs)
        return self.set_digest if told is self.values else digest_of(told)

    def model(self, engine: str) -> str:
        """Digest of what must be loaded for it."""
        if self.kind == Kind.UPSAMPLE:
            return key_digest(upsampling_key(engine))
        return model_digest(engine, self.values)

    def digest(self, engine: str) -> str:
        """Hex sha256 shared by jobs that would make the same video."""
        contents = {role: sha256 for role, (sha256, _) in self.inputs.items()}
        told: list[Any] = [self.prompt_id, self.kind, engine, contents, self._relevant_digest, self.source_job_id]
        if self.upsample is not None:
            told.append(self.upsample.as_json())
        return hashlib.sha256(in_one_spelling(told).encode()).hexdigest()

    @property
    def upsampling(self) -> "Wish | None":
        """The job that makes its prompt longer, if it waits for one."""
        if self.upsample is None or self.kind == Kind.UPSAMPLE:
            return None
        return upsampling_of(self.prompt_id, self.inputs, self.upsample)


def upsampling_of(prompt_id: str, inputs: Mapping[str, tuple[str, str]], asked: Request) -> Wish:
    """The wish for a longer prompt; the same for the same prompt, video and request."""
    shown = {"input": inputs["input"]}
    return Wish(prompt_id=prompt_id, kind=Kind.UPSAMPLE, values=_NO_VALUES, inputs=shown, upsample=asked)


def wishes_for(
    ledger: Ledger,
    references: Sequence[str] | None,
    overrides: Mapping[str, object],
    upsample: Request | None = None,
) -> list[Wish]:
    """One wish a prompt: its own parameters, then `overrides` over them; None means every prompt.

    Args:
        upsample: make each prompt longer first; then None means every prompt that was not.

    Raises:
        NotFound: no such prompt.
        InvalidInput: a parameter or a combination that is not allowed, or a prompt that cannot be upsampled.
    """
    given = check_all(overrides)
    with ledger.read() as session:
        records = prompts.resolve_all(session, references)
        if upsample is not None and references is None:
            records = [record for record in records if not record.upsampled]
        clip_inputs = {clip: inputs_of(session, clip) for clip in {record.clip for record in records}}
        if upsample is not None:
            for record in records:
                upsampling.check(session, record, clip_inputs[record.clip], upsample)
    wishes = [_wish(record, given, clip_inputs[record.clip]) for record in records]
    return [replace(wish, upsample=upsample) for wish in wishes] if upsample is not None else wishes


def inputs_of(session: Session, clip: str) -> dict[str, tuple[str, str]]:
    """(sha256, path) of a clip's videos by role."""
    statement = (
        select(ClipVideo.role, Video.sha256, Video.path)
        .join(Clip, Clip.id == ClipVideo.clip_id)
        .join(Video, Video.sha256 == ClipVideo.sha256)
        .where(Clip.name == clip)
    )
    return {role: (sha256, path) for role, sha256, path in session.execute(statement)}


def _wish(record: prompts.PromptRecord, given: Values, inputs: Mapping[str, tuple[str, str]]) -> Wish:
    merged = {**record.own_values, **given}
    values = complete(kind_of(merged), merged)
    try:
        check_combination(values, inputs)
    except InvalidInput as error:
        raise InvalidInput(f"prompt {record.name or record.id}: {error}") from error
    return wish_of(record.id, values, inputs)


def wish_of(prompt_id: str, values: Values, inputs: Mapping[str, tuple[str, str]]) -> Wish:
    """The wish for a job with these values, with those of the inputs that it uses."""
    used = {role: inputs[role] for role in ("input", *hints_of(values)) if role in inputs}
    return Wish(prompt_id=prompt_id, kind=kind_of(values), values=values, inputs=used)
