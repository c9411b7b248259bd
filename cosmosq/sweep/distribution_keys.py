"""Reading how one parameter varies: W&B's keys, a list, one value, or Hydra's words."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from cosmosq.engines.parameters import BY_NAME
from cosmosq.sweep.distribution import Choice, Distribution, Integers, LogUniform, Normal, Quantised, Uniform
from cosmosq.sweep.grammar import call, parse, subsets
from cosmosq.sweep.node import Node, hashable
from cosmosq.sweep.varying import fit

Keys = dict[str, Node]
"""What stands below the parameter's name."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way to write a distribution in a file."""

    needs: tuple[str, ...]
    make: Callable[[Keys], Distribution]
    meaning: str
    may: tuple[str, ...] = ()


def _uniform(keys: Keys) -> Uniform:
    return Uniform(keys["min"].number(), keys["max"].number())


def _log_uniform(keys: Keys) -> LogUniform:
    return LogUniform(keys["min"].number(), keys["max"].number())


def _integers(keys: Keys) -> Integers:
    return Integers(keys["min"].whole(-(10**15), 10**15), keys["max"].whole(-(10**15), 10**15))


def _normal(keys: Keys) -> Normal:
    low = keys["min"].number() if "min" in keys else -math.inf
    high = keys["max"].number() if "max" in keys else math.inf
    return Normal(low, high, keys["mu"].number(), keys["sigma"].number())


def _choice(keys: Keys) -> Choice:
    values = tuple(hashable(item.value) for item in keys["values"].listing())
    odds = keys.get("probabilities")
    return Choice(values, None if odds is None else tuple(float(item.number()) for item in odds.listing()))


def _call(word: str) -> Callable[[Keys], Distribution]:
    """One of the command line's words over the list below a key."""
    return lambda keys: call(word, [item.number() for item in keys[word].listing()])


def _subsets(keys: Keys) -> Choice:
    hints = [item.text() for item in keys["subsets"].listing()]
    low = keys["min"].whole(1, len(hints)) if "min" in keys else 1
    return subsets(hints, low, keys["max"].whole(1, len(hints)) if "max" in keys else len(hints))


DISTRIBUTIONS: dict[str, Form] = {
    "categorical": Form(
        needs=("values",), may=("probabilities",), make=_choice, meaning="One of `values`; the word may be left out."
    ),
    "constant": Form(
        needs=("value",), make=lambda keys: Choice((hashable(keys["value"].value),)), meaning="Always `value`."
    ),
    "uniform": Form(
        needs=("min", "max"), make=_uniform, meaning="Any number; what `min` and `max` alone mean for a number."
    ),
    "int_uniform": Form(
        needs=("min", "max"), make=_integers, meaning="Any integer, both included; likewise for an integer parameter."
    ),
    "q_uniform": Form(
        needs=("min", "max", "q"),
        make=lambda keys: Quantised(_uniform(keys), keys["q"].number()),
        meaning="The nearest multiple of `q`.",
    ),
    "log_uniform_values": Form(needs=("min", "max"), make=_log_uniform, meaning="Its logarithm is uniform."),
    "q_log_uniform_values": Form(
        needs=("min", "max", "q"),
        make=lambda keys: Quantised(_log_uniform(keys), keys["q"].number()),
        meaning="The nearest multiple of `q` to that.",
    ),
    "normal": Form(
        needs=("mu", "sigma"), may=("min", "max"), make=_normal, meaning="A bell, cut off at `min` and `max`."
    ),
}
"""By W&B's name."""

SHORT: dict[str, Form] = {
    "range": Form(needs=("range",), make=_call("range"), meaning="`[a, b]` or `[a, b, step]`; `b` is left out."),
    "linspace": Form(needs=("linspace",), make=_call("linspace"), meaning="`[a, b, n]`: n values, both ends included."),
    "subsets": Form(
        needs=("subsets",),
        may=("min", "max"),
        make=_subsets,
        meaning="For `controls`: every combination of so many hints of a list.",
    ),
}
"""Ours, by the key that stands alone."""

_KEYS = ("value", "values", "probabilities", "distribution", "min", "max", "mu", "sigma", "q", *SHORT)
_REFUSED = {
    "log_uniform": "its bounds are exponents in W&B: write log_uniform_values with the values themselves",
    "q_log_uniform": "its bounds are exponents in W&B: write q_log_uniform_values with the values themselves",
    "inv_log_uniform": "not supported: write log_uniform_values",
    "inv_log_uniform_values": "not supported: write log_uniform_values",
    "log_normal": "not supported: write log_uniform_values",
    "q_log_normal": "not supported: write q_log_uniform_values",
    "q_normal": "not supported: write normal",
    "beta": "not supported: write normal with min and max",
    "q_beta": "not supported: write normal with min and max",
}


def read_distribution(name: str, node: Node) -> Distribution:
    """How the parameter of that name varies.

    Raises:
        InvalidInput: at which place, what is wrong, and what to do.
    """
    with node.blamed():
        return fit(name, _written(name, node))


def _written(name: str, node: Node) -> Distribution:
    if isinstance(node.value, dict):
        return _from_keys(name, node, node.mapping(_KEYS))
    if isinstance(node.value, list):
        return Choice(tuple(hashable(item.value) for item in node.listing()))
    # Texts are taken as they are.
    is_words = isinstance(node.value, str) and not is_text(name)
    return parse(node.value) if is_words else Choice((node.value,))


def is_text(name: str) -> bool:
    """Whether values of the parameter are texts, with whatever commas and brackets."""
    parameter = BY_NAME.get(name)
    return parameter is not None and parameter.type is str and not parameter.choices


def _from_keys(name: str, node: Node, keys: Keys) -> Distribution:
    kind, form = _form(name, node, keys)
    for key in form.needs:
        if key not in keys:
            raise node.refusal(f"{key} is missing: {kind} needs {', '.join(form.needs)}")
    allowed = {"distribution", *form.needs, *form.may}
    for key in keys:
        if key not in allowed:
            raise keys[key].refusal(f"{key} does not go with {kind}: remove it")
    return form.make(keys)


def _form(name: str, node: Node, keys: Keys) -> tuple[str, Form]:
    for key, form in SHORT.items():
        if key in keys:
            return key, form
    if "distribution" in keys:
        asked = keys["distribution"]
        if isinstance(asked.value, str) and asked.value in _REFUSED:
            raise asked.refusal(f"{asked.value} is not taken: {_REFUSED[asked.value]}")
        kind = asked.one_of(*DISTRIBUTIONS)
    else:
        kind = _kind(name, node, keys)
    return kind, DISTRIBUTIONS[kind]


def _kind(name: str, node: Node, keys: Keys) -> str:
    """What is meant where no distribution is named."""
    for key, kind in (("values", "categorical"), ("value", "constant"), ("mu", "normal"), ("q", "q_uniform")):
        if key in keys:
            return kind
    if "min" not in keys and "max" not in keys:
        raise node.refusal("how does it vary? give values, or min and max")
    # W&B goes by the bounds: `min: 3` would draw integers for guidance too.
    return "int_uniform" if name in BY_NAME and BY_NAME[name].type is int else "uniform"
