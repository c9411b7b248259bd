"""The chapter of REFERENCE.md about sweeps."""

import inspect

from reference_tables import names, table

from cosmosq.report.sweeps import FIELDS
from cosmosq.sweep import strategies
from cosmosq.sweep.definition import BESIDE, ORDERS
from cosmosq.sweep.distribution_keys import DISTRIBUTIONS, SHORT, Form
from cosmosq.sweep.document import KEYS
from cosmosq.sweep.grammar import FUNCTIONS
from cosmosq.sweep.trials_csv import OUTCOMES

LIST_JSON = (*FIELDS, "trials", "jobs", "by_status")
SHOW_JSON = (*FIELDS, "jobs", "by_status", "text", "definition", "trials")
PREVIEW_JSON = (
    *("name", "method", "sweep_seed", "order", "trials", "jobs", "new", "known", "impossible"),
    *("upsamplings", "loads", "forecast", "parameters", "assignments"),
)


def sweeps() -> str:
    """Files, the words of the command line, methods, orders, tables of trials."""
    return "\n".join([introduction(), document(), distributions(), grammar(), methods(), orders(), trials()])


def introduction() -> str:
    beside = names(BESIDE)
    return (
        f"What varies is a parameter, or one of {beside}: the hints that are used, the prompt, the prompt's clip,\n"
        "whether the prompt is upsampled first (`upsample: [false, true]`).\n"
        "A weight of 0 drops its hint. What cannot act in a trial (`canny_threshold` without edge, a weight of a hint\n"
        "that is not used) makes no second job of it.\n"
    )


def document() -> str:
    lines = ((f"`{name}`", key.meaning) for name, key in KEYS.items())
    heading = "A file for `--sweep` is YAML. Its keys, all optional:\n"
    return f"{heading}\n{table(('key', 'meaning'), lines)}"


def distributions() -> str:
    lines = [(f"`{name}`", keys_of(form), form.meaning) for name, form in DISTRIBUTIONS.items()]
    lines += [("", keys_of(form), form.meaning) for form in SHORT.values()]
    heading = (
        "Below a parameter's name stand a list of values, one value, the words of the command line, or keys as W&B\n"
        "has them. `distribution` may be left out where the other keys tell:\n"
    )
    return f"{heading}\n{table(('distribution', 'keys', 'meaning'), lines)}"


def keys_of(form: Form) -> str:
    may = f"; {names(form.may)} if wanted" if form.may else ""
    return names(form.needs) + may


def grammar() -> str:
    lines = [
        ("`3,5,7` or `choice(3,5,7)`", "One of these; texts with commas in quotes, hints as `[edge],[edge,depth]`."),
        *((f"`{function.usage}`", function.meaning) for function in FUNCTIONS.values()),
        ("`subsets(edge,depth,seg,min,max)`", "For `controls`: every combination of so many of these hints."),
    ]
    heading = "On the command line `-p NAME=HOW` has Hydra's words:\n"
    return f"{heading}\n{table(('word', 'meaning'), lines)}"


def methods() -> str:
    lines = [(f"`{name}`", first_line(strategy)) for name, strategy in strategies.STRATEGIES.items()]
    lines.append((f"`{strategies.GIVEN}`", "The trials below `trials`, or in the table of `--trials`."))
    lines.append(("any other", f"A function by the entry point `{strategies.GROUP}`: see examples/strategy."))
    return table(("method", "draws"), lines)


def first_line(strategy: object) -> str:
    return (inspect.getdoc(strategy) or "").splitlines()[0]


def orders() -> str:
    return table(("order", "of the queue"), ((f"`{name}`", meaning) for name, meaning in ORDERS.items()))


def trials() -> str:
    return (
        "A table for `--trials` has the names of what varies in its first line; an empty cell leaves the parameter\n"
        "alone. `sweep export` writes such a table, with columns that are passed over when it is brought back:\n"
        f"{names(OUTCOMES)}.\n"
    )
