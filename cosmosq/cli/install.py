"""`cosmosq worker --install`: the worker as a service of the system."""

import sys
from pathlib import Path

import click
from click.core import ParameterSource

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.errors import InvalidInput

_OURS = ("install", "print_only")
_OF_ONE_NIGHT = ("until_empty", "until", "max_jobs", "max_gpu_hours", "budget")
"""A worker that ends by itself is no service."""


def install(app: App, context: click.Context, *, print_only: bool) -> None:
    """Write the file of the service, or print it."""
    from cosmosq.service import service_of

    service = service_of(app.workspace, given_words(context), sys.platform, Path.home())
    output.emit_raw(service.text.rstrip("\n") + "\n")
    if print_only:
        output.say(f"nothing was written: this would be {service.path}")
    else:
        service.write()
        output.say(f"written to {service.path}; to enable it:")
    for line in service.enable:
        output.say(f"    {line}")


def given_words(context: click.Context) -> list[str]:
    """The options that this command was given, as words for the service's command line."""
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if not is_given or name in _OURS:
            continue
        if name in _OF_ONE_NIGHT:
            raise InvalidInput(f"a service goes on: leave out {option.opts[0]} with --install")
        value = context.params[name]
        if isinstance(option, click.Option) and option.is_flag:
            words.append(option.opts[0] if value else option.secondary_opts[0])
        else:
            for each in value if isinstance(value, tuple) else (value,):
                words += [option.opts[0], str(each)]
    return words
