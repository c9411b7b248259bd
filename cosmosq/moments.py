"""Moments as people write them: a time of day, a date, or so long from now."""

import os
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FORMS = "22:00, 2026-12-01, 2026-12-01T01:00, 2026-12-01T01:00+01:00, +2h or +1d6h30m"
PAST_FORMS = "22:00, 2026-12-01, 2026-12-01T01:00, or 8h or 2d for so long ago"
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[dhms])+")
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def utc_now() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)


def parse_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment that `text` names, as an aware time in UTC.

    Args:
        text: a time of day (the next one), a date, a date and time, or `+` and a span.
        now: aware.
        zone: where times without an offset are meant; None for this machine's own zone.

    Raises:
        InvalidInput: it is none of these.
    """
    if text.startswith("+"):
        return (now + parse_span(text[1:])).astimezone(UTC)
    if found := _TIME.fullmatch(text):
        return _next(now, int(found[1]), int(found[2]), zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no moment: write {FORMS}") from error
    return _placed(moment, zone) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_past(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """Likewise, for looking back.

    Args:
        text: a time of day (the last one), a date, a date and time, or a span for so long ago.

    Raises:
        InvalidInput: it is none of these.
    """
    if _SPAN.fullmatch(text):
        return _back(now, parse_span(text), text).astimezone(UTC)
    if found := _TIME.fullmatch(text):
        earlier = (_next(now - timedelta(days=days), int(found[1]), int(found[2]), zone) for days in (1, 2))
        return next(moment for moment in earlier if moment <= now)
    if not text.startswith("+"):
        with suppress(InvalidInput):
            return parse_moment(text, now, zone)
    raise InvalidInput(f"{text!r} is no moment to look back to: write {PAST_FORMS}")


def _back(now: datetime, span: timedelta, text: str) -> datetime:
    try:
        return now - span
    except OverflowError as error:
        raise InvalidInput(f"{text!r} is too long a time") from error


def parse_span(text: str) -> timedelta:
    """A length of time such as `90m`, `2h` or `1d12h`.

    Raises:
        InvalidInput: it is none.
    """
    if not _SPAN.fullmatch(text):
        raise InvalidInput(f"{text!r} is no length of time: write 30s, 90m, 2h, 7d or 1d12h")
    try:
        return timedelta(seconds=sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)([dhms])", text)))
    except OverflowError as error:
        raise InvalidInput(f"{text!r} is too long a time") from error


def parse_zone(name: str) -> "ZoneInfo":
    """An IANA zone by name.

    Raises:
        InvalidInput: there is none of that name.
    """
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise InvalidInput(f"{name!r} is no time zone: write an IANA name such as Europe/Berlin or UTC") from error


def local_zone() -> "ZoneInfo":
    """This machine's own zone by its IANA name, so that it can be kept.

    Raises:
        InvalidInput: the machine does not tell its name.
    """
    link = Path("/etc/localtime")
    told = os.environ.get("TZ", "").removeprefix(":")
    if not told and link.is_symlink():
        told = os.path.realpath(link)
    name = told.rpartition("/zoneinfo/")[2]
    if not name and link.exists():
        raise InvalidInput("this machine's time zone has no name: say which one with --tz, as in --tz Europe/Berlin")
    return parse_zone(name or "UTC")


def _next(now: datetime, hour: int, minute: int, zone: tzinfo | None) -> datetime:
    today = now.astimezone(zone).replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None, fold=0)
    moments = (_placed(today + timedelta(days=days), zone) for days in (0, 1, 2))
    return next(moment for moment in moments if moment > now)


def _placed(naive: datetime, zone: tzinfo | None) -> datetime:
    # A naive time is converted as one of this machine's zone.
    return (naive if zone is None else naive.replace(tzinfo=zone)).astimezone(UTC)


def clock(moment: datetime, now: datetime) -> str:
    """A moment for people, in this machine's zone: `22:00`, with the date where it is a day or more from now."""
    local = moment.astimezone()
    time_of_day = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return time_of_day if abs(moment - now) < timedelta(days=1) else f"{local:%Y-%m-%d} {time_of_day}"
