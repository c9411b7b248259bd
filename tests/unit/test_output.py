"""What is printed: data on stdout, words on stderr, and nothing that drives a terminal."""

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.cli import output


@given(text=st.text())
def test_cleaned_text_holds_no_control_character_but_tab_and_line_end(text: str) -> None:
    cleaned = output.clean(text)
    assert all(c in "\t\n" or unicodedata.category(c) != "Cc" for c in cleaned)
    assert output.clean(cleaned) == cleaned


def test_an_escape_sequence_is_shown_and_not_obeyed() -> None:
    assert output.clean("\x1b[31mred\x1b[0m\r\x9b") == "\\x1b[31mred\\x1b[0m\\x0d\\x9b"


def test_words_of_any_script_stay_as_they_are() -> None:
    assert output.clean("مطبخ 🎬 „Küche“") == "مطبخ 🎬 „Küche“"


@given(text=st.text(), width=st.integers(2, 80))
def test_one_line_is_one_line_of_that_width(text: str, width: int) -> None:
    line = output.one_line(text, width)
    assert len(line) <= width
    assert len(line.splitlines()) <= 1


def test_a_cut_line_ends_in_an_ellipsis() -> None:
    assert output.one_line("a  b\n c", 60) == "a b c"
    assert output.one_line("x" * 100, 10) == "x" * 9 + "…"


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output.fail("a\nb\x1b[2J\tc")
    assert capsys.readouterr() == ("", "cosmosq: a b\\x1b[2J c\n")


def test_data_goes_to_stdout_and_words_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit("data")
    output.say("words")
    assert capsys.readouterr() == ("data\n", "words\n")


def test_json_keeps_its_text_and_tells_times_in_iso_8601(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "a\x1b\n\"'$(x) 🎬 مطبخ", "at": datetime(2026, 11, 22, 3, 30, tzinfo=UTC)}
    output.emit_json(value)
    assert json.loads(capsys.readouterr().out) == {**value, "at": "2026-11-22T03:30:00+00:00"}


def test_a_table_escapes_its_cells_and_keeps_numbers_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_table(["id", "x"], [["007", "\x1b[0m"], [1e-9, None]])
    out = capsys.readouterr().out
    assert out.splitlines()[2:] == ["007    \\x1b[0m", "1e-09"]


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.emit_fields({"job": 0, "error": "", "name": None, "labels": {}, "status": "queued"})
    assert capsys.readouterr().out == "job     0\nstatus  queued\n"


def test_a_status_has_no_colour_where_stdout_is_no_terminal() -> None:
    assert output.coloured("failed") == "failed"


def test_there_are_no_bars_where_stderr_is_no_terminal() -> None:
    assert output.progress_bars().disable
