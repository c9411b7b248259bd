"""`cosmosq report`: what the jobs made, as totals, CSV or a page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.report_page import Wanted, page_options, write_page
from cosmosq.cli.selection import Criteria, filter_options
from cosmosq.errors import InvalidInput
from cosmosq.report.durations import duration

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cosmosq.report.query import Filter
    from cosmosq.report.totals import Totals

STDOUT = Path("-")


@click.command()
@filter_options
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    help="Write one line a job; - is stdout.",
)
@page_options
@click.option("--json", "as_json", is_flag=True, help="Print the totals as an object.")
@click.pass_obj
def report(app: App, criteria: Criteria, csv_path: Path | None, wanted: Wanted, as_json: bool) -> None:
    """Say what the jobs made.

    Totals by status and prompt, and GPU time; with --csv or --html every job.
    """
    if as_json and csv_path == STDOUT:
        raise InvalidInput("--csv - and --json both want stdout: give --csv a file")
    wanted.check()
    which = criteria.filter(app)
    # One transaction, so that totals and rows tell of the same moment.
    with app.ledger.read() as session:
        if csv_path is not None:
            _write_csv(session, which, csv_path)
        if wanted.folder is not None:
            write_page(app, session, which, wanted)
        if as_json or (csv_path is None and wanted.folder is None):
            _show_totals(session, which, as_json)


def _write_csv(session: "Session", which: "Filter", path: Path) -> None:
    from cosmosq.report import csv_table, rows

    table = rows.whole(session, which)
    if path == STDOUT:
        for line in csv_table.lines(session, table):
            output.emit_raw(line)
    else:
        csv_table.save(path, session, table)
        output.say(f"wrote {path}")


def _show_totals(session: "Session", which: "Filter", as_json: bool) -> None:
    from cosmosq.report.totals import totals

    sums = totals(session, which, datetime.now(UTC))
    if as_json:
        output.emit_json(sums.as_json())
    elif not sums.jobs:
        output.say("no jobs: `cosmosq enqueue` queues some, `cosmosq status` shows all there are")
    else:
        _show_tables(sums)


def _show_tables(sums: "Totals") -> None:
    from cosmosq.report.spending import told

    output.emit_table(("status", "jobs"), [(output.coloured(s), n) for s, n in sums.by_status.items()])
    output.emit("")
    loads = f"{sums.loads} model load{'s' if sums.loads != 1 else ''}"
    spent = f"generating {duration(sums.generate_s)}, {loads} {duration(sums.load_s)}"
    mark = "no GPU worked: the seconds are the simulator's own" if sums.simulated else None
    fields = {"GPU time": f"{duration(sums.gpu_s)} ({spent})", "cost": told(sums.costs), "SIMULATED": mark}
    output.emit_fields(fields)
    output.emit("")
    headers = ("prompt", "jobs", "succeeded", "failed", "blocked", "generating", "a video")
    output.emit_table(
        headers,
        [
            (
                output.one_line(p.prompt_name or p.prompt_id, 40),
                *(p.jobs, p.succeeded, p.failed, p.blocked),
                *(duration(p.generate_s), duration(p.mean_s)),
            )
            for p in sums.prompts
        ],
    )
    output.say("`--html DIR` makes a page with the videos, `--csv FILE` one line a job")
