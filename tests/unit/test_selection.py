"""Ids, ranges and pairs on the command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.cli.selection import parse_ids, parse_labels, parse_pairs, show_pairs
from cosmosq.errors import InvalidInput


def test_ids_and_ranges_become_pairs() -> None:
    assert parse_ids(["7", "3-9", "5-5"]) == [(7, 7), (3, 9), (5, 5)]


@given(first=st.integers(0, 10**9), more=st.integers(0, 100_000))
def test_any_range_is_read_as_written(first: int, more: int) -> None:
    assert parse_ids([f"{first}-{first + more}"]) == [(first, first + more)]


@pytest.mark.parametrize("word", ["", "x", "-3", "3-", "3--4", "1,2", "1.5", "٣x", "9" * 16, "1-2-3", "1\n"])
def test_what_is_no_job_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no job: give ids or ranges such as 3-9$"):
        parse_ids([word])


@pytest.mark.parametrize("word", ["9-3", "1-1000002"])
def test_a_range_backwards_or_without_end_is_refused(word: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{word} is no range of jobs: write the smaller id first"):
        parse_ids([word])


@given(value=st.text())
def test_a_value_may_hold_anything_behind_the_first_equal_sign(value: str) -> None:
    assert parse_pairs([f"negative_prompt={value}"], "-s") == {"negative_prompt": value}


def test_the_last_value_of_a_name_wins() -> None:
    assert parse_pairs(["a=1", " a =2", "b="], "-s") == {"a": "2", "b": ""}


@pytest.mark.parametrize("pair", ["guidance", "=7", " =7", ""])
def test_a_word_that_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(InvalidInput, match=r"-s .*: write it as name=value"):
        parse_pairs([pair], "-s")


@given(
    key=st.text(st.characters(exclude_characters="=\x00"), min_size=1, max_size=60).filter(lambda t: t == t.strip()),
    value=st.text(st.characters(exclude_characters="\x00"), max_size=200),
)
def test_any_label_that_the_ledger_can_hold_is_taken(key: str, value: str) -> None:
    assert parse_labels([f"{key}={value}"]) == {key: value}


@pytest.mark.parametrize("label", ["k" * 61 + "=v", "k=" + "v" * 201, "k=a\x00b", "k\x00=a"])
def test_a_label_that_the_ledger_cannot_hold_is_refused(label: str) -> None:
    with pytest.raises(InvalidInput, match="a key has at most 60 characters, a value 200"):
        parse_labels([label])


def test_pairs_are_shown_as_they_are_typed() -> None:
    assert show_pairs({"edge.weight": 0.5, "seed": 3}) == "edge.weight=0.5 seed=3"
