"""How trials are drawn: each method is a function from parameters, count and generator to assignments.

Whoever draws takes as many assignments as are wanted and leaves out those that are excluded, impossible or there
already, so a method that has no end of them yields for ever, and goes on where it was when a sweep is extended. It
must depend on its arguments alone. Other packages add methods by the entry point `cosmosq.strategies`.
"""

import itertools
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest
from cosmosq.sweep.distribution import Distribution

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Parameters = Mapping[str, Distribution]
Assignment = Mapping[str, Any]
Strategy = Callable[[Parameters, int, random.Random], Iterable[Assignment]]
"""(how each parameter varies, how many are wanted at first, source of randomness) → assignments, best first."""

GROUP = "cosmosq.strategies"
REPEAT, GIVEN = "repeat", "given"
SEED_OFFSET = "seed offset"
"""In an assignment: how much is added to the seed that the trial has otherwise."""
LISTING = frozenset({"grid", "one_at_a_time"})
"""Methods that go through lists of values."""
_AT_ONCE = 256
"""Points of the Sobol sequence in one go: a power of two, as its balance needs."""


def grid(parameters: Parameters, count: int, generator: random.Random) -> Iterator[Assignment]:
    """Every combination; the last parameter varies fastest."""
    lists = [distribution.values or () for distribution in parameters.values()]
    return (dict(zip(parameters, cell, strict=True)) for cell in itertools.product(*lists))


def one_at_a_time(parameters: Parameters, count: int, generator: random.Random) -> Iterator[Assignment]:
    """Each parameter over its values, the rest as without the sweep."""
    return ({name: value} for name, distribution in parameters.items() for value in distribution.values or ())


def repeat(parameters: Parameters, count: int, generator: random.Random) -> Iterator[Assignment]:
    """The same again and again, with seeds that count up."""
    return ({SEED_OFFSET: offset} for offset in itertools.count())


def at_random(parameters: Parameters, count: int, generator: random.Random) -> Iterator[Assignment]:
    """Each parameter by itself, by Python's own generator: its sequence is the same in every version."""
    while True:
        yield {name: distribution.at(generator.random()) for name, distribution in parameters.items()}


def sobol(parameters: Parameters, count: int, generator: random.Random) -> Iterator[Assignment]:
    """A scrambled Sobol sequence: evener than chance, however early it ends. Best with a power of two."""
    qmc = _qmc()
    sequence = qmc.Sobol(len(parameters), rng=generator.getrandbits(63))
    while True:
        yield from (_placed(parameters, point) for point in sequence.random(_AT_ONCE).tolist())


def latin_hypercube(parameters: Parameters, count: int, generator: random.Random) -> Iterator[Assignment]:
    """Each parameter in `count` equal slices with one trial each; then another hypercube of as many."""
    qmc = _qmc()
    while True:
        cube = qmc.LatinHypercube(len(parameters), rng=generator.getrandbits(63))
        yield from (_placed(parameters, point) for point in cube.random(count).tolist())


def _qmc() -> Any:
    # Only these two need it, and it takes longer to import than all the rest.
    from scipy.stats import qmc

    return qmc


def _placed(parameters: Parameters, point: Sequence[float]) -> Assignment:
    # Scrambling may round the last quantile up to 1 itself.
    quantiles = (min(u, 1 - sys.float_info.epsilon) for u in point)
    return {name: d.at(u) for (name, d), u in zip(parameters.items(), quantiles, strict=True)}


STRATEGIES: dict[str, Strategy] = {
    "grid": grid,
    "one_at_a_time": one_at_a_time,
    REPEAT: repeat,
    "random": at_random,
    "sobol": sobol,
    "lhs": latin_hypercube,
}
"""The methods that come with cosmosq; `given` beside them takes the trials from the document."""


def has_end(method: str) -> bool:
    """Whether the method runs out of trials by itself, so that nobody need say how many."""
    return method in LISTING or method == GIVEN


def methods() -> list[str]:
    """The names of all methods, those of other packages among them."""
    return [*STRATEGIES, GIVEN, *_added()]


def get(method: str) -> Strategy:
    """The method of that name, ours or by entry point.

    Raises:
        InvalidInput: there is none, or it cannot be loaded.
    """
    if method == GIVEN:
        return lambda *_: ()
    if method in STRATEGIES:
        return STRATEGIES[method]
    added = _added()
    if method not in added:
        known = methods()
        raise InvalidInput(f"{method} is no method{nearest(method, known)}: there are {', '.join(known)}")
    try:
        loaded: Strategy = added[method].load()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise InvalidInput(f"the method {method} of {added[method].value} cannot be loaded ({reason})") from error
    return loaded


def _added() -> dict[str, "EntryPoint"]:
    # Our own methods need it not.
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=GROUP)}
