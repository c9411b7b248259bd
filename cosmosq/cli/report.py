"""`cosmosq report`: what the jobs made, as totals, groups, CSV or a page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import json_option
from cosmosq.cli.report_groups import Question, answer, question_options, write_csv
from cosmosq.cli.report_page import Wanted, page_options, write_page
from cosmosq.cli.selection import Criteria, filter_options
from cosmosq.errors import InvalidInput
from cosmosq.report.durations import duration

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cosmosq.report.failures import Failure
    from cosmosq.report.query import Filter
    from cosmosq.report.scores import Score
    from cosmosq.report.totals import Totals

STDOUT = Path("-")
_NOTHING = "no jobs: `cosmosq enqueue` queues some, `cosmosq status` shows all there are"
_SHOWN_RANGES, _SHOWN_SCORES = 12, 10


@click.command()
@filter_options
@question_options
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    help="Write one line a job, or the table that was asked for; - is stdout.",
)
@page_options
@json_option("the totals, or the table, as an object")
@click.pass_obj
def report(
    app: App, criteria: Criteria, question: Question, csv_path: Path | None, wanted: Wanted, as_json: bool
) -> None:
    """Say what the jobs made.

    Totals by status and prompt, GPU time and failures; with --csv or --html every job.

    With --by what each value did: `--by edge.weight`, `--by controls,guidance --measure canny_f1`, `--by seed --bins
    5`. KEY is any parameter, prompt, clip, host, day, upsampled, sweep, trial, controls (the hints with a weight) or
    kind.
    """
    if as_json and csv_path == STDOUT:
        raise InvalidInput("--csv - and --json both want stdout: give --csv a file")
    wanted.check()
    question.check()
    which = criteria.filter(app)
    # One transaction, so that totals and rows tell of the same moment.
    with app.ledger.read() as session:
        if question.is_asked:
            _answer(session, which, question, csv_path, as_json)
        elif csv_path is not None:
            _write_csv(session, which, csv_path)
        if not question.is_asked and (as_json or (csv_path is None and not wanted.anything)):
            _show_totals(session, which, as_json)
    if wanted.anything:
        write_page(app, which, wanted)


def _answer(session: "Session", which: "Filter", question: Question, csv_path: Path | None, as_json: bool) -> None:
    from cosmosq.report import query
    from cosmosq.report.totals import simulated

    told = answer(session, which, question)
    if csv_path is not None:
        write_csv(told.csv(), csv_path, csv_path == STDOUT)
    if as_json:
        output.emit_json(told.json())
    elif csv_path is None and not told.empty:
        told.show()
        if simulated(session, which):
            output.say("SIMULATED: no GPU worked for some or all of this")
    elif csv_path is None and query.counts(session, which):
        output.say("none of these jobs has it yet" if question.best else "none of these jobs makes a video")
    elif csv_path is None:
        output.say(_NOTHING)


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
    from cosmosq.report.failures import failures
    from cosmosq.report.scores import ranking
    from cosmosq.report.totals import totals

    sums, failed = totals(session, which, datetime.now(UTC)), failures(session, which)
    if as_json:
        compared = [vars(score) for score in ranking(session, which)]
        failed_json = [failure.as_json() for failure in failed]
        output.emit_json({**sums.as_json(), "failures": failed_json, "comparisons": compared})
    elif not sums.jobs:
        output.say(_NOTHING)
    else:
        _show_tables(sums)
        _show_failures(failed)
        _show_ranking(ranking(session, which))
        output.say("`--html DIR` makes a page with the videos, `--csv FILE` one line a job, `--by KEY` groups them")


def _show_failures(failed: "Sequence[Failure]") -> None:
    if not failed:
        return
    output.emit("")
    rows = [(f.jobs, f.error, output.one_line(f.pattern, 80), f.example) for f in failed]
    output.emit_table(("jobs", "error", "", "e.g. job"), rows)
    output.emit("")
    for failure in failed:
        words = failure.retry.split()
        rest = len(words) - 2 - _SHOWN_RANGES
        output.emit(" ".join(words[: 2 + _SHOWN_RANGES]) + (f" …  # {rest} more in --json" if rest > 0 else ""))


def _show_ranking(scores: "Sequence[Score]") -> None:
    if not scores:
        return
    output.emit("")
    rows = [(s.job, f"{s.score:+.2f}", s.better, s.worse) for s in scores[:_SHOWN_SCORES]]
    output.emit_table(("job", "score", "better", "worse"), rows)
    if len(scores) > _SHOWN_SCORES:
        output.emit(f"… and {len(scores) - _SHOWN_SCORES} more in --csv")


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
