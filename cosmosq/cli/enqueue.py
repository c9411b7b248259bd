"""`cosmosq enqueue`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.selection import named_jobs, parse_labels, parse_pairs
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from cosmosq.enqueue import Enqueued, Wish

PRIORITY = click.IntRange(-1_000_000, 1_000_000)
_SHOWN = 20


@click.command()
@click.argument("names", nargs=-1, metavar="[PROMPT…]")
@click.option("--all", "everything", is_flag=True, help="Every prompt.")
@click.option("--upscale", is_flag=True, help="The arguments are jobs whose results are upscaled.")
@click.option("-s", "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A parameter of these jobs.")
@click.option(
    "--priority", type=click.IntRange(-1_000_000, 1_000_000), default=0, show_default=True, help="Higher goes first."
)
@click.option("--host", metavar="HOST", help="The host; by default the workspace's default_host.")
@click.option("--label", multiple=True, metavar="K=V", help="A label to find them by.")
@click.option("--again", is_flag=True, help="Also what was enqueued before.")
@click.option("--hold", is_flag=True, help="Keep them back until `cosmosq release`.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects.")
@click.pass_obj
def enqueue(
    app: App,
    names: tuple[str, ...],
    everything: bool,
    upscale: bool,
    settings: tuple[str, ...],
    priority: int,
    host: str | None,
    label: tuple[str, ...],
    again: bool,
    hold: bool,
    as_json: bool,
) -> None:
    """Queue jobs.

    One job a PROMPT, with parameters over the prompt's own. The same job again (same prompt, clip contents,
    parameters, kind and engine) is reported and skipped.
    """
    from cosmosq import enqueue as library

    if bool(names) == everything:
        raise InvalidInput("name prompts, or give --all for every one")
    overrides = parse_pairs(settings, "-s")
    if upscale:
        wishes = library.upscales_for(app.ledger, named_jobs(app, names), overrides)
    else:
        wishes = library.wishes_for(app.ledger, None if everything else names, overrides)
    answers = place(app, wishes, host=host, priority=priority, labels=label, again=again, held=hold)
    if as_json:
        output.emit_json([answer.as_json() for answer in answers])
    else:
        tell(answers)


def place(
    app: App,
    wishes: "Sequence[Wish]",
    *,
    host: str | None,
    priority: int = 0,
    labels: Sequence[str] = (),
    again: bool = False,
    held: bool = False,
) -> "list[Enqueued]":
    """Record the jobs, then ring for them: ledger first, then the tickets."""
    from cosmosq import enqueue as library
    from cosmosq.queue import Queue
    from cosmosq.session.site import utc_now

    answers = library.enqueue(
        app.ledger,
        app.config.host(host),
        wishes,
        now=utc_now(),
        priority=priority,
        labels=parse_labels(labels),
        again=again,
        held=held,
    )
    if fresh := [answer.id for answer in answers if answer.new and not held]:
        queue = Queue(app.workspace.queue_path)
        queue.ring(fresh)
        queue.close()
    return answers


def tell(answers: "Sequence[Enqueued]") -> None:
    """Say what was queued and what was there already."""
    for answer in answers[:_SHOWN]:
        if answer.new:
            output.emit(f"job {answer.id} {answer.status}: {answer.kind} of {answer.prompt_id} on {answer.host}")
        else:
            output.emit(f"job {answer.id} is the same and {answer.status} already: give --again to repeat it")
    fresh = sum(answer.new for answer in answers)
    if len(answers) > _SHOWN:
        output.emit(f"… and {len(answers) - _SHOWN} more")
    word = next((answer.status for answer in answers if answer.new), "queued")
    output.say(f"{fresh} {word}, {len(answers) - fresh} skipped")
