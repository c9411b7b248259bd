"""The contact sheet as one video: every cell plays at once, with its values written on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
_LINE, _HEAD, _SIDE = 22, 30, 110
NOTHING = "-"
"""What has no value; OpenCV's own font has no dash."""
_PAPER, _INK, _SOFT, _MARK = (24, 24, 22), (235, 232, 225), (160, 155, 146), (255, 196, 107)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A heading over everything, headings of the columns, or a line of cells; None where there is no job."""

    heading: str = ""
    columns: tuple[str, ...] = ()
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
    frames.encode_pictures(path, sheet.pictures(root, fps), fps, crf=20, preset="veryfast")
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
    having = [cell for cell in shown if not chosen.x or axes.value(cell, chosen.x) is not None]
    columns = [(text, {cell["id"] for cell in cells}) for text, cells in _by(having, chosen.x, contents)]
    if not chosen.x or len(columns) > WIDTH // _LEAST_CELL:
        return [row for title, line in _by(group, chosen.y, contents) for row in _flow(line, title, len(shown))]
    placed, rest = ([cell for cell in group if (cell in having) == wanted] for wanted in (True, False))
    rows = [Row(columns=tuple(f"{chosen.x} {text}" for text, _ in columns))] if placed else []
    for title, line in _by(placed, chosen.y, contents):
        lanes = [[cell for cell in line if cell["id"] in ids] for _, ids in columns]
        for layer in range(max(map(len, lanes))):
            cells = tuple(lane[layer] if layer < len(lane) else None for lane in lanes)
            rows.append(Row(title="" if layer else title, cells=cells))
    rows += [Row(columns=(f"{chosen.x} {NOTHING}",))] if rest else []
    return rows + [row for title, line in _by(rest, chosen.y, contents) for row in _flow(line, title, len(shown))]


def _by(cells: Sequence[Cell], name: str, contents: Contents) -> list[tuple[str, list[Cell]]]:
    """The cells by what they have on an axis, in its order and in words; all under the empty text without one."""
    if not name:
        return [("", list(cells))] if cells else []
    of = axes.ranges(name, contents.cells)
    found: dict[Any, list[Cell]] = {}
    for cell in cells:
        found.setdefault(of(cell), []).append(cell)
    ordered = sorted(found, key=lambda value: axes.rank(name, value))
    return [(_heading(name, value, contents), found[value]) for value in ordered]


def _heading(name: str, value: Any, contents: Contents) -> str:
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
        told = {name for name, there in ((chosen.y, titled), (chosen.x, headed)) if there}
        in_ranges = {name for name in told if axes.edges(name, contents.cells)}
        self.named = [name for name in axes.varied(shown) if name not in told - in_ranges]
        shape: float = shown[0]["height"] / shown[0]["width"]
        room = (HEIGHT - _HEAD * (len(rows) - len(lines))) / len(lines) - _LINE
        wanted = min(_MOST_CELL, (WIDTH - self.side) // columns, max(_LEAST_CELL, int(room / shape)))
        self.cell_width = wanted // 2 * 2
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
            _Words(text, left + 4, top + 20, room) for text, left in zip(row.columns, lefts, strict=False)
        ]
        if row.columns:
            return _HEAD
        if row.title:
            middle = top + self.cell_height // 2
            self.headings.append(_Words(self.side_name, 6, middle - 4, self.side - 10, _SOFT))
            self.headings.append(_Words(row.title, 6, middle + 14, self.side - 10))
        self.places += [(cell, left, top) for cell, left in zip(row.cells, lefts, strict=True) if cell is not None]
        return self.cell_height + _LINE

    def pictures(self, root: Path, fps: int) -> Iterator["NDArray[Any]"]:
        """RGB frames until the longest video ends; a shorter one stays at its last frame."""
        from cosmosq import videos

        canvas = self._labelled()
        running = {
            number: videos.pictures(root / cell["output"], width=self.cell_width)
            for number, (cell, _, _) in enumerate(self.places)
        }
        frame = 0
        while running:
            for number, pictures in list(running.items()):
                cell, left, top = self.places[number]
                # A video of fewer frames a second shows some of them for longer.
                if int(frame * cell["fps"] / fps) == int((frame - 1) * cell["fps"] / fps) and frame:
                    continue
                try:
                    self._paste(canvas, next(pictures), left, top)
                except (StopIteration, CosmosqError):
                    del running[number]
            if running:
                yield canvas
            frame += 1

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
            self._write(canvas, words.text, words.left, words.base, words.colour, words.room)
        for cell, left, top in self.places:
            base, end = top + self.cell_height + 14, left + self.cell_width - 4
            at = left + 4
            at += self._write(canvas, f"{cell['id']} ", at, base, _INK, end - at)
            at += self._write(canvas, "SIMULATED " if cell["simulated"] else "", at, base, _MARK, end - at)
            self._write(canvas, self._told(cell), at, base, _SOFT, end - at)
        return canvas

    def _told(self, cell: Cell) -> str:
        """What the headings do not say."""
        told = {name: axes.value(cell, name) for name in self.named}
        kind = "upscale  " if cell["kind"] == Kind.UPSCALE else ""
        return kind + "  ".join(f"{name} {_text(value)}" for name, value in told.items() if value is not None)

    def _write(
        self, canvas: "NDArray[Any]", text: str, left: int, base: int, colour: tuple[int, int, int], room: int
    ) -> int:
        """Write what fits into `room` pixels; returns the width that was used."""
        import cv2

        # OpenCV's own font has no other letters.
        plain = text.encode("ascii", "replace").decode()
        font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.42

        def width(words: str) -> int:
            size: int = cv2.getTextSize(words, font, scale, 1)[0][0]
            return size

        if width(plain) > room:
            while plain and width(f"{plain}...") > room:
                plain = plain[:-1]
            plain = f"{plain.rstrip()}..." if plain else ""
        cv2.putText(canvas, plain, (left, base), font, scale, colour, 1, cv2.LINE_AA)
        return width(plain) if plain else 0


@dataclass(frozen=True)
class _Words:
    """Words to be written once: where they begin, their base line, and how wide they may be."""

    text: str
    left: int
    base: int
    room: int
    colour: tuple[int, int, int] = _INK


def _text(value: object) -> str:
    return NOTHING if value in (None, "") else f"{value:.10g}" if isinstance(value, float) else str(value)
