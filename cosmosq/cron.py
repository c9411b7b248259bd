"""When a cron expression fires: wall clock times in a zone, each once, across changes of the clock."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from cronsim import CronSim, CronSimError

from cosmosq.errors import InvalidInput

NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST = 200
_FIELDS = (
    ("minute", "minute", "0-59"),
    ("hour", "hour", "0-23"),
    ("day-of-month", "day of the month", "1-31 or L"),
    ("month", "month", "1-12 or JAN-DEC"),
    ("day-of-week", "day of the week", "0-7 or SUN-SAT"),
)
"""Of each field: its name in cronsim, in words, and what it may hold."""
_MINUTE = timedelta(minutes=1)
_LONGEST_REPETITION = timedelta(hours=3)
_ANY = datetime(2024, 1, 1)


def check(expression: str) -> str:
    """The expression, in the spelling that is kept.

    Raises:
        InvalidInput: it is none, or there is no such day ever; with the reason.
    """
    told = " ".join(expression.split())
    try:
        _refuse_never(told)
    except InvalidInput as error:
        raise InvalidInput(f"{told[:LONGEST]!r} cannot be a schedule: {error}") from error
    return told


def _refuse_never(expression: str) -> None:
    if next(_simulated(expression, _ANY), None) is None:
        raise InvalidInput("it would not fire within 50 years")


def after(expression: str, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The times that follow a moment, oldest first, in UTC.

    The expression names times of the zone's wall clock. One that does not exist, because the clock is put forward,
    fires once as soon as the clock has passed it; one that comes twice, because the clock is put back, fires the first
    time. An expression for every hour of the day names no times in that sense: it fires each hour that passes.
    """
    begin = moment.astimezone(zone).replace(tzinfo=None)
    if _is_hourly(expression):
        # The clock may have been put back over times that come again.
        found = _each(_simulated(expression, begin - _LONGEST_REPETITION), zone)
    else:
        found = _once(_simulated(expression, begin), zone)
    for time in found:
        if time > moment:
            moment = time
            yield time


def _once(walls: Iterable[datetime], zone: tzinfo) -> Iterator[datetime]:
    """When the zone's clock first shows each time, or one behind it."""
    for wall in walls:
        yield next(iter(_shown(wall, zone)), None) or _end_of_gap(wall, zone)


def _each(walls: Iterable[datetime], zone: tzinfo) -> Iterator[datetime]:
    """Whenever the zone's clock shows one of the times."""
    again: list[datetime] = []
    for wall in walls:
        first, *second = _shown(wall, zone) or (None,)
        while again and first and again[0] < first:
            yield again.pop(0)
        again += second
        if first:
            yield first
    yield from again


def _shown(wall: datetime, zone: tzinfo) -> list[datetime]:
    """When the zone's clock shows a time: once, or never, or twice."""
    moments = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in moments if moment.astimezone(zone).replace(tzinfo=None) == wall)


def _end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    """The moment at which the clock was put past a time that it never shows."""
    # Reckoned as if the clock had not been changed: behind the change, by less than the gap.
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    while (moment - _MINUTE).astimezone(zone).replace(tzinfo=None) > wall:
        moment -= _MINUTE
    return moment


def _is_hourly(expression: str) -> bool:
    # Also when spelled as 0-23 or */1.
    return _simulated(expression, _ANY).hours == set(range(24))


def _simulated(expression: str, begin: datetime) -> CronSim:
    fields = _fields(expression)
    try:
        return CronSim(" ".join(fields), begin)
    except CronSimError as error:
        raise InvalidInput(_reason(fields, str(error))) from error


@lru_cache(maxsize=256)
def _fields(expression: str) -> tuple[str, ...]:
    """The five fields.

    Raises:
        InvalidInput: there are more or fewer, or a name that is none.
    """
    if len(expression) > LONGEST:
        raise InvalidInput(f"it is longer than {LONGEST} characters")
    if expression.startswith("@"):
        if expression.lower() == "@reboot":
            raise InvalidInput("@reboot is no time: start `cosmosq worker` with the machine")
        if expression.lower() not in NAMES:
            raise InvalidInput(f"it is none of {', '.join(NAMES)}")
        expression = NAMES[expression.lower()]
    fields = tuple(expression.split())
    if len(fields) != len(_FIELDS):
        names = ", ".join(words for _, words, _ in _FIELDS)
        raise InvalidInput(f"write five fields ({names}) as in '0 22 * * 1-5', or a name such as @daily")
    return fields


def _reason(fields: tuple[str, ...], told: str) -> str:
    place, words, allowed = next(
        (number, words, allowed) for number, (name, words, allowed) in enumerate(_FIELDS) if told.endswith(f" {name}")
    )
    if place == 2 and re.fullmatch(r"\d+", fields[place]) and 1 <= int(fields[place]) <= 31:
        return f"there is no day {fields[place]} in these months"
    how = "a list (1,3), a range (1-5) or steps (*/2)"
    return f"{fields[place]!r} is no {words}: write * or {allowed}, {how}"
