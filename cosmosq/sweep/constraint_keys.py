"""Reading constraints: which parameters vary together, which combinations are left out, which weights have a sum."""

import math
from collections.abc import Mapping

from cosmosq.engines.parameters import BY_NAME
from cosmosq.sweep.definition import CONTROLS, Condition, Simplex
from cosmosq.sweep.distribution import Choice
from cosmosq.sweep.node import Node, hashable, shown
from cosmosq.sweep.varying import check_name, fit


def zips(node: Node) -> tuple[tuple[str, ...], ...]:
    """One list of parameters, or a list of lists."""
    items = node.listing()
    groups = [node] if all(isinstance(item.value, str) for item in items) else items
    found = tuple(tuple(_parameter_name(item) for item in group.listing()) for group in groups)
    names = [name for group in found for name in group]
    if any(len(group) < 2 for group in found) or len(set(names)) < len(names):
        raise node.refusal("zip takes groups of at least two parameters, each in one group only")
    return found


def excludes(node: Node) -> tuple[Mapping[str, Condition], ...]:
    return tuple(_exclude(item) for item in node.listing())


def _exclude(node: Node) -> Mapping[str, Condition]:
    keys = node.mapping()
    if not keys:
        raise node.refusal("nothing is named: give parameters with values, e.g. {guidance: 9}")
    return {name: _condition(name, child) for name, child in keys.items()}


def _condition(name: str, node: Node) -> Condition:
    with node.blamed():
        check_name(name)
    if isinstance(node.value, dict):
        if name not in BY_NAME or BY_NAME[name].type not in (int, float):
            raise node.refusal(f"{name} is no number: give values")
        bounds = node.mapping(("min", "max"))
        if not bounds:
            raise node.refusal("give min, max or both")
        numbers = {key: float(bound.number()) for key, bound in bounds.items()}
        if numbers.get("min", -math.inf) > numbers.get("max", math.inf):
            raise node.refusal("min is above max: swap them")
        return Condition(min=numbers.get("min"), max=numbers.get("max"))
    is_many = isinstance(node.value, list)
    if name == CONTROLS:
        is_many = is_many and all(isinstance(item, list) for item in node.value)
    with node.blamed():
        values = [item.value for item in node.listing()] if is_many else [node.value]
        return Condition(values=tuple(fit(name, Choice(tuple(map(hashable, values)))).values or ()))


def simplexes(node: Node) -> tuple[Simplex, ...]:
    """One list of weights, or several objects with weights and sum."""
    items = node.listing()
    if all(isinstance(item.value, str) for item in items):
        return (Simplex(weights=_weights(node)),)
    found = tuple(_simplex(item) for item in items)
    weights = [weight for simplex in found for weight in simplex.weights]
    if twice := [weight for weight in weights if weights.count(weight) > 1]:
        raise node.refusal(f"{twice[0]} belongs to two sums, and only one of them could hold: keep it in one")
    return found


def _simplex(node: Node) -> Simplex:
    keys = node.mapping(("weights", "sum"))
    if "weights" not in keys:
        raise node.refusal("which weights? give weights: [edge.weight, depth.weight]")
    total = keys["sum"].number() if "sum" in keys else 1.0
    if total <= 0:
        raise keys["sum"].refusal(f"{shown(total)} is no sum of weights: give a number above 0")
    return Simplex(weights=_weights(keys["weights"]), sum=float(total))


def _weights(node: Node) -> tuple[str, ...]:
    names = tuple(_parameter_name(item) for item in node.listing())
    for item in node.listing():
        if not item.value.endswith(".weight"):
            raise item.refusal(f"{item.value} is no weight: give names such as edge.weight")
    if len(names) < 2 or len(set(names)) < len(names):
        raise node.refusal("a sum needs at least two different weights")
    return names


def _parameter_name(node: Node) -> str:
    name = node.text()
    with node.blamed():
        check_name(name)
    return name
