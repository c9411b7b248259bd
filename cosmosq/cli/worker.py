"""`cosmosq worker`."""

from collections.abc import Sequence
from typing import Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.guard import INTERRUPTED


@click.command()
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Serve this host only; may be repeated.")
@click.option("--until-empty", is_flag=True, help="Stop when no job can start and none runs.")
@click.option(
    "--poll",
    type=click.FloatRange(0.02, 60),
    default=0.2,
    show_default=True,
    metavar="S",
    help="Seconds between two looks at a running session.",
)
@click.pass_obj
def worker(app: App, hosts: tuple[str, ...], until_empty: bool, poll: float) -> int:
    """Work on queued jobs until stopped.

    It serves every host, or the ones named. The first Ctrl-C finishes the current job; a second one stops at once,
    leaves the work on the host running, and the next worker takes it over.
    """
    names = tuple(dict.fromkeys(app.config.host(name).name for name in hosts)) or tuple(app.config.hosts)
    greeting = f"worker for {', '.join(names)}: Ctrl-C finishes the current job, twice stops at once"
    finished = work(app, greeting, hosts=names, until_empty=until_empty, poll_s=poll)
    return 0 if finished else INTERRUPTED


def work(
    app: App, greeting: str = "", *, hosts: tuple[str, ...], only: Sequence[int] | None = None, **options: Any
) -> bool:
    """Run a worker in this thread and show its jobs; False if it left work running."""
    from cosmosq.cli.follow import while_following
    from cosmosq.hosts import unlock
    from cosmosq.logs import log_to
    from cosmosq.worker import Worker

    log_to(app.workspace.log_path)
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
