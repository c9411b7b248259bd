"""`cosmosq schedule`: recurring enqueues."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cosmosq.cli import output, schedule_view, suggest
from cosmosq.cli.app import App
from cosmosq.cli.enqueue import enqueue
from cosmosq.cli.options import ARRAY, OBJECT, name_argument, zone_option
from cosmosq.cli.parsing import CommandGroup, OneOf
from cosmosq.cli.selection import parse_labels
from cosmosq.errors import InvalidInput, NotFound

_NAME = name_argument(suggest.schedules)
_NICKNAMES = suggest.words("@hourly", "@daily", "@weekly", "@monthly", "@yearly")


@click.group(cls=CommandGroup)
def schedule() -> None:
    """Enqueue again and again: each night, each Monday.

    The worker does it when the time has come, once for each time.
    """


@schedule.command()
@click.argument("name")
@click.argument(
    "expression", metavar="CRON", shell_complete=suggest.words("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
)
@click.argument("line", nargs=-1, required=True, metavar="-- enqueue …", shell_complete=suggest.words("enqueue"))
@zone_option("CRON")
@click.option(
    "--catch-up",
    type=OneOf(["skip", "once", "all"]),
    metavar="HOW",
    default="once",
    show_default=True,
    help="What becomes of times that were missed because no worker ran: skip, once or all.",
)
@OBJECT
@click.pass_context
def add(
    ctx: click.Context, name: str, expression: str, line: tuple[str, ...], tz: str | None, catch_up: str, as_json: bool
) -> None:
    """Add schedule NAME.

    CRON is an expression of five fields (minute, hour, day of the month, month, day of the week), or @hourly, @daily,
    @weekly, @monthly or @yearly. Behind `--` comes any line of `cosmosq enqueue`; it is tried out now, and run in this
    folder when the time has come: `cosmosq schedule add nightly '0 22 * * 1-5' -- enqueue --sweep night.yaml --again`.
    """
    from cosmosq import cron, schedules
    from cosmosq.moments import local_zone, parse_zone, utc_now

    app: App = ctx.obj
    draft = schedules.Draft(
        name=name,
        expression=cron.check(expression),
        zone=(parse_zone(tz) if tz is not None else local_zone()).key,
        catch_up=schedules.CatchUp(catch_up),
        line=_checked(ctx, line),
        folder=Path.cwd(),
    )
    now = utc_now()
    schedules.add(app.ledger, app.workspace, draft, now)
    (added,) = schedules.records(app.ledger, now, [name])
    if as_json:
        output.emit_json(added.as_json())
        return
    times = (schedule_view.clock(time, added.zone) for time in added.next_at)
    output.emit(f"{name} fires at {', then '.join(times)}")
    if "--again" not in draft.line:
        output.say("without --again each firing queues only what is not in the ledger yet")


def _checked(ctx: click.Context, line: Sequence[str]) -> list[str]:
    """The words behind `enqueue`, which could queue something now.

    Raises:
        CosmosqError: they could not, or not when nobody is there.
    """
    command, *words = line
    if command != "enqueue":
        raise InvalidInput(f"a schedule enqueues, and {command} does not: write `-- enqueue …`")
    given = enqueue.make_context("enqueue", list(words), parent=ctx.find_root()).params
    if given["firing"] is not None or given["only_check"]:
        raise InvalidInput("--firing and --only-check are for the worker: leave them out")
    if given["dry_run"]:
        raise InvalidInput("--dry-run queues nothing, however often it fires: leave it out")
    if "-" in (given["file"], given["trials"]):
        raise InvalidInput("nobody will be there to write to stdin: put it into a file and name that")
    if (at := given["at"]) is not None and not at.startswith("+") and ":" not in at[:3]:
        raise InvalidInput(f"--at {at} comes only once: write a time of day, or a span such as +2h")
    if "schedule" in parse_labels(given["label"]):
        raise InvalidInput("the label schedule tells which schedule queued a job: use another key")
    ctx.invoke(enqueue, **{**given, "only_check": True})
    return list(words)


@schedule.command(name="list")
@ARRAY
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """List the schedules: the next three times of each, its last one and what that queued."""
    from cosmosq import schedules
    from cosmosq.moments import utc_now

    found = schedules.records(app.ledger, utc_now())
    if as_json:
        output.emit_json([each.as_json() for each in found])
    elif found:
        schedule_view.show_list(found)
    else:
        output.say("no schedules: `cosmosq schedule add` makes one")


@schedule.command(name="next")
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=suggest.schedules)
@click.option(
    *("-n", "--count"),
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    metavar="N",
    help="So many times.",
)
@ARRAY
@click.pass_obj
def next_(app: App, names: tuple[str, ...], count: int, as_json: bool) -> None:
    """Say what fires next, of all schedules or of some."""
    from cosmosq import schedules
    from cosmosq.moments import utc_now
    from cosmosq.report.durations import duration

    now = utc_now()
    found = schedules.records(app.ledger, now, names, upcoming=count)
    times = sorted(((time, each) for each in found for time in each.next_at), key=lambda pair: (pair[0], pair[1].name))
    if as_json:
        output.emit_json([{"due_at": time, "name": each.name, "line": each.line} for time, each in times[:count]])
        return
    if not times:
        output.say("nothing will fire: `cosmosq schedule list` shows what there is")
        return
    rows = [
        [
            schedule_view.clock(time, each.zone),
            duration((time - now).total_seconds()),
            each.name,
            output.one_line(schedule_view.line_of(each)),
        ]
        for time, each in times[:count]
    ]
    output.emit_table(["when", "in", "name", "line"], rows)


def _record(app: App, name: str) -> dict[str, Any]:
    from cosmosq import schedules
    from cosmosq.moments import utc_now

    (record,) = schedules.records(app.ledger, utc_now(), [name])
    return record.as_json()


@schedule.command()
@_NAME
@OBJECT
@click.pass_obj
def enable(app: App, name: str, as_json: bool) -> None:
    """Let schedule NAME fire again, from now on."""
    from cosmosq import schedules
    from cosmosq.moments import utc_now

    now = utc_now()
    schedules.enable(app.ledger, name, now)
    (enabled,) = schedules.records(app.ledger, now, [name])
    if as_json:
        output.emit_json(enabled.as_json())
        return
    output.say(
        f"{name} is enabled" + "".join(f", next at {schedule_view.clock(t, enabled.zone)}" for t in enabled.next_at[:1])
    )


@schedule.command()
@_NAME
@OBJECT
@click.pass_obj
def disable(app: App, name: str, as_json: bool) -> None:
    """Keep schedule NAME from firing until it is enabled."""
    from cosmosq import schedules

    schedules.disable(app.ledger, name)
    if as_json:
        output.emit_json(_record(app, name))
        return
    output.say(f"{name} is disabled: `cosmosq schedule enable {name}` lets it fire again")


@schedule.command()
@_NAME
@OBJECT
@click.pass_obj
def remove(app: App, name: str, as_json: bool) -> None:
    """Forget schedule NAME and its firings; the jobs that it queued stay."""
    from cosmosq import schedules

    record = _record(app, name)
    schedules.remove(app.ledger, name)
    if as_json:
        output.emit_json(record)
        return
    output.say(f"{name} is forgotten; its jobs stay: `cosmosq status --label schedule={name}`")


@schedule.command()
@_NAME
@ARRAY
@click.pass_context
def run(ctx: click.Context, name: str, as_json: bool) -> None:
    """Enqueue now what schedule NAME enqueues, whenever it is due, enabled or not."""
    from cosmosq import schedules

    app: App = ctx.obj
    with app.ledger.read() as session:
        found = schedules.get(session, name)
    folder = schedules.folder_of(found, app.workspace)
    if not folder.is_dir():
        raise NotFound(f"the folder {folder} of {name} is gone: remove the schedule and add it in another")
    given = enqueue.make_context("enqueue", list(found.line), parent=ctx.find_root()).params
    # Read here: in that folder another workspace may be the nearest.
    _ = app.config
    with contextlib.chdir(folder):
        ctx.invoke(enqueue, **{**given, "firing": name, "as_json": as_json})
