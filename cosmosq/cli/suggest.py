"""What a shell may complete a word to: ids and names of this workspace, and words that are known beforehand.

A broken workspace has none of them: pressing Tab is no place for errors.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.errors import CosmosqError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from cosmosq.config import Config
    from cosmosq.paths import Workspace

    Items = list[CompletionItem[str]]

Suggestion = Callable[[click.Context, click.Parameter, str], "Items"]
Named = tuple[str, str]
"""A word, and what it is."""


# From the ledger


def jobs(*statuses: str) -> Suggestion:
    """Ids of jobs of these statuses, or of all; behind `3-` the end of a range, behind `3,` a further one."""

    def suggest(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> "Items":
        from cosmosq.report import names

        match = re.fullmatch(r"((?:\d+,)*(?:(\d+)-)?)(\d*)", incomplete)
        if match is None:
            return []
        before, first, digits = match.groups()
        found = names.jobs(_ledger(ctx), digits, statuses)
        behind = ((f"{before}{job}", told) for job, told in found if int(job) > int(first or 0))
        return _items(_not_named(ctx, parameter, behind))

    return suggest


def prompts(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> "Items":
    """Names of prompts, or ids if the word begins like one."""
    from cosmosq.report import names

    found = names.prompt_ids if incomplete.startswith("ps_") else names.prompts
    return _fitting(_not_named(ctx, parameter, found(_ledger(ctx))), incomplete)


def clips(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Names of clips."""
    from cosmosq.report import names

    return _fitting(names.clips(_ledger(ctx)), incomplete)


def sweeps(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Names of sweeps."""
    from cosmosq.report import names

    return _fitting(names.sweeps(_ledger(ctx)), incomplete)


def schedules(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Names of schedules."""
    from cosmosq.report import names

    return _fitting(names.schedules(_ledger(ctx)), incomplete)


def labels(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Labels that jobs have, as `key=value`."""
    from cosmosq.report import names

    return _fitting(names.labels(_ledger(ctx)), incomplete)


def quantities(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """What a report can tell of: what was measured, and what the ledger has of each job."""
    from cosmosq.measures.catalogue import catalogue
    from cosmosq.report import names
    from cosmosq.report.measures import QUANTITIES

    meaning = {name: text for measure in catalogue() for name, text in measure.values.items()}
    measured = [(name, meaning.get(name, "")) for name in names.measurements(_ledger(ctx))]
    return _fitting([*measured, *((each.name, each.meaning) for each in QUANTITIES.values())], incomplete)


# From cosmosq.toml


def hosts(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Hosts of cosmosq.toml."""
    return _fitting(_hosts(ctx), incomplete)


def hosts_of_jobs(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Likewise, and those that only jobs still name."""
    from cosmosq.report import names

    found = dict(_hosts(ctx))
    return _fitting(
        [*found.items(), *((n, "") for n in names.hosts_of_jobs(_ledger(ctx)) if n not in found)], incomplete
    )


def _hosts(ctx: click.Context) -> list[Named]:
    config = _config(ctx)
    return [(host.name, host.engine) for host in config.hosts.values()] if config else []


# What is known beforehand


def settings(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Parameters as `name=`, and behind that the values of those that have few."""
    from cosmosq.engines.parameters import PARAMETERS

    return _assignments(incomplete, [(p.name, p.meaning) for p in PARAMETERS])


def varied(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Likewise, of what can vary within a sweep."""
    from cosmosq.engines.parameters import PARAMETERS
    from cosmosq.sweep.definition import BESIDE

    swept = [(p.name, p.meaning) for p in PARAMETERS if not p.name.startswith("upscale.")]
    return _assignments(incomplete, [*swept, *((name, "") for name in BESIDE)])


def _assignments(incomplete: str, names: Iterable[Named]) -> "Items":
    from cosmosq.engines.parameters import BY_NAME

    name, equals, _ = incomplete.partition("=")
    if not equals:
        return _fitting([(f"{each}=", meaning) for each, meaning in names], incomplete)
    parameter = BY_NAME.get(name)
    if parameter is None:
        return []
    values = parameter.choices or (("true", "false") if parameter.type is bool else ())
    return _fitting([(f"{name}={value}", "") for value in values], incomplete)


def measures(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Measures, by name."""
    from cosmosq.measures.catalogue import catalogue

    return _fitting([(each.name, ", ".join(each.values)) for each in catalogue()], incomplete)


def keys(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """What jobs can be grouped by; behind `edge.weight,` a further one."""
    from cosmosq.engines.parameters import PARAMETERS
    from cosmosq.report.keys import KEYS

    before = incomplete[: incomplete.rfind(",") + 1]
    known = [*((p.name, p.meaning) for p in PARAMETERS), *((name, "") for name in KEYS)]
    return _fitting([(f"{before}{name}", meaning) for name, meaning in known], incomplete)


def engines(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Engines."""
    from cosmosq.engines.engine import ENGINES

    return _fitting([(name, "") for name in ENGINES], incomplete)


def methods(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """How trials are drawn."""
    from cosmosq.sweep.strategies import methods as known

    return _fitting([(name, "") for name in known()], incomplete)


def orders(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """In which order a sweep's jobs are queued."""
    from cosmosq.sweep.definition import ORDERS

    return _fitting(ORDERS.items(), incomplete)


def zones(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """IANA time zones."""
    from zoneinfo import available_timezones

    return _fitting([(name, "") for name in sorted(available_timezones())], incomplete)


def words(*known: str) -> Suggestion:
    """Some words."""
    return lambda ctx, parameter, incomplete: _fitting([(word, "") for word in known], incomplete)


def files(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> "Items":
    """Whatever the shell finds."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


# How


def _workspace(ctx: click.Context) -> "Workspace":
    from cosmosq.paths import find_workspace

    return find_workspace(ctx.find_root().params.get("workspace"))


def _ledger(ctx: click.Context) -> Path:
    try:
        return _workspace(ctx).ledger_path
    except CosmosqError:
        return Path("/")


def _config(ctx: click.Context) -> "Config | None":
    from cosmosq.config import load_config

    try:
        return load_config(_workspace(ctx).config_path)
    except CosmosqError:
        return None


def _not_named(ctx: click.Context, parameter: click.Parameter, found: Iterable[Named]) -> Iterable[Named]:
    named = ctx.params.get(parameter.name or "")
    return (each for each in found if not isinstance(named, tuple) or each[0] not in named)


def _fitting(known: Iterable[Named], incomplete: str) -> "Items":
    return _items((word, told) for word, told in known if word.startswith(incomplete))


def _items(found: Iterable[Named]) -> "Items":
    from click.shell_completion import CompletionItem

    # Names come from outside, and a shell takes each line for one word.
    clean: Sequence[Named] = [(word, output.one_line(told or "")) for word, told in found if word.isprintable()]
    return [CompletionItem(word, help=told or None) for word, told in clean]
