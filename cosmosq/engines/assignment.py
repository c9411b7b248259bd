"""Complete, checked values for every parameter of one job."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping

from cosmosq.engines.parameter import Value, Values
from cosmosq.engines.parameters import BY_NAME, HINTS, KIND_DEFAULTS, PARAMETERS
from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest
from cosmosq.status import Kind

in_one_spelling: Callable[[object], str] = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
"""JSON that is the same text for the same contents; one encoder, since making one takes longer than using it."""

NEEDS_CONTROL = frozenset({"hdmap", "lidar"})
"""Hints whose control the engine cannot make from the input video."""

ENGINE_SHOWS = ("vis", "edge", "depth", "seg")
"""Hints whose control the engine's own prompt upsampler can be shown; it takes the first."""

_WEIGHTS = tuple((hint, f"{hint}.weight") for hint in HINTS)
_DEFAULTS: dict[str, Value] = {parameter.name: parameter.default for parameter in PARAMETERS}

_OF_HINT: dict[str, tuple[str, bool]] = {
    "canny_threshold": ("edge", True),
    "blur_strength": ("vis", True),
    "seg.control_prompt": ("seg", True),
    "seg.weight_prompt": ("seg", False),
    **{f"{hint}.checkpoint": (hint, False) for hint in HINTS},
}
"""Parameters that act through one hint alone, and whether only where its control is made from the input."""
NOT_OF_UPSCALES = frozenset(
    {f"{hint}.weight" for hint in HINTS if hint != "upscale"}
    | {name for name, (hint, _) in _OF_HINT.items() if hint != "upscale"}
)
"""What an upscale has no say in: its source's video stands in place of the hints."""
_UNUSED_BY_DISTILLED = frozenset({"num_steps", "guidance", "sigma_max", "negative_prompt"})


def check_all(given: Mapping[str, object]) -> dict[str, Value]:
    """The given values by parameter name, each in its type.

    Raises:
        InvalidInput: an unknown name (the nearest is suggested) or a value that is not allowed.
    """
    for name in given:
        _refuse_unknown(name)
    return {name: BY_NAME[name].check(value) for name, value in given.items()}


def checked(name: str, value: object) -> Value:
    """Likewise one value."""
    _refuse_unknown(name)
    return BY_NAME[name].check(value)


def _refuse_unknown(name: str) -> None:
    if name not in BY_NAME:
        raise InvalidInput(f"{name} is no parameter{nearest(name, BY_NAME)}: `cosmosq parameters` lists them")


def complete(kind: Kind, *layers: Values) -> dict[str, Value]:
    """Every parameter's value: defaults, then each layer over the ones before it."""
    values = dict(_DEFAULTS)
    for layer in (KIND_DEFAULTS[kind], *layers):
        values.update(layer)
    return values


def hints_of(values: Values) -> tuple[str, ...]:
    """The hints with a weight above 0, in canonical order."""
    # Called for each of thousands of trials, and more than once: a list is built in half the time of a generator's.
    return tuple([hint for hint, weight in _WEIGHTS if float(values[weight]) > 0])


def kind_of(given: Values) -> Kind:
    """What a job with these values is, given or left at their defaults."""
    return Kind.UPSCALE if float(given.get("upscale.weight", 0)) > 0 else Kind.TRANSFER


def irrelevant(values: Values, roles: Collection[str]) -> set[str]:
    """The parameters that cannot change the video, given the others.

    Args:
        values: every parameter's value.
        roles: the roles that the job has a video for; a control that is there is not made.
    """
    hints = hints_of(values)
    found = {name for name, (hint, is_made) in _OF_HINT.items() if hint not in hints or (is_made and hint in roles)}
    return found | _UNUSED_BY_DISTILLED if values["use_distilled"] else found


def relevant(values: Values, roles: Collection[str]) -> Values:
    """The values, with the default in place of each that cannot change the video."""
    idle = {name: _DEFAULTS[name] for name in irrelevant(values, roles) if values[name] != _DEFAULTS[name]}
    return {**values, **idle} if idle else values


def check_combination(values: Values, roles: Collection[str]) -> None:
    """Refuse combinations that the engine refuses or silently changes.

    Args:
        values: every parameter's value.
        roles: the roles that the clip has a video for.

    Raises:
        InvalidInput: no hint, a control or input video is missing, or parameters exclude each other.
    """
    hints = hints_of(values)
    if not hints:
        raise InvalidInput("no hint has a weight: give at least one, e.g. -s edge.weight=0.5")
    if "upscale" in hints and len(hints) > 1:
        raise InvalidInput("upscale.weight goes with no other weight: upscale the result afterwards")
    if values["use_distilled"]:
        _check_distilled(values, hints)
    if values["upsample_prompt"]:
        _check_upsampled(hints, roles)
    for hint in hints:
        if hint in NEEDS_CONTROL and not values["is_av_sample"]:
            raise InvalidInput(f"{hint}.weight needs the driving model: give -s is_av_sample=true")
        if hint in NEEDS_CONTROL and hint not in roles:
            raise InvalidInput(f"{hint}.weight needs a {hint} video: add one to the clip")
    if "input" not in roles:
        _check_without_input(values, hints, roles)


def _check_distilled(values: Values, hints: tuple[str, ...]) -> None:
    if len(hints) != 1:
        raise InvalidInput(f"use_distilled takes one hint, not {len(hints)}: set the other weights to 0")
    if hints[0] != "edge" and not values[f"{hints[0]}.checkpoint"]:
        raise InvalidInput(f"use_distilled with {hints[0]} needs {hints[0]}.checkpoint: only edge has a default")


def _check_upsampled(hints: tuple[str, ...], roles: Collection[str]) -> None:
    shown = next((hint for hint in ENGINE_SHOWS if hint in hints), None)
    if shown is None:
        raise InvalidInput(
            f"upsample_prompt shows the engine a control: give one of {', '.join(ENGINE_SHOWS)} a weight"
        )
    if shown in ("depth", "seg") and shown not in roles:
        raise InvalidInput(f"upsample_prompt needs a {shown} video to show: add one to the clip")


def _check_without_input(values: Values, hints: tuple[str, ...], roles: Collection[str]) -> None:
    if float(values["sigma_max"]) < 80:
        raise InvalidInput("the clip has no input video: add one, or give -s sigma_max=80")
    for hint in hints:
        if hint not in roles:
            raise InvalidInput(f"the clip has neither an input nor a {hint} video to guide {hint}: add one")


def digest_of(values: Values) -> str:
    """Hex sha256 that two complete sets share only if every value is equal."""
    # Defaults are left out, so that a parameter added later does not change old digests.
    told = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
    return hashlib.sha256(in_one_spelling(told).encode()).hexdigest()


def differences(values: Values) -> dict[str, Value]:
    """The values that are not the default, in the table's order."""
    return {p.name: values[p.name] for p in PARAMETERS if values[p.name] != p.default}


def overrides(base: Values, values: Values) -> dict[str, Value]:
    """What must be said over a prompt's own parameters, or those of an upscale's source, to get these values.

    An upscale's weight is always said: it alone makes it one.
    """
    kind = kind_of(values)
    unsaid = complete(kind, base)
    is_upscale = kind == Kind.UPSCALE
    return {
        name: value
        for name, value in values.items()
        if value != unsaid[name] or (is_upscale and name == "upscale.weight")
    }


def settings(values: Values) -> list[str]:
    """Values as words of a command line: `-s`, `NAME=VALUE`, …"""
    told = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in values.items()}
    return [word for name, value in told.items() for word in ("-s", f"{name}={value}")]


def to_columns(values: Values) -> dict[str, Value]:
    """By column name instead of parameter name."""
    return {BY_NAME[name].column: value for name, value in values.items()}


def from_columns(row: Mapping[str, Value]) -> dict[str, Value]:
    """Complete values from the columns of a row of `parameter_sets`."""
    return {parameter.name: row[parameter.column] for parameter in PARAMETERS}


def values_of(row: object) -> dict[str, Value]:
    """Likewise from a row that has them as attributes."""
    return {parameter.name: getattr(row, parameter.column) for parameter in PARAMETERS}
