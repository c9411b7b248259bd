"""In which order the jobs of a sweep are queued: it decides how often the model is loaded."""

import itertools
import random
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

ROUNDS = 4
"""Of `interleave`."""


def arrange(
    items: Sequence[T],
    order: str,
    *,
    model: Callable[[T], Hashable],
    share: Callable[[T], Hashable],
    generator: random.Random,
) -> list[T]:
    """The items in one of `definition.ORDERS`.

    Args:
        model: what must be loaded for an item; those that share it are put next to each other.
        share: of what an interrupted sweep should have made an even part, e.g. the prompt.
    """
    if order == "random":
        return generator.sample(items, len(items))
    if order == "interleave":
        rounds = _deal(items, lambda item: (model(item), share(item)), generator)
        return [item for each in rounds for item in grouped(each, model)]
    return grouped(items, model)


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[T]:
    """Those of one key next to each other, each group where its first item was."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return [item for group in groups.values() for item in group]


def _deal(items: Sequence[T], key: Callable[[T], Hashable], generator: random.Random) -> list[list[T]]:
    """Shuffle each group and deal all of them like cards into rounds."""
    shuffled = grouped(generator.sample(items, len(items)), key)
    hands: list[list[T]] = [[] for _ in range(min(ROUNDS, len(items)))]
    for hand, item in zip(itertools.cycle(hands), shuffled, strict=False):
        hand.append(item)
    return hands
