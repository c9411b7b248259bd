"""Run windows: the times of day at which jobs may start, as people write them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from cosmosq.errors import InvalidInput
from cosmosq.moments import parse_zone

if TYPE_CHECKING:
    # Most who ask for windows have none, and would wait for the zones all the same.
    from zoneinfo import ZoneInfo

FORMS = "22:00-07:00, 22:00-07:00@Europe/Berlin, 12:00-13:00,22:00-07:00 or always"
ALWAYS = "always"
_DAY_S = 86400
_TIME = r"(\d{1,2}):([0-5]\d)(?::([0-5]\d))?"
_WINDOW = re.compile(rf"{_TIME}-{_TIME}(?:@(\S+))?")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Spell:
    """Once that a window is open, from and until when; both in UTC."""

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, kw_only=True)
class Window:
    """From one time of day to another on the clocks of a zone, every day; over midnight if it must."""

    start_s: int
    """Seconds on the clock since midnight."""
    end_s: int
    """The same; more than a day's for an end after midnight."""
    zone: "ZoneInfo | None"
    """None for this machine's own."""

    def spell(self, day: date) -> Spell:
        """The one that begins on that day; an empty one where the clocks jump over all of it."""
        midnight = datetime.combine(day, time())
        begin, end = (_instant(midnight + timedelta(seconds=s), self.zone) for s in (self.start_s, self.end_s))
        return Spell(opens_at=begin, closes_at=end)

    def __str__(self) -> str:
        end_s = self.end_s if self.end_s <= _DAY_S else self.end_s - _DAY_S
        zone = f"@{self.zone.key}" if self.zone else ""
        return f"{_told(self.start_s)}-{_told(end_s)}{zone}"


@dataclass(frozen=True)
class Windows:
    """Several together; none at all is always open."""

    each: tuple[Window, ...] = ()

    def is_open(self, now: datetime) -> bool:
        """Whether jobs may start."""
        return not self.each or self.current(now) is not None

    def closes_at(self, now: datetime) -> datetime | None:
        """The end of the window that is open; None if it has none, or if none is open."""
        spell = self.current(now)
        # What is still open in two days has no gap on any day.
        return None if spell is None or spell.closes_at > now + timedelta(days=2) else spell.closes_at

    def opens_at(self, now: datetime) -> datetime:
        """When jobs may start: now, or when the next window opens."""
        if self.is_open(now):
            return now
        return next(spell.opens_at for spell in self._spells(now) if spell.opens_at > now)

    def current(self, now: datetime) -> Spell | None:
        """What is open now; windows that touch one another are one."""
        return next((spell for spell in self._spells(now) if spell.opens_at <= now < spell.closes_at), None)

    def latest(self, now: datetime) -> Spell | None:
        """What has closed last."""
        return next((spell for spell in reversed(self._spells(now)) if spell.closes_at <= now), None)

    def _spells(self, now: datetime) -> list[Spell]:
        """Those of the days around now, in order, joined where they touch."""
        found = []
        for window in self.each:
            today = now.astimezone(window.zone).date()
            found += [window.spell(today + timedelta(days=days)) for days in range(-2, 5)]
        joined: list[Spell] = []
        for spell in sorted(found, key=lambda spell: spell.opens_at):
            if spell.opens_at == spell.closes_at:
                continue
            if joined and spell.opens_at <= joined[-1].closes_at:
                last = joined.pop()
                spell = Spell(opens_at=last.opens_at, closes_at=max(last.closes_at, spell.closes_at))
            joined.append(spell)
        return joined

    def __str__(self) -> str:
        return ",".join(map(str, self.each)) or ALWAYS


def parse_windows(text: str | Sequence[str]) -> Windows:
    """The windows in one text, with commas between them, or in several.

    Args:
        text: `HH:MM[:SS]-HH:MM[:SS][@zone]`; a zone also holds for those before it that have none. Empty: always.

    Raises:
        InvalidInput: it is none of these.
    """
    texts = [text] if isinstance(text, str) else text
    return Windows(tuple(window for each in texts for window in _parse(each)))


def _parse(text: str) -> list[Window]:
    if text.strip() in ("", ALWAYS):
        return []
    windows: list[Window] = []
    zone: ZoneInfo | None = None
    for part in reversed(text.split(",")):
        found = _WINDOW.fullmatch(part.strip())
        if found is None:
            raise InvalidInput(f"{part.strip()!r} is no run window: write {FORMS}")
        zone = parse_zone(found[7]) if found[7] else zone
        start_s, end_s = _seconds(*found.group(1, 2, 3)), _seconds(*found.group(4, 5, 6))
        if start_s >= _DAY_S or end_s > _DAY_S:
            raise InvalidInput(f"{part.strip()!r} is no run window: a day has hours from 00:00 to 24:00")
        if start_s == end_s % _DAY_S and end_s != _DAY_S:
            raise InvalidInput(f"{part.strip()!r} is no run window: it begins when it ends; for all day write {ALWAYS}")
        windows.append(Window(start_s=start_s, end_s=end_s if end_s > start_s else end_s + _DAY_S, zone=zone))
    return windows[::-1]


def _seconds(hours: str, minutes: str, seconds: str | None) -> int:
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds or 0)


def _told(seconds: int) -> str:
    minutes, s = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{s:02}" if s else "")


def _instant(wall: datetime, zone: "ZoneInfo | None") -> datetime:
    """The first moment at which the clocks of the zone show `wall`; where they jump over it, that of the jump."""
    first, last = sorted(_placed(wall.replace(fold=fold), zone) for fold in (0, 1))
    if _shown(first, zone) == wall:
        return first
    while last - first > _SECOND:
        middle = first + (last - first) // 2
        if _shown(middle, zone) < wall:
            first = middle
        else:
            last = middle
    return last.replace(microsecond=0)


def _shown(moment: datetime, zone: "ZoneInfo | None") -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


def _placed(naive: datetime, zone: "ZoneInfo | None") -> datetime:
    # A naive time is converted as one of this machine's zone.
    return (naive if zone is None else naive.replace(tzinfo=zone)).astimezone(UTC)
