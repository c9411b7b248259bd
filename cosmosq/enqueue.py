"""Turning wishes into queued jobs, in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cosmosq import dependencies, jobs, offloading
from cosmosq.config import HostConfig
from cosmosq.db import Ledger, add_rows, among, insert_rows
from cosmosq.dependencies import After
from cosmosq.engines.assignment import (
    to_columns,
)
from cosmosq.errors import InvalidInput
from cosmosq.models import (
    Dependency,
    Job,
    JobInput,
    JobLabel,
    ParameterSet,
    UpsampleOrder,
)
from cosmosq.status import ENDED, UNSUCCESSFUL, Kind, Status
from cosmosq.wishes import Wish

Beside = Callable[[Session, datetime], None]
"""Records something in the transaction of jobs that are queued now."""


@dataclass(frozen=True, kw_only=True)
class Enqueued:
    """What became of one wish."""

    id: int
    status: str
    prompt_id: str
    kind: str
    host: str
    new: bool
    """False: the same job was there already and nothing was queued."""
    upsample_job_id: int | None = None
    """The job that makes its prompt longer first, if it is new and waits for one."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return dict(vars(self))


def enqueue(
    ledger: Ledger,
    host: HostConfig,
    wishes: Sequence[Wish],
    *,
    now: datetime,
    priority: int = 0,
    labels: Mapping[str, str] | None = None,
    again: bool = False,
    held: bool = False,
    after: After | None = None,
    due_at: datetime | None = None,
    beside: Beside | None = None,
) -> list[Enqueued]:
    """Record the wishes as jobs, all or none; the same job again is skipped unless `again`.

    Args:
        after: what of which jobs they wait for.
        due_at: none of them starts before.
        beside: called at the end of the transaction, for what is to be recorded with the jobs or not at all.

    Raises:
        NotFound: such a job is not there.
        InvalidInput: it has failed already.
    """
    placement = {"priority": priority, "labels": labels, "again": again, "held": held, "after": after, "due_at": due_at}
    with ledger.write() as session:
        answers = record(session, host, wishes, now=now, **cast(Any, placement))
        if beside is not None:
            beside(session, now)
    return answers


def record(
    session: Session,
    host: HostConfig,
    wishes: Sequence[Wish],
    *,
    now: datetime,
    priority: int = 0,
    labels: Mapping[str, str] | None = None,
    again: bool = False,
    held: bool = False,
    after: After | None = None,
    due_at: datetime | None = None,
    digests: Sequence[str] | None = None,
) -> list[Enqueued]:
    """Like `enqueue`, within a transaction of the caller.

    Args:
        digests: of the wishes, where they are known already.

    Raises:
        InvalidInput: the host cannot make one of them.
    """
    check_mode(host, wishes)
    dependencies.check(session, after or {})
    digests = digests or [wish.digest(host.engine) for wish in wishes]
    found = {} if again else known(session, digests)
    fresh: dict[str, Wish] = {}
    for number, (digest, wish) in enumerate(zip(digests, wishes, strict=True)):
        if digest not in found:
            fresh[f"{digest}{number}" if again else digest] = wish
    status = Status.HELD if held else Status.QUEUED
    shared = {"host": host.name, "engine": host.engine, "priority": priority, "status": status, "due_at": due_at}
    sources = _upsamplings(session, host, fresh, now=now, priority=priority, labels=labels, held=held, due_at=due_at)
    ids = _insert(session, fresh, shared, labels or {}, sources, after or {}, now)
    made = dict(zip(fresh, ids, strict=True))
    answers = []
    told: set[str] = set()
    for number, (digest, wish) in enumerate(zip(digests, wishes, strict=True)):
        job_id, known_status = found.get(digest, (0, ""))
        new = not job_id and (again or digest not in told)
        told.add(digest)
        name = f"{digest}{number}" if again else digest
        answers.append(
            Enqueued(
                id=job_id or made[name],
                status=known_status or status,
                prompt_id=wish.prompt_id,
                kind=wish.kind,
                host=host.name,
                new=new,
                upsample_job_id=sources.get(name),
            )
        )
    return answers


def check_mode(host: HostConfig, wishes: Iterable[Wish]) -> None:
    """Refuse what only NVIDIA's command line does on a host that does not run it."""
    if host.mode != "command" and any(wish.values["upsample_prompt"] for wish in wishes):
        raise InvalidInput(
            f'upsample_prompt needs mode = "command", and host {host.name} has {host.mode}: '
            "`--upsample` makes prompts longer in any mode"
        )


def _upsamplings(
    session: Session,
    host: HostConfig,
    wishes: Mapping[str, Wish],
    *,
    priority: int,
    due_at: datetime | None,
    **rest: Any,
) -> dict[str, int]:
    """Ids of the jobs that make the prompts longer, by the name of the wish that waits; those missing are queued."""
    waiting = {name: source for name, wish in wishes.items() if (source := wish.upsampling)}
    if not waiting:
        return {}
    wanted = {wish.digest(host.engine): wish for wish in waiting.values()}
    found = _usable(session, wanted)
    missing = {digest: wish for digest, wish in wanted.items() if digest not in found}
    made = record(
        session, host, list(missing.values()), priority=priority, due_at=due_at, digests=list(missing), **rest
    )
    # Whoever waits for a job must not be kept waiting by those that are less urgent, or wanted later.
    waited_for = (Job.id.in_(found.values()), Job.status.not_in(ENDED))
    later = (Job.failures == 0, Job.due_at > due_at if due_at is not None else Job.due_at.is_not(None))
    for urgent in (
        update(Job).where(*waited_for, Job.priority < priority).values(priority=priority),
        update(Job).where(*waited_for, *later).values(due_at=due_at),
    ):
        session.execute(urgent, execution_options={"synchronize_session": False})
    found.update(zip(missing, (answer.id for answer in made), strict=True))
    return {name: found[wish.digest(host.engine)] for name, wish in waiting.items()}


def _usable(session: Session, wishes: Mapping[str, Wish]) -> dict[str, int]:
    """The upsamplings that have succeeded or may yet, by digest; the newest that has if there is one.

    Raises:
        InvalidInput: all there were of one ended without success.
    """
    found: dict[str, tuple[bool, bool, int, str]] = {}
    rows = select(Job.digest, Job.id, Job.status).where(among(Job.digest, wishes))
    for digest, job_id, status in session.execute(rows):
        rank = (status == Status.SUCCEEDED, status not in UNSUCCESSFUL, job_id, status)
        found[digest] = max(rank, found.get(digest, rank))
    for *_, job_id, status in found.values():
        if status in UNSUCCESSFUL:
            raise InvalidInput(
                f"job {job_id}, which was to upsample the prompt, is {status}: `cosmosq retry {job_id}` first"
            )
    return {digest: job_id for digest, (*_, job_id, _) in found.items()}


def known(session: Session, digests: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Id and status of the newest job by digest, of those that have one."""
    rows = select(Job.digest, Job.id, Job.status).where(among(Job.digest, digests)).order_by(Job.id)
    return {digest: (job_id, status) for digest, job_id, status in session.execute(rows)}


def _insert(
    session: Session,
    wishes: Mapping[str, Wish],
    shared: Mapping[str, Any],
    labels: Mapping[str, str],
    sources: Mapping[str, int],
    after: After,
    now: datetime,
) -> list[int]:
    if not wishes:
        return []
    sets = parameter_sets(session, wishes.values())
    instead = offloading.needed(session, shared["host"])
    rows = [
        {
            **shared,
            "kind": wish.kind,
            "prompt_id": wish.prompt_id,
            "parameter_set_id": sets[wish.set_digest],
            "digest": digest[:64],
            "session_key": instead.get(model := wish.model(shared["engine"]), model),
        }
        for digest, wish in wishes.items()
    ]
    ids = jobs.add(session, rows, now)
    numbered = list(zip(ids, wishes.values(), strict=True))
    insert_rows(session, JobInput, input_rows(numbered))
    insert_rows(
        session,
        Dependency,
        (
            {"job_id": job_id, "depends_on_id": needed, "need": need}
            for job_id, (name, wish) in zip(ids, wishes.items(), strict=True)
            for needed, need in dependencies.needs_of(after, sources.get(name, wish.source_job_id)).items()
        ),
    )
    insert_rows(
        session,
        UpsampleOrder,
        (
            {"job_id": job_id, "result_id": None, **wish.upsample.as_json()}
            for job_id, wish in numbered
            if wish.kind == Kind.UPSAMPLE and wish.upsample is not None
        ),
    )
    insert_rows(
        session,
        JobLabel,
        ({"job_id": job_id, "key": key, "value": value} for job_id in ids for key, value in labels.items()),
    )
    return ids


def input_rows(numbered: Iterable[tuple[int, Wish]]) -> Iterator[dict[str, Any]]:
    """Rows that pin the videos of wishes to their jobs."""
    for job_id, wish in numbered:
        for role, (sha256, path) in wish.inputs.items():
            yield {"job_id": job_id, "role": role, "sha256": sha256, "path": path}


def parameter_sets(session: Session, wishes: Iterable[Wish]) -> dict[str, int]:
    """Ids of the sets by digest; those that are new are inserted."""
    by_digest = {wish.set_digest: wish.values for wish in wishes}
    rows = select(ParameterSet.digest, ParameterSet.id).where(among(ParameterSet.digest, by_digest))
    found: dict[str, int] = dict(session.execute(rows).all())
    missing = [{"digest": d, **to_columns(values)} for d, values in by_digest.items() if d not in found]
    found.update(zip((str(row["digest"]) for row in missing), add_rows(session, ParameterSet, missing), strict=True))
    return found
