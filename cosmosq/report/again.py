"""The command that asks for a job once more."""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq import imports
from cosmosq.engines.assignment import from_columns, overrides, settings, values_of
from cosmosq.engines.parameter import Values
from cosmosq.models import Dependency, Job, ParameterSet, Prompt, UpsampleOrder
from cosmosq.prompts import own_values
from cosmosq.status import Kind, Need
from cosmosq.upscale_wishes import TAKEN_OVER

_AT_ONCE = 5_000
"""Ids in one IN (…)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def enqueue_lines(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """For each job the line that queues the same one: same prompt, parameters, kind, host, and so the same digest."""
    found: dict[int, str] = {}
    wanted = list(ids)
    for start in range(0, len(wanted), _AT_ONCE):
        chunk = wanted[start : start + _AT_ONCE]
        sources, orders = _sources(session, chunk), _orders(session, chunk)
        for job, prompt, row in _jobs(session, chunk):
            order = orders.get(job.id)
            if job.kind == Kind.UPSAMPLE:
                found[job.id] = _join([*_upsampling(prompt, order), *_place(job.host)])
                continue
            values = from_columns(row)
            source, base = sources.get(job.id), own_values(prompt.negative_text, prompt.parameters)
            if source is not None:
                base = {name: source[1][name] for name in TAKEN_OVER}
            reference = name_of(prompt) if source is None else str(source[0])
            how = ["--upscale"] if source is not None else ["--upsample"] if order is not None else []
            told = settings(overrides(base, values))
            found[job.id] = _join(["cosmosq", "enqueue", reference, *how, *told, *_place(job.host)])
    return found


def name_of(prompt: Prompt) -> str:
    """What names a prompt on the command line: its name, unless that could be taken for something else."""
    name = prompt.name
    return prompt.id if name is None or name.startswith("-") or _CONTROL.search(name) else name


def quoted(word: str) -> str:
    """A word for a shell; control characters are spelt out, so that what is shown is what is meant."""
    if not _CONTROL.search(word):
        return shlex.quote(word)
    spelt = word.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", spelt) + "'"


def _upsampling(prompt: Prompt, order: UpsampleOrder | None) -> list[str]:
    words = ["cosmosq", "prompt", "upsample", name_of(prompt)]
    if order is None:
        return words
    more = {"--frames": order.frames, "--max-size": order.max_size, "--variants": str(order.variant)}
    usual = {"--frames": "first", "--max-size": "auto", "--variants": "1"}
    return [*words, *(w for name, value in more.items() if value != usual[name] for w in (name, value))]


def _place(host: str) -> list[str]:
    # Without --again the same job is skipped. No machine here is the host of imported jobs.
    return [*(["--host", host] if host != imports.HOST else []), "--again"]


def _join(words: Sequence[str]) -> str:
    return " ".join(map(quoted, words))


def _jobs(session: Session, ids: Sequence[int]) -> Iterator[tuple[Any, Prompt, dict[str, Any]]]:
    columns = list(ParameterSet.__table__.columns)
    statement = (
        select(Prompt, Job.id, Job.kind, Job.host, *columns[1:])
        .select_from(Job)
        .join(Prompt, Prompt.id == Job.prompt_id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Job.id.in_(ids))
    )
    for row in session.execute(statement):
        yield row, row[0], dict(row._mapping)


def _sources(session: Session, ids: Sequence[int]) -> dict[int, tuple[int, Values]]:
    """Of upscales of another job: that job, and its parameters."""
    statement = (
        select(Dependency.job_id, Job.id, ParameterSet)
        .join(Job, Job.id == Dependency.depends_on_id)
        .join(ParameterSet, ParameterSet.id == Job.parameter_set_id)
        .where(Dependency.job_id.in_(ids), Dependency.need == Need.RESULT, Job.kind != Kind.UPSAMPLE.value)
    )
    return {job_id: (source_id, values_of(row)) for job_id, source_id, row in session.execute(statement)}


def _orders(session: Session, ids: Sequence[int]) -> dict[int, UpsampleOrder]:
    """What upsamplings were asked: of these jobs themselves, or of those that they wait for."""
    own = select(UpsampleOrder.job_id, UpsampleOrder).where(UpsampleOrder.job_id.in_(ids))
    waited_for = (
        select(Dependency.job_id, UpsampleOrder)
        .join(UpsampleOrder, UpsampleOrder.job_id == Dependency.depends_on_id)
        .where(Dependency.job_id.in_(ids), Dependency.need == Need.RESULT)
    )
    return {job_id: order for statement in (own, waited_for) for job_id, order in session.execute(statement)}
