"""By what the contact sheet is laid out, at first: decided once for the page and the mosaic."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cosmosq.engines.assignment import NOT_OF_UPSCALES
from cosmosq.engines.parameter import Parameter
from cosmosq.engines.parameters import BY_NAME, PARAMETERS
from cosmosq.report.cells import Cell
from cosmosq.status import Kind

MOST_VALUES = 12
"""Numbers with more values than that are put into ranges; `axes.js` has the same two figures."""
RANGES = 6


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
    x, y, *_ = [*varied(told), "", ""]
    if x and not y:
        return Axes(x=x, y=by_prompt)
    return Axes(x=x, y=y, facet=by_prompt)


def varied(told: Sequence[Cell]) -> list[str]:
    """Parameters with several values among the transfers or among the upscales, those with most values first.

    The seed comes last: it is repeated to see chance, not to be compared. Upsamplings have no parameters.
    """
    counts = {}
    for parameter in changed(told):
        values = {(cell["kind"], value(cell, parameter.name)) for cell in videos(told)}
        of_kinds = [{v for kind, v in values if kind == each} for each in kinds(parameter.name)]
        if any(len(found) > 1 for found in of_kinds):
            counts[parameter.name] = len(set().union(*of_kinds))
    return sorted(counts, key=lambda name: (name == "seed", -counts[name]))


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
    return [Kind.UPSCALE.value] if name.startswith("upscale.") else [Kind.TRANSFER.value, Kind.UPSCALE.value]


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


def rank(name: str, found: Any) -> tuple[Any, ...]:
    """Where a value stands on an axis; words of a fixed order keep it, and what is not known comes last."""
    if found is None:
        return (1,)
    choices = BY_NAME[name].choices if name in BY_NAME else ()
    return (0, choices.index(found) if found in choices else found)


def ranges(name: str, told: Iterable[Cell]) -> Callable[[Cell], Any]:
    """The value of a job on an axis or, of a number with many values, the two ends of its range.

    A range has its lower end, the last one both.
    """
    ends = edges(name, told)

    def within(cell: Cell) -> Any:
        own = value(cell, name)
        if not ends or own is None:
            return own
        at = max(number for number in range(RANGES) if own >= ends[number])
        return ends[at], ends[at + 1]

    return within


def edges(name: str, told: Iterable[Cell]) -> list[float]:
    """Where the ranges of an axis begin, and the end of the last; empty for one that has none.

    Ranges hold about as many values each: sweeps may draw on any scale.
    """
    seen = sorted({v for cell in told if type(v := value(cell, name)) in (int, float)})
    if len(seen) <= MOST_VALUES or name == "prompt":
        return []
    return [seen[number * len(seen) // RANGES] for number in range(RANGES)] + [seen[-1]]
