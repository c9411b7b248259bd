"""Fitting a distribution to the parameter that it is for."""

import math
from typing import Any

from cosmosq.engines.parameter import Parameter
from cosmosq.engines.parameters import BY_NAME, HINTS
from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest
from cosmosq.sweep.definition import BESIDE, CLIP, CONTROLS, PROMPT, UPSAMPLE
from cosmosq.sweep.distribution import Choice, Distribution, Integers, LogUniform, Normal, Quantised, Uniform

SWEPT_HINTS = tuple(hint for hint in HINTS if hint != "upscale")


def check_name(name: str) -> None:
    """Refuse what is no parameter, or cannot vary within a sweep.

    Raises:
        InvalidInput: with the nearest name, or the other way.
    """
    if name.startswith("upscale."):
        raise InvalidInput(f"{name} is not for sweeps: upscale the results with `cosmosq enqueue --upscale`")
    if name not in BY_NAME and name not in BESIDE:
        near = nearest(name, [*BY_NAME, *BESIDE])
        raise InvalidInput(f"{name} is no parameter{near}: `cosmosq parameters` lists them")


def fit(name: str, distribution: Distribution) -> Distribution:
    """The distribution with values in the parameter's type and within its range.

    Raises:
        InvalidInput: the parameter takes no such values.
    """
    check_name(name)
    if name in (PROMPT, CLIP):
        return _listed(name, distribution, _text)
    if name == CONTROLS:
        return _listed(name, distribution, _hints)
    if name == UPSAMPLE:
        return _listed(name, distribution, _yes_or_no)
    parameter = BY_NAME[name]
    if isinstance(distribution, Choice):
        return _listed(name, distribution, parameter.check)
    if parameter.type not in (int, float):
        raise InvalidInput(f"{name} takes {parameter.allowed}: list its values")
    return _number(parameter, distribution)


def _listed(name: str, distribution: Distribution, check: Any) -> Choice:
    if not isinstance(distribution, Choice):
        raise InvalidInput(f"{name} takes no numbers: list its values")
    return Choice(tuple(map(check, distribution.values)), distribution.probabilities)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{value!r} is no name: give names")
    return value


def _yes_or_no(value: object) -> bool:
    words = {"true": True, "false": False}
    if (found := words.get(str(value).lower())) is None:
        raise InvalidInput(f"upsample is {value!r}: give true, false or both")
    return found


def _hints(value: object) -> tuple[str, ...]:
    words = value if isinstance(value, tuple | list) else str(value).split("+")
    for word in words:
        if word not in SWEPT_HINTS:
            raise InvalidInput(f"{word} is no hint{nearest(str(word), SWEPT_HINTS)}: give {', '.join(SWEPT_HINTS)}")
    if not words:
        raise InvalidInput("a combination of hints is empty: name at least one, e.g. [edge]")
    # One order, so that [depth, edge] and [edge, depth] are the same trial.
    return tuple(hint for hint in HINTS if hint in words)


def _number(parameter: Parameter, distribution: Distribution) -> Distribution:
    if isinstance(distribution, Normal) and not (math.isfinite(distribution.min) and math.isfinite(distribution.max)):
        low, high = parameter.minimum, parameter.maximum
        bounds = (max(distribution.min, low or 0.0), min(distribution.max, math.inf if high is None else high))
        distribution = Normal(*bounds, distribution.mu, distribution.sigma)
    if parameter.type is int and not _is_whole(distribution):
        raise InvalidInput(f"{parameter.name} takes integers: give randint (int_uniform), or a quantised one")
    span = distribution.inner if isinstance(distribution, Quantised) else distribution
    if isinstance(span, Uniform | LogUniform | Normal | Integers):
        parameter.check(span.min)
        parameter.check(span.max)
    return distribution


def _is_whole(distribution: Distribution) -> bool:
    if isinstance(distribution, Quantised):
        return distribution.q == int(distribution.q)
    return isinstance(distribution, Integers)
