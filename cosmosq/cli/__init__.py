"""The command line: commands parse, call and render; each is imported only when it is used."""

import importlib
import keyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmosq import __version__
from cosmosq.cli.app import App
from cosmosq.cli.parsing import CommandGroup

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "Begin": {
        "init": ("init", "Make a workspace."),
        "demo": ("demo", "Run a small night on the simulated engine."),
        "completion": ("completion", "Let a shell complete commands, ids and names."),
    },
    "Prepare": {
        "host": ("host", "Look after the machines that work."),
        "clip": ("clip", "Name sets of input videos."),
        "prompt": ("prompt", "Record prompts, or import controlnet specs."),
        "parameters": ("parameters", "List the engine's parameters."),
    },
    "Queue": {
        "enqueue": ("enqueue", "Queue jobs."),
        "sweep": ("sweep", "Look at sweeps, and go on with them."),
        "schedule": ("schedule", "Enqueue again and again: each night, each Monday."),
        "batch": ("batch", "See which jobs share a process in command mode."),
    },
    "Work": {
        "worker": ("worker", "Work on queued jobs until stopped."),
        "run": ("run", "Enqueue, work and follow in the foreground."),
        "pause": ("pause", "Let nothing new start."),
        "resume": ("pause", "Lift pauses."),
    },
    "Look": {
        "status": ("status", "List jobs."),
        "show": ("show", "Show one job in full."),
        "log": ("log", "Print a job's log."),
        "wait": ("wait", "Wait until jobs have ended."),
        "notify": ("notify", "Be told of what happens."),
    },
    "Steer": {
        "cancel": ("steer", "Cancel jobs."),
        "retry": ("steer", "Queue jobs again that ended without success."),
        "hold": ("steer", "Keep jobs back."),
        "release": ("steer", "Queue held jobs again."),
        "move": ("move", "Move jobs within the line."),
        "edit": ("edit", "Change what waiting jobs are asked."),
        "remove": ("steer", "Forget jobs."),
    },
    "Compare": {
        "report": ("report", "Say what the jobs made."),
        "measure": ("measure", "Measure the videos that jobs made."),
        "rate": ("rate", "Rate videos."),
    },
    "Keep": {
        "export": ("parcel", "Write jobs as folders that stand for themselves."),
        "import": ("parcel", "Take exported jobs into this workspace."),
        "prune": ("prune", "Remove old results, here and on the hosts."),
        "doctor": ("doctor", "Look for what a crash has left behind, and mend it."),
        "db": ("db", "Look after the ledger."),
    },
}
"""By what people do: module of each command and its one line of help, so that `--help` imports none of them."""

COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}


class LazyGroup(CommandGroup):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cosmosq.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, COMMANDS))
        for title, group in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:<{width}}", text) for name, (_, text) in group.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        # As click has it, but from the table: the commands stay where they are.
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)]
        return named + click.Command.shell_complete(self, ctx, incomplete)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The workspace; by default COSMOSQ_WORKSPACE, else the nearest one upwards.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks and what is logged.")
@click.version_option(__version__, prog_name="cosmosq")
@click.pass_context
def cli(ctx: click.Context, workspace: Path | None, debug: bool) -> None:
    """Queue, run and compare many NVIDIA Cosmos-Transfer videos overnight."""
    app = ctx.obj = App(named_workspace=workspace, debug=debug)
    ctx.call_on_close(app.close)


def main(arguments: list[str] | None = None, **extra: Any) -> int:
    """Run one command and return its exit code; errors become one line on stderr."""
    from cosmosq.cli.guard import guarded

    return guarded(cli, arguments, **extra)
