"""The only module that prints: data on stdout, words on stderr."""

import json
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from cosmosq.cli.table import table

if TYPE_CHECKING:
    from rich.progress import Progress

_ESCAPES = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if code not in (9, 10)}

_COLOURS = {
    "succeeded": "green",
    "running": "cyan",
    "failed": "red",
    "blocked": "magenta",
    "cancelled": "bright_black",
    "held": "yellow",
}


def clean(text: str) -> str:
    """The text without anything that drives a terminal; prompts and names come from outside."""
    return text.translate(_ESCAPES)


def one_line(text: str, width: int = 60) -> str:
    """The beginning of a text, on one line."""
    flat = clean(" ".join(text.split()))
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def emit(text: str) -> None:
    """Data for a person or a program, on stdout."""
    click.echo(clean(text))


def emit_raw(text: str) -> None:
    """A finished document (CSV, JSON) on stdout, byte for byte."""
    click.echo(text, nl=False)


def emit_json(value: Any) -> None:
    """A JSON document on stdout; times in ISO 8601."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_jsonable))


def _jsonable(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def emit_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, spare: Collection[str] = ()) -> None:
    """A table on stdout; for `spare` see `table`."""
    emit_raw(table(headers, _cells(rows), width=_width(sys.stdout), spare=spare))


def say_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table among the words on stderr."""
    click.echo(table(headers, _cells(rows), width=_width(sys.stderr)), nl=False, err=True)


def _cells(rows: Sequence[Sequence[object]]) -> list[list[str]]:
    return [["" if cell is None else _cell(cell) for cell in row] for row in rows]


def _width(stream: TextIO) -> int | None:
    """Columns of the terminal, or None where there is none."""
    if not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() and int(told) else os.get_terminal_size(stream.fileno()).columns or None


class Styled(str):
    """Text of ours that holds colours on purpose."""


def _cell(cell: object) -> str:
    return cell if isinstance(cell, Styled) else clean(str(cell)).replace("\t", " ")


def emit_fields(fields: Mapping[str, object]) -> None:
    """Names and values under one another; absent values are left out."""
    shown = {name: str(value) for name, value in fields.items() if value not in (None, "", [], {}, ())}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        emit_behind(f"{name:<{width}}  ", value)


def emit_behind(beginning: str, text: str) -> None:
    """A line, which goes on below its own text where the terminal is narrow."""
    columns = _width(sys.stdout)
    if columns is None or len(beginning) + len(text) <= columns:
        emit(beginning + text)
        return
    from textwrap import wrap

    indent = " " * len(beginning)
    # Paths and ids stay whole, to be copied.
    lines = wrap(
        clean(text),
        max(columns - len(indent), 20),
        break_long_words=False,
        break_on_hyphens=False,
    )
    emit("\n".join([beginning + lines[0], *(indent + line for line in lines[1:])]) if lines else beginning)


def emit_changes(label: str, pieces: Iterable[tuple[str, str]]) -> None:
    """A text with what went as `[-…-]` and what came as `{+…+}`, in colours where these are wanted."""
    marks = {"-": ("[-", "-]", "red"), "+": ("{+", "+}", "green"), "=": ("", "", None)}
    told = []
    for sign, text in pieces:
        before, after, colour = marks[sign]
        shown = f"{before}{clean(text)}{after}"
        told.append(click.style(shown, fg=colour) if colour and _wants_colours() else shown)
    click.echo(f"{label}{''.join(told)}")


def coloured(status: str) -> str:
    """The status in its colour, where colours are wanted."""
    return Styled(click.style(status, fg=_COLOURS.get(status))) if _wants_colours() else status


def _wants_colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def say(text: str) -> None:
    """Words about what happens, on stderr."""
    click.echo(clean(text), err=True)


def fail(text: str) -> None:
    """An error as one line on stderr."""
    click.echo(f"cosmosq: {clean(' '.join(text.split()))}", err=True)


def has_terminal() -> bool:
    """Whether somebody can be asked, and sees the question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agrees(question: str) -> bool:
    """Ask for a yes or a no."""
    return click.confirm(question, err=True)


def ask_passphrase(key: str) -> str:
    """Ask for the passphrase of a key, unseen."""
    told: str = click.prompt(
        f"Enter passphrase for key '{clean(key)}'", default="", show_default=False, hide_input=True, err=True
    )
    return told


def clock(when: datetime | None) -> str:
    """A time for people, in their own zone."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S") if when else ""


def clear() -> None:
    """Empty the terminal before a renewed table."""
    if sys.stdout.isatty():
        click.clear()


def progress_bars() -> "Progress":
    """Bars on stderr for what runs; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
