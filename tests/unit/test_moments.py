"""Moments: what people write, in their own zone, across a change of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cosmosq.errors import InvalidInput
from cosmosq.moments import parse_moment, parse_past, parse_span, parse_zone

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 26, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22:00", datetime(2026, 11, 26, 21, 0, tzinfo=UTC)),
        ("7:15", datetime(2026, 11, 27, 6, 15, tzinfo=UTC)),
        ("19:30", datetime(2026, 11, 27, 18, 30, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
        ("2026-12-01T01:00", datetime(2026, 12, 1, 0, 0, tzinfo=UTC)),
        ("2026-12-01T01:00Z", datetime(2026, 12, 1, 1, 0, tzinfo=UTC)),
        ("2026-12-01T01:00-05:00", datetime(2026, 12, 1, 6, 0, tzinfo=UTC)),
        ("+2h", NOW + timedelta(hours=2)),
        ("+1d6h30m", NOW + timedelta(days=1, hours=6, minutes=30)),
    ],
)
def test_a_moment_is_read_in_its_zone(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW, BERLIN) == expected


def test_a_time_of_day_is_the_next_one_also_when_the_clock_changes_between() -> None:
    evening = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    assert parse_moment("07:00", evening, BERLIN) == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "25:00", "22:60", "2026-13-01", "+", "+2", "+2x", "+h", "2h", "+9e9h"]
)
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(InvalidInput, match="write"):
        parse_moment(text, NOW, BERLIN)


def test_spans_and_zones() -> None:
    assert parse_span("1.5h") == timedelta(minutes=90)
    assert parse_zone("Europe/Berlin") == BERLIN
    for name in ("Mars/Base", "", "../etc/passwd", "\x00"):
        with pytest.raises(InvalidInput, match="IANA"):
            parse_zone(name)
    with pytest.raises(InvalidInput):
        parse_span("9" * 400 + "d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", datetime(2026, 11, 26, 17, 0, tzinfo=UTC)),
        ("19:30", NOW),
        ("22:00", datetime(2026, 11, 25, 21, 0, tzinfo=UTC)),
        ("8h", NOW - timedelta(hours=8)),
        ("1d12h", NOW - timedelta(days=1, hours=12)),
        ("2026-11-25", datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),
        ("2026-11-25T01:00Z", datetime(2026, 11, 25, 1, 0, tzinfo=UTC)),
    ],
)
def test_looking_back_a_time_of_day_is_the_last_one_and_a_span_so_long_ago(text: str, expected: datetime) -> None:
    assert parse_past(text, NOW, BERLIN) == expected


def test_looking_back_over_a_change_of_the_clock() -> None:
    morning = datetime(2026, 10, 25, 5, 30, tzinfo=UTC)
    assert parse_past("07:00", morning, BERLIN) == datetime(2026, 10, 24, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "+2h", "25:00", "h", "9999999d", "99999999999999999999d"])
def test_what_is_no_moment_to_look_back_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no moment to look back to: write 22:00|too long a time"):
        parse_past(text, NOW, BERLIN)
