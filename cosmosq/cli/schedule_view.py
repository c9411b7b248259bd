"""How schedules are shown: in the zone that each is meant in."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cosmosq.cli import output
from cosmosq.moments import parse_zone

if TYPE_CHECKING:
    from cosmosq.schedules import FiringRecord, ScheduleRecord


def clock(moment: datetime, zone: str) -> str:
    """A time as the schedule means it."""
    return f"{moment.astimezone(parse_zone(zone)):%a %Y-%m-%d %H:%M %Z}"


def line_of(schedule: "ScheduleRecord") -> str:
    """What it enqueues, as a shell would take it."""
    return shlex.join(["enqueue", *schedule.line])


def show_list(found: "Sequence[ScheduleRecord]") -> None:
    """A table with a line for each of the next times."""
    rows = [
        [
            each.name,
            f"{each.expression}\n{each.zone}" + (f"\ncatch-up {each.catch_up}" if each.catch_up != "once" else ""),
            "\n".join(clock(time, each.zone) for time in each.next_at) or "disabled",
            _last(each.last, each.zone) if each.last else "never",
            output.one_line(line_of(each), 60),
        ]
        for each in found
    ]
    output.emit_table(["name", "when", "next", "last", "line"], rows)


def _last(firing: "FiringRecord", zone: str) -> str:
    by = "by hand" if firing.by_hand else f"missed {firing.missed}" if firing.missed else ""
    told = {"queued": jobs_of(firing)}.get(firing.outcome, firing.outcome)
    lines = (clock(firing.due_at, zone), ", ".join(filter(None, (told, by))), output.one_line(firing.message or "", 40))
    return "\n".join(filter(None, lines))


def jobs_of(firing: "FiringRecord") -> str:
    """What it queued."""
    if not firing.jobs:
        return "no new jobs"
    return f"{firing.jobs} job{'s' if firing.jobs != 1 else ''}: {firing.ids}"
