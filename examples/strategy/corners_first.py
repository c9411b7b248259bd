"""The extremes first: every combination of the smallest and largest values, then the middle, then chance.

After four of two parameters one knows the corners; whatever comes later fills the space between.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

NEARLY_ONE = 1 - 1e-9


def draw(parameters: Mapping[str, Any], count: int, generator: random.Random) -> Iterator[Mapping[str, Any]]:
    """A strategy: from how each parameter varies to assignments, best first.

    Args:
        parameters: by name, each with `at(u)`, the value at quantile u (0 ≤ u < 1), and `values`, the list of its
            values or None.
        count: how many are wanted at first. Whoever draws stops there, and asks for more when the sweep is extended
            or when a trial is excluded or was there already; so go on for ever if you can.
        generator: the only source of chance, so that the same sweep_seed gives the same trials.
    """
    for corner in itertools.product((0.0, NEARLY_ONE), repeat=len(parameters)):
        yield {name: varies.at(u) for (name, varies), u in zip(parameters.items(), corner, strict=True)}
    yield {name: varies.at(0.5) for name, varies in parameters.items()}
    while True:
        yield {name: varies.at(generator.random()) for name, varies in parameters.items()}
