"""`cosmosq sweep`: randomised or gridded sets of jobs, after and before they are queued."""

from dataclasses import replace
from pathlib import Path

import click

from cosmosq.cli import output, suggest, sweep_view
from cosmosq.cli.app import App
from cosmosq.cli.enqueue import Placement, place_sweep, plan_sweep
from cosmosq.cli.enqueue import show as show_jobs
from cosmosq.cli.options import (
    ARRAY,
    OBJECT,
    every_prompt_option,
    hold_option,
    host_option,
    label_option,
    name_argument,
    priority_option,
    prompts_argument,
    settings_option,
    yes_option,
)
from cosmosq.cli.parsing import CommandGroup
from cosmosq.cli.steer import cancel as cancel_jobs
from cosmosq.cli.steer import retry as retry_jobs
from cosmosq.cli.sweep_input import Asked, read_sweep, sweep_options


@click.group(cls=CommandGroup)
def sweep() -> None:
    """Look at sweeps, and go on with them.

    `cosmosq enqueue` queues one: with -p on the command line, or with --sweep FILE.
    """


@sweep.command()
@click.argument("file", metavar="FILE|-", shell_complete=suggest.files)
@prompts_argument("names")
@every_prompt_option
@settings_option("A parameter of these jobs")
@sweep_options(with_file=False)
@host_option()
@yes_option
@OBJECT
@click.pass_obj
def preview(
    app: App,
    file: str,
    names: tuple[str, ...],
    everything: bool,
    settings: tuple[str, ...],
    sweep: Asked,
    host: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Say what the sweep in FILE would queue, and queue nothing.

    Values, number of jobs, what is there already, model loads, and what it will cost by what was made before.
    """
    asked = replace(sweep, file=file, prompts=names, everything=everything, settings=settings)
    plan = plan_sweep(app, read_sweep(asked), Placement(host=host), yes=yes)
    sweep_view.preview(app, plan, host, as_json=as_json)


@sweep.command(name="list")
@ARRAY
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """List the sweeps."""
    from cosmosq.report import sweeps

    with app.ledger.read() as session:
        found = sweeps.list_sweeps(session)
    if as_json:
        output.emit_json(found)
        return
    if not found:
        output.say("no sweeps: `cosmosq enqueue -p` and `--sweep` make some")
        return
    rows = [
        [
            output.one_line(each["name"], 40),
            each["method"],
            each["sweep_seed"],
            each["trials"],
            each["jobs"],
            sweep_view.statuses(each["by_status"]),
            output.clock(each["changed_at"]),
        ]
        for each in found
    ]
    output.emit_table(["name", "method", "sweep_seed", "trials", "jobs", "", "changed"], rows)


@sweep.command()
@name_argument(suggest.sweeps)
@OBJECT
@click.pass_obj
def show(app: App, name: str, as_json: bool) -> None:
    """Show sweep NAME: its text, its trials and their jobs."""
    from cosmosq.report import sweeps

    with app.ledger.read() as session:
        found = sweeps.sweep(session, name)
    if as_json:
        output.emit_json(found)
        return
    output.emit_fields(
        {
            **{field: found[field] for field in ("name", "method", "sweep_seed", "host")},
            "jobs": f"{found['jobs']}: {sweep_view.statuses(found['by_status'])}",
            "queued": output.clock(found["created_at"]),
            "changed": output.clock(found["changed_at"]),
        }
    )
    output.emit(f"\n{found['text'].rstrip()}\n")
    sweep_view.show_trials(found["trials"], found["definition"].get("parameters", {}))


@sweep.command()
@name_argument(suggest.sweeps)
@click.option(
    "-n",
    "--count",
    type=click.IntRange(1, 1_000_000),
    required=True,
    metavar="N",
    help="So many further trials, not counting repetitions with other seeds.",
)
@priority_option()
@label_option
@hold_option
@yes_option
@ARRAY
@click.pass_obj
def extend(
    app: App, name: str, count: int, priority: int, label: tuple[str, ...], hold: bool, yes: bool, as_json: bool
) -> None:
    """Queue further trials of sweep NAME.

    They go on where the drawing ended; none is repeated.
    """
    from cosmosq import sweeps
    from cosmosq.plan import MOST_JOBS

    most = None if yes else MOST_JOBS
    further = sweeps.extension(app.ledger, app.config.host, name, count, most=most)
    sweep_view.tell(further.plan)
    placement = Placement(host=further.host, priority=priority, labels=label, held=hold)
    answers = place_sweep(app, further.plan, further.text, placement)
    show_jobs(answers, as_json, only_new=True)


@sweep.command()
@name_argument(suggest.sweeps)
@click.option(
    "--csv",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE|-",
    required=True,
    help="The file to write; - is stdout.",
)
@click.pass_obj
def export(app: App, name: str, path: Path) -> None:
    """Write the trials of sweep NAME as CSV, a line a job.

    What varies and what came of it; `cosmosq enqueue --trials` takes the file back.
    """
    from cosmosq.report import csv_file, sweeps

    with app.ledger.read() as session:
        columns, rows = sweeps.export(session, name)
        if path == Path("-"):
            for line in csv_file.lines(rows, columns):
                output.emit_raw(line)
        else:
            csv_file.save(path, rows, columns)
            output.say(f"wrote {path}")


@sweep.command()
@name_argument(suggest.sweeps)
@ARRAY
@click.pass_context
def cancel(ctx: click.Context, name: str, as_json: bool) -> None:
    """Cancel the jobs of sweep NAME that have not ended."""
    _steer(ctx, cancel_jobs, name, as_json)


@sweep.command()
@name_argument(suggest.sweeps)
@ARRAY
@click.pass_context
def retry(ctx: click.Context, name: str, as_json: bool) -> None:
    """Queue jobs of sweep NAME again that ended without success."""
    _steer(ctx, retry_jobs, name, as_json)


def _steer(ctx: click.Context, command: click.Command, name: str, as_json: bool) -> None:
    """The command about jobs, for all that suit it of one sweep."""
    criteria = {"status": (), "prompt": None, "label": (), "sweep": name, "host": None}
    ctx.invoke(command, jobs=(), everything=True, as_json=as_json, **criteria)
