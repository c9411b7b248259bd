"""What a sweep would queue: its trials drawn for its prompts, and which of the jobs are there. Nothing is written."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import enqueue, policy, prompts, upsampling
from cosmosq.config import HostConfig
from cosmosq.db import Ledger
from cosmosq.engines.assignment import in_one_spelling
from cosmosq.engines.upsampling import Request
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Sweep
from cosmosq.policy import Waiting
from cosmosq.prompts import Draft, PromptRecord
from cosmosq.status import Status
from cosmosq.sweep.arrangement import arrange
from cosmosq.sweep.axes import cells_of
from cosmosq.sweep.definition import CLIP, PROMPT, UPSAMPLE, Definition
from cosmosq.sweep.document import document_of, read
from cosmosq.sweep.expansion import Base, Expansion, expand
from cosmosq.sweep.expansion import Trial as DrawnTrial
from cosmosq.sweep.node import Node
from cosmosq.sweep.strategies import Assignment
from cosmosq.wishes import Wish, inputs_of, wish_of

MOST_JOBS = 100_000
"""More than that in one sweep must be wanted expressly."""


@dataclass(frozen=True, kw_only=True)
class PlannedJob:
    """One job of a sweep: a trial with one prompt."""

    wish: Wish
    assignment: str
    """The trial's, as JSON with sorted keys."""
    digest: str
    """Of the job."""
    model: str
    """Digest of what must be loaded for it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a sweep would queue, and in which order."""

    definition: Definition
    """With the prompts' ids."""
    name: str
    drawn: int | None
    """Trials that were asked for; None for all."""
    jobs: tuple[PlannedJob, ...]
    """In the order of the queue; the same job comes once."""
    trials: Mapping[str, Mapping[str, Any]]
    """The assignments by the JSON of each, in the order of drawing."""
    known: Mapping[str, tuple[int, str]]
    """By digest: id and status of the jobs that are there already."""
    drafts: tuple[Draft, ...]
    """Prompts with another clip, which have no record yet."""
    impossible: int
    """Combinations that were left out because the engine would refuse them."""
    reason: str | None
    """Why the first of them was."""
    had_other_contents: bool
    """Whether a sweep of that name was recorded that varies something else, or otherwise."""
    upsamplings: int = 0
    """Prompts that are made longer first, and are not yet."""

    @property
    def new(self) -> list[PlannedJob]:
        """The jobs that are not there already."""
        return [job for job in self.jobs if job.digest not in self.known]

    def loads(self, max_overtake: int) -> int:
        """How often a model is loaded for the jobs that are new, by a worker that has nothing else to do."""
        return policy.loads(self._line(max_overtake), None) + (self.upsamplings > 0)

    def in_line(self, max_overtake: int) -> list[PlannedJob]:
        """The jobs that are new in the order in which such a worker takes them."""
        new = self.new
        return [new[job.id] for job in self._line(max_overtake)]

    def _line(self, max_overtake: int) -> list[Waiting]:
        line = [Waiting(id=place, priority=0, key=job.model) for place, job in enumerate(self.new)]
        return list(policy.line_up(line, None, max_overtake))


def plan(
    ledger: Ledger,
    host: HostConfig,
    definition: Definition,
    *,
    drawn: int | None = None,
    without: frozenset[tuple[str, str | None]] = frozenset(),
    fresh: int | None = None,
    again: bool = False,
    most: int | None = MOST_JOBS,
) -> Plan:
    """Draw a sweep's trials for its prompts and see which of the jobs are there; nothing is written.

    Args:
        drawn: how many trials; None for as many as the definition says.
        without: assignments that are left out because they were recorded before.
        fresh: how many of the trials are not recorded yet; None for all.
        again: jobs that are there already count as new.
        most: how many jobs there may be; None for any number.

    Raises:
        NotFound: no such prompt or clip.
        InvalidInput: no prompt, no trial, fewer trials than wanted, or too many jobs.
    """
    with ledger.read() as session:
        named = _prompts(session, definition)
        wanted = drawn if drawn is not None else definition.run_cap
        _refuse_flood(definition, fresh if fresh is not None else wanted, len(named), most)
        told = replace(definition, prompts=tuple(record.id for record in named))
        desk = _Desk(session, named, host)
        expansions = desk.expand(definition, wanted)
        found = desk.jobs(expansions, without)
        enqueue.check_mode(host, (job.wish for job in found))
        if most is not None and len(found) > most:
            raise _flood(len(found), most)
        ordered = arrange(
            found,
            definition.order,
            model=lambda job: job.model,
            share=lambda job: job.wish.prompt_id,
            generator=random.Random(definition.sweep_seed),
        )
        stored = session.scalar(select(Sweep.definition).where(Sweep.name == name_of(definition)))
        known = {} if again else enqueue.known(session, [job.digest for job in ordered])
        drafts = desk.new_prompts(session)
        upsamplings = _upsamplings(session, host, [job.wish for job in ordered if job.digest not in known])
    return Plan(
        definition=told,
        name=name_of(definition),
        drawn=wanted,
        jobs=tuple(ordered),
        trials=desk.trials,
        known=known,
        drafts=drafts,
        impossible=max(each.impossible for each in expansions),
        reason=next((each.reason for each in expansions if each.reason), None),
        had_other_contents=stored is not None and contents_of(read(Node(value=stored))) != contents_of(definition),
        upsamplings=upsamplings,
    )


def _upsamplings(session: Session, host: HostConfig, wishes: Sequence[Wish]) -> int:
    wanted = {each.digest(host.engine) for wish in wishes if (each := wish.upsampling)}
    found = enqueue.known(session, list(wanted))
    return sum(found.get(digest, (0, ""))[1] != Status.SUCCEEDED for digest in wanted)


def _prompts(session: Session, definition: Definition) -> list[PromptRecord]:
    """Those that every trial is made with; none if the trials say themselves."""
    if _names_prompt(definition):
        return []
    records = prompts.resolve_all(session, definition.prompts)
    if not records:
        raise InvalidInput("which prompts? name them on the command line or below prompts in the file, or give all")
    return list({record.id: record for record in records}.values())


def _names_prompt(definition: Definition) -> bool:
    return PROMPT in definition.parameters or any(PROMPT in trial for trial in definition.trials)


def _refuse_flood(definition: Definition, wanted: int | None, prompt_count: int, most: int | None) -> None:
    """Before drawing begins: a grid of a few lists may have more cells than there is memory."""
    trials = wanted if wanted is not None else cells_of(definition)
    if most is not None and trials is not None and (count := trials * definition.repeat * max(prompt_count, 1)) > most:
        raise _flood(count, most)


def _flood(count: int, most: int) -> InvalidInput:
    return InvalidInput(f"{count:,} jobs are more than {most:,}: give --yes if you mean it, or a smaller run_cap (-n)")


class _Desk:
    """The prompts and clips of one plan, each looked up once."""

    def __init__(self, session: Session, named: Sequence[PromptRecord], host: HostConfig) -> None:
        self._session, self._named, self._host = session, named, host
        self.trials: dict[str, Mapping[str, Any]] = {}
        self._records: dict[str, PromptRecord] = {}
        self._inputs: dict[str, dict[str, tuple[str, str]]] = {}
        self._bases: dict[tuple[str, str], Base] = {}
        self._drafts: dict[str, Draft] = {}
        self._upsampled: set[tuple[Any, ...]] = set()

    def expand(self, definition: Definition, wanted: int | None) -> list[Expansion]:
        """The trials of each prompt; those with the same base have the same trials."""
        if not self._named:
            return [expand(definition, lambda drawn: self._base(None, drawn), wanted=wanted)]
        varies_clip = CLIP in definition.parameters or any(CLIP in trial for trial in definition.trials)
        found: dict[tuple[Any, ...], Expansion] = {}
        expansions = []
        for record in self._named:
            key: tuple[Any, ...] = (record.id,)
            if not varies_clip:
                base = self._base(record, {})
                key = (in_one_spelling(base.own), base.roles)
            if key not in found:
                try:
                    found[key] = expand(definition, self._base_of(record), wanted=wanted)
                except InvalidInput as error:
                    # One of several prompts may have fewer trials than the others.
                    named = f"prompt {record.name or record.id}: " if len(self._named) > 1 else ""
                    raise InvalidInput(f"{named}{error}") from error
            expansions.append(found[key])
        return expansions

    def _base_of(self, record: PromptRecord) -> Callable[[Assignment], Base]:
        return lambda drawn: self._base(record, drawn)

    def jobs(self, expansions: Sequence[Expansion], without: frozenset[tuple[str, str | None]]) -> list[PlannedJob]:
        """A trial with every prompt, then the next trial; the same job once."""
        records: Sequence[PromptRecord | None] = self._named or [None]
        numbered = [
            (number, trial, record)
            for each, record in zip(expansions, records, strict=True)
            for number, trial in enumerate(each.trials)
        ]
        found: dict[str, PlannedJob] = {}
        for _, trial, record in sorted(numbered, key=lambda item: item[0]):
            assignment = in_one_spelling(trial.assignment)
            job = self._job(record, trial, assignment)
            # None: its jobs were removed.
            is_there = bool(without & {(assignment, job.wish.prompt_id), (assignment, None)})
            if not is_there and found.setdefault(job.digest, job) is job:
                self.trials.setdefault(assignment, trial.assignment)
        return list(found.values())

    def _job(self, record: PromptRecord | None, trial: DrawnTrial, assignment: str) -> PlannedJob:
        inputs = self._clip(self._record(record, trial.assignment), trial.assignment)
        wish = wish_of(self._prompt_id(record, trial.assignment), trial.values, inputs)
        if trial.assignment.get(UPSAMPLE):
            wish = replace(wish, upsample=self._request(self._record(record, trial.assignment), inputs))
        engine = self._host.engine
        return PlannedJob(wish=wish, assignment=assignment, digest=wish.digest(engine), model=wish.model(engine))

    def _request(self, record: PromptRecord, inputs: Mapping[str, tuple[str, str]]) -> Request:
        asked = Request()
        if (shown := (record.id, inputs.get("input"))) not in self._upsampled:
            upsampling.check(self._session, record, inputs, asked)
            self._upsampled.add(shown)
        return asked

    def new_prompts(self, session: Session) -> tuple[Draft, ...]:
        """Those with another clip that have no record."""
        there = {record.id for record in prompts.resolve_all(session, None)} if self._drafts else set()
        return tuple(draft for prompt_id, draft in self._drafts.items() if prompt_id not in there)

    def _record(self, record: PromptRecord | None, drawn: Assignment) -> PromptRecord:
        if record is not None:
            return record
        reference = drawn[PROMPT]
        if reference not in self._records:
            self._records[reference] = prompts.resolve(self._session, reference)
        return self._records[reference]

    def _base(self, record: PromptRecord | None, drawn: Assignment) -> Base:
        if record is None and PROMPT not in drawn:
            raise InvalidInput("a trial names no prompt, others do: name one in each, or in none")
        found = self._record(record, drawn)
        key = (found.id, drawn.get(CLIP, found.clip))
        if key not in self._bases:
            self._bases[key] = Base(own=found.own_values, roles=frozenset(self._clip(found, drawn)))
        return self._bases[key]

    def _clip(self, record: PromptRecord, drawn: Assignment) -> dict[str, tuple[str, str]]:
        name = drawn.get(CLIP, record.clip)
        if name not in self._inputs:
            self._inputs[name] = inputs_of(self._session, name)
            if not self._inputs[name]:
                raise NotFound(f"{name} is no clip: `cosmosq clip list` shows them")
        return self._inputs[name]

    def _prompt_id(self, record: PromptRecord | None, drawn: Assignment) -> str:
        """The prompt's, or that of the same prompt with another clip."""
        found = self._record(record, drawn)
        clip = drawn.get(CLIP, found.clip)
        if clip == found.clip:
            return found.id
        draft = Draft(text=found.text, clip=clip, negative_text=found.negative_text, parameters=found.parameters)
        prompt_id = prompts.content_id(draft)
        self._drafts.setdefault(prompt_id, draft)
        return prompt_id


def name_of(definition: Definition) -> str:
    """The definition's own name, or one that the same contents always have, however many trials are wanted."""
    if definition.name is not None:
        return definition.name
    return f"sweep-{hashlib.sha256(json.dumps(contents_of(definition)).encode()).hexdigest()[:8]}"


def contents_of(definition: Definition) -> list[Any]:
    """What decides which trials come in which order: all but how many, for which prompts, and how it is called."""
    told = {**document_of(definition), **dict.fromkeys(("run_cap", "prompts", "name", "description"))}
    # The parameters' order is part of it: they are drawn one after another.
    return [told, list(definition.parameters)]
