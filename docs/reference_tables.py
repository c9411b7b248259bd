"""Markdown for the pages that are written from the code."""

from collections.abc import Iterable, Sequence


def anchor(title: str) -> str:
    """The id that GitHub gives a heading."""
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def table(headers: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    rule = ["---"] * len(headers)
    return "".join(f"| {' | '.join(line)} |\n" for line in [list(headers), rule, *cells])


def names(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
