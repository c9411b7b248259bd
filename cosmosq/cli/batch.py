"""`cosmosq batch`: which jobs share a process in command mode."""

from dataclasses import asdict

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument
from cosmosq.cli.parsing import CommandGroup
from cosmosq.cli.selection import Criteria, filter_options, named_jobs
from cosmosq.status import Status


@click.group(cls=CommandGroup)
def batch() -> None:
    """See which jobs share a process in command mode."""


@batch.command()
@jobs_argument(Status.QUEUED)
@filter_options
@ARRAY
@click.pass_obj
def preview(app: App, jobs: tuple[str, ...], criteria: Criteria, as_json: bool) -> None:
    """Say how a host would group its queued jobs in command mode.

    Each JOB is an id or a range such as 3-9; without any, all that are queued. Each line is one load of the model,
    and says why its jobs are not in an earlier one. The host groups what lies in its inbox at a time, so that it
    may make more groups of the same jobs, but never fewer.
    """
    from cosmosq.session.preview import preview as planned

    host = app.config.host(criteria.host)
    which = criteria.filter(app, named_jobs(app, jobs) if jobs else (), statuses=(Status.QUEUED,))
    groups = planned(app.ledger, app.workspace, host, which)
    if host.mode != "command":
        output.say(f"{host.name} is in mode {host.mode}: this is what mode command would make of its jobs")
    if host.batch_size == "auto":
        output.say(f"batch_size is auto: {host.name} finds out how many fit at once, {host.largest_batch} at most")
    if as_json:
        output.emit_json([asdict(group) for group in groups])
        return
    rows = [
        [number, len(group.jobs), group.batch_size, in_words(group.jobs), group.reason]
        for number, group in enumerate(groups, 1)
    ]
    output.emit_table(["load", "jobs", "at once", "which", "why apart"], rows)


def in_words(ids: tuple[int, ...]) -> str:
    """Ids with their ranges, e.g. `3-5 9`."""
    spans: list[list[int]] = []
    for job_id in ids:
        if spans and job_id == spans[-1][1] + 1:
            spans[-1][1] = job_id
        else:
            spans.append([job_id, job_id])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
