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
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from events import Events
from lines import Lines
from progress import Progress, Step

MARK = b"\x1ecosmosq "


class LogKeeper:
    """The current log and the current attempt's progress."""

    def __init__(self, events: Events, session_log: Path, answer: Callable[[dict[str, Any]], None]) -> None:
        self._events = events
        self._session_log = session_log
        self._answer = answer
        self._log = open_log(session_log)
        self._progress: Progress | None = None

    def read_line(self, text: str) -> None:
        self.write_bar(text)
        if self._progress:
            self._progress.read_line(text)

    def read_bar(self, text: str) -> None:
        if self._progress:
            self._progress.read_bar(text)

    def write_bar(self, text: str) -> None:
        # On a full disk the engine must not block on its own log: the line is lost, the attempt may not be.
        with contextlib.suppress(OSError):
            os.write(self._log, text.encode(errors="replace") + b"\n")

    def read_mark(self, mark: dict[str, Any]) -> None:
        if "phase" in mark and self._progress:
            self._progress.enter(mark["phase"])
        blocked_by = self._progress.blocked_by if self._progress else None
        if "log" in mark:
            self.close()
            self._log = open_log(Path(mark["log"] or self._session_log))
            self._progress = self._progress_of(mark["attempt"])
        self._answer({"id": mark["id"], "blocked_by": blocked_by})

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.fsync(self._log)
        os.close(self._log)

    def _progress_of(self, attempt: str | None) -> Progress | None:
        if attempt is None:
            return None

        def on_step(step: Step) -> None:
            self._events.write("step", attempt=attempt, **asdict(step))

        return Progress(lambda phase: self._events.write("phase", attempt=attempt, phase=phase), on_step)


class MarkedLines(Lines):
    """Lines with the session's marks among them."""

    def __init__(self, keeper: LogKeeper) -> None:
        super().__init__(keeper)
        self._keeper = keeper

    def take_line(self, line: bytes) -> None:
        if line.startswith(MARK):
            self.release()
            self._keeper.read_mark(json.loads(line[len(MARK) :]))
        else:
            super().take_line(line)


def open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def main(folder: Path) -> None:
    # It is in the session's group and must outlive it, to write what the session said last.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    def answer(message: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(message), flush=True)

    keeper = LogKeeper(Events(folder / "events.jsonl"), folder / "log.txt", answer)
    lines = MarkedLines(keeper)
    while block := os.read(0, 65536):
        lines.feed(block)
    lines.end()
    keeper.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
