"""Arguments and options that several commands have: what means the same is called the same."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from cosmosq.cli import suggest

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

PRIORITY = click.IntRange(-1_000_000, 1_000_000)


def jobs_argument(*statuses: str, required: bool = False) -> Decorator[Any]:
    """`jobs`: ids and ranges; a shell suggests those of these statuses."""
    metavar = "JOB…" if required else "[JOB…]"
    return click.argument("jobs", nargs=-1, required=required, metavar=metavar, shell_complete=suggest.jobs(*statuses))


def job_argument(command: F) -> F:
    """`job`: one id."""
    return click.argument("job", shell_complete=suggest.jobs())(command)


def prompts_argument(name: str, *, required: bool = False) -> Decorator[Any]:
    """Prompts by id, the beginning of one, or name."""
    metavar = "PROMPT…" if required else "[PROMPT…]"
    return click.argument(name, nargs=-1, required=required, metavar=metavar, shell_complete=suggest.prompts)


def name_argument(suggestion: suggest.Suggestion, *, required: bool = True) -> Decorator[Any]:
    """`name`: of something that is there."""
    return click.argument("name", required=required, shell_complete=suggestion)


def host_option(about: str = "The host; by default the workspace's default_host.") -> Decorator[Any]:
    """`host`, or None."""
    return click.option("--host", metavar="HOST", shell_complete=suggest.hosts, help=about)


def hosts_option(about: str) -> Decorator[Any]:
    """`hosts`: several."""
    return click.option("--host", "hosts", multiple=True, metavar="HOST", shell_complete=suggest.hosts, help=about)


def settings_option(about: str) -> Decorator[Any]:
    """`settings`: `NAME=VALUE` of each `-s`."""
    return click.option(
        *("-s", "--set", "settings"),
        multiple=True,
        metavar="NAME=VALUE",
        shell_complete=suggest.settings,
        help=f"{about}; may be repeated.",
    )


def label_option(command: F) -> F:
    """`label`: `KEY=VALUE` of each."""
    return click.option(
        "--label",
        multiple=True,
        metavar="KEY=VALUE",
        shell_complete=suggest.labels,
        help="A label to find them by; may be repeated.",
    )(command)


def priority_option(default: int | None = 0) -> Decorator[Any]:
    """`priority`."""
    return click.option(
        "--priority",
        type=PRIORITY,
        default=default,
        show_default=default is not None,
        metavar="N",
        help="Higher goes first.",
    )


def zone_option(of: str) -> Decorator[Any]:
    """`tz`, or None for the zone of this machine."""
    about = f"Where {of} is meant, as Europe/Berlin; by default where this machine is."
    return click.option("--tz", metavar="ZONE", shell_complete=suggest.zones, help=about)


def after_option(name: str, about: str) -> Decorator[Any]:
    """Jobs to wait for."""
    return click.option(
        name,
        multiple=True,
        metavar="JOB[,JOB…]",
        shell_complete=suggest.jobs(),
        help=f"{about}; may be repeated.",
    )


again_option = click.option("--again", is_flag=True, help="Also what was enqueued before.")
hold_option = click.option("--hold", is_flag=True, help="Keep them back until `cosmosq release`.")
every_prompt_option = click.option("--all", "everything", is_flag=True, help="Every prompt.")
yes_option = click.option("--yes", is_flag=True, help="Also a sweep of more than 100,000 jobs.")


def json_option(what: str) -> Decorator[Any]:
    """`as_json`: `what` is printed for programs."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what}.")


ARRAY = json_option("an array of objects")
OBJECT = json_option("an object")


def with_options(command: F, wrapper: Callable[..., Any], options: Sequence[Callable[[Any], Any]]) -> F:
    """`wrapper` in place of the command, with these options behind the command's own."""
    wrapper.__doc__, wrapper.__name__ = command.__doc__, command.__name__
    decorated: Any = wrapper
    decorated.__click_params__ = getattr(command, "__click_params__", [])
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
