"""`cosmosq move`."""

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument
from cosmosq.cli.selection import named_jobs
from cosmosq.errors import InvalidInput
from cosmosq.status import Status


@click.command()
@jobs_argument(Status.QUEUED, Status.RUNNING, required=True)
@click.option("--first", is_flag=True, help="Before all others of their host, whatever the priority of those.")
@click.option("--last", is_flag=True, help="Behind all others of their host.")
@click.option(
    "--before",
    metavar="JOB",
    shell_complete=suggest.jobs(Status.QUEUED),
    help="Right before this one, with its priority.",
)
@ARRAY
@click.pass_obj
def move(app: App, jobs: tuple[str, ...], first: bool, last: bool, before: str | None, as_json: bool) -> None:
    """Move jobs within the line.

    Each JOB is an id or a range such as 3-9; they get there in the order in which they are named. Jobs that wait in a
    session and have not begun can be moved, too. Those that must end before a moved one can begin go with it.
    """
    from cosmosq import reorder
    from cosmosq.moments import utc_now
    from cosmosq.report import query

    if first + last + (before is not None) != 1:
        raise InvalidInput("where to? give one of --first, --last and --before JOB")
    ids = named_jobs(app, jobs)
    if before is not None:
        moved = reorder.before(app.ledger, ids, _one(app, before), utc_now())
    else:
        moved = (reorder.first if first else reorder.last)(app.ledger, ids, utc_now())
    with app.ledger.read() as session:
        found = {row["id"]: row for row in query.jobs(session, query.Filter(ids=moved.ids))}
    rows = [found[job_id] for job_id in moved.ids if job_id in found]
    if as_json:
        output.emit_json(rows)
        return
    where = "first" if first else "last" if last else f"before job {before}"
    told = ", ".join(f"{row['id']} (priority {row['priority']})" for row in rows[:20])
    more = f" … and {len(rows) - 20} more" if len(rows) > 20 else ""
    output.say(f"moved {where}: {told}{more}")
    if moved.recalled:
        output.say(f"to be taken back from their session first: {', '.join(map(str, moved.recalled))}")


def _one(app: App, word: str) -> int:
    ids = named_jobs(app, [word])
    if len(ids) != 1:
        raise InvalidInput(f"--before {word} names {len(ids)} jobs: name one")
    return ids[0]
