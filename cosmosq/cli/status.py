"""`cosmosq status`."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import jobs_argument, json_option
from cosmosq.cli.selection import Criteria, filter_options, named_jobs
from cosmosq.cli.standing_view import pulses_of, say_pulses, say_standing, show_queue, standings
from cosmosq.report.durations import duration
from cosmosq.status import Phase, Status

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cosmosq.report.outlook import Outlook


_WATCH_S = 1.0
_SHOWN = 50
_IN_LINE = (Status.QUEUED, Status.RUNNING)


@click.command()
@jobs_argument()
@filter_options
@click.option("-n", "--newest", type=click.IntRange(1), metavar="N", help="Only the newest N; a table shows 50.")
@click.option("--queue", is_flag=True, help="A line a host instead: its session, loads to come, time of the end.")
@click.option("--line", is_flag=True, help="Only what runs and what is queued, in the order in which it will begin.")
@click.option("--watch", is_flag=True, help="Renew the table until interrupted.")
@json_option("an array of objects, of all jobs unless -n is given")
@click.pass_obj
def status(
    app: App,
    jobs: tuple[str, ...],
    criteria: Criteria,
    newest: int | None,
    queue: bool,
    line: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """List jobs.

    All of them, or each JOB: an id or a range such as 3-9. Oldest first: where they stand, what they wait for, when
    they are expected to end, and how many there are of each status. With --line, -n N means the next N.
    """
    ids = named_jobs(app, jobs) if jobs else []
    while True:
        if watch and not as_json:
            output.clear()
        if queue:
            _show_queue(app, criteria, as_json)
        else:
            _show_jobs(app, criteria, ids, newest, in_line=line, as_json=as_json)
        if not watch:
            return
        time.sleep(_WATCH_S)


def _show_queue(app: App, criteria: Criteria, as_json: bool) -> None:
    from cosmosq.report import outlook

    with app.ledger.read() as session:
        names = [host for host in outlook.hosts(session) if criteria.host in (None, host)]
        outlooks = {host: _outlook(app, session, host) for host in names}
        hosts = standings(app, session, names, outlooks)
        workers = pulses_of(app, session, names)
    show_queue(outlooks, hosts, workers, as_json)


def _outlook(app: App, session: "Session", host: str, *, queued: bool = True) -> "Outlook":
    from cosmosq.report.outlook import outlook
    from cosmosq.report.standing import rules_of

    now = datetime.now(UTC)
    rules = rules_of(session, app.config, host, now)
    return outlook(session, host, rules, max_overtake=app.config.max_overtake, now=now, queued=queued)


def expected_times(app: App, session: "Session", hosts: Iterable[str], *, queued: bool = True) -> dict[int, datetime]:
    """When jobs of these hosts will have ended, by id; without those of which nothing is known."""
    found: dict[int, datetime] = {}
    for host in hosts:
        found.update(_outlook(app, session, host, queued=queued).expected_at)
    return found


def _show_jobs(
    app: App, criteria: Criteria, ids: list[int], newest: int | None, *, in_line: bool, as_json: bool
) -> None:
    from cosmosq import dependencies, pauses
    from cosmosq.cli.pause import lines
    from cosmosq.report import outlook, query

    which = criteria.filter(app, ids, statuses=_IN_LINE if in_line else ())
    most = newest if newest or as_json else _SHOWN
    with app.ledger.read() as session:
        counts = query.counts(session, which)
        paused = pauses.in_force(session, which.host)
        rows = query.jobs(session, which, newest=None if in_line else most)
        waiting = {row["host"] for row in rows if row["status"] in _IN_LINE}
        known = [host for host in sorted(waiting) if in_line or outlook.is_known(session, host)]
        outlooks = {host: _outlook(app, session, host) for host in known}
        to_tell_of = {row["host"] for row in rows} & (query.hosts_to_tell_of(session) | set(outlooks))
        hosts = {} if as_json else standings(app, session, to_tell_of, outlooks)
        needs = dependencies.unmet(session)
        asked = [criteria.host] if criteria.host else waiting
        workers = {} if as_json else pulses_of(app, session, asked, served=criteria.host is None)
    if in_line:
        rows = _as_they_begin(rows, outlooks.values())[:most]
    expected = {job_id: at for host in outlooks.values() for job_id, at in host.expected_at.items()}
    told = ("expected_at", expected.get), ("waits_for", lambda job_id: needs.get(job_id, []))
    rows = [{**row, **{name: of(row["id"]) for name, of in told}} for row in rows]
    for row in rows:
        if row["status"] == Status.QUEUED and row["host"] in outlooks and outlooks[row["host"]].paused:
            # What waits on a paused host ends nobody knows when.
            row["expected_at"] = None
    if as_json:
        output.emit_json(rows)
        return
    _render(counts, rows, "later ones" if in_line else "older ones")
    for line in lines(paused):
        output.say(line)
    for host, how in hosts.items():
        say_standing(host, outlooks.get(host), how, is_waiting=host in waiting)
    # Where nothing waits, nobody needs to know that nobody works.
    say_pulses(pulse for pulse in workers.values() if pulse.host in waiting or pulse.worker != "none")


def _as_they_begin(rows: list[dict[str, Any]], outlooks: "Iterable[Outlook]") -> list[dict[str, Any]]:
    """Host by host; at the end of each whatever waits for a job that will not end there."""
    places = {job_id: place for host in outlooks for place, job_id in enumerate(host.line)}
    return sorted(rows, key=lambda row: (row["host"], places.get(row["id"], len(places)), row["id"]))


def _render(counts: dict[str, int], rows: list[dict[str, Any]], others: str) -> None:
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
            _told(row),
            output.clock(row["ended_at"] or row["started_at"] or row["created_at"]),
        ]
        for row in rows
    ]
    headers = ["id", "status", "kind", "prompt", "host", "priority", "attempt", "progress", "since"]
    output.emit_table(headers, table, spare=("priority", "attempt", "kind", "host"))
    total = sum(counts.values())
    if total > len(rows):
        output.say(f"… and {total - len(rows)} {others}: -n {total} shows all")
    output.say(", ".join(f"{count} {name}" for name, count in counts.items()))


def _told(row: dict[str, Any]) -> str:
    """Progress, what to expect, or what went wrong."""
    if row["status"] == Status.RUNNING:
        is_known = row["expected_at"] and row["phase"] not in (Phase.DOWNLOADING, Phase.RECORDING)
        return progress_of(row) + (f", {left_of(row['expected_at'])}" if is_known else "")
    left = left_of(row["expected_at"]) if row["status"] == Status.QUEUED else ""
    waits = ", ".join(filter(None, (_told_of_needs(row["waits_for"]), not_before(row), left)))
    if row["status"] in (Status.QUEUED, Status.HELD) and waits:
        return waits
    return output.one_line(row["message"] or row["error"] or "", 50)


def _told_of_needs(ids: list[int]) -> str:
    if not ids:
        return ""
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return f"waiting for job{'s' if len(ids) > 1 else ''} {', '.join(map(str, ids[:5]))}{more}"


def not_before(row: dict[str, Any]) -> str:
    """When a job that waits may start, if that is yet to come."""
    due_at = row["due_at"]
    return f"not before {output.clock(due_at)}" if due_at and due_at > datetime.now(UTC) else ""


def left_of(expected_at: datetime | None) -> str:
    """How long it will take until then."""
    if expected_at is None:
        return ""
    return f"about {duration(max(0.0, (expected_at - datetime.now(UTC)).total_seconds()))} left"


def progress_of(row: dict[str, Any]) -> str:
    """How far a running job is: its phase, and the step of the clip."""
    if row["status"] != Status.RUNNING:
        return ""
    if row["phase"] != Phase.GENERATING or not row["steps"]:
        return str(row["phase"])
    clips = f", clip {row['clip']} of {row['clips']}" if (row["clips"] or 0) > 1 else ""
    return f"generating: step {row['step']} of {row['steps']}{clips}"
