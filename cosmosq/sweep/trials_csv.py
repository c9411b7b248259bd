"""Trials of one's own from a CSV table: a column a parameter, a line a trial."""

import csv
import io
import re
from collections.abc import Callable
from typing import Any

from cosmosq.errors import InvalidInput
from cosmosq.sweep.node import Path

OUTCOMES = ("sweep", "trial", "job", "status", "prompt_id", "prompt_name", "generate_s", "output_path", "error")
"""Columns of `cosmosq sweep export` that say what came of a trial; they are passed over here."""


def load(text: str, *, source: str) -> tuple[list[dict[str, Any]], Callable[[Path], str]]:
    """The trials, and what names the place of one: `trials.csv:3: guidance`. An empty cell leaves the parameter alone.

    Args:
        source: the file's name.

    Raises:
        InvalidInput: no header, no trial, a column that comes twice, or a line with more cells than the header.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    trials: list[dict[str, Any]] = []
    lines: list[int] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_header(names, source)
        for cells in reader:
            if len(cells) > len(names):
                raise InvalidInput(
                    f"{source}:{reader.line_num}: {len(cells)} cells under {len(names)} names: mend the line"
                )
            filled = {
                name: _as_written(cell)
                for name, cell in zip(names, cells, strict=False)
                if cell.strip() and name not in OUTCOMES
            }
            if filled:
                trials.append(filled)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise InvalidInput(f"{source}:{reader.line_num}: broken CSV ({error}): mend the line") from error
    if not trials:
        raise InvalidInput(f"{source} holds no trial: write a line of values below the names")

    def place(path: Path) -> str:
        numbers = [part for part in path if isinstance(part, int)]
        words = [str(part) for part in path[1:] if not isinstance(part, int)]
        return ": ".join([f"{source}:{lines[numbers[0]]}" if numbers else source, *words[:1]])

    return trials, place


def _as_written(cell: str) -> str:
    """Without the apostrophe that `cosmosq sweep export` puts before what a spreadsheet takes for a formula."""
    return cell[1:] if re.match(r"'+[=+\-@\t\r]", cell) else cell


def _check_header(names: list[str], source: str) -> None:
    if not names or not all(names):
        raise InvalidInput(f"{source}:1: the first line has no names: write the parameters there, separated by commas")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InvalidInput(f"{source}:1: {twice[0]} comes twice: keep one column")
