"""What an engine prints, as it comes out of a pipe: lines, bars that overwrite themselves, halves of either."""

from __future__ import annotations

import re
from typing import Protocol

from progress import BAR

LINE_LIMIT = 64 * 1024
ESCAPE = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
# A log line that follows a bar is printed on the bar's own line, since the bar ends without a newline.
LOG_LINE = re.compile(r"\[\d\d-\d\d \d\d:\d\d:\d\d\|")


class Reader(Protocol):
    """What is done with the lines."""

    def read_line(self, text: str) -> None:
        """A line for the log."""

    def read_bar(self, text: str) -> None:
        """A state of a bar. The same one may come twice."""

    def write_bar(self, text: str) -> None:
        """The last state of a run of bars, for the log."""


class Lines:
    """Takes blocks as they come and hands lines on; of a run of overwritten bars only the last is for the log."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._line = bytearray()
        self._held: str | None = None

    def feed(self, block: bytes) -> None:
        for piece in re.split(rb"([\r\n])", block):
            if piece == b"\n":
                self._end_line()
            elif piece == b"\r":
                self._overwrite(text_of(bytes(self._line)))
                self._line.clear()
            else:
                self._line += piece[: max(0, LINE_LIMIT - len(self._line))]
        self._look_at_unfinished()

    def end(self) -> None:
        """Nothing more comes."""
        self._end_line()
        self.release()

    def release(self) -> None:
        """Hands the bar on that is held back, if any."""
        if self._held is not None:
            held, self._held = self._held, None
            self._reader.write_bar(held)

    def take_line(self, line: bytes) -> None:
        """A line that ended with a newline."""
        if text := text_of(line):
            self._keep(text)

    def _end_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        self.take_line(line)

    def _overwrite(self, text: str) -> None:
        if text:
            self._held = text
            self._reader.read_bar(text)

    def _look_at_unfinished(self) -> None:
        """A bar has no end of its own, and would otherwise be seen one step late."""
        if len(self._line) < LINE_LIMIT and self._line.rstrip().endswith(b"]"):
            self._reader.read_bar(text_of(bytes(self._line)))

    def _keep(self, text: str) -> None:
        start = LOG_LINE.search(text)
        if start and start.start() > 0:
            self._keep(text[: start.start()])
            text = text[start.start() :]
        if BAR.search(text):
            # Nested bars move between their lines with newlines; a bar is a bar however it ends.
            self._overwrite(text)
            return
        self.release()
        self._reader.read_line(text)


def text_of(line: bytes) -> str:
    return ESCAPE.sub(b"", line).decode(errors="replace").rstrip()
