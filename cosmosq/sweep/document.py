"""A sweep's document: the keys of W&B's sweep configuration that make sense here, and some of ours.

One reader for the file, for the command line (which is turned into a document) and for what the ledger keeps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cosmosq.engines.parameter import Value
from cosmosq.errors import InvalidInput
from cosmosq.sweep import strategies
from cosmosq.sweep.axes import cells_of
from cosmosq.sweep.constraint_keys import excludes, simplexes, zips
from cosmosq.sweep.definition import BESIDE, CLIP, CONTROLS, ORDERS, PROMPT, Condition, Definition, in_type
from cosmosq.sweep.distribution import Choice, Distribution
from cosmosq.sweep.distribution_keys import read_distribution
from cosmosq.sweep.node import Node, hashable
from cosmosq.sweep.varying import check_name, fit

LARGEST_SEED = 2**63 - 1
MOST_TRIALS = 1_000_000


def _name(node: Node) -> str:
    name = node.text()
    if len(name) > 200 or "\n" in name:
        raise node.refusal("a name is one line of at most 200 characters: shorten it")
    return name


def _prompts(node: Node) -> tuple[str, ...] | None:
    if node.value == "all":
        return None
    return tuple(dict.fromkeys(item.text() for item in node.listing()))


def _fixed(node: Node) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, child in node.mapping().items():
        with child.blamed():
            check_name(name)
            if name in BESIDE:
                raise InvalidInput(f"{name} is no parameter of the engine: vary it over one value instead")
            found[name] = in_type(name, child.value)
    return found


def _trials(node: Node) -> tuple[Mapping[str, Any], ...]:
    return tuple(_trial(item) for item in node.listing())


def _trial(node: Node) -> Mapping[str, Any]:
    found = {}
    for name, child in node.mapping().items():
        with child.blamed():
            found[name] = (fit(name, Choice((hashable(child.value),))).values or ())[0]
    return found


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key at the top of the document."""

    field: str
    """Of `Definition`."""
    read: Callable[[Node], Any]
    meaning: str


def _whole(least: int, most: int) -> Callable[[Node], int]:
    return lambda node: node.whole(least, most)


KEYS: dict[str, Key] = {
    "name": Key(
        field="name", read=_name, meaning="Name of the sweep; left out: the file's, or one made from the contents."
    ),
    "description": Key(field="description", read=Node.text, meaning="For people."),
    "method": Key(
        field="method",
        read=Node.text,
        meaning="How trials are drawn; left out: `grid` if all parameters are lists, else `random`.",
    ),
    "run_cap": Key(
        field="run_cap", read=_whole(1, MOST_TRIALS), meaning="Number of trials; a must where there is no end of them."
    ),
    "sweep_seed": Key(field="sweep_seed", read=_whole(0, LARGEST_SEED), meaning="Seed of the drawing; left out: 0."),
    "order": Key(
        field="order",
        read=lambda node: node.one_of(*ORDERS),
        meaning="In which order the jobs are queued; left out: `grouped`.",
    ),
    "prompts": Key(
        field="prompts", read=_prompts, meaning="Prompts that each trial is made with, by name or id, or `all`."
    ),
    "parameters": Key(field="parameters", read=Node.mapping, meaning="What varies, and how."),
    "controls": Key(
        field="parameters",
        read=lambda node: node,
        meaning="Which hints are used: combinations such as `[edge, depth]`, or `subsets`.",
    ),
    "fixed": Key(field="fixed", read=_fixed, meaning="Parameters that are the same in every trial."),
    "zip": Key(
        field="zips", read=zips, meaning="Parameters that vary together: first values with first values, and so on."
    ),
    "exclude": Key(
        field="excludes",
        read=excludes,
        meaning="Combinations that no trial has: a value, a list of them, or `min` and `max` for each parameter.",
    ),
    "simplex": Key(
        field="simplexes", read=simplexes, meaning="Weights that are scaled to the sum 1, or `{weights: […], sum: …}`."
    ),
    "repeat": Key(
        field="repeat", read=_whole(1, 100_000), meaning="Make each trial with so many seeds of the model, counting up."
    ),
    "trials": Key(
        field="trials", read=_trials, meaning="Trials of one's own, each an object of parameters and values."
    ),
}
"""What a document may hold."""

_REMEDIES = {
    "early_terminate": "a video is not made by halves: remove it",
    "metric": "there is no metric while trials are drawn: remove it, and read `cosmosq report` afterwards",
    "program": "cosmosq runs the engine itself: remove it",
    "command": "cosmosq runs the engine itself: remove it",
    "project": "a workspace is the project: remove it",
    "entity": "a workspace has no owner: remove it",
    "seed": "the seed of the drawing is sweep_seed; the model's seed is a parameter: put it below parameters or fixed",
}
BAYES = "bayes needs results while it draws: use sobol, or random"


def read(node: Node) -> Definition:
    """The sweep that a document asks for.

    Raises:
        InvalidInput: what is wrong, at which place, and what to do.
    """
    keys = node.mapping(KEYS, _REMEDIES)
    found: dict[str, Any] = {
        key.field: key.read(keys[name]) for name, key in KEYS.items() if name in keys and key.field != "parameters"
    }
    varying = dict(keys["parameters"].mapping()) if "parameters" in keys else {}
    if CONTROLS in keys:
        if CONTROLS in varying:
            raise keys[CONTROLS].refusal("controls stands below parameters too: keep one")
        varying[CONTROLS] = keys[CONTROLS]
    parameters = {name: read_distribution(name, child) for name, child in varying.items()}
    found.setdefault("method", _method(found, parameters))
    definition = Definition(parameters=parameters, **found)
    _check_method(node, definition)
    _check_names(node, definition)
    _check_count(node, definition)
    return definition


def _method(found: Mapping[str, Any], parameters: Mapping[str, Distribution]) -> str:
    if "trials" in found:
        return strategies.GIVEN
    # Integers and multiples can be listed too, but whoever wrote bounds means to draw.
    are_lists = all(isinstance(d, Choice) and d.probabilities is None for d in parameters.values())
    return "grid" if are_lists else "random"


def _at(node: Node, *keys: str | int) -> Node:
    """The place of a key, for an error."""
    return Node(value=None, path=(*node.path, *keys), place=node.place)


def _check_method(node: Node, definition: Definition) -> None:
    method, place = definition.method, _at(node, "method")
    if method == "bayes":
        raise place.refusal(BAYES)
    with place.blamed():
        strategies.get(method)
    if (method == strategies.GIVEN) != bool(definition.trials):
        raise place.refusal(
            f"{method} and trials do not go together: give trials with method {strategies.GIVEN}, or none"
        )
    if method in strategies.LISTING:
        for name, distribution in definition.parameters.items():
            if distribution.values is None:
                raise _at(node, "parameters", name).refusal(
                    f"{distribution} has no list of values, which {method} needs: give values, linspace or a q, "
                    "or take method random or sobol"
                )
            if isinstance(distribution, Choice) and distribution.probabilities is not None:
                raise _at(node, "parameters", name).refusal(f"{method} takes every value: remove the probabilities")
        if method == "one_at_a_time" and PROMPT in definition.parameters:
            raise _at(node, "parameters", PROMPT).refusal("the other trials would have no prompt: name prompts instead")
    if not definition.parameters and method not in (strategies.REPEAT, strategies.GIVEN):
        raise _at(node, "parameters").refusal("nothing varies: give parameters, or method repeat for other seeds")
    if method == strategies.REPEAT and definition.parameters:
        raise _at(node, "parameters").refusal("method repeat varies nothing but the seed: use repeat: N beside another")
    if definition.run_cap is None and not strategies.has_end(method):
        raise _at(node, "run_cap").refusal(
            f"how many? {method} has no end: give run_cap in a file, -n on the command line"
        )


def _check_names(node: Node, definition: Definition) -> None:
    varied = set(definition.parameters)
    for name in definition.fixed:
        if name in varied:
            raise _at(node, "fixed", name).refusal(f"{name} varies as well: remove it here or below parameters")
    for group in definition.zips:
        lengths = set()
        for name in group:
            if name not in varied or (values := definition.parameters[name].values) is None:
                raise _at(node, "zip").refusal(f"{name} has no list of values: give it values below parameters")
            lengths.add(len(values))
            if isinstance(listed := definition.parameters[name], Choice) and listed.probabilities is not None:
                raise _at(node, "zip").refusal(f"{name} has probabilities, which a zip cannot keep: remove them")
        if len(lengths) > 1:
            raise _at(node, "zip").refusal(
                f"{', '.join(group)} have lists of different lengths: give one value for each"
            )
    seeded = definition.repeat > 1 or definition.method == strategies.REPEAT
    if seeded and ("seed" in varied or any("seed" in trial for trial in definition.trials)):
        raise _at(node, "repeat").refusal("repeat varies the seed, and so do the parameters: remove one")
    named = {name for trial in definition.trials for name in trial}
    if PROMPT in varied | named and definition.prompts != ():
        raise _at(node, "prompts").refusal("the trials name their prompts themselves: name them once")
    for number, conditions in enumerate(definition.excludes):
        for name in (PROMPT, CLIP):
            if name in conditions and name not in varied | named:
                raise _at(node, "exclude", number, name).refusal(f"{name} does not vary: leave it out of prompts")


def _check_count(node: Node, definition: Definition) -> None:
    cells = cells_of(definition)
    if cells is not None and definition.run_cap is not None and definition.run_cap > cells:
        raise _at(node, "run_cap").refusal(
            f"{definition.run_cap} is too many, there are only {cells} trials: lower it to {cells}"
        )


def document_of(definition: Definition) -> dict[str, Any]:
    """The document that `read` would make the same definition from."""
    told: dict[str, Any] = {
        "name": definition.name,
        "description": definition.description,
        "method": definition.method,
        "run_cap": definition.run_cap,
        "sweep_seed": definition.sweep_seed,
        "order": definition.order,
        "prompts": "all" if definition.prompts is None else list(definition.prompts),
        "parameters": {name: d.document() for name, d in definition.parameters.items()},
        "fixed": dict(definition.fixed),
        "zip": [list(group) for group in definition.zips],
        "exclude": [{name: _told(c) for name, c in each.items()} for each in definition.excludes],
        "simplex": [{"weights": list(each.weights), "sum": each.sum} for each in definition.simplexes],
        "repeat": definition.repeat,
        "trials": [{name: _plain(value) for name, value in trial.items()} for trial in definition.trials],
    }
    return {key: value for key, value in told.items() if value not in (None, [], {})}


def _told(condition: Condition) -> Any:
    if condition.values:
        plain = [_plain(value) for value in condition.values]
        return plain[0] if len(plain) == 1 else plain
    return {key: bound for key in ("min", "max") if (bound := getattr(condition, key)) is not None}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
