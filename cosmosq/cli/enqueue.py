"""`cosmosq enqueue`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import (
    ARRAY,
    after_option,
    again_option,
    every_prompt_option,
    hold_option,
    host_option,
    label_option,
    priority_option,
    settings_option,
    yes_option,
    zone_option,
)
from cosmosq.cli.selection import named_jobs, parse_labels, parse_pairs
from cosmosq.cli.sweep_input import Asked, Read, read_sweep, sweep_options
from cosmosq.errors import InvalidInput
from cosmosq.status import Need, Status

if TYPE_CHECKING:
    from cosmosq.cli.suggest import Items
    from cosmosq.enqueue import Enqueued
    from cosmosq.plan import Plan
    from cosmosq.wishes import Wish

_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How jobs are put into the queue."""

    host: str | None = None
    priority: int = 0
    labels: Sequence[str] = ()
    """`K=V` each."""
    again: bool = False
    held: bool = False
    after: "Mapping[int, Need] | None" = None
    """What of which jobs they wait for."""
    due_at: datetime | None = None
    """None of them starts before."""
    firing: str | None = None
    """What they are queued for: a schedule's name, with `@` and the time that was due behind it if it was."""
    only_check: bool = False
    """Look whether they could be queued, and queue none."""

    @property
    def options(self) -> dict[str, Any]:
        """What the library is told beside host and time."""
        labels: Mapping[str, str] = parse_labels(self.labels)
        told: dict[str, Any] = {"priority": self.priority, "again": self.again, "held": self.held}
        told |= {"due_at": self.due_at, "after": self.after}
        if self.firing is None:
            return {**told, "labels": labels}
        from cosmosq.firings import noted

        name, _, due_at = self.firing.partition("@")
        beside = noted(name, datetime.fromisoformat(due_at) if due_at else None)
        return {**told, "labels": {**labels, "schedule": name}, "beside": beside}


def _prompts_or_jobs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> "Items":
    suggestion = suggest.jobs(Status.SUCCEEDED) if ctx.params.get("upscale") else suggest.prompts
    return suggestion(ctx, parameter, incomplete)


@click.command()
@click.argument("names", nargs=-1, metavar="[PROMPT…]", shell_complete=_prompts_or_jobs)
@every_prompt_option
@click.option("--upscale", is_flag=True, help="The arguments are jobs: upscale their videos.")
@click.option("--upsample", is_flag=True, help="Make each prompt longer first, and use that.")
@settings_option("A parameter of these jobs")
@sweep_options()
@priority_option()
@host_option()
@click.option("--at", metavar="WHEN", help="Start none before: 22:00, 2026-12-01T01:00, +2h.")
@zone_option("--at")
@label_option
@again_option
@hold_option
@after_option("--after", "Start once these have succeeded")
@after_option("--after-any", "Start once these have ended, however")
@click.option("--dry-run", is_flag=True, help="Say what a sweep would queue, and queue nothing.")
@yes_option
@ARRAY
@click.option("--firing", hidden=True, help="NAME@TIME of the schedule that this is done for.")
@click.option("--only-check", is_flag=True, hidden=True, help="Say nothing but what is wrong, and queue nothing.")
@click.pass_obj
def enqueue(
    app: App,
    names: tuple[str, ...],
    everything: bool,
    upscale: bool,
    upsample: bool,
    settings: tuple[str, ...],
    sweep: Asked,
    priority: int,
    host: str | None,
    at: str | None,
    tz: str | None,
    label: tuple[str, ...],
    again: bool,
    hold: bool,
    after: tuple[str, ...],
    after_any: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    firing: str | None,
    only_check: bool,
) -> None:
    """Queue jobs.

    One job a PROMPT, with parameters over the prompt's own. The same job again (same prompt, clip contents,
    parameters, kind and engine) is reported and skipped.

    With --after the jobs wait for others, and are cancelled if one of those does not succeed.

    With --upsample a prompt's clip and the prompt itself go to the prompt upsampler first, once for all jobs.

    With -p, --sweep, --trials or --method one job for each trial and PROMPT: `-p guidance=3,5,7`,
    `-p 'edge.weight=uniform(0.2,1)' -n 40`, `-p 'controls=[edge],[edge,depth]'`.

    With --at they wait until then; `cosmosq schedule` does that again and again.
    """
    needs = _needs(app, after, after_any)
    placement = Placement(
        host=host,
        priority=priority,
        labels=label,
        again=again,
        held=hold,
        after=needs,
        due_at=_due_at(at, tz),
        firing=firing,
        only_check=only_check,
    )
    if upscale and upsample:
        raise InvalidInput("--upscale and --upsample do not go together: an upscale has no prompt of its own")
    if sweep.is_sweep:
        if upscale:
            raise InvalidInput("--upscale and a sweep do not go together: upscale the sweep's jobs afterwards")
        asked = replace(sweep, prompts=names, everything=everything, settings=settings)
        if upsample:
            # As what varies, so that the sweep remembers it.
            asked = replace(asked, parameters=(*asked.parameters, "upsample=true"))
        _enqueue_sweep(app, read_sweep(asked), placement, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    if dry_run:
        raise InvalidInput("--dry-run belongs to a sweep: give -p, --sweep, --trials or --method too")
    answers = _enqueue_each(app, names, everything, settings, placement, upscale=upscale, upsample=upsample)
    if not only_check:
        show(answers, as_json, due_at=placement.due_at)


def _needs(app: App, after: Sequence[str], after_any: Sequence[str]) -> "Mapping[int, Need] | None":
    """By job; who is to succeed must also end."""
    if not after and not after_any:
        return None
    ended, succeeded = (_named_in(app, words) for words in (after_any, after))
    return {**dict.fromkeys(ended, Need.END), **dict.fromkeys(succeeded, Need.SUCCESS)}


def _named_in(app: App, words: Sequence[str]) -> list[int]:
    return named_jobs(app, [name.strip() for word in words for name in word.split(",")])


def _due_at(at: str | None, tz: str | None) -> datetime | None:
    from cosmosq.moments import parse_moment, parse_zone, utc_now

    if at is None:
        if tz is not None:
            raise InvalidInput("--tz says where a time is meant: give --at too")
        return None
    now = utc_now()
    due_at = parse_moment(at, now, parse_zone(tz) if tz is not None else None)
    if due_at < now:
        raise InvalidInput(f"--at {at} has passed ({output.clock(due_at)}): leave it out to start at once")
    return due_at


def _enqueue_each(
    app: App,
    names: tuple[str, ...],
    everything: bool,
    settings: tuple[str, ...],
    placement: Placement,
    *,
    upscale: bool,
    upsample: bool,
) -> "list[Enqueued]":
    from cosmosq.engines.upsampling import Request
    from cosmosq.upscale_wishes import upscales_for
    from cosmosq.wishes import wishes_for

    if bool(names) == everything:
        raise InvalidInput("name prompts, or give --all for every one")
    overrides = parse_pairs(settings, "-s")
    if upscale:
        wishes = upscales_for(app.ledger, named_jobs(app, names), overrides)
    else:
        request = Request() if upsample else None
        wishes = wishes_for(app.ledger, None if everything else names, overrides, request)
    return place(app, wishes, placement)


def place(app: App, wishes: "Sequence[Wish]", placement: Placement) -> "list[Enqueued]":
    """Record the jobs, then ring for them: ledger first, then the tickets."""
    from cosmosq import enqueue as library
    from cosmosq.moments import utc_now

    host = app.config.host(placement.host)
    options = placement.options
    if placement.only_check:
        return []
    answers = library.enqueue(app.ledger, host, wishes, now=utc_now(), **options)
    _ring(app, answers, placement)
    return answers


def _enqueue_sweep(app: App, read: Read, placement: Placement, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from cosmosq.cli import sweep_view

    plan = plan_sweep(app, read, placement, yes=yes)
    if placement.only_check:
        return
    if dry_run:
        sweep_view.preview(app, plan, placement.host, as_json=as_json)
        return
    sweep_view.tell(plan)
    answers = place_sweep(app, plan, read.text, placement)
    show(answers, as_json, only_new=True, due_at=placement.due_at)


def plan_sweep(app: App, read: Read, placement: Placement, *, yes: bool) -> "Plan":
    """What a sweep would queue; what is wrong with it is told with its file."""
    from cosmosq.plan import MOST_JOBS, plan
    from cosmosq.sweep.node import Node

    most = None if yes else MOST_JOBS
    host = app.config.host(placement.host)
    with Node(value=None, place=lambda _: read.source).blamed():
        return plan(app.ledger, host, read.definition, again=placement.again, most=most)


def place_sweep(app: App, plan: "Plan", text: str, placement: Placement) -> "list[Enqueued]":
    """Record a planned sweep, then ring for its jobs."""
    from cosmosq import sweeps
    from cosmosq.moments import utc_now

    host = app.config.host(placement.host)
    answers = sweeps.record(app.ledger, host, plan, text=text, now=utc_now(), **placement.options)
    _ring(app, answers, placement)
    return answers


def _ring(app: App, answers: "Sequence[Enqueued]", placement: Placement) -> None:
    new = [answer for answer in answers if answer.new and not placement.held]
    app.ring([*{answer.upsample_job_id for answer in new if answer.upsample_job_id}, *(answer.id for answer in new)])


def show(
    answers: "Sequence[Enqueued]", as_json: bool, *, only_new: bool = False, due_at: datetime | None = None
) -> None:
    """What was queued and what was there already, as JSON or in lines."""
    if as_json:
        output.emit_json([answer.as_json() for answer in answers])
    else:
        tell([answer for answer in answers if answer.new] if only_new else answers, of=len(answers), due_at=due_at)


def tell(answers: "Sequence[Enqueued]", *, of: int | None = None, due_at: datetime | None = None) -> None:
    """Say what was queued and what was there already.

    Args:
        of: number of jobs that were asked for, if these answers are not all of them.
        due_at: when the first of them may start.
    """
    for answer in answers[:_SHOWN]:
        if answer.new:
            first = f", after job {answer.upsample_job_id} upsampled that" if answer.upsample_job_id else ""
            output.emit(f"job {answer.id} {answer.status}: {answer.kind} of {answer.prompt_id} on {answer.host}{first}")
        else:
            output.emit(f"job {answer.id} is the same and {answer.status} already: give --again to repeat it")
    fresh = sum(answer.new for answer in answers)
    if len(answers) > _SHOWN:
        output.emit(f"… and {len(answers) - _SHOWN} more")
    word = next((answer.status for answer in answers if answer.new), "queued")
    later = f", not before {output.clock(due_at)}" if due_at and fresh else ""
    output.say(f"{fresh} {word}, {(of or len(answers)) - fresh} skipped{later}")
