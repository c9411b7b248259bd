"""`cosmosq notify`: alarms, and whether they reach anybody."""

import threading
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY
from cosmosq.cli.parsing import CommandGroup
from cosmosq.errors import NotDelivered, NotFound

if TYPE_CHECKING:
    from cosmosq.notify.message import Message
    from cosmosq.notify.ways import Way

_TEXT = "this is a test: nothing happened"


@click.group(cls=CommandGroup)
def notify() -> None:
    """Be told of what happens.

    The worker takes alarms to the ways that the [notify] table of cosmosq.toml names.
    """


@notify.command()
@ARRAY
@click.pass_obj
def test(app: App, as_json: bool) -> None:
    """Send a test alarm now, once on every way.

    The exit code is 1 if it did not get out on one of them.
    """
    from datetime import UTC, datetime

    from cosmosq.notify import deliveries
    from cosmosq.notify.message import compose
    from cosmosq.notify.ways import ways_of

    ways = ways_of(app.config.notify, app.workspace.root)
    if not ways:
        raise NotFound(
            f"no way to anybody: give command, webhook or desktop in [notify] of {app.workspace.config_path}"
        )
    notice = deliveries.note_test(app.ledger, _TEXT, datetime.now(UTC))
    message = compose(app.workspace.root, [notice], datetime.now(UTC))
    results = []
    for way in ways:
        error = _send(way, message)
        deliveries.note_result(app.ledger, notice, way.name, error=error, now=datetime.now(UTC))
        results.append({"way": way.name, "ok": error is None, "error": error})
        if not as_json:
            output.emit(f"{way.name:<8} {'ok' if error is None else output.one_line(error, 300)}")
    if as_json:
        output.emit_json(results)
    failed = [str(result["way"]) for result in results if not result["ok"]]
    if failed:
        raise NotDelivered(f"the test did not get out by {', '.join(failed)}: mend it in {app.workspace.config_path}")


def _send(way: "Way", message: "Message") -> str | None:
    """Why it did not get out."""
    try:
        way.send(message, threading.Event())
    except NotDelivered as error:
        return str(error)
    return None


@notify.command(name="list")
@click.option(
    "-n", "--newest", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="Only the newest N."
)
@ARRAY
@click.pass_obj
def list_(app: App, newest: int, as_json: bool) -> None:
    """List the last alarms, oldest first, and who was told."""
    from cosmosq.notify import deliveries

    with app.ledger.read() as session:
        alarms = deliveries.newest(session, newest)
    if as_json:
        output.emit_json(alarms)
    elif not alarms:
        output.say("no alarms so far")
    else:
        rows = [
            [
                alarm["id"],
                output.clock(alarm["at"]),
                alarm["occasion"],
                output.one_line(alarm["text"], 80),
                _told(alarm),
            ]
            for alarm in alarms
        ]
        output.emit_table(["id", "at", "occasion", "alarm", "told"], rows)


def _told(alarm: dict[str, Any]) -> str:
    ways = [f"{delivery['way']} {_result(delivery)}" for delivery in alarm["deliveries"]]
    if alarm["delivered_at"] is None:
        return ", ".join(ways) or "not yet"
    return ", ".join(ways) or "not wanted"


def _result(delivery: dict[str, Any]) -> str:
    if delivery["ended_at"] is None:
        return "not yet"
    return "ok" if delivery["error"] is None else f"failed: {output.one_line(delivery['error'], 60)}"
