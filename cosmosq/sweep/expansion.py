"""From a definition to its trials: drawn, constrained, each once."""

import random
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cosmosq.engines.assignment import check_all, check_combination, complete, hints_of, irrelevant, kind_of
from cosmosq.engines.parameter import Value, Values
from cosmosq.errors import InvalidInput
from cosmosq.sweep import strategies
from cosmosq.sweep.axes import axes_of, cells_of
from cosmosq.sweep.definition import BESIDE, CONTROLS, Definition, Simplex, in_type
from cosmosq.sweep.distribution import DIGITS
from cosmosq.sweep.strategies import SEED_OFFSET, Assignment
from cosmosq.sweep.varying import SWEPT_HINTS

DEFAULT_WEIGHT = 0.5
"""Of a hint that a combination names and nothing else gives a weight."""
_PATIENCE = 2_000
"""So many draws in a row without a new trial, and there are taken to be no more."""


@dataclass(frozen=True, kw_only=True)
class Base:
    """What trials are laid over: a prompt's own values, and the roles of its clip's videos."""

    own: Values
    roles: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One drawn assignment."""

    assignment: Mapping[str, Any]
    """What varies, as far as it can change the video: parameters, and what `definition.BESIDE` lists."""
    values: Values
    """Every parameter's value."""


@dataclass(kw_only=True)
class Expansion:
    """The trials for one base."""

    trials: list[Trial] = field(default_factory=list)
    impossible: int = 0
    """Assignments that the engine would refuse; they were left out."""
    reason: str | None = None
    """Why the first of them was."""


def expand(definition: Definition, base_of: Callable[[Assignment], Base], *, wanted: int | None) -> Expansion:
    """Draw the trials.

    Args:
        base_of: what a trial is laid over; it may depend on the prompt and clip that were drawn.
        wanted: how many assignments to draw, without repetitions for other seeds; None for all. More of them begin
            with the same ones.

    Raises:
        InvalidInput: there is none, or there are fewer than wanted.
    """
    found = Expansion()
    seen: set[tuple[Any, ...]] = set()
    drawn = misses = 0
    # The last of many values are long in coming.
    patience = max(_PATIENCE, 10 * (cells_of(definition) or 0))
    if strategies.has_end(definition.method):
        patience = sys.maxsize
    for assignment in _assignments(definition):
        if drawn == wanted or misses > patience:
            break
        new = [
            trial
            for each in _repeated(definition, assignment)
            if (trial := _trial(definition, each, base_of, found, seen))
        ]
        found.trials += new
        drawn, misses = (drawn + 1, 0) if new else (drawn, misses + 1)
    if not found.trials:
        why = f"the engine refuses them all: {found.reason}" if found.reason else "every one is excluded"
        raise InvalidInput(f"there is no trial: {why}")
    if wanted is not None and drawn < wanted:
        raise InvalidInput(f"found only {drawn} different trials, not {wanted}: lower run_cap (-n) to {drawn}")
    return found


def _assignments(definition: Definition) -> Iterator[dict[str, Any]]:
    """Without end for most methods."""
    if definition.method == strategies.GIVEN:
        yield from map(dict, definition.trials)
        return
    axes = axes_of(definition)
    count = definition.run_cap or cells_of(definition) or 0
    draw = strategies.get(definition.method)
    groups = {",".join(group): group for group in definition.zips}
    for drawn in _drawn(definition.method, lambda: draw(axes, count, random.Random(definition.sweep_seed))):
        assignment: dict[str, Any] = {}
        for name, value in drawn.items():
            assignment.update(zip(groups[name], value, strict=True) if name in groups else [(name, value)])
        yield assignment


def _drawn(method: str, draw: Callable[[], Iterable[Assignment]]) -> Iterator[Assignment]:
    """What a method yields; whatever goes wrong in one that somebody else wrote is told with its name."""
    if method in strategies.STRATEGIES:
        yield from draw()
        return
    try:
        for assignment in draw():
            yield dict(assignment)
    except Exception as error:
        raise InvalidInput(f"the method {method} failed ({type(error).__name__}: {error}): mend it") from error


def _repeated(definition: Definition, assignment: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if definition.repeat == 1:
        return (assignment,)
    return ({**assignment, SEED_OFFSET: offset} for offset in range(definition.repeat))


def _trial(
    definition: Definition,
    assignment: dict[str, Any],
    base_of: Callable[[Assignment], Base],
    found: Expansion,
    seen: set[tuple[Any, ...]],
) -> Trial | None:
    """The trial of an assignment; None if it is excluded, impossible, or there already."""
    base = base_of(assignment)
    assigned, off = _resolved(definition, base, assignment)
    values = _complete(definition, base, off, assigned)
    idle = irrelevant(values, base.roles) | off.keys()
    if dropped := idle & assigned.keys():
        assigned = {name: value for name, value in assigned.items() if name not in dropped}
        values = _complete(definition, base, off, assigned)
    key = (*(assigned.get(name) for name in BESIDE if name != CONTROLS), *values.values())
    if key in seen or (definition.excludes and _is_excluded(definition, values, assigned, idle)):
        return None
    try:
        check_combination(values, base.roles)
    except InvalidInput as error:
        found.impossible += 1
        found.reason = found.reason or str(error)
        return None
    seen.add(key)
    return Trial(assignment=assigned, values=values)


def _is_excluded(definition: Definition, values: Values, assigned: Mapping[str, Any], idle: Collection[str]) -> bool:
    """Whether all conditions of one exclusion hold, each of a parameter that can change the video."""
    told = {name: value for name, value in {**values, **assigned}.items() if name not in idle}
    told[CONTROLS] = tuple(hint for hint in hints_of(values) if hint in SWEPT_HINTS)
    return any(
        all(name in told and condition.holds(told[name]) for name, condition in conditions.items())
        for conditions in definition.excludes
    )


def _complete(definition: Definition, base: Base, off: Values, assigned: Mapping[str, Any]) -> dict[str, Value]:
    parameters = {name: value for name, value in assigned.items() if name not in BESIDE}
    given = {**base.own, **definition.fixed, **off, **parameters}
    return complete(kind_of(given), given)


def _resolved(
    definition: Definition, base: Base, assignment: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Value]]:
    """The assignment in the parameters' types, with seeds, weights of the chosen hints, and sums.

    Returns:
        the assignment, and weights of nothing for hints that were not chosen.
    """
    assigned = {name: in_type(name, value) for name, value in assignment.items() if name != SEED_OFFSET}
    given = {**base.own, **definition.fixed}
    if SEED_OFFSET in assignment:
        first = given.get("seed", complete(kind_of(given))["seed"])
        assigned["seed"] = in_type("seed", int(first) + assignment[SEED_OFFSET])
    off = _choose_hints(assigned, given) if CONTROLS in assigned else {}
    for simplex in definition.simplexes:
        _scale(simplex, assigned, {**given, **off})
    return assigned, off


def _choose_hints(assigned: dict[str, Any], given: Values) -> dict[str, Value]:
    off: dict[str, Value] = {}
    for hint in SWEPT_HINTS:
        name = f"{hint}.weight"
        if hint not in assigned[CONTROLS]:
            assigned.pop(name, None)
            off[name] = 0.0
        elif name not in assigned and not given.get(name):
            assigned[name] = DEFAULT_WEIGHT
    return off


def _scale(simplex: Simplex, assigned: dict[str, Any], given: Values) -> None:
    """Scale to the sum in decimals; the largest weight takes what rounding leaves."""
    weights = {name: float(assigned.get(name, given.get(name, 0.0))) for name in simplex.weights}
    used = {name: weight for name, weight in weights.items() if weight > 0}
    if not used:
        return
    total = sum(used.values())
    scaled = {name: round(weight * simplex.sum / total, DIGITS) for name, weight in used.items()}
    largest = max(scaled, key=lambda name: scaled[name])
    scaled[largest] = round(simplex.sum - sum(w for name, w in scaled.items() if name != largest), DIGITS)
    assigned.update(check_all(scaled))
