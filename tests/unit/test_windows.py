"""Run windows: what people write, and when it is open, also where the clocks jump."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import InvalidInput
from cosmosq.windows import Windows, parse_windows

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
JUMPS = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 7, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
]
"""Where the clocks of those zones are changed; the last one leaves out a whole day."""


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@st.composite
def one_window(draw: st.DrawFn) -> str:
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(0, 1440).filter(lambda minute: minute % 1440 != start or minute == 1440))
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}@{draw(st.sampled_from(ZONES))}"


some_windows = st.lists(one_window(), min_size=1, max_size=3).map(",".join)
moments = st.one_of(
    st.sampled_from(JUMPS).flatmap(
        lambda jump: st.integers(-36 * 3600, 36 * 3600).map(lambda s: jump + timedelta(seconds=s))
    ),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)


def in_some_window_by_the_clock(text: str, now: datetime) -> bool:
    """What a person says who looks at the clock on the wall of each zone."""
    for part in text.split(","):
        times, _, zone = part.partition("@")
        start, end = times.split("-")
        shown = f"{now.astimezone(ZoneInfo(zone)):%H:%M}"
        if start <= shown < end or (start >= end and (shown >= start or shown < end)):
            return True
    return False


def is_shown_twice(zone: str, now: datetime) -> bool:
    """Whether the clocks of the zone are put back over this time, a day before or after."""
    offsets = {(now + timedelta(hours=h)).astimezone(ZoneInfo(zone)).utcoffset() for h in range(-30, 31)}
    return len(offsets) > 1


@given(text=some_windows, now=moments)
def test_it_is_open_when_the_clock_on_the_wall_says_so(text: str, now: datetime) -> None:
    if any(is_shown_twice(part.partition("@")[2], now) for part in text.split(",")):
        return
    assert parse_windows(text).is_open(now) == in_some_window_by_the_clock(text, now)


@given(text=some_windows, now=moments)
def test_open_and_closed_follow_one_another_at_the_times_that_are_told(text: str, now: datetime) -> None:
    windows = parse_windows(text)
    just_before = timedelta(microseconds=1)
    if windows.is_open(now):
        assert windows.opens_at(now) == now
        if (end := windows.closes_at(now)) is not None:
            assert now < end
            assert windows.is_open(end - just_before)
            assert not windows.is_open(end)
            assert windows.closes_at(end - just_before) == end
            latest = windows.latest(end)
            assert latest is not None
            assert latest.closes_at == end
    else:
        assert windows.closes_at(now) is None
        begin = windows.opens_at(now)
        assert now < begin <= now + timedelta(days=3)
        assert windows.is_open(begin)
        assert not windows.is_open(begin - just_before)
        assert windows.opens_at(begin - just_before) == begin


@given(text=some_windows)
def test_what_is_written_of_windows_reads_the_same(text: str) -> None:
    assert parse_windows(str(parse_windows(text))) == parse_windows(text)


@given(now=moments)
def test_no_window_and_windows_over_the_whole_day_never_close(now: datetime) -> None:
    for text in ("", "always", "00:00-24:00", "06:00-18:30@UTC,18:30-06:00@UTC"):
        windows = parse_windows(text)
        assert windows.is_open(now)
        assert windows.closes_at(now) is None


def test_over_midnight() -> None:
    windows = parse_windows("22:00-07:00@Europe/Berlin")
    assert not windows.is_open(berlin("2026-11-26T21:59:59"))
    assert windows.opens_at(berlin("2026-11-26T12:00")) == berlin("2026-11-26T22:00")
    for inside in ("2026-11-26T22:00", "2026-11-27T00:00", "2026-11-27T06:59:59"):
        assert windows.closes_at(berlin(inside)) == berlin("2026-11-27T07:00")
    assert not windows.is_open(berlin("2026-11-27T07:00"))


def test_windows_that_touch_are_one() -> None:
    windows = parse_windows(["22:00-24:00@UTC", "00:00-07:00@UTC", "12:00-13:30:30@UTC"])
    assert windows.closes_at(datetime(2026, 11, 26, 23, tzinfo=UTC)) == datetime(2026, 11, 27, 7, tzinfo=UTC)
    assert windows.closes_at(datetime(2026, 11, 26, 13, tzinfo=UTC)) == datetime(2026, 11, 26, 13, 30, 30, tzinfo=UTC)


def test_a_night_in_which_the_clocks_are_put_forward_is_an_hour_shorter() -> None:
    spell = parse_windows("22:00-07:00@Europe/Berlin").current(berlin("2026-03-29T00:00"))
    assert spell is not None
    assert spell.closes_at - spell.opens_at == timedelta(hours=8)


def test_a_night_in_which_the_clocks_are_put_back_is_an_hour_longer() -> None:
    spell = parse_windows("22:00-07:00@Europe/Berlin").current(berlin("2026-10-25T00:00"))
    assert spell is not None
    assert spell.closes_at - spell.opens_at == timedelta(hours=10)


def test_times_that_the_clocks_jump_over_are_those_of_the_jump() -> None:
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    day_before = jump - timedelta(hours=6)
    assert parse_windows("02:30-05:00@Europe/Berlin").opens_at(day_before) == jump
    assert parse_windows("22:00-02:30@Europe/Berlin").closes_at(jump - timedelta(hours=1)) == jump
    next_day = berlin("2026-03-30T02:10")
    assert parse_windows("02:10-02:50@Europe/Berlin").opens_at(day_before) == next_day, "there was no such time"


def test_times_that_the_clocks_show_twice_are_the_first_ones() -> None:
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert parse_windows("02:30-05:00@Europe/Berlin").opens_at(first - timedelta(hours=3)) == first
    windows = parse_windows("22:00-02:30@Europe/Berlin")
    assert windows.closes_at(first - timedelta(hours=1)) == first
    assert not windows.is_open(first + timedelta(minutes=45)), "the clock shows 02:15 for the second time"


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine stands there."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_without_a_zone_the_clock_of_this_machine_counts() -> None:
    local, named = parse_windows("22:00-02:30"), parse_windows("22:00-02:30@America/New_York")
    start = datetime(2026, 3, 7, 12, tzinfo=UTC)
    for half_hours in range(0, 96):
        now = start + timedelta(minutes=30 * half_hours)
        assert (local.closes_at(now), local.opens_at(now)) == (named.closes_at(now), named.opens_at(now))


def test_a_zone_holds_for_those_before_it_that_have_none() -> None:
    assert str(parse_windows("12:00-13:00, 22:00-7:00@Europe/Berlin,1:00-2:00")) == (
        "12:00-13:00@Europe/Berlin,22:00-07:00@Europe/Berlin,01:00-02:00"
    )


@pytest.mark.parametrize(
    "text", ["22-07", "22:00", "22:00-22:00", "25:00-26:00", "24:00-07:00", "22:00-07:00@Mars/Base", "22:60-07:00", ","]
)
def test_what_is_no_window_is_named(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no"):
        parse_windows(text)


def test_none_is_always() -> None:
    assert parse_windows("") == parse_windows([]) == parse_windows("always") == Windows()
