"""Tables for people: columns under one another, and on a terminal no wider than that."""

import unicodedata
from collections.abc import Collection, Sequence

import click

GAP = 2
MORE = "…"
KEPT = 20
"""Cells up to this wide (ids, statuses, times, numbers) are never cut."""
LEAST = 12
"""Others are not cut to less."""

Cells = Sequence[Sequence[str]]


def table(headers: Sequence[str], rows: Cells, *, width: int | None = None, spare: Collection[str] = ()) -> str:
    """The table, with a line break at its end.

    Args:
        rows: texts without what drives a terminal, but for colours; line breaks make a row of several lines.
        width: columns of the terminal; None for whatever the table needs.
        spare: headers of columns that are left out first where it is narrow, then those on the right.
    """
    columns = [[header, *(row[place] for row in rows)] for place, header in enumerate(headers)]
    widths = [max(_width(line) for cell in column for line in _lines(cell)) for column in columns]
    shown = list(range(len(headers)))
    if width is not None:
        shown, widths = _fitted(headers, widths, width, spare)
    lines = [_row([columns[place][number] for place in shown], widths) for number in range(len(rows) + 1)]
    if len(shown) < len(headers):
        lines[0] = _padded(lines[0], _total(widths)) + " " * GAP + MORE
    rule = (" " * GAP).join("-" * each for each in widths)
    return "\n".join([lines[0], rule, *lines[1:], ""])


def _fitted(
    headers: Sequence[str], widths: Sequence[int], width: int, spare: Collection[str]
) -> tuple[list[int], list[int]]:
    """Which columns fit, and how wide each is."""
    least = [each if each <= KEPT else max(LEAST, _width(header)) for header, each in zip(headers, widths, strict=True)]
    shown = list(range(len(headers)))
    # Those on the left say what a row is about.
    dispensable = [headers.index(name) for name in spare]
    dispensable += [place for place in reversed(shown[1:]) if place not in dispensable]
    room = max(width, LEAST)
    while dispensable and _total([least[place] for place in shown]) > room:
        shown.remove(dispensable.pop(0))
        room = max(width - GAP - len(MORE), LEAST)
    fitted = [widths[place] for place in shown]
    while _total(fitted) > room:
        # The one that is longest for what it needs; only the first column alone may need too much.
        widest = max(range(len(shown)), key=lambda number: fitted[number] - least[shown[number]])
        fitted[widest] -= 1
    return shown, fitted


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = [_lines(cell) for cell in cells]
    lines = []
    for number in range(max(map(len, parts))):
        texts = [part[number] if number < len(part) else "" for part in parts]
        fitting = (_padded(text, width) for text, width in zip(texts, widths, strict=True))
        lines.append((" " * GAP).join(fitting).rstrip())
    return "\n".join(lines)


def _lines(cell: str) -> list[str]:
    return cell.split("\n")


def _padded(text: str, width: int) -> str:
    wide = _width(text)
    return text + " " * (width - wide) if wide <= width else _padded(_cut(text, width), width)


def _cut(text: str, width: int) -> str:
    while _width(text) > width - len(MORE):
        text = text[:-1]
    return text + MORE


def _width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    plain = click.unstyle(text) if "\x1b" in text else text
    return len(plain) if plain.isascii() else sum(map(_columns, plain))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
