"""When cron expressions fire: against croniter, which knows nothing of ours, and minute by minute where it differs.

Of the two, cronsim evaluates. Where the readings of cron differ:

* A time that comes twice, because the clock is put back, fires once, the first time. croniter fires twice, and so does
  cronsim where minute or hour begin with a star (as Debian's cron).
* A time that does not exist, because the clock is put forward, fires once as soon as the clock has passed it. cronsim
  leaves it out where minute or hour begin with a star.
* An expression for every hour of the day fires each hour that passes; there all three agree.
* With a day of the month and a day of the week either is enough, unless one of them begins with a star: Debian's rule
  for `*/2`, which croniter has as `implement_cron_bug`.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from cosmosq import cron
from cosmosq.errors import InvalidInput

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # by half an hour
    "Antarctica/Troll",  # by two hours
    "America/Santiago",  # at midnight, in the south
    "Africa/Cairo",  # at midnight
    "America/Havana",  # from one o'clock to midnight
    "Pacific/Apia",  # left out a day in 2011
    "Asia/Kolkata",  # not at all
    "UTC",
)
CASES = 2000
MOST = 20
"""So many times of one expression are compared."""
MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")


# The reference


def reference(expression: str, moment: datetime, zone: ZoneInfo, until: datetime) -> list[datetime]:
    """The times in (moment, until] by croniter's reading of the fields, placed in the zone minute by minute."""
    begin = moment.astimezone(zone).replace(tzinfo=None) - timedelta(hours=3)
    end = until.astimezone(zone).replace(tzinfo=None) + timedelta(hours=3)
    walls = list(takewhile(lambda wall: wall <= end, _walls(expression, begin)))
    if croniter.expand(expression)[0][1] in (["*"], list(range(24))):
        shown, minute = set(walls), moment.replace(second=0, microsecond=0)
        minutes = [minute + n * MINUTE for n in range(1, (until - minute) // MINUTE + 1)]
        found = [minute for minute in minutes if minute.astimezone(zone).replace(tzinfo=None) in shown]
    else:
        found = [first_shown(wall, zone) for wall in walls]
    return sorted({time for time in found if moment < time <= until})


def _walls(expression: str, begin: datetime) -> Iterator[datetime]:
    return iter(croniter(expression, begin, ret_type=datetime, implement_cron_bug=True))


def first_shown(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first minute in which the zone's clock shows a time or one behind it."""
    day = timedelta(days=1)
    offsets = [(wall.replace(tzinfo=UTC) + shift).astimezone(zone).utcoffset() or timedelta() for shift in (-day, day)]
    minute = wall.replace(tzinfo=UTC) - max(offsets)
    while minute.astimezone(zone).replace(tzinfo=None) < wall:
        minute += MINUTE
    return minute


@cache
def changes(zone: str) -> list[datetime]:
    """When the zone's clock is changed between 2010 and 2036, in UTC, to the minute."""
    days = [datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(26 * 365)]
    there = ZoneInfo(zone)
    return [_bisected(a, b, there) for a, b in pairwise(days) if _offset(a, there) != _offset(b, there)]


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _bisected(before: datetime, behind: datetime, zone: ZoneInfo) -> datetime:
    while behind - before > MINUTE:
        middle = before + (behind - before) // 2
        before, behind = (middle, behind) if _offset(middle, zone) == _offset(before, zone) else (before, middle)
    return behind.replace(second=0, microsecond=0)


# What is compared


def field(chance: random.Random, low: int, high: int, stars: float) -> str:
    """A field of cron: a star, steps, a number, a list, a range."""
    if chance.random() < stars:
        return "*"
    # Two different ones: croniter takes 3-3 for every hour.
    a, b = sorted(chance.sample(range(low, high + 1), 2))
    step = chance.choice((2, 3, 5, 7, 15))
    return chance.choice((str(a), str(a), f"{a},{b}", f"{a}-{b}", f"{a}-{b}/{step}", f"*/{step}"))


def expression(chance: random.Random) -> str:
    day_of_week = field(chance, 0, 6, 0.6)
    return " ".join(
        (
            field(chance, 0, 59, 0.15),
            # Changes of the clock are at night.
            field(chance, 0, chance.choice((3, 3, 23)), 0.15),
            field(chance, 1, 28, 0.7) if chance.random() < 0.95 else "L",
            chance.choice(("*", "*", "*", "3,4,9-11", "OCT", "*/2")),
            chance.choice((day_of_week, day_of_week, "MON-FRI", "7", "SUN")),
        )
    )


def a_moment(chance: random.Random, zone: str) -> datetime:
    """Within a day of a change of the clock, where there is one, or anywhere."""
    found = changes(zone)
    if found and chance.random() < 0.8:
        return chance.choice(found) + timedelta(seconds=chance.randint(-86400, 7200))
    return datetime(2010, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randint(0, 26 * 365 * 86400))


def test_two_thousand_expressions_fire_when_an_independent_library_and_a_walk_through_the_minutes_say() -> None:
    chance = random.Random(7)
    fired = at_changes = 0
    for number in range(CASES):
        zone = ZONES[number % len(ZONES)]
        told, moment = expression(chance), a_moment(chance, zone)
        there, until = ZoneInfo(zone), moment + timedelta(days=chance.choice((1, 1, 1, 4)))
        found = list(takewhile(until.__ge__, islice(cron.after(told, moment, there), MOST)))
        until = found[-1] if len(found) == MOST else until
        assert found == reference(told, moment, there, until), (told, zone, moment.isoformat())
        assert found == sorted(set(found))
        fired += len(found)
        at_changes += any(moment < change <= until for change in changes(zone))
    assert fired > CASES
    assert at_changes > CASES / 3


@pytest.mark.parametrize(
    ("told", "day", "times"),
    [
        # Put forward from 2:00 to 3:00, and back from 3:00 to 2:00.
        ("30 2 * * *", "2026-03-29", ["03:00+0200"]),
        ("0,15,30 2 * * *", "2026-03-29", ["03:00+0200"]),
        ("*/20 2,3 * * *", "2026-03-29", ["03:00+0200", "03:20+0200", "03:40+0200"]),
        ("0 */2 * * *", "2026-03-29", ["00:00+0100", "03:00+0200", "04:00+0200", "06:00+0200"]),
        ("30 * * * *", "2026-03-29", ["00:30+0100", "01:30+0100", "03:30+0200", "04:30+0200"]),
        ("30 2 * * *", "2026-10-25", ["02:30+0200"]),
        ("*/20 2 * * *", "2026-10-25", ["02:00+0200", "02:20+0200", "02:40+0200"]),
        ("0 */2 * * *", "2026-10-25", ["00:00+0200", "02:00+0200", "04:00+0100", "06:00+0100"]),
        ("30 0-23 * * *", "2026-10-25", ["00:30+0200", "01:30+0200", "02:30+0200", "02:30+0100", "03:30+0100"]),
        ("@daily", "2026-10-25", ["00:00+0200"]),
    ],
)
def test_a_change_of_the_clock_leaves_out_no_time_and_repeats_none(told: str, day: str, times: list[str]) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    begin = midnight.astimezone(UTC) - timedelta(seconds=1)
    found = [time.astimezone(BERLIN) for time in islice(cron.after(told, begin, BERLIN), len(times) + 1)]
    assert [f"{time:%H:%M%z}" for time in found[: len(times)]] == times
    if len(times) < 4:
        assert found[-1].date() > midnight.date()


@pytest.mark.parametrize("seconds", [0, 1, 1800, 3599, 3600, 3601, 5400, 7199])
def test_no_time_comes_again_whenever_in_the_hour_that_comes_twice_it_is_asked_for(seconds: int) -> None:
    moment = datetime(2026, 10, 25, 0, 0, tzinfo=UTC) + timedelta(seconds=seconds)
    following = next(cron.after("30 2 * * *", moment, BERLIN))
    assert following == datetime(2026, 10, 25 if seconds < 1800 else 26, 0 if seconds < 1800 else 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", cron.NAMES)
def test_a_name_stands_for_its_fields(name: str) -> None:
    assert cron.check(f" {name.upper()} ") == name.upper()
    moment = datetime(2026, 11, 26, 12, 34, 56, tzinfo=UTC)
    times = [list(islice(cron.after(told, moment, BERLIN), 5)) for told in (name, name.upper(), cron.NAMES[name])]
    assert times[0] == times[1] == times[2]


def test_what_croniter_reads_in_a_zone_without_changes_is_the_same() -> None:
    chance, zone = random.Random(11), ZoneInfo("Asia/Kolkata")
    for _ in range(100):
        told, moment = expression(chance), a_moment(chance, "Asia/Kolkata").astimezone(zone)
        theirs = islice(croniter(told, moment, ret_type=datetime, implement_cron_bug=True), 3)
        assert list(islice(cron.after(told, moment, zone), 3)) == list(theirs), told


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("61 22 * * *", "'61' is no minute: write * or 0-59, a list (1,3), a range (1-5) or steps (*/2)"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of the month"),
        ("0 0 * 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no day of the week"),
        ("0 0 * * fri-mon", "'fri-mon' is no day of the week"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("0 0 31 2 *", "there is no day 31 in these months"),
        ("0 0 */20 * 1L", "it would not fire within 50 years"),
        ("0 22 * *", "write five fields (minute, hour, day of the month, month, day of the week)"),
        ("0 0 22 * * *", "write five fields"),
        ("", "write five fields"),
        ("@reboot", "@reboot is no time: start `cosmosq worker` with the machine"),
        ("@nightly", "it is none of @hourly, @daily"),
        ("9" * 5000, "it is longer than 200 characters"),
    ],
)
def test_what_is_no_expression_is_refused_with_the_reason(told: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        cron.check(told)
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


@given(
    st.one_of(st.text(), st.lists(st.text("0123456789*/,-#LWMONJA@", min_size=1), min_size=5, max_size=5).map(" ".join))
)
def test_any_text_is_an_expression_or_refused(told: str) -> None:
    try:
        kept = cron.check(told)
    except InvalidInput:
        return
    assert next(cron.after(kept, datetime(2026, 3, 29, tzinfo=UTC), BERLIN)) > datetime(2026, 3, 29, tzinfo=UTC)
