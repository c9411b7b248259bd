"""`cosmosq pause` and `resume`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, host_option, json_option

if TYPE_CHECKING:
    from cosmosq.models import Pause


@click.command()
@host_option("This host only; otherwise all.")
@click.option("--now", "at_once", is_flag=True, help="Stop what is generated as well; it is queued again.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who look at `status`.")
@ARRAY
@click.pass_obj
def pause(app: App, host: str | None, at_once: bool, reason: str, as_json: bool) -> None:
    """Let nothing new start.

    Until `cosmosq resume`: what is generated is finished, what only waits in a session is taken back, and a session
    that has nothing to do is closed after `idle_close`, so that the GPU is free. The pause outlives the worker.
    """
    from cosmosq import pauses

    name = app.config.host(host).name if host else None
    made = pauses.pause(app.ledger, name, reason=reason, at_once=at_once, now=datetime.now(UTC))
    if as_json:
        output.emit_json(as_objects([made]))
        return
    begun = "what is generated is stopped and queued again" if made.at_once else "what is generated is finished"
    remedy = f"cosmosq resume --host {name}" if name else "cosmosq resume"
    output.say(f"{place_of(made)} paused: {begun}; `{remedy}` goes on")


@click.command()
@host_option("This host only; otherwise all.")
@json_option("an array of objects, the pauses that were lifted")
@click.pass_obj
def resume(app: App, host: str | None, as_json: bool) -> None:
    """Lift pauses.

    A person's and the breaker's, and the failures that led to them are forgotten.
    """
    from cosmosq import pauses

    lifted = pauses.resume(app.ledger, app.config.host(host).name if host else None)
    if as_json:
        output.emit_json(as_objects(lifted))
    elif lifted:
        output.say("; ".join(f"{place_of(each)} no longer {pauses.words(each)}" for each in lifted))
    else:
        output.say(f"{host} is not paused" if host else "nothing is paused")


def place_of(each: "Pause") -> str:
    """`all hosts are` or `box is`."""
    from cosmosq.pauses import EVERY

    return "all hosts are" if each.host == EVERY else f"{each.host} is"


def as_objects(found: "Sequence[Pause]") -> list[dict[str, Any]]:
    """Pauses for programs."""
    names = ("host", "paused_by", "since", "reason", "at_once", "tries", "probe_at", "probe_job_id")
    return [{name: getattr(each, name) for name in names} for each in found]


def lines(found: "Sequence[Pause]") -> list[str]:
    """Pauses for people, one a line."""
    from cosmosq import pauses

    told = []
    for each in found:
        probe = f", a probe at {output.clock(each.probe_at)}" if each.probe_at else ""
        told.append(f"{place_of(each)} {pauses.words(each)} (since {output.clock(each.since)}{probe})")
    return told
