"""A ratings file is taken whole or refused in one line that says where."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import InvalidInput
from cosmosq.ratings_file import GivenComparison, GivenRating, read

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
RATING = {
    "job": 3,
    "digest": "0" * 64,
    "stars": 4,
    "verdict": "pick",
    "note": "the fog stays",
    "rated_at": "2026-11-26T07:59:00.123Z",
}
COMPARISON = {"better": 3, "worse": 4, "compared_at": "2026-11-26T08:59:00+01:00"}
WHOLE = {
    "format": "cosmosq-ratings",
    "version": 1,
    "workspace": "night",
    "ratings": [RATING],
    "comparisons": [COMPARISON],
}


def changed(**values: Any) -> str:
    return json.dumps({**WHOLE, **values})


def with_rating(**values: Any) -> str:
    return changed(ratings=[RATING, {**RATING, **values}])


def with_comparison(**values: Any) -> str:
    return changed(comparisons=[COMPARISON, {**COMPARISON, **values}])


def test_a_file_of_the_page_is_read() -> None:
    told = read(json.dumps(WHOLE), NOW)
    rated_at = datetime(2026, 11, 26, 7, 59, 0, 123000, tzinfo=UTC)
    assert told.workspace == "night"
    assert told.ratings == (
        GivenRating(job=3, digest="0" * 64, stars=4, verdict="pick", note="the fog stays", rated_at=rated_at),
    )
    compared_at = datetime(2026, 11, 26, 7, 59, tzinfo=UTC)
    assert told.comparisons == (GivenComparison(better=3, worse=4, compared_at=compared_at),)


def test_nothing_said_is_null_or_missing_and_an_empty_note_is_none() -> None:
    (rating,) = read(changed(ratings=[{"job": 1, "digest": "x", "note": "", "rated_at": "2026-11-26"}]), NOW).ratings
    assert (rating.stars, rating.verdict, rating.note) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "it is no JSON"),
        ("[1]", "the file is a list: an object is expected"),
        ("[" * 100_000, "it is no JSON: too deeply nested"),
        ('{"format": NaN}', "it is no JSON: NaN is no number"),
        ('{"version": 1' + "0" * 5000 + "}", "it is no JSON: Exceeds the limit"),
        (changed(format="other"), "it is no ratings file: its format is 'other'"),
        (changed(version=2), "version 2 is unknown"),
        (changed(version=True), "version True is unknown"),
        (changed(version=[]), "version a list is unknown"),
        (changed(workspace=3), "the file.workspace is 3: a text is expected"),
        (changed(ratings={}), "ratings is an object: a list is expected"),
        (changed(comparisons=None), "comparisons is missing: a list is expected"),
        (with_rating(job="3"), "ratings[1].job is '3': the number of a job is expected"),
        (with_rating(job=True), "ratings[1].job is True"),
        (with_rating(job=0), "ratings[1].job is 0"),
        (with_rating(job=2**63), "ratings[1].job is 9223372036854775808"),
        (with_rating(job=10**40), "ratings[1].job is a number of very many digits"),
        (with_rating(digest=5), "ratings[1].digest is 5: a text is expected"),
        (with_rating(stars=6), "ratings[1].stars is 6: 1 to 5 or null is expected"),
        (with_rating(stars=4.5), "ratings[1].stars is 4.5"),
        (with_rating(stars=True), "ratings[1].stars is True"),
        (with_rating(verdict="maybe"), "ratings[1].verdict is 'maybe': pick, reject or null is expected"),
        (with_rating(note=["x"]), "ratings[1].note is a list"),
        (with_rating(note="x" * 10_001), "ratings[1].note has 10,001 characters"),
        (with_rating(note="a\x00b"), "ratings[1].note is no text"),
        (with_rating(note="\ud800"), "ratings[1].note is no text"),
        (with_rating(rated_at="yesterday"), "ratings[1].rated_at is 'yesterday': a time in ISO 8601 is expected"),
        (with_rating(rated_at=None), "ratings[1].rated_at is missing"),
        (with_rating(rated_at="0001-01-01T00:00:00+23:59"), "ratings[1].rated_at is '0001-01-01"),
        (with_rating(rated_at="9999-01-01T00:00:00Z"), "which is yet to come: check that machine's clock"),
        (changed(ratings=[None]), "ratings[0] is missing: an object is expected"),
        (with_comparison(better=4), "comparisons[1] compares job 4 with itself"),
        (with_comparison(worse=None), "comparisons[1].worse is missing"),
        (with_comparison(compared_at=12), "comparisons[1].compared_at is 12"),
    ],
    ids=range(34),
)
def test_anything_wrong_is_refused_with_its_place(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(text, NOW)
    assert where in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_clock_that_is_a_little_ahead_is_no_reason() -> None:
    soon = (NOW + timedelta(hours=3)).isoformat()
    assert read(with_rating(rated_at=soon), NOW).ratings[1].rated_at == NOW + timedelta(hours=3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(RATING)), json_values)
def test_whatever_stands_in_a_field_is_taken_or_refused(name: str, value: Any) -> None:
    try:
        read(with_rating(**{name: value}), NOW)
    except InvalidInput as error:
        assert str(error).startswith("ratings[1]")  # noqa: PT017
