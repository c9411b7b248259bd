"""Click's groups and choices, which name what somebody may have meant."""

from typing import Any

import click

from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest


class CommandGroup(click.Group):
    """A group that lists its commands with the whole first sentence of each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        # In the order in which they are used, not in that of the alphabet.
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise InvalidInput(
                f"{args[0]} is no command{nearest(args[0], names)}: `{ctx.command_path} --help` lists them"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_sentence(command)) for name, command in self.commands.items()])


def first_sentence(command: click.Command) -> str:
    """What is said of a command in a list."""
    return " ".join((command.help or "").split("\n\n")[0].split())


class OneOf(click.Choice[str]):
    """One of some words."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return f"{value} is not allowed{nearest(str(value), self.choices)}: give {', '.join(self.choices)}"
