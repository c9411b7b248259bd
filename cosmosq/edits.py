"""Changing what a waiting job is asked: other parameters, another prompt, priority and labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cosmosq import enqueue, offloading, prompts
from cosmosq.db import Ledger, insert_rows
from cosmosq.engines.assignment import check_all, check_combination, complete, kind_of, overrides, values_of
from cosmosq.engines.parameter import Value, Values
from cosmosq.engines.upsampling import Request
from cosmosq.errors import InvalidInput, MoveRefused, NotFound
from cosmosq.models import (
    Dependency,
    Job,
    JobInput,
    JobLabel,
    ParameterSet,
    Sweep,
    Trial,
    TrialJob,
    UpsampleOrder,
)
from cosmosq.moves import record, touch
from cosmosq.status import WAITING, Kind, Need, Status
from cosmosq.wishes import Wish, inputs_of, wish_of


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What is to be another; None and empty for what stays."""

    parameters: Mapping[str, object]
    prompt: str | None = None
    priority: int | None = None
    labels: Mapping[str, str]

    @property
    def is_about_the_video(self) -> bool:
        """Whether another video will come of it."""
        return bool(self.parameters) or self.prompt is not None


def edit(ledger: Ledger, ids: Sequence[int], wanted: Edit, *, again: bool = False, now: datetime) -> list[int]:
    """Change waiting jobs, all or none; returns the ids of those that are different now.

    Args:
        again: also if another job is then the same.

    Raises:
        NotFound: no such job or prompt.
        MoveRefused: a job does not wait any more.
        InvalidInput: a parameter or a combination that is not allowed, a job whose video is not its own to choose, or
            one that would be the same as another.
    """
    given = check_all(wanted.parameters)
    with ledger.write() as session:
        return [job_id for job_id in dict.fromkeys(ids) if _edit(session, job_id, wanted, given, again, now)]


def _edit(session: Session, job_id: int, wanted: Edit, given: Values, again: bool, now: datetime) -> bool:
    job = session.get(Job, job_id)
    if job is None:
        raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
    if job.status not in WAITING:
        remedy = f": `cosmosq hold {job_id}` first, if it has not begun" if job.status == Status.RUNNING else ""
        raise MoveRefused(f"job {job_id} is {job.status} and cannot be edited: only what waits can{remedy}")
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if wanted.is_about_the_video:
        before, after = _edit_video(session, job, wanted.prompt, given, again)
    if wanted.priority not in (None, job.priority):
        before["priority"], after["priority"] = job.priority, wanted.priority
        touch(session, job_id, priority=wanted.priority)
    _edit_labels(session, job_id, wanted.labels, before, after)
    if after:
        record(session, "edited", now, job_id=job_id, before=before, after=after)
    return bool(after)


def _edit_labels(
    session: Session, job_id: int, labels: Mapping[str, str], before: dict[str, Any], after: dict[str, Any]
) -> None:
    there = dict(session.execute(select(JobLabel.key, JobLabel.value).where(JobLabel.job_id == job_id)).all())
    for key, value in labels.items():
        if there.get(key) != value:
            before[f"label {key}"], after[f"label {key}"] = there.get(key), value
            session.merge(JobLabel(job_id=job_id, key=key, value=value))


def _edit_video(
    session: Session, job: Job, prompt: str | None, given: Values, again: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the job another wish; what of it was otherwise and is now."""
    _refuse_trial(session, job.id)
    old = _values_of(session, job)
    wish = _wish(session, job, old, prompt, given)
    digest = wish.digest(job.engine)
    if digest == job.digest:
        return {}, {}
    _refuse_same(session, job.id, digest, again)
    changed = [name for name in old if old[name] != wish.values[name]]
    before: dict[str, Any] = {name: old[name] for name in changed}
    after: dict[str, Any] = {name: wish.values[name] for name in changed}
    if wish.prompt_id != job.prompt_id:
        before["prompt"], after["prompt"] = job.prompt_id, wish.prompt_id
    (set_id,) = enqueue.parameter_sets(session, [wish]).values()
    values = {"prompt_id": wish.prompt_id, "parameter_set_id": set_id, "digest": digest}
    model = wish.model(job.engine)
    touch(session, job.id, session_key=offloading.needed(session, job.host).get(model, model), **values)
    session.execute(delete(JobInput).where(JobInput.job_id == job.id))
    insert_rows(session, JobInput, enqueue.input_rows([(job.id, wish)]))
    return before, after


def _refuse_trial(session: Session, job_id: int) -> None:
    trial = (
        select(Sweep.name, Trial.number)
        .join_from(TrialJob, Trial, Trial.id == TrialJob.trial_id)
        .join(Sweep, Sweep.id == Trial.sweep_id)
        .where(TrialJob.job_id == job_id)
    )
    if found := session.execute(trial).first():
        raise InvalidInput(
            f"job {job_id} is trial {found.number} of sweep {found.name}, which would not tell the truth any more: "
            "cancel it, and enqueue what you want by itself"
        )


def _refuse_same(session: Session, job_id: int, digest: str, again: bool) -> None:
    same = select(Job.id, Job.status).where(Job.digest == digest, Job.id != job_id).order_by(Job.id.desc())
    if not again and (other := session.execute(same).first()):
        raise InvalidInput(
            f"job {job_id} would be the same as job {other.id}, which is {other.status}: give --again to want both"
        )


def _values_of(session: Session, job: Job) -> dict[str, Value]:
    row = session.get_one(ParameterSet, job.parameter_set_id)
    return values_of(row)


def _wish(session: Session, job: Job, old: Values, prompt: str | None, given: Values) -> Wish:
    if job.kind == Kind.UPSAMPLE:
        raise InvalidInput(f"job {job.id} makes a prompt longer, by its prompt alone: cancel it and ask for another")
    source = session.execute(
        select(Dependency.depends_on_id, UpsampleOrder)
        .outerjoin(UpsampleOrder, UpsampleOrder.job_id == Dependency.depends_on_id)
        .where(Dependency.job_id == job.id, Dependency.need == Need.RESULT)
    ).first()
    if prompt is not None and source is not None:
        raise InvalidInput(f"job {job.id} is made of what job {source[0]} makes of its prompt: enqueue it anew")
    found = prompts.resolve(session, prompt if prompt is not None else job.prompt_id)
    values = {**_over(session, job, old, found), **given}
    pinned = {row.role: (row.sha256, row.path) for row in _inputs(session, job.id)}
    try:
        if kind_of(values) != job.kind:
            raise InvalidInput(f"it is of kind {job.kind} and would be of kind {kind_of(values)}: enqueue that anew")
        if job.kind == Kind.UPSCALE:
            check_combination(values, {"input"})
            wish = Wish(prompt_id=found.id, kind=Kind.UPSCALE, values=values, inputs=pinned)
            return replace(wish, source_job_id=source[0] if source else None)
        clip = inputs_of(session, found.clip)
        # What was pinned stays, also where the clip has other videos by now.
        inputs = clip if found.id != job.prompt_id else {**clip, **pinned}
        check_combination(values, inputs)
    except InvalidInput as error:
        raise InvalidInput(f"job {job.id}: {error}") from error
    wish = wish_of(found.id, values, inputs)
    asked = source[1] if source else None
    if asked is None:
        return wish
    return replace(wish, upsample=Request(frames=asked.frames, max_size=asked.max_size, variant=asked.variant))


def _over(session: Session, job: Job, old: Values, prompt: prompts.PromptRecord) -> Values:
    """All values, with what was asked over the parameters of the old prompt laid over those of the new one."""
    if prompt.id == job.prompt_id:
        return old
    asked = overrides(prompts.resolve(session, job.prompt_id).own_values, old)
    return complete(Kind(job.kind), prompt.own_values, asked)


def _inputs(session: Session, job_id: int) -> Sequence[JobInput]:
    return session.scalars(select(JobInput).where(JobInput.job_id == job_id)).all()
