"""Measures and models that other packages add by entry points."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from cosmosq.errors import InvalidInput
from cosmosq.measures.material import Material

if TYPE_CHECKING:
    from cosmosq.measures.matching import Frame, Plane

MEASURES, ESTIMATORS = "cosmosq.measures", "cosmosq.estimators"
NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
KEY = re.compile(r"[a-z0-9_]{1,29}")

Added = Callable[
    [Iterator["Frame"], Iterator["Frame"] | None, Mapping[str, Iterator["Frame"]], Mapping[str, Any]],
    Mapping[str, float],
]
"""(frames of the output, of the input if there is one, of the controls by hint, facts) → numbers by name."""
Estimator = Callable[[Iterator["Frame"]], Iterable["Plane"]]
"""Frames → for each the depth (nearer is larger) or the labels of its pixels, (height, width)."""


class MeasureFailed(InvalidInput):
    """A measure or model of another package cannot be loaded, fails, or returns what is no number."""


@cache
def entries(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name."""
    return {entry.name: entry for entry in entry_points(group=group)}


@cache
def load(group: str, name: str) -> Any:
    """What an entry point names.

    Raises:
        MeasureFailed: it cannot be loaded.
    """
    entry = entries(group)[name]
    try:
        return entry.load()
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        raise MeasureFailed(f"{name} of {entry.value} cannot be loaded ({told}): mend or uninstall it") from error


def version_of(name: str) -> int:
    """The attribute `version` of a measure, 1 without one, 0 of one that cannot be loaded."""
    try:
        version = getattr(load(MEASURES, name), "version", 1)
    except MeasureFailed:
        return 0
    return version if type(version) is int and version > 0 else 1


def run(name: str, material: Material) -> dict[str, float]:
    """The numbers of a measure, each named `NAME.KEY`, or `NAME` for the key that is the measure's own name.

    Raises:
        MeasureFailed: it fails, or returns something else than numbers by name.
    """
    function: Added = load(MEASURES, name)
    controls = {role: material.source(role) for role in material.sources if role != "input"}
    source = material.source("input") if "input" in material.sources else None
    try:
        found = function(material.output(), source, controls, material.facts)
        return {_full(name, key): float(value) for key, value in found.items()}
    except InvalidInput:
        # A video that cannot be read is no fault of the measure.
        raise
    except Exception as error:
        raise MeasureFailed(f"the measure {name} failed ({type(error).__name__}: {error}): mend it") from error


def _full(name: str, key: str) -> str:
    if key == name:
        return name
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no name: use small letters, digits and _, at most 29")
    return f"{name}.{key}"


def estimate(name: str, frames: Iterator["Frame"]) -> Iterator["Plane"]:
    """What a model sees in the frames, one at a time.

    Raises:
        MeasureFailed: it fails.
    """
    model: Estimator = load(ESTIMATORS, name)
    try:
        yield from model(frames)
    except InvalidInput:
        raise
    except Exception as error:
        raise MeasureFailed(f"the model {name} failed ({type(error).__name__}: {error}): mend it") from error
