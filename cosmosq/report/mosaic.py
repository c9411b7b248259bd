"""The contact sheet as one video: every cell plays at once, with its values written on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmosq.errors import CosmosqError, InvalidInput
from cosmosq.report import axes
from cosmosq.report.cells import Cell
from cosmosq.report.page import Contents
from cosmosq.status import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VIDEOS = 100
"""As many are decoded at once; what is shown of more would be too small to look at."""
WIDTH, HEIGHT = 1920, 2160
_MOST_CELL, _LEAST_CELL = 480, 160
_LINE, _NEXT_LINE, _MOST_LINES = 22, 16, 4
_HEAD, _COLUMNS, _SIDE, _GAP, _SCALE = 30, 40, 110, 10, 0.42
Colour = tuple[int, int, int]
_BEGINNING = 16
"""As much of a text as is sure to be seen in a heading."""
_PAPER, _INK, _SOFT, _MARK = (24, 24, 22), (235, 232, 225), (160, 155, 146), (255, 196, 107)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A heading over everything, headings of the columns, or a line of cells; None where there is no job."""

    heading: str = ""
    columns: tuple[str, ...] = ()
    axis: str = ""
    """What the columns are values of."""
    title: str = ""
    """Of a line, beside it."""
    cells: tuple[Cell | None, ...] = ()


def write(path: Path, root: Path, contents: Contents, *, layout: str) -> int:
    """Make the mosaic; returns how many videos are in it.

    Raises:
        InvalidInput: no job has a video, or more than fit.
        StorageFailed: `path` cannot be written.
    """
    from cosmosq import frames

    shown = [cell for cell in contents.cells if cell["output"] and (root / cell["output"]).is_file()]
    if not shown:
        raise InvalidInput("no job here has a video: `cosmosq status` shows what there is")
    if len(shown) > MOST_VIDEOS:
        raise InvalidInput(
            f"{len(shown)} videos are more than a mosaic can show ({MOST_VIDEOS}): choose some with --sweep, --prompt,"
            " --label or --status"
        )
    sheet = _Sheet(arrange(shown, contents, layout), shown, contents, axes.first(contents.cells, layout))
    fps = round(max(cell["fps"] for cell in shown))
    frames.encode_pictures(path, sheet.pictures(root), fps, crf=20, preset="veryfast")
    return len(shown)


def arrange(shown: Sequence[Cell], contents: Contents, layout: str) -> list[Row]:
    """The rows that the page would show at first: by what varies most, by time or by prompt."""
    chosen = axes.first(contents.cells, layout)
    if layout == "time":
        shown = sorted(shown, key=lambda cell: (cell["ended_at"] or "", cell["id"]))
    rows = []
    for facet, group in _by(shown, chosen.facet, contents):
        rows += [Row(heading=facet)] if facet else []
        rows += _table(group, shown, chosen, contents)
    return rows


def _table(group: Sequence[Cell], shown: Sequence[Cell], chosen: axes.Axes, contents: Contents) -> list[Row]:
    """Columns by the first axis, the same for every facet, and lines by the second; below, what has no column."""
    columns = [(text, {cell["id"] for cell in cells}) for text, cells in _by(shown, chosen.x, contents) if text]
    if not chosen.x or len(columns) > WIDTH // _LEAST_CELL:
        return [row for title, line in _by(group, chosen.y, contents) for row in _flow(line, title, len(shown))]
    standing = set().union(*(ids for _, ids in columns))
    placed, rest = ([cell for cell in group if (cell["id"] in standing) == wanted] for wanted in (True, False))
    rows = [Row(axis=chosen.x, columns=tuple(text for text, _ in columns))] if placed else []
    for title, line in _by(placed, chosen.y, contents):
        lanes = [[cell for cell in line if cell["id"] in ids] for _, ids in columns]
        for layer in range(max(map(len, lanes))):
            cells = tuple(lane[layer] if layer < len(lane) else None for lane in lanes)
            rows.append(Row(title="" if layer else title, cells=cells))
    rows += [Row(columns=(f"{rest[0]['kind']}s",))] if rest else []
    return rows + [row for title, line in _by(rest, chosen.y, contents) for row in _flow(line, title, len(shown))]


def _by(cells: Sequence[Cell], name: str, contents: Contents) -> list[tuple[str, list[Cell]]]:
    """The cells by what they have on an axis, in its order and in words: empty for what stands nowhere on it."""
    if not name:
        return [("", list(cells))] if cells else []
    axis = axes.Axis(name, contents.cells)
    found: dict[Any, list[Cell]] = {}
    for cell in cells:
        found.setdefault(axis.place(cell), []).append(cell)
    places = sorted(found, key=axis.rank)
    told = _apart([_heading(name, place, contents) for place in places])
    return [(text, found[place]) for text, place in zip(told, places, strict=True)]


def _apart(texts: Sequence[str]) -> list[str]:
    """The texts; long ones that begin alike from the word on in which they differ."""
    found = []
    for text in texts:
        alike = [other for other in texts if other[:_BEGINNING] == text[:_BEGINNING]]
        same = len(list(takewhile(lambda letters: len(set(letters)) == 1, zip(*alike, strict=False))))
        cut = len(alike) > 1 and len(text) > _BEGINNING
        found.append(f"...{text[text.rfind(' ', 0, same + 1) + 1 :]}" if cut else text)
    return found


def _heading(name: str, value: Any, contents: Contents) -> str:
    if value is None:
        return ""
    if name == "prompt":
        told = contents.prompts[value]
        return str(told["name"] or told["id"])
    return " to ".join(f"{end:.4g}" for end in value) if isinstance(value, tuple) else _text(value)


def _flow(cells: Sequence[Cell], title: str, count: int) -> Iterator[Row]:
    """Line after line, about as wide as high for so many; no more in one than can be told apart."""
    length = min(WIDTH // _LEAST_CELL, isqrt(max(0, count - 1)) + 1)
    for first in range(0, len(cells), length):
        yield Row(title="" if first else title, cells=tuple(cells[first : first + length]))


class _Sheet:
    """Where everything goes, and its frames."""

    def __init__(self, rows: Sequence[Row], shown: Sequence[Cell], contents: Contents, chosen: axes.Axes) -> None:
        lines = [row for row in rows if row.cells]
        columns = max(len(row.cells) for row in lines)
        titled, headed = any(row.title for row in rows), any(row.columns for row in rows)
        self.side, self.side_name = _SIDE if titled else 0, chosen.y
        told = [name for name, there in ((chosen.y, titled), (chosen.x, headed)) if there]
        exact = {name for name in told if not axes.Axis(name, contents.cells).in_ranges}
        self.named = [each.name for each in axes.varied(shown) if each.name not in exact]
        shape: float = shown[0]["height"] / shown[0]["width"]
        # The more lines the captions need, the less room is left for the cells, and the narrower these are.
        for told_lines in range(1, _MOST_LINES + 1):
            self.told_height = _LINE + (told_lines - 1) * _NEXT_LINE
            room = (HEIGHT - _COLUMNS * (len(rows) - len(lines))) / len(lines) - self.told_height
            wanted = min(_MOST_CELL, (WIDTH - self.side) // columns, max(_LEAST_CELL, int(room / shape)))
            self.cell_width = wanted // 2 * 2
            if all(len(self._told(cell)) <= told_lines for cell in shown):
                break
        self.cell_height = round(self.cell_width * shape / 2) * 2
        self.width = self.side + self.cell_width * columns
        self.places: list[tuple[Cell, int, int]] = []
        self.headings: list[_Words] = []
        top = 0
        for row in rows:
            top += self._place(row, top)
        self.height = top + top % 2

    def _place(self, row: Row, top: int) -> int:
        """Note where a row's words and cells go; returns its height."""
        if row.heading:
            self.headings.append(_Words(row.heading, 6, top + 20, self.width - 12))
            return _HEAD
        lefts = [self.side + at * self.cell_width for at in range(max(len(row.columns), len(row.cells)))]
        room = self.cell_width - 8 if len(row.columns) > 1 else self.width - self.side - 8
        self.headings += [
            _Words(text, left + 4, top + 32, room) for text, left in zip(row.columns, lefts, strict=False)
        ]
        if row.columns:
            self.headings.append(_Words(row.axis, self.side + 4, top + 14, self.width - self.side - 8, _SOFT))
            return _COLUMNS
        if row.title:
            middle = top + self.cell_height // 2
            self.headings.append(_Words(self.side_name, 6, middle - 4, self.side - 10, _SOFT))
            self.headings.append(_Words(row.title, 6, middle + 14, self.side - 10))
        self.places += [(cell, left, top) for cell, left in zip(row.cells, lefts, strict=True) if cell is not None]
        return self.cell_height + self.told_height

    def pictures(self, root: Path) -> Iterator["NDArray[Any]"]:
        """RGB frames until the longest video ends; a shorter one stays at its last frame."""
        from cosmosq import videos

        canvas = self._labelled()
        running = {
            number: videos.pictures(root / cell["output"], width=self.cell_width)
            for number, (cell, _, _) in enumerate(self.places)
        }
        while running:
            # The engine makes the n-th frame of the n-th, whatever a video has a second.
            for number, pictures in list(running.items()):
                _, left, top = self.places[number]
                try:
                    self._paste(canvas, next(pictures), left, top)
                except (StopIteration, CosmosqError):
                    del running[number]
            if running:
                yield canvas

    def _paste(self, canvas: "NDArray[Any]", picture: "NDArray[Any]", left: int, top: int) -> None:
        import cv2

        height, width = self.cell_height - 2, self.cell_width - 2
        scale = min(width / picture.shape[1], height / picture.shape[0])
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        canvas[top : top + size[1], left : left + size[0]] = small

    def _labelled(self) -> "NDArray[Any]":
        """The empty sheet with all that is written on it."""
        import numpy as np

        canvas = np.full((self.height, self.width, 3), _PAPER, dtype=np.uint8)
        for words in self.headings:
            _write(canvas, words)
        for cell, left, top in self.places:
            for number, line in enumerate(self._told(cell)[:_MOST_LINES]):
                base, at = top + self.cell_height + 14 + number * _NEXT_LINE, left + 4
                for text, colour in line:
                    _write(canvas, _Words(text, at, base, left + self.cell_width - 4 - at, colour))
                    at += _width(text) + _GAP
        return canvas

    def _told(self, cell: Cell) -> list[list[tuple[str, Colour]]]:
        """The lines below a cell: number, marks, and what the headings do not say."""
        kinds = {"made longer": cell["upsampled"], "upscale": cell["kind"] == Kind.UPSCALE}
        marks = {"SIMULATED": cell["simulated"], **kinds}
        values = {name: axes.value(cell, name) for name in self.named}
        words = [(str(cell["id"]), _INK), *((mark, _MARK) for mark, there in marks.items() if there)]
        words += [(f"{name} {_text(value)}", _SOFT) for name, value in values.items() if value is not None]
        lines, room = [words[:1]], self.cell_width - 8 - _width(words[0][0])
        for text, colour in words[1:]:
            room -= _GAP + _width(text)
            if room < 0:
                lines.append([])
                room = self.cell_width - 8 - _width(text)
            lines[-1].append((text, colour))
        return lines


@dataclass(frozen=True)
class _Words:
    """Words to be written once: where they begin, their base line, and how wide they may be."""

    text: str
    left: int
    base: int
    room: int
    colour: Colour = _INK


def _write(canvas: "NDArray[Any]", words: _Words) -> None:
    """Write as much as there is room for."""
    import cv2

    plain = _plain(words.text)
    if _width(plain) > words.room:
        while plain and _width(f"{plain}...") > words.room:
            plain = plain[:-1]
        plain = f"{plain.rstrip()}..." if plain else ""
    at = (words.left, words.base)
    cv2.putText(canvas, plain, at, cv2.FONT_HERSHEY_SIMPLEX, _SCALE, words.colour, 1, cv2.LINE_AA)


def _width(text: str) -> int:
    """Pixels."""
    import cv2

    return int(cv2.getTextSize(_plain(text), cv2.FONT_HERSHEY_SIMPLEX, _SCALE, 1)[0][0])


def _plain(text: str) -> str:
    """OpenCV's own font has no other letters."""
    return text.encode("ascii", "replace").decode()


def _text(value: object) -> str:
    return "-" if value == "" else f"{value:.10g}" if isinstance(value, float) else str(value)
