"""`cosmosq parameters`."""

import click

from cosmosq.cli import output
from cosmosq.cli.options import ARRAY


@click.command()
@ARRAY
def parameters(as_json: bool) -> None:
    """List the engine's parameters.

    Of each: its name, what is allowed, its default and its meaning.
    """
    from cosmosq.engines.parameters import PARAMETERS

    if as_json:
        rows = [
            {"name": p.name, "type": p.type.__name__, "allowed": p.allowed, "default": p.default, "meaning": p.meaning}
            for p in PARAMETERS
        ]
        output.emit_json(rows)
        return
    output.emit_table(
        ["name", "allowed", "default", "meaning"],
        [[p.name, p.allowed, output.one_line(str(p.default), 24), p.meaning] for p in PARAMETERS],
    )
