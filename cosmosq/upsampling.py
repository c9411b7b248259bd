"""Longer prompts in the ledger: what came of an original, and how it was made."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from cosmosq import prompts
from cosmosq.db import Ledger
from cosmosq.engines.upsampling import Preview, Request, preview
from cosmosq.errors import InvalidInput
from cosmosq.models import Clip, Dependency, Job, Prompt, UpsampleOrder, Upsampling, Video
from cosmosq.status import Kind, Need


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the upsampler made of a prompt."""

    text: str
    model: str
    frames: tuple[int, ...]
    width: int
    height: int
    tokens: int
    upsample_s: float


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a longer prompt was made."""

    original_id: str
    original_text: str
    job_id: int
    model: str
    frames: str
    width: int
    height: int
    tokens: int
    upsample_s: float
    simulated: bool

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


def check(
    session: Session, record: prompts.PromptRecord, inputs: Mapping[str, tuple[str, str]], asked: Request
) -> Preview:
    """What will be sent for a prompt.

    Args:
        inputs: (sha256, path) of its clip's videos by role.

    Raises:
        InvalidInput: the prompt is a longer one already, too long, or has no video or not these frames.
    """
    name = record.name or record.id
    if record.upsampled:
        raise InvalidInput(f"prompt {name} was upsampled already: name its original, {record.original_id}")
    if "input" not in inputs:
        raise InvalidInput(f"prompt {name}: its clip has no input video to show to the upsampler: add one")
    video = session.get_one(Video, inputs["input"][0])
    try:
        return preview(record.text, asked, width=video.width, height=video.height, length=video.frames)
    except InvalidInput as error:
        raise InvalidInput(f"prompt {name}: {error}") from error


def keep(session: Session, job_id: int, answer: Answer, *, simulated: bool, now: datetime) -> str:
    """Record the longer prompt of a job, and that it is the job's; returns its id. Twice is as good as once.

    It has clip, negative text and parameters of the original. An answer that is a prompt already stays as it is.
    """
    original = session.get_one(Prompt, session.get_one(Job, job_id).prompt_id)
    draft = prompts.Draft(
        text=answer.text,
        clip=session.get_one(Clip, original.clip_id).name,
        negative_text=original.negative_text,
        parameters=original.parameters,
    )
    is_new = session.get(Prompt, prompts.content_id(draft)) is None
    made = session.get_one(Prompt, prompts.record(session, [draft], now)[0].id)
    if is_new:
        made.upsampled, made.original_id = True, original.id
        told = {**asdict(answer), "frames": ",".join(map(str, answer.frames))}
        del told["text"]
        session.add(Upsampling(prompt_id=made.id, job_id=job_id, simulated=simulated, created_at=now, **told))
    session.get_one(UpsampleOrder, job_id).result_id = made.id
    session.flush()
    return made.id


def made(ledger: Ledger, prompt_id: str) -> Made | None:
    """How this prompt was made; None if a person wrote it."""
    original = aliased(Prompt)
    statement = (
        select(Upsampling, original.id, original.text)
        .join(Prompt, Prompt.id == Upsampling.prompt_id)
        .join(original, original.id == Prompt.original_id)
        .where(Upsampling.prompt_id == prompt_id)
    )
    with ledger.read() as session:
        row = session.execute(statement).first()
        if row is None:
            return None
        kept, original_id, text = row
        told = {name: getattr(kept, name) for name in Made.__dataclass_fields__ if hasattr(kept, name)}
        return Made(original_id=original_id, original_text=text, **told)


def results(ledger: Ledger, job_ids: Sequence[int]) -> dict[int, str]:
    """Ids of the longer prompts by the jobs that made them."""
    statement = select(UpsampleOrder.job_id, UpsampleOrder.result_id).where(UpsampleOrder.result_id.is_not(None))
    with ledger.read() as session:
        wanted = set(job_ids)
        return {job_id: result for job_id, result in session.execute(statement) if job_id in wanted and result}


def prompt_of(session: Session, job_id: int) -> Prompt:
    """The prompt whose text a job is made with: the longer one where it waits for that, or where its source did."""
    job = session.get_one(Job, job_id)
    made_of = (Dependency.job_id == job_id, Dependency.need == Need.RESULT)
    for source_id in session.scalars(select(Dependency.depends_on_id).where(*made_of)):
        source = session.get_one(Job, source_id)
        if source.kind == Kind.UPSAMPLE:
            result_id = session.get_one(UpsampleOrder, source_id).result_id
            # Before it is there nobody is made with it.
            return session.get_one(Prompt, result_id or job.prompt_id)
        if job.kind == Kind.UPSCALE:
            return prompt_of(session, source_id)
    return session.get_one(Prompt, job.prompt_id)
