"""`cosmosq cancel`, `retry`, `hold`, `release` and `remove`."""

from collections.abc import Callable, Sequence
from typing import Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument
from cosmosq.cli.selection import Criteria, chosen_jobs, filter_options
from cosmosq.status import ENDED, UNSUCCESSFUL, Status


def _jobs_command(
    help_text: str, suitable: Sequence[Status], *, claimed: bool = False, gone: bool = False
) -> Callable[[Callable[[App, list[int]], Any]], click.Command]:
    """A command about jobs: ids, ranges or --all with filters, and --json.

    Args:
        claimed: see `chosen_jobs`.
        gone: the jobs are not there afterwards, and are told as they were.
    """

    def decorate(act: Callable[[App, list[int]], Any]) -> click.Command:
        @click.command(name=act.__name__, help=f"{help_text}\n\nEach JOB is an id or a range such as 3-9.")
        @jobs_argument(*suitable)
        @click.option("--all", "everything", is_flag=True, help="All jobs that suit, within the filters.")
        @filter_options
        @ARRAY
        @click.pass_obj
        def command(app: App, jobs: tuple[str, ...], everything: bool, criteria: Criteria, as_json: bool) -> None:
            ids = chosen_jobs(app, jobs, everything, criteria, suitable, claimed=claimed)
            before = _rows(app, ids) if gone and as_json else []
            words = act(app, ids)
            if as_json:
                output.emit_json(before if gone else _rows(app, ids))
            else:
                output.say(words)

        return command

    return decorate


@_jobs_command(
    "Cancel jobs.\n\nWaiting ones at once, running ones as soon as their session has stopped them.",
    (Status.HELD, Status.QUEUED, Status.RUNNING),
)
def cancel(app: App, ids: list[int]) -> str:
    from cosmosq import jobs

    done, asked = jobs.cancel(app.ledger, ids, _now())
    return f"{len(done)} cancelled" + (f", {len(asked)} running ones asked to stop" if asked else "")


@_jobs_command("Queue jobs again that ended without success.", tuple(UNSUCCESSFUL))
def retry(app: App, ids: list[int]) -> str:
    from cosmosq import jobs

    queued = jobs.retry(app.ledger, ids, _now())
    app.ring(queued)
    return f"{len(queued)} queued again"


@_jobs_command(
    "Keep jobs back.\n\nQueued ones wait until they are released; running ones that only wait in a session are taken "
    "back.",
    (Status.QUEUED,),
    claimed=True,
)
def hold(app: App, ids: list[int]) -> str:
    from cosmosq import jobs

    held, asked = jobs.hold(app.ledger, ids, _now())
    return f"{len(held)} held" + (f", {len(asked)} to be taken back from their session" if asked else "")


@_jobs_command("Queue held jobs again.", (Status.HELD,))
def release(app: App, ids: list[int]) -> str:
    from cosmosq import jobs

    released = jobs.release(app.ledger, ids, _now())
    app.ring(released)
    return f"{len(released)} released"


@_jobs_command(
    "Forget jobs.\n\nThose that do not run, with all that was recorded of them; their output files stay.",
    (Status.HELD, Status.QUEUED, *ENDED),
    gone=True,
)
def remove(app: App, ids: list[int]) -> str:
    from cosmosq import jobs

    jobs.remove(app.ledger, ids)
    return f"{len(ids)} forgotten"


def _rows(app: App, ids: Sequence[int]) -> list[dict[str, Any]]:
    from cosmosq.report import query

    with app.ledger.read() as session:
        return query.jobs(session, query.Filter(ids=ids)) if ids else []


def _now() -> Any:
    from cosmosq.moments import utc_now

    return utc_now()
