"""`cosmosq wait`."""

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument
from cosmosq.cli.selection import Criteria, chosen_jobs, filter_options
from cosmosq.errors import JobFailed, Unreachable
from cosmosq.status import ENDED, UNSUCCESSFUL, Status

_PENDING = tuple(status for status in Status if status not in ENDED)


@click.command()
@jobs_argument(*_PENDING)
@click.option("--all", "everything", is_flag=True, help="All jobs that have not ended, within the filters.")
@filter_options
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="S", help="Give up after so many seconds; exit code 4."
)
@ARRAY
@click.pass_obj
def wait(
    app: App, jobs: tuple[str, ...], everything: bool, criteria: Criteria, timeout: float | None, as_json: bool
) -> None:
    """Wait until jobs have ended.

    Each JOB is an id or a range such as 3-9. The exit code is 1 if one did not succeed.
    """
    from cosmosq.cli.follow import follow_until_ended
    from cosmosq.report import query

    ids = chosen_jobs(app, jobs, everything, criteria, _PENDING)
    found = follow_until_ended(app, ids, timeout) if ids else {}
    if as_json:
        with app.ledger.read() as session:
            output.emit_json(query.jobs(session, query.Filter(ids=ids)) if ids else [])
    if pending := [job_id for job_id, status in found.items() if status not in ENDED]:
        raise Unreachable(f"{len(pending)} jobs have not ended after {timeout:g} s, the first is {pending[0]}")
    raise_for_failures(found)


def raise_for_failures(found: dict[int, Status]) -> None:
    """Exit code 1 if a job has not succeeded."""
    failed = [job_id for job_id, status in found.items() if status in UNSUCCESSFUL]
    if failed:
        first = failed[0]
        raise JobFailed(f"{len(failed)} of {len(found)} jobs did not succeed: `cosmosq show {first}` says why")
    for job_id, status in found.items():
        if status != Status.SUCCEEDED:
            remedy = f"`cosmosq release {job_id}` first" if status == Status.HELD else f"see `cosmosq show {job_id}`"
            raise JobFailed(f"job {job_id} is {status} and was not worked on: {remedy}")
