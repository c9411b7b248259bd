"""Tables for people: columns under one another, and on a terminal no wider than that."""

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
    # Most commands of people print no table.
    import tabulate

    columns = [[header, *(row[place] for row in rows)] for place, header in enumerate(headers)]
    widths = [max(_width(line) for cell in column for line in cell.split("\n")) for column in columns]
    shown = list(range(len(headers)))
    if width is not None:
        shown, widths = _fitted(headers, widths, width, spare)
    fitting = [
        [_fitting(columns[place][number], w) for place, w in zip(shown, widths, strict=True)]
        for number in range(len(rows) + 1)
    ]
    if len(shown) < len(headers):
        fitting = [[*row, "" if number else MORE] for number, row in enumerate(fitting)]
    # Headers need no more room than their columns.
    tabulate.MIN_PADDING = 0
    text = tabulate.tabulate(fitting[1:], headers=fitting[0], tablefmt="simple", disable_numparse=True)
    return "".join(f"{line.rstrip()}\n" for line in text.split("\n"))


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


def _fitting(cell: str, width: int) -> str:
    return "\n".join(line if _width(line) <= width else _cut(line, width) for line in cell.split("\n"))


def _cut(text: str, width: int) -> str:
    while _width(text) > width - len(MORE):
        text = text[:-1]
    return text + MORE


def _width(text: str) -> int:
    """Columns of a terminal that the text takes."""
    plain = click.unstyle(text) if "\x1b" in text else text
    if plain.isascii():
        return len(plain)
    from wcwidth import wcswidth

    return max(0, wcswidth(plain))
