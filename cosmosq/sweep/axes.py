"""What varies by itself, and how many combinations that makes."""

import math

from cosmosq.sweep import strategies
from cosmosq.sweep.definition import Definition
from cosmosq.sweep.distribution import Choice, Distribution


def axes_of(definition: Definition) -> dict[str, Distribution]:
    """What varies by itself; parameters that are zipped are one axis, named `a,b`, with tuples for values."""
    zipped = {name for group in definition.zips for name in group}
    axes: dict[str, Distribution] = {n: d for n, d in definition.parameters.items() if n not in zipped}
    for group in definition.zips:
        lists = [definition.parameters[name].values or () for name in group]
        axes[",".join(group)] = Choice(tuple(zip(*lists, strict=True)))
    return axes


def cells_of(definition: Definition) -> int | None:
    """Number of assignments before any is left out or repeated with other seeds; None if there is no end of them."""
    if definition.method == strategies.REPEAT:
        return None
    if definition.method == strategies.GIVEN:
        return len(definition.trials)
    sizes = [None if axis.values is None else len(axis.values) for axis in axes_of(definition).values()]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return None
    return sum(known) if definition.method == "one_at_a_time" else math.prod(known)
