"""What a sweep is: what varies, how, and within which constraints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cosmosq.engines.assignment import checked
from cosmosq.engines.parameter import Values
from cosmosq.sweep.distribution import Distribution

CONTROLS, PROMPT, CLIP, UPSAMPLE = "controls", "prompt", "clip", "upsample"
"""What can vary beside the engine's parameters: the hints that are used, the prompt, the prompt's clip, and whether the
prompt is made longer first."""
BESIDE = (CONTROLS, PROMPT, CLIP, UPSAMPLE)

ORDERS = {
    "grouped": "Jobs with the same set of hints next to each other: the fewest model loads.",
    "interleave": "In four rounds, each an even share of the whole and grouped in itself: an even picture early.",
    "random": "Shuffled.",
}
"""In which order the jobs of a sweep are queued."""


@dataclass(frozen=True, kw_only=True)
class Simplex:
    """Weights of a trial that are scaled to a sum; those of hints that a trial does not use stay out."""

    weights: tuple[str, ...]
    """Names such as `edge.weight`."""
    sum: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What one parameter of an excluded combination is: one of some values, or a number within bounds."""

    values: tuple[Any, ...] = ()
    min: float | None = None
    max: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether the value meets it."""
        if self.values:
            return value in self.values
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A sweep as it was asked for, checked."""

    parameters: Mapping[str, Distribution]
    """How each varies, by name of the parameter or of `BESIDE`."""
    method: str
    run_cap: int | None = None
    """Number of trials to draw; None for all that there are."""
    sweep_seed: int = 0
    order: str = "grouped"
    repeat: int = 1
    """Every trial is made with so many seeds of the model, counting up from its own."""
    fixed: Values = field(default_factory=dict)
    zips: tuple[tuple[str, ...], ...] = ()
    """Parameters that take their first values together, their second values together, …"""
    excludes: tuple[Mapping[str, Condition], ...] = ()
    """Combinations that no trial has."""
    simplexes: tuple[Simplex, ...] = ()
    prompts: tuple[str, ...] | None = ()
    """Prompts that every trial is made with; None for every prompt there is."""
    trials: tuple[Mapping[str, Any], ...] = ()
    """Trials that were brought along, for method `given`."""
    name: str | None = None
    description: str | None = None


def in_type(name: str, value: Any) -> Any:
    """A value of a parameter or of `BESIDE` in its own type.

    Raises:
        InvalidInput: not allowed there.
    """
    return value if name in BESIDE else checked(name, value)
