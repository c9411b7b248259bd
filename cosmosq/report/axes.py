"""By what the contact sheet is laid out, at first: decided once for the page and the mosaic."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cosmosq.engines.assignment import NOT_OF_UPSCALES
from cosmosq.engines.parameter import Parameter
from cosmosq.engines.parameters import BY_NAME, PARAMETERS
from cosmosq.report.cells import Cell
from cosmosq.status import Kind
from cosmosq.upscale_wishes import TAKEN_OVER

MOST_VALUES = 12
"""Numbers with more values than that are put into ranges; `axes.js` has the same two figures."""
RANGES = 6
_MADE = (Kind.TRANSFER.value, Kind.UPSCALE.value)


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Names of parameters, `prompt`, `day` or `hour`; empty where there is none."""

    x: str = ""
    y: str = ""
    facet: str = ""


def first(told: Sequence[Cell], layout: str) -> Axes:
    """What a layout suggests: by default the two parameters that vary most, and the prompt."""
    made = videos(told)
    by_prompt = "prompt" if len({cell["prompt"] for cell in made}) > 1 else ""
    if layout == "time":
        return Axes(facet=next((name for name in ("day", "hour") if len({ended(cell, name) for cell in made}) > 1), ""))
    if layout == "prompt":
        return Axes(facet=by_prompt)
    x, y, *_ = [*(each.name for each in varied(told)), "", ""]
    if x and not y:
        return Axes(x=x, y=by_prompt)
    return Axes(x=x, y=y, facet=by_prompt)


@dataclass(frozen=True, kw_only=True)
class Varied:
    """A parameter in which jobs differ."""

    name: str
    kinds: tuple[str, ...]
    """Of the jobs that stand on its axis."""


def varied(told: Sequence[Cell]) -> list[Varied]:
    """Parameters with several values among the transfers or among the upscales, those with most values first.

    An upscale stands on no axis of its source's, but for what it has taken over: its 10 steps are not what a sweep over
    steps has tried. The seed comes last: it is repeated to see chance, not to be compared.
    """
    found = []
    for parameter in changed(told):
        values = {kind: {value(cell, parameter.name) for cell in told if cell["kind"] == kind} for kind in _MADE}
        varying = {kind for kind, those in values.items() if len(those) > 1}
        on = tuple(k for k in kinds(parameter.name) if k in varying or parameter.name in TAKEN_OVER)
        if varying:
            found.append((len(set().union(*(values[kind] for kind in on))), Varied(name=parameter.name, kinds=on)))
    return [each for _, each in sorted(found, key=lambda pair: (pair[1].name == "seed", -pair[0]))]


def changed(told: Iterable[Cell]) -> list[Parameter]:
    """The parameters that any of the jobs has changed, in the table's order."""
    names = {name for cell in told for name in cell["values"]}
    return [parameter for parameter in PARAMETERS if parameter.name in names]


def parameters(told: Iterable[Cell]) -> list[dict[str, Any]]:
    """Every parameter as the page knows it; `kinds` are those of the jobs that have it, `changed` whether any did."""
    names = {parameter.name for parameter in changed(told)}
    return [
        {
            "name": parameter.name,
            "default": parameter.default,
            "meaning": parameter.meaning,
            "choices": parameter.choices,
            "kinds": kinds(parameter.name),
            "changed": parameter.name in names,
        }
        for parameter in PARAMETERS
    ]


def kinds(name: str) -> list[str]:
    """Which kinds of jobs have a parameter: an upscale no hints but its own, a transfer not that one."""
    if name in NOT_OF_UPSCALES:
        return [Kind.TRANSFER.value]
    return [Kind.UPSCALE.value] if name.startswith("upscale.") else list(_MADE)


def videos(told: Iterable[Cell]) -> list[Cell]:
    """The jobs that make a video: all but upsamplings."""
    return [cell for cell in told if cell["kind"] != Kind.UPSAMPLE]


def value(cell: Cell, name: str) -> Any:
    """What a job has on an axis; None for a parameter that its kind does not have."""
    if name == "prompt":
        return cell["prompt"]
    if name in ("day", "hour"):
        return ended(cell, name)
    return cell["values"].get(name, BY_NAME[name].default) if cell["kind"] in kinds(name) else None


def ended(cell: Cell, name: str) -> str:
    """The day or the hour in which a job ended, in this machine's zone; empty before."""
    if cell["ended_at"] is None:
        return ""
    return datetime.fromisoformat(cell["ended_at"]).astimezone().strftime("%Y-%m-%d" + " %H:00" * (name == "hour"))


class Axis:
    """Where jobs stand on an axis: at a value or, of a number with many values, in a range with both its ends.

    Ranges hold about as many values each: sweeps may draw on any scale. One has its lower end, the last has both.
    """

    def __init__(self, name: str, told: Sequence[Cell]) -> None:
        self.name = name
        self._kinds = next((each.kinds for each in varied(told) if each.name == name), _MADE)
        seen = sorted({v for cell in told if type(v := self._value(cell)) in (int, float)})
        self.in_ranges = len(seen) > MOST_VALUES and name != "prompt"
        self._starts = [seen[number * len(seen) // RANGES] for number in range(RANGES)] if self.in_ranges else []
        self._ends = [*self._starts[1:], seen[-1]] if self.in_ranges else []

    def place(self, cell: Cell) -> Any:
        """None for a job that stands nowhere on it."""
        own = self._value(cell)
        if own is None or not self.in_ranges:
            return own
        at = max(number for number, start in enumerate(self._starts) if own >= start)
        return self._starts[at], self._ends[at]

    def rank(self, place: Any) -> tuple[Any, ...]:
        """Words of a fixed order keep it, and what stands nowhere comes last."""
        if place is None:
            return (1,)
        choices = BY_NAME[self.name].choices if self.name in BY_NAME else ()
        return (0, choices.index(place) if place in choices else place)

    def _value(self, cell: Cell) -> Any:
        return value(cell, self.name) if cell["kind"] in self._kinds else None
