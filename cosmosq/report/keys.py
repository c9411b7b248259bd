"""What jobs can be grouped by: any parameter, and what else tells one job from another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, literal, select
from sqlalchemy.orm import Session

from cosmosq.engines.assignment import NOT_OF_UPSCALES
from cosmosq.engines.parameters import BY_NAME, HINTS
from cosmosq.errors import InvalidInput
from cosmosq.models import Clip, Job, ParameterSet, Prompt, Sweep, Trial, TrialJob
from cosmosq.report.query import Filter, moment
from cosmosq.report.rows import first_of_sweep, joined, upsampled
from cosmosq.spelling import nearest
from cosmosq.status import Kind


@dataclass(frozen=True, kw_only=True)
class Bin:
    """A range of numbers; its upper end belongs to the next one, that of the last to itself."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"


@dataclass(frozen=True, kw_only=True)
class Key:
    """One thing that jobs are grouped by."""

    name: str
    """As a person types it, e.g. `edge.weight`."""
    value: Any
    """An SQL expression over the tables that `rows.joined` joins."""
    numeric: bool = False
    order: tuple[str, ...] = ()
    """Of its values, where that is not their own."""
    bins: tuple[Bin, ...] = ()

    @property
    def column(self) -> str:
        """Its name in CSV files."""
        return self.name.replace(".", "_")

    @property
    def grouped(self) -> Any:
        """What is equal within a group: the value, or the number of its bin."""
        if not self.bins:
            return self.value
        last = len(self.bins) - 1
        below = [(self.value < found.high, number) for number, found in enumerate(self.bins[:-1])]
        return case((self.value.is_(None), None), *below, else_=last)

    def shown(self, value: Any) -> Any:
        """The value of a group, from what the ledger answered."""
        return self.bins[value] if self.bins and value is not None else value

    def rank(self, value: Any) -> tuple[Any, ...]:
        """Where a value stands among the others; what is unknown comes last."""
        if value is None:
            return (1, 0, 0)
        if isinstance(value, Bin):
            return (0, 0, value.low)
        return (0, 0, self.order.index(value)) if value in self.order else (0, 1, value)


def keys(session: Session, names: tuple[str, ...], which: Filter, *, bins: int | None = None) -> tuple[Key, ...]:
    """The keys of these names.

    Args:
        bins: put a numeric one with more different values than that into so many ranges of equal width.

    Raises:
        InvalidInput: an unknown name (the nearest is suggested), or one that is there twice.
    """
    if twice := {name for name in names if names.count(name) > 1}:
        raise InvalidInput(f"{min(twice)} is there twice: group by each once")
    found = tuple(_key(name, which) for name in names)
    return tuple(_binned(session, key, which, bins) if bins and key.numeric else key for key in found)


def _key(name: str, which: Filter) -> Key:
    if name in BY_NAME:
        parameter = BY_NAME[name]
        value = getattr(ParameterSet, parameter.column)
        if name in NOT_OF_UPSCALES:
            # Their weights of 0 are nobody's choice.
            value = case((Job.kind != Kind.UPSCALE.value, value))
        return Key(name=name, value=value, numeric=parameter.type in (int, float), order=parameter.choices)
    others = _others(which)
    if name not in others:
        known = [*BY_NAME, *others]
        raise InvalidInput(
            f"{name} is nothing to group by{nearest(name, known)}: give a parameter, {', '.join(others)}"
        )
    return Key(name=name, value=others[name], numeric=name == "trial")


def _others(which: Filter) -> Mapping[str, Any]:
    """All that is no parameter, by name."""
    return {
        "prompt": func.coalesce(Prompt.name, Prompt.id),
        "clip": Clip.name,
        "host": Job.host,
        # People mean their own days.
        "day": cast(func.date(moment, "localtime"), Text),
        "upsampled": upsampled,
        "sweep": first_of_sweep(Sweep.name) if which.sweep is None else literal(which.sweep),
        "trial": first_of_sweep(Trial.number) if which.sweep is None else _trial_of(which.sweep),
        "controls": _controls(),
        "kind": Job.kind,
    }


def _trial_of(sweep: str) -> ColumnElement[Any]:
    return (
        select(func.min(Trial.number))
        .join_from(TrialJob, Trial, Trial.id == TrialJob.trial_id)
        .join(Sweep, Sweep.id == Trial.sweep_id)
        .where(TrialJob.job_id == Job.id, Sweep.name == sweep)
        .correlate(Job)
        .scalar_subquery()
    )


def _controls() -> ColumnElement[str]:
    """The hints with a weight, as `edge+depth`."""
    words: Any = ""
    for hint in HINTS:
        words = words + case((getattr(ParameterSet, f"{hint}_weight") > 0, f"+{hint}"), else_="")
    return func.substr(words, 2, type_=Text)


def _binned(session: Session, key: Key, which: Filter, count: int) -> Key:
    value = key.value
    statement = select(func.count(value.distinct()), func.min(value), func.max(value)).select_from(joined())
    # The parameters of upsamplings are nobody's.
    different, low, high = session.execute(statement.where(which.condition, Job.kind != Kind.UPSAMPLE.value)).one()
    if different <= count:
        return key
    edges = [low + (high - low) * number / count for number in range(count)] + [high]
    ranges = tuple(Bin(low=first, high=second) for first, second in pairwise(map(float, edges)))
    return replace(key, bins=ranges)


KEYS = tuple(_others(Filter()))
"""The names of what is no parameter."""
