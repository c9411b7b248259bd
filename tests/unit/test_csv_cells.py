"""Cells of the CSV: what a spreadsheet would take for a formula is text, and everything can be read back."""

import csv
import io
import math
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosmosq.report.csv_file import cell, lines
from cosmosq.report.rows import COLUMNS

DEFUSED = re.compile(r"''*[=+\-@\t\r]")

texts = st.text(st.characters(codec="utf-8")) | st.from_regex(r"\A['=+\-@\t\r]{1,4}.{0,9}\Z")


def as_read(text: str) -> str:
    """The text that a cell stands for, as the docstring of `cell` says."""
    return text[1:] if DEFUSED.match(text) else text


def read_back(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(lines(rows)), newline=""), strict=True))


@given(texts)
@example("=1+1")
@example("'=1+1")
@example("''=1+1")
@example("'Tis night")
@example('\r\n"quoted", and\nbroken')
def test_a_text_comes_back_as_it_was(text: str) -> None:
    row = {**dict.fromkeys(COLUMNS), "id": 1, "prompt": text}
    (found,) = read_back([row])
    assert as_read(found["prompt"]) == text


@given(texts)
def test_no_text_begins_like_a_formula(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx", "\rx", "'=1"])
def test_a_risky_text_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a=b", "", "'Tis night", "1-2", " =1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


@given(st.floats(allow_nan=False))
def test_a_float_keeps_all_its_digits_and_its_sign(value: float) -> None:
    assert float(cell(value)) == value
    assert math.copysign(1, float(cell(value))) == math.copysign(1, value)


def test_negative_numbers_stay_numbers() -> None:
    assert [cell(-1), cell(-0.5)] == ["-1", "-0.5"]


def test_none_is_empty_and_truth_is_a_word() -> None:
    assert [cell(None), cell(True), cell(False)] == ["", "true", "false"]


def test_a_time_is_iso_8601_with_its_zone() -> None:
    assert cell(datetime(2026, 11, 22, 3, 30, tzinfo=UTC)) == "2026-11-22T03:30:00+00:00"


def test_lines_end_as_rfc_4180_says() -> None:
    header, record = lines([{**dict.fromkeys(COLUMNS), "id": 1}])
    assert header == ",".join(COLUMNS) + "\r\n"
    assert record.startswith("1,")
    assert record.endswith("\r\n")
