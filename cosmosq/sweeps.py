"""Sweeps in the ledger: recorded in one transaction, extended later."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cosmosq import enqueue, prompts
from cosmosq.config import HostConfig
from cosmosq.db import Ledger, add_rows, insert_rows
from cosmosq.dependencies import After
from cosmosq.enqueue import Enqueued
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Job, Sweep, Trial, TrialJob
from cosmosq.plan import MOST_JOBS, Plan, contents_of, plan
from cosmosq.spelling import nearest
from cosmosq.sweep.definition import Definition
from cosmosq.sweep.document import document_of, read
from cosmosq.sweep.node import Node


def record(
    ledger: Ledger,
    host: HostConfig,
    planned: Plan,
    *,
    text: str,
    now: datetime,
    priority: int = 0,
    labels: Mapping[str, str] | None = None,
    again: bool = False,
    held: bool = False,
    after: After | None = None,
    due_at: datetime | None = None,
    beside: enqueue.Beside | None = None,
) -> list[Enqueued]:
    """Record a planned sweep with its trials and jobs, all or none; jobs that are there already become part of it.

    Args:
        text: the file as it was, or what stands for it.
        due_at, beside: as of `enqueue.enqueue`.
    """
    with ledger.write() as session:
        prompts.record(session, planned.drafts, now)
        answers = enqueue.record(
            session,
            host,
            [job.wish for job in planned.jobs],
            now=now,
            priority=priority,
            labels=labels,
            again=again,
            held=held,
            after=after,
            due_at=due_at,
            digests=[job.digest for job in planned.jobs],
        )
        sweep_id = _record_sweep(session, planned, host.name, text, now)
        ids = _record_trials(session, sweep_id, planned.trials)
        _record_jobs(session, [(ids[job.assignment], a.id) for job, a in zip(planned.jobs, answers, strict=True)])
        if beside is not None:
            beside(session, now)
    return answers


def _record_sweep(session: Session, planned: Plan, host: str, text: str, now: datetime) -> int:
    definition = planned.definition
    sweep = session.scalar(select(Sweep).where(Sweep.name == planned.name))
    drawn = planned.drawn
    if sweep is None:
        sweep = Sweep(name=planned.name, created_at=now)
        session.add(sweep)
    else:
        old = _definition_of(sweep)
        if contents_of(old) == contents_of(definition):
            merged = tuple(dict.fromkeys((*(old.prompts or ()), *(definition.prompts or ()))))
            if sweep.drawn is None or (drawn is not None and drawn <= sweep.drawn):
                # Fewer than there are, and run_cap decides how a sequence of hypercubes goes on.
                definition, drawn = old, sweep.drawn
            definition = replace(definition, prompts=merged)
    sweep.method, sweep.sweep_seed, sweep.drawn = definition.method, definition.sweep_seed, drawn
    sweep.host, sweep.text, sweep.definition, sweep.changed_at = host, text, document_of(definition), now
    session.flush()
    return sweep.id


def _definition_of(sweep: Sweep) -> Definition:
    return read(Node(value=sweep.definition))


def _record_trials(session: Session, sweep_id: int, assignments: Iterable[str]) -> dict[str, int]:
    """Ids of a sweep's trials by assignment; those that are new get the next numbers."""
    rows = session.execute(select(Trial.assignment, Trial.id).where(Trial.sweep_id == sweep_id))
    found = dict(rows.all())
    last = session.scalar(select(func.max(Trial.number)).where(Trial.sweep_id == sweep_id)) or 0
    new = [assignment for assignment in assignments if assignment not in found]
    values = [{"sweep_id": sweep_id, "number": last + n, "assignment": a} for n, a in enumerate(new, start=1)]
    found.update(zip(new, add_rows(session, Trial, values), strict=True))
    return found


def _record_jobs(session: Session, pairs: Sequence[tuple[int, int]]) -> None:
    if not pairs:
        return
    trial_ids = {trial_id for trial_id, _ in pairs}
    first, last = min(trial_ids), max(trial_ids)
    there = set(
        session.execute(select(TrialJob.trial_id, TrialJob.job_id).where(TrialJob.trial_id.between(first, last)))
    )
    new = [pair for pair in dict.fromkeys(pairs) if pair not in there]
    insert_rows(session, TrialJob, ({"trial_id": trial_id, "job_id": job_id} for trial_id, job_id in new))


@dataclass(frozen=True, kw_only=True)
class Extension:
    """Further trials of a sweep, planned."""

    plan: Plan
    host: str
    text: str


def extension(
    ledger: Ledger, hosts: Callable[[str], HostConfig], name: str, count: int, *, most: int | None = MOST_JOBS
) -> Extension:
    """Plan `count` further trials of a recorded sweep: those that its sequence goes on with.

    Raises:
        NotFound: no such sweep, or its host is gone from the settings.
        InvalidInput: it has no further ones.
    """
    with ledger.read() as session:
        sweep = get(session, name)
        statement = (
            select(Trial.assignment, Job.prompt_id)
            .outerjoin(TrialJob, TrialJob.trial_id == Trial.id)
            .outerjoin(Job, Job.id == TrialJob.job_id)
            .where(Trial.sweep_id == sweep.id)
        )
        there = frozenset((assignment, prompt_id) for assignment, prompt_id in session.execute(statement))
    if sweep.drawn is None:
        raise InvalidInput(f"{name} has all of its trials: add values to its file and enqueue that again")
    definition = _definition_of(sweep)
    try:
        planned = plan(
            ledger,
            hosts(sweep.host),
            replace(definition, name=name),
            drawn=sweep.drawn + count,
            without=there,
            fresh=count,
            most=most,
        )
    except InvalidInput as error:
        raise InvalidInput(f"{name} cannot be extended by {count}: {error}") from error
    return Extension(plan=planned, host=sweep.host, text=sweep.text)


def get(session: Session, name: str) -> Sweep:
    """The sweep of that name.

    Raises:
        NotFound: there is none.
    """
    sweep = session.scalar(select(Sweep).where(Sweep.name == name))
    if sweep is None:
        names = session.scalars(select(Sweep.name)).all()
        raise NotFound(f"{name} is no sweep{nearest(name, names)}: `cosmosq sweep list` shows them")
    return sweep
