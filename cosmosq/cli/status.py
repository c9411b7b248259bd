"""`cosmosq status`."""

import time
from typing import Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.selection import Criteria, filter_options, named_jobs

_WATCH_S = 1.0


@click.command()
@click.argument("jobs", nargs=-1, metavar="[JOB…]")
@filter_options
@click.option("-n", "--newest", type=click.IntRange(1), metavar="N", help="Only the newest N; a table shows 50.")
@click.option("--watch", is_flag=True, help="Renew the table until interrupted.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, all jobs unless -n is given.")
@click.pass_obj
def status(app: App, jobs: tuple[str, ...], criteria: Criteria, newest: int | None, watch: bool, as_json: bool) -> None:
    """List jobs.

    Oldest first: where they stand, and how many there are of each status.
    """
    ids = named_jobs(app, jobs) if jobs else []
    while True:
        counts, rows = _read(app, criteria, ids, newest if newest or as_json else 50)
        if as_json:
            output.emit_json(rows)
        else:
            if watch:
                output.clear()
            _render(counts, rows)
        if not watch:
            return
        time.sleep(_WATCH_S)


def _read(
    app: App, criteria: Criteria, ids: list[int], newest: int | None
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    from cosmosq.report import query

    which = criteria.filter(app, ids)
    with app.ledger.read() as session:
        return query.counts(session, which), query.jobs(session, which, newest=newest)


def _render(counts: dict[str, int], rows: list[dict[str, Any]]) -> None:
    if not rows:
        output.say("no jobs: `cosmosq enqueue` makes some")
        return
    table = [
        [
            row["id"],
            output.coloured(row["status"]),
            row["kind"],
            output.one_line(row["prompt_name"] or row["prompt_id"], 30),
            row["host"],
            row["priority"],
            row["attempt"],
            progress_of(row) or output.one_line(row["message"] or row["error"] or "", 50),
            output.clock(row["ended_at"] or row["started_at"] or row["created_at"]),
        ]
        for row in rows
    ]
    output.emit_table(["id", "status", "kind", "prompt", "host", "priority", "attempt", "progress", "since"], table)
    total = sum(counts.values())
    if total > len(rows):
        output.say(f"… and {total - len(rows)} older ones: -n {total} shows all")
    output.say(", ".join(f"{count} {name}" for name, count in counts.items()))


def progress_of(row: dict[str, Any]) -> str:
    """How far a running job is: its phase, and the step of the clip."""
    if row["status"] != "running":
        return ""
    if row["phase"] != "generating" or not row["steps"]:
        return str(row["phase"])
    clips = f", clip {row['clip']} of {row['clips']}" if (row["clips"] or 0) > 1 else ""
    return f"generating: step {row['step']} of {row['steps']}{clips}"
