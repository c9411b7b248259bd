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
    from cosmosq.report.pulse import Pulse
    from cosmosq.report.standing import Standing

QUEUE = ("host", "running", "queued", "session", "", "served", "loads to come", "left", "ends", "worker")
COSTS = ("spent", "to come")


def standings(
    app: App, session: "Session", hosts: Iterable[str], outlooks: "Mapping[str, Outlook]"
) -> "dict[str, Standing]":
    """How hosts stand, by name and in their order."""
    hosts = sorted(hosts)
    if not hosts:
        return {}
    from cosmosq.report.standing import standing

    now = datetime.now(UTC)
    return {host: standing(session, app.config, host, outlooks.get(host), now) for host in hosts}


def pulses_of(app: App, session: "Session", hosts: Iterable[str], *, served: bool = False) -> "dict[str, Pulse]":
    """Whether a worker lives, by host and in their order; for `served` see `pulses`."""
    from cosmosq.report.pulse import pulses

    found = pulses(session, hosts, served=served, silent_s=app.config.lease_s, now=datetime.now(UTC))
    return {pulse.host: pulse for pulse in found}


def show_queue(
    outlooks: "Mapping[str, Outlook]", hosts: "Mapping[str, Standing]", workers: "Mapping[str, Pulse]", as_json: bool
) -> None:
    """A line a host: what is before it."""
    if as_json:
        output.emit_json(
            [{**outlooks[host].as_json(), **how.as_json(), **workers[host].as_json()} for host, how in hosts.items()]
        )
        return
    has_costs = any(how.spent or how.currency for how in hosts.values())
    rows = [
        [*_queue_cells(outlooks[host]), workers[host].worker, *(_costs(how) if has_costs else ())]
        for host, how in hosts.items()
    ]
    output.emit_table((*QUEUE, *(COSTS if has_costs else ())), rows)
    for host, how in hosts.items():
        if how.standstill:
            output.say(f"{host}: nothing starts: {how.standstill}")
    say_pulses(workers.values())


def say_pulses(workers: "Iterable[Pulse]") -> None:
    """A line a host: whether a worker lives, or since when none does."""
    for pulse in workers:
        output.say(f"{pulse.host}: {_pulse(pulse)}")


def _pulse(pulse: "Pulse") -> str:
    if pulse.worker == "none":
        since = f" has been alive since {output.clock(pulse.heartbeat_at)}" if pulse.heartbeat_at else ""
        return f"no worker{since}: `cosmosq worker` starts one"
    assert pulse.heartbeat_at is not None
    age = duration(round(max(0.0, (datetime.now(UTC) - pulse.heartbeat_at).total_seconds()))).replace(".0 s", " s")
    if pulse.worker == "silent":
        return f"the worker with pid {pulse.worker_pid} has said nothing for {age}: is it stopped, or does it wait?"
    return f"worker alive {age} ago"


def _queue_cells(host: "Outlook") -> Sequence[object]:
    where = (host.host, host.running, host.queued, host.session_id, host.session, host.served, host.loads)
    return (*where, *((host.paused, "") if host.paused else (duration(host.left_s), output.clock(host.ends_at))))


def say_standing(host: str, future: "Outlook | None", how: "Standing", *, is_waiting: bool) -> None:
    """A line for a host, if there is anything to tell; `is_waiting`: whether it has jobs that have not ended."""
    spent, coming = _costs(how)
    # The times know of windows, and of nothing else that keeps jobs from starting.
    is_stuck = how.standstill is not None and how.standstill_until is None
    words = [
        f"nothing starts: {how.standstill}" if is_waiting and how.standstill else "",
        _end(future) if future and not is_stuck else "",
        f"{spent} spent" if spent else "",
        f"about {coming} to come" if coming else "",
    ]
    if told := ", ".join(filter(None, words)):
        output.say(f"{host}: {told}")


def _end(future: "Outlook") -> str:
    if future.ends_at is None or future.paused:
        return ""
    loads = f", {future.loads} model load{'s' if future.loads != 1 else ''} to come" if future.loads else ""
    return f"all done in about {duration(future.left_s)}, at {output.clock(future.ends_at)}{loads}"


def _costs(how: "Standing") -> tuple[str, str]:
    from cosmosq.report.spending import told

    coming = "" if how.to_spend is None or how.currency is None else told({how.currency: how.to_spend})
    return told(how.spent), coming
