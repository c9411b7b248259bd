"""From options and files to the definition of a sweep."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import suggest
from cosmosq.cli.options import F, with_options
from cosmosq.cli.reading import read_text
from cosmosq.cli.selection import parse_pairs
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from cosmosq.sweep.definition import Definition
    from cosmosq.sweep.node import Path

_OPTIONS = {
    "prompts": "PROMPT",
    "parameters": "-p",
    "fixed": "-s",
    "run_cap": "-n",
    "method": "--method",
    "sweep_seed": "--sweep-seed",
    "order": "--order",
    "name": "--name",
    "trials": "--trials",
}
"""What a person gives instead of each key of a sweep's document."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A sweep as it was asked for on the command line; None and empty for what was not."""

    prompts: Sequence[str] = ()
    everything: bool = False
    """Every prompt."""
    file: str | None = None
    trials: str | None = None
    parameters: Sequence[str] = ()
    """`NAME=HOW` of each `-p`."""
    settings: Sequence[str] = ()
    """`NAME=VALUE` of each `-s`."""
    run_cap: int | None = None
    method: str | None = None
    sweep_seed: int | None = None
    order: str | None = None
    name: str | None = None

    @property
    def is_sweep(self) -> bool:
        """Whether it is one at all, and no list of single jobs.

        Raises:
            InvalidInput: it is none, but has an option that means nothing then.
        """
        if self.file or self.trials or self.parameters or self.method:
            return True
        for key in ("run_cap", "sweep_seed", "order", "name"):
            if getattr(self, key) is not None:
                raise InvalidInput(f"{_OPTIONS[key]} belongs to a sweep: give -p, --sweep, --trials or --method too")
        return False


def sweep_options(*, with_file: bool = True) -> Callable[[F], F]:
    """Add the options of a sweep; the command receives `sweep`, an `Asked` without prompts and settings."""
    options = [
        click.option(
            "-p",
            "--vary",
            "parameters",
            multiple=True,
            metavar="NAME=HOW",
            shell_complete=suggest.varied,
            help="How a parameter varies, as `guidance=3,5,7`; may be repeated.",
        ),
        click.option(
            "--trials",
            metavar="FILE|-",
            shell_complete=suggest.files,
            help="Trials of your own in a CSV file: a column a parameter, a line a trial; - is stdin.",
        ),
        click.option(
            "--method",
            metavar="METHOD",
            shell_complete=suggest.methods,
            help="How trials are drawn: grid, random, sobol, lhs, one_at_a_time or repeat.",
        ),
        click.option("-n", "--run-cap", type=click.IntRange(1), metavar="N", help="So many trials."),
        click.option("--sweep-seed", type=click.IntRange(0), metavar="N", help="Seed of the drawing; by default 0."),
        click.option(
            "--order",
            metavar="ORDER",
            shell_complete=suggest.orders,
            help="In which order jobs are queued: grouped, interleave or random.",
        ),
        click.option("--name", metavar="NAME", help="Name of the sweep; by default that of its file."),
    ]
    if with_file:
        source = click.option(
            "--sweep",
            "file",
            metavar="FILE|-",
            shell_complete=suggest.files,
            help="A sweep in a YAML file; - is stdin.",
        )
        options.insert(1, source)

    def decorate(command: F) -> F:
        names = ["parameters", "trials", "method", "run_cap", "sweep_seed", "order", "name", *(["file"] * with_file)]

        def wrapper(*args: Any, **given: Any) -> Any:
            sweep = Asked(**{name: given.pop(name) for name in names})
            return command(*args, sweep=sweep, **given)

        return with_options(command, wrapper, options)

    return decorate


@dataclass(frozen=True, kw_only=True)
class Read:
    """A definition, and the text that it was read from."""

    definition: "Definition"
    text: str
    source: str
    """The file's name; empty for none."""


def read_sweep(asked: Asked) -> Read:
    """The definition: the file, with what was given on the command line over it.

    Raises:
        NotFound: no such file.
        InvalidInput: at which place, what is wrong, and what to do.
    """
    from cosmosq.sweep.document import read
    from cosmosq.sweep.node import Node

    text, document, place = _file(asked.file)
    over = _options(asked)
    trials_place: Callable[[Path], str] | None = None
    if asked.trials is not None:
        from cosmosq.sweep import trials_csv

        over["trials"], trials_place = trials_csv.load(read_text(asked.trials), source=asked.trials)
    merged = _merged(document, over)
    for source in (asked.file, asked.trials):
        if source not in (None, "-"):
            merged.setdefault("name", FilePath(str(source)).stem)

    def named(path: "Path") -> str:
        if trials_place is not None and path[:1] == ("trials",):
            return trials_place(path)
        is_over = bool(path) and _is_over(over, path)
        return _option(path) if is_over or asked.file is None else place(path)

    definition = read(Node(value=merged, place=named))
    text = text or json.dumps(merged, ensure_ascii=False, indent=2)
    return Read(definition=definition, text=text, source=asked.file or "")


def _file(name: str | None) -> tuple[str, dict[str, Any], "Callable[[Path], str]"]:
    if name is None:
        return "", {}, lambda path: ""
    from cosmosq.sweep import yaml_text

    text = read_text(name)
    document, place = yaml_text.load(text, source="stdin" if name == "-" else name)
    return text, document, place


def _options(asked: Asked) -> dict[str, Any]:
    if asked.prompts and asked.everything:
        raise InvalidInput("name prompts, or give --all for every one, not both")
    given = {
        "prompts": "all" if asked.everything else list(asked.prompts),
        "parameters": _parameters(asked.parameters),
        "fixed": parse_pairs(asked.settings, "-s"),
        "run_cap": asked.run_cap,
        "method": asked.method,
        "sweep_seed": asked.sweep_seed,
        "order": asked.order,
        "name": asked.name,
    }
    return {key: value for key, value in given.items() if value not in (None, [], {})}


def _parameters(pairs: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        ((name, value),) = parse_pairs([pair], "-p").items()
        if name in found:
            raise InvalidInput(f"-p {name} comes twice: put all of its values into one, e.g. -p '{name}=3,5'")
        found[name] = _listed(name, value)
    return found


def _listed(name: str, text: str) -> Any:
    """How a text parameter varies, as a file would have it; there a text stands for itself, commas and all."""
    from cosmosq.sweep.distribution_keys import is_text
    from cosmosq.sweep.grammar import parse
    from cosmosq.sweep.node import Node

    if not is_text(name):
        return text
    with Node(value=text, path=("parameters", name), place=_option).blamed():
        return parse(text).document()


def _merged(document: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**document, **over}
    if "controls" in over.get("parameters", {}):
        merged.pop("controls", None)
    for key in ("parameters", "fixed"):
        if isinstance(document.get(key), dict) and key in over:
            merged[key] = {**document[key], **over[key]}
    return merged


def _is_over(over: Mapping[str, Any], path: "Path") -> bool:
    """Whether the place was given on the command line."""
    key = str(path[0])
    if key in ("parameters", "fixed") and len(path) > 1:
        return path[1] in over.get(key, {})
    return key in over


def _option(path: "Path") -> str:
    if not path:
        return ""
    option = _OPTIONS.get(str(path[0]), str(path[0]))
    return f"{option} {path[1]}" if len(path) > 1 and path[0] in ("parameters", "fixed") else option
