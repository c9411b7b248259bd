"""The contact sheet as one video: every cell plays at once, with its values written on it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmosq.errors import CosmosqError, InvalidInput
from cosmosq.report.cells import Cell
from cosmosq.report.page import Contents

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VIDEOS = 100
"""As many are decoded at once; what is shown of more would be too small to look at."""
WIDTH, HEIGHT = 1920, 2160
_MOST_CELL, _LEAST_CELL = 480, 160
_LINE, _HEAD = 22, 30
_PAPER, _INK, _SOFT, _MARK = (24, 24, 22), (235, 232, 225), (160, 155, 146), (255, 196, 107)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A heading, or a line of cells; None where there is no job."""

    heading: str = ""
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
    rows = arrange(shown, contents, layout)
    sheet = _Sheet(rows, shown)
    fps = round(max(cell["fps"] for cell in shown))
    frames.encode_pictures(path, sheet.pictures(root, fps), fps, crf=20, preset="veryfast")
    return len(shown)


def arrange(shown: Sequence[Cell], contents: Contents, layout: str) -> list[Row]:
    """The rows that the page would show at first: by what varies most, by time or by prompt."""
    names = _varying(shown)
    if layout == "time":
        ordered = sorted(shown, key=lambda cell: (cell["ended_at"] or "", cell["id"]))
        return [Row(cells=tuple(part)) for part in _parts(ordered, _across(len(ordered)))]
    rows = []
    for prompt, group in _by(shown, lambda cell: cell["prompt"]):
        told = contents.prompts[prompt]
        rows.append(Row(heading=str(told["name"] or told["id"])))
        if layout == "prompt" or not names:
            rows += [Row(cells=tuple(part)) for part in _parts(group, _across(len(shown)))]
        else:
            rows += _table(group, shown, names)
    return rows


def _table(group: Sequence[Cell], shown: Sequence[Cell], names: Sequence[str]) -> list[Row]:
    """Columns by the first name, the same for every prompt, and lines by the second."""
    x = names[0]
    columns = [value for value, _ in _by(shown, lambda cell: _value(cell, x))]
    if len(columns) > WIDTH // _LEAST_CELL:
        return [Row(cells=tuple(part)) for part in _parts(group, _across(len(shown)))]
    rows = []
    for _, line in _by(group, lambda cell: _value(cell, names[1]) if len(names) > 1 else 0):
        lanes = [[cell for cell in line if _value(cell, x) == column] for column in columns]
        for layer in range(max(map(len, lanes))):
            rows.append(Row(cells=tuple(lane[layer] if layer < len(lane) else None for lane in lanes)))
    return rows


def _varying(shown: Sequence[Cell]) -> list[str]:
    """Parameters by how many values they have here, those with one left out."""
    names = dict.fromkeys(name for cell in shown for name in cell["values"])
    counts = {name: len({_value(cell, name) for cell in shown}) for name in names}
    return sorted((name for name in names if counts[name] > 1), key=lambda name: -counts[name])


def _value(cell: Cell, name: str) -> Any:
    from cosmosq.engines.parameters import BY_NAME

    return cell["values"].get(name, BY_NAME[name].default)


def _by(cells: Sequence[Cell], key: Callable[[Cell], Any]) -> list[tuple[Any, list[Cell]]]:
    return [(value, list(group)) for value, group in groupby(sorted(cells, key=key), key)]


def _parts(cells: Sequence[Cell], length: int) -> Iterator[Sequence[Cell]]:
    for first in range(0, len(cells), length):
        yield cells[first : first + length]


def _across(count: int) -> int:
    """Columns of a sheet about as wide as high; no more than can be told apart."""
    return min(WIDTH // _LEAST_CELL, isqrt(max(0, count - 1)) + 1)


class _Sheet:
    """Where everything goes, and its frames."""

    def __init__(self, rows: Sequence[Row], shown: Sequence[Cell]) -> None:
        columns, lines = max(len(row.cells) for row in rows), sum(not row.heading for row in rows)
        shape = shown[0]["height"] / shown[0]["width"]
        room = (HEIGHT - _HEAD * (len(rows) - lines)) / lines - _LINE
        wanted = min(_MOST_CELL, WIDTH // columns, max(_LEAST_CELL, int(room / shape)))
        self.cell_width = wanted // 2 * 2
        self.cell_height = round(self.cell_width * shape / 2) * 2
        self.width = self.cell_width * columns
        self.names = _varying(shown)
        self.places: list[tuple[Cell, int, int]] = []
        self.headings: list[tuple[str, int]] = []
        top = 0
        for row in rows:
            if row.heading:
                self.headings.append((row.heading, top))
                top += _HEAD
            else:
                self.places += [(c, at * self.cell_width, top) for at, c in enumerate(row.cells) if c is not None]
                top += self.cell_height + _LINE
        self.height = top + top % 2

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
        for heading, top in self.headings:
            self._write(canvas, heading, 6, top + 20, _INK, self.width - 12)
        for cell, left, top in self.places:
            told = " ".join(f"{name} {_text(_value(cell, name))}" for name in self.names)
            mark = "SIMULATED " if cell["simulated"] else ""
            at = left + 4
            at += self._write(canvas, f"{cell['id']} ", at, top + self.cell_height + 14, _INK, self.cell_width)
            at += self._write(canvas, mark, at, top + self.cell_height + 14, _MARK, left + self.cell_width - at)
            self._write(canvas, told, at, top + self.cell_height + 14, _SOFT, left + self.cell_width - at - 4)
        return canvas

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

        while plain and width(plain) > room:
            plain = plain[:-1]
        cv2.putText(canvas, plain, (left, base), font, scale, colour, 1, cv2.LINE_AA)
        return width(plain) if plain else 0


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)[:24]
