"""The rows as CSV (RFC 4180, UTF-8): for spreadsheets and for programs."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path

from cosmosq.files import whole_text
from cosmosq.report.rows import COLUMNS, Row

RISKY = frozenset("'=+-@\t\r")
"""How a text begins that may have to be changed."""

# Apostrophes before it count too, so that taking one away always gives the text back.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def cell(value: object) -> str:
    """One value as text: nothing for None, `true`, ISO 8601 times, floats with all their digits.

    A spreadsheet takes text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return for a formula, and prompts
    come from outside: such text gets an apostrophe in front, and so does text that has apostrophes before one of
    them. Numbers are left as they are, also negative ones.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if _FORMULA.match(text) else text


class _Line:
    """What csv writes to when the line itself is wanted."""

    def write(self, text: str) -> str:
        return text


def lines(rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> Iterator[str]:
    """The header and one record a row, each with its CRLF; line breaks in a prompt stay, within quotes."""
    return lines_of(chain([columns], ([cell(row[name]) for name in columns] for row in rows)))


def lines_of(records: Iterable[Sequence[object]]) -> Iterator[str]:
    """Records whose values are cells already, each with its CRLF."""
    return map(csv.writer(_Line()).writerow, records)


def save(path: Path, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> None:
    """Write the CSV to a file, whole or not at all.

    Raises:
        StorageFailed: the file cannot be written.
    """
    with whole_text(path) as stream:
        stream.writelines(lines(rows, columns))
