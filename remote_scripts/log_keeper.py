"""Keeps the logs of a session: reads what the engine prints from stdin and writes logs and progress events.

    log_keeper.py <session folder>

A process and not a thread of the session: the last words of an engine that dies are already in the pipe and still
reach the log, and steps are reported while a C library holds the interpreter. It ends when the pipe does.

Between the engine's lines stand the session's marks: MARK and a JSON object, on a line of their own.
`log` names the file to go on with, `attempt` whose progress it is, `phase` one that the session enters itself; each
mark is answered on stdout when all that was printed before it is in its log.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from events import Events
from progress import BAR, Progress, Step

MARK = b"\x1ecosmosq "
LINE_LIMIT = 64 * 1024
ESCAPE = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")
# A log line that follows a bar is printed on the bar's own line, since the bar ends without a newline.
LOG_LINE = re.compile(r"\[\d\d-\d\d \d\d:\d\d:\d\d\|")


class LogKeeper:
    """The current log and the current attempt's progress."""

    def __init__(self, events: Events, session_log: Path, answer: Callable[[dict[str, Any]], None]) -> None:
        self._events = events
        self._session_log = session_log
        self._answer = answer
        self._log = open_log(session_log)
        self._progress: Progress | None = None
        self._held: str | None = None

    def read_line(self, line: bytes) -> None:
        """A line that ended with a newline."""
        if line.startswith(MARK):
            self._read_mark(json.loads(line[len(MARK) :]))
        elif text := text_of(line):
            self._keep(text)

    def read_overwritten(self, line: bytes) -> None:
        """A line that ended with a carriage return. Of a run of these only the last is logged."""
        if text := text_of(line):
            self._held = text
            self._read_bar(text)

    def read_unfinished(self, line: bytes) -> None:
        """A line that may go on. A bar has no end of its own, and would otherwise be seen one step late."""
        if len(line) < LINE_LIMIT and line.rstrip().endswith(b"]"):
            self._read_bar(text_of(line))

    def close(self) -> None:
        self._write_held()
        self._close_log()

    def _read_mark(self, mark: dict[str, Any]) -> None:
        self._write_held()
        if "phase" in mark and self._progress:
            self._progress.enter(mark["phase"])
        blocked_by = self._progress.blocked_by if self._progress else None
        if "log" in mark:
            self._close_log()
            self._log = open_log(Path(mark["log"] or self._session_log))
            self._progress = self._progress_of(mark["attempt"])
        self._answer({"id": mark["id"], "blocked_by": blocked_by})

    def _progress_of(self, attempt: str | None) -> Progress | None:
        if attempt is None:
            return None

        def on_step(step: Step) -> None:
            self._events.write("step", attempt=attempt, **asdict(step))

        return Progress(lambda phase: self._events.write("phase", attempt=attempt, phase=phase), on_step)

    def _keep(self, text: str) -> None:
        start = LOG_LINE.search(text)
        if start and start.start() > 0:
            self._keep(text[: start.start()])
            text = text[start.start() :]
        if BAR.search(text):
            # Nested bars move between their lines with newlines; a bar is a bar however it ends.
            self._held = text
            self._read_bar(text)
            return
        self._write_held()
        self._write(text)
        if self._progress:
            self._progress.read_line(text)

    def _read_bar(self, text: str) -> None:
        if self._progress:
            self._progress.read_bar(text)

    def _write_held(self) -> None:
        if self._held is not None:
            self._write(self._held)
            self._held = None

    def _write(self, text: str) -> None:
        # On a full disk the engine must not block on its own log: the line is lost, the attempt may not be.
        with contextlib.suppress(OSError):
            os.write(self._log, text.encode(errors="replace") + b"\n")

    def _close_log(self) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._log)
        os.close(self._log)


def open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def text_of(line: bytes) -> str:
    return ESCAPE.sub(b"", line).decode(errors="replace").rstrip()


def read_all(descriptor: int, keeper: LogKeeper) -> None:
    line = bytearray()
    while block := os.read(descriptor, 65536):
        for piece in re.split(rb"([\r\n])", block):
            if piece == b"\n":
                keeper.read_line(bytes(line))
                line.clear()
            elif piece == b"\r":
                keeper.read_overwritten(bytes(line))
                line.clear()
            else:
                line += piece[: max(0, LINE_LIMIT - len(line))]
        keeper.read_unfinished(bytes(line))
    keeper.read_line(bytes(line))


def main(folder: Path) -> None:
    # It is in the session's group and must outlive it, to write what the session said last.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def answer(message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(message), flush=True)

    keeper = LogKeeper(Events(folder / "events.jsonl"), folder / "log.txt", answer)
    read_all(0, keeper)
    keeper.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
