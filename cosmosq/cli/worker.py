"""`cosmosq worker`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.guard import INTERRUPTED
from cosmosq.cli.options import hosts_option
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from cosmosq.config import Config
    from cosmosq.windows import Windows


@click.command()
@hosts_option("Serve this host only; may be repeated.")
@click.option("--until-empty", is_flag=True, help="Stop when no job can start and none runs.")
@click.option(
    "--window",
    "windows",
    multiple=True,
    metavar="FROM-TO[@ZONE]",
    help="Start jobs between these times alone, whatever cosmosq.toml says; `always` is at any time; may be repeated.",
)
@click.option("--until", metavar="WHEN", help="Start nothing after 07:00, 2026-12-01T01:00 or +8h, and end.")
@click.option("--max-jobs", type=click.IntRange(1), metavar="N", help="Begin so many jobs, and end.")
@click.option(
    "--max-gpu-hours",
    type=click.FloatRange(0, min_open=True),
    metavar="H",
    help="Begin what fits into so many hours of sessions, and end.",
)
@click.option(
    "--budget",
    type=click.FloatRange(0, min_open=True),
    metavar="AMOUNT",
    help="Begin what this pays for at the hosts' price_per_hour, and end.",
)
@click.option(
    "--poll",
    type=click.FloatRange(0.02, 60),
    default=0.2,
    show_default=True,
    metavar="S",
    help="So many seconds between two looks at a running session.",
)
@click.option("--install", is_flag=True, help="Write the file of a service that does this, and say how to enable it.")
@click.option("--print", "print_only", is_flag=True, help="With --install: only show that file.")
@click.pass_context
def worker(
    context: click.Context,
    hosts: tuple[str, ...],
    until_empty: bool,
    windows: tuple[str, ...],
    until: str | None,
    max_jobs: int | None,
    max_gpu_hours: float | None,
    budget: float | None,
    poll: float,
    install: bool,
    print_only: bool,
) -> int:
    """Work on queued jobs until stopped.

    It serves every host, or the ones named. The first Ctrl-C finishes the current job; a second one stops at once,
    leaves the work on the host running, and the next worker takes it over.

    Outside the run windows nothing starts; what runs is finished, and then the GPU is free. Windows, limits and what
    counts against them are described in docs/windows.md.
    """
    app: App = context.obj
    if print_only and not install:
        raise click.UsageError("--print needs --install")
    names = tuple(dict.fromkeys(app.config.host(name).name for name in hosts)) or tuple(app.config.hosts)
    if install:
        from cosmosq.cli.install import install as write

        write(app, context, print_only=print_only)
        return 0
    greeting = f"worker for {', '.join(names)}: Ctrl-C finishes the current job, twice stops at once"
    from cosmosq.moments import parse_moment
    from cosmosq.worker.limits import Limits

    limits = Limits(
        windows=_windows(app.config, names, windows),
        until=parse_moment(until, datetime.now(UTC)) if until else None,
        max_jobs=max_jobs,
        max_gpu_hours=max_gpu_hours,
        budget=budget,
        currency=_currency(app.config, names) if budget else "",
    )
    finished = work(app, greeting, hosts=names, until_empty=until_empty, poll_s=poll, limits=limits)
    return 0 if finished else INTERRUPTED


def _windows(config: "Config", hosts: Sequence[str], told: Sequence[str]) -> "dict[str, Windows]":
    from cosmosq.windows import parse_windows

    return {host: parse_windows(told) if told else config.host(host).windows for host in hosts}


def _currency(config: "Config", hosts: Sequence[str]) -> str:
    """What a budget for these hosts is in."""
    found = {host.currency for host in map(config.host, hosts) if host.price_per_hour}
    if not found:
        raise InvalidInput(f"--budget needs a price: set price_per_hour of {', '.join(hosts)} in cosmosq.toml")
    if len(found) > 1:
        raise InvalidInput(f"--budget is one sum, and the hosts have prices in {', '.join(sorted(found))}: name --host")
    return found.pop()


def work(
    app: App, greeting: str = "", *, hosts: tuple[str, ...], only: Sequence[int] | None = None, **options: Any
) -> bool:
    """Run a worker in this thread and show its jobs; False if it left work running."""
    from cosmosq.cli.follow import while_following
    from cosmosq.hosts import unlock
    from cosmosq.logs import logging_to
    from cosmosq.worker import Worker

    with logging_to(app.workspace.log_path):
        ledger = app.ledger
        if app.keyring is not None:
            for name in hosts:
                unlock(app.config.host(name), app.workspace, app.keyring)
            # Later the person is asleep, and the terminal is full of progress.
            app.keyring.ask_no_more()
        if greeting:
            output.say(greeting)
        worker = Worker(
            workspace=app.workspace,
            config=app.config,
            ledger=ledger,
            hosts=hosts,
            only=only,
            announce=output.say,
            keyring=app.keyring,
            **options,
        )
        return while_following(app, only or (), worker.run)
