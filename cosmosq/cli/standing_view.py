"""Hosts in `cosmosq status`: when all will be done there, why nothing starts, what it costs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.report.durations import duration

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cosmosq.report.outlook import Outlook
    from cosmosq.report.standing import Standing

QUEUE = ("host", "running", "queued", "session", "", "served", "loads to come", "left", "ends")
COSTS = ("spent", "to come")


def standings(
    app: App, session: "Session", hosts: Iterable[str], outlooks: "Mapping[str, Outlook]"
) -> "dict[str, Standing]":
    """How hosts stand, by name and in their order."""
    from cosmosq.report.standing import standing

    now = datetime.now(UTC)
    return {host: standing(session, app.config, host, outlooks.get(host), now) for host in sorted(hosts)}


def show_queue(outlooks: "Mapping[str, Outlook]", hosts: "Mapping[str, Standing]", as_json: bool) -> None:
    """A line a host: what is before it."""
    if as_json:
        output.emit_json([{**outlooks[host].as_json(), **how.as_json()} for host, how in hosts.items()])
        return
    has_costs = any(how.spent or how.currency for how in hosts.values())
    rows = [[*_queue_cells(outlooks[host]), *(_costs(how) if has_costs else ())] for host, how in hosts.items()]
    output.emit_table((*QUEUE, *(COSTS if has_costs else ())), rows)
    for host, how in hosts.items():
        if how.standstill:
            output.say(f"{host}: nothing starts: {how.standstill}")


def _queue_cells(host: "Outlook") -> Sequence[object]:
    where = (host.host, host.running, host.queued, host.session_id, host.session, host.served, host.loads)
    return (*where, duration(host.left_s), output.clock(host.ends_at))


def say_standing(host: str, future: "Outlook | None", how: "Standing", *, is_waiting: bool) -> None:
    """A line for a host, if there is anything to tell; `is_waiting`: whether it has jobs that have not ended."""
    spent, coming = _costs(how)
    words = [
        f"nothing starts: {how.standstill}" if is_waiting and how.standstill else "",
        _end(future) if future else "",
        f"{spent} spent" if spent else "",
        f"about {coming} to come" if coming else "",
    ]
    if told := ", ".join(filter(None, words)):
        output.say(f"{host}: {told}")


def _end(future: "Outlook") -> str:
    if future.ends_at is None:
        return ""
    loads = f", {future.loads} model load{'s' if future.loads != 1 else ''} to come" if future.loads else ""
    return f"all done in about {duration(future.left_s)}, at {output.clock(future.ends_at)}{loads}"


def _costs(how: "Standing") -> tuple[str, str]:
    from cosmosq.report.spending import told

    coming = "" if how.to_spend is None or how.currency is None else told({how.currency: how.to_spend})
    return told(how.spent), coming
