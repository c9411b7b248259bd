"""What a process of the engine prints, dealt out to the attempts that it works on: logs, phases, steps, last words."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from attempt import Attempt
from events import Events
from log_keeper import open_log
from progress import BLOCKED, Progress, Step

PREPARES = re.compile(r"running preprocessor\b")
GENERATES = re.compile(r"Running guardrail checks")
UNSAFE = re.compile(r"Input text prompt (\d+) is not safe")
KEPT_LINES = 2000


class ItemLogs:
    """Items and batches count from 0. A batch begins when its first item is prepared; `accept` hears of each."""

    def __init__(
        self,
        events: Events,
        attempts: Sequence[Attempt],
        batch_size: int,
        log: Path,
        accept: Callable[[Attempt], None],
    ) -> None:
        self._events = events
        self._accept = accept
        self._attempts = attempts
        self._batch_size = batch_size
        self._log = open_log(log)
        self._open: dict[int, int] = {}
        self._begun: set[int] = set()
        self._closed: set[int] = set()
        self._preamble: list[str] = []
        self._printed: deque[str] = deque(maxlen=KEPT_LINES)
        self._progress: Progress | None = None
        self.reached = 0
        self.is_generating = False
        self.generates_since = time.monotonic()
        self.reasons: dict[int, list[str]] = {}
        self.unsafe: dict[int, str] = {}

    @property
    def batch(self) -> int | None:
        """The one that is worked on, or was last."""
        return (self.reached - 1) // self._batch_size if self.reached else None

    @property
    def last_words(self) -> str:
        """What was printed since the batch began."""
        return "\n".join(self._printed)

    def members(self, batch: int) -> range:
        return range(batch * self._batch_size, min((batch + 1) * self._batch_size, len(self._attempts)))

    def read_line(self, text: str) -> None:
        if PREPARES.search(text):
            self._begin_item()
        self.write_bar(text)
        if GENERATES.search(text):
            self.is_generating, self.generates_since = True, time.monotonic()
        self._watch_guardrail(text)
        if self._progress:
            self._progress.read_line(text)

    def read_bar(self, text: str) -> None:
        if self._progress:
            self._progress.read_bar(text)

    def write_bar(self, text: str) -> None:
        self._printed.append(text)
        if not self.reached:
            self._preamble.append(text)
        for log in (self._log, *self._open.values()):
            write(log, text)

    def close_item(self, item: int) -> None:
        """Its log is whole; one that was never reached has what was printed before all items."""
        if item not in self._begun:
            self._open_item(item)
        if (log := self._open.pop(item, None)) is not None:
            close(log)
        self._closed.add(item)

    def close(self) -> None:
        for item in list(self._open):
            self.close_item(item)
        close(self._log)

    def _begin_item(self) -> None:
        # One line an item; a process that says it more often is still at its last.
        if self.reached == len(self._attempts):
            return
        item, before = self.reached, self.batch
        if item not in self._closed:
            self._accept(self._attempts[item])
        self.reached += 1
        if self.batch != before:
            for log in self._open.values():
                close(log)
            self._open.clear()
            self._printed.clear()
            self.is_generating = False
            self._progress = Progress(self._tell_phase, self._tell_step)
        self._open_item(item)
        if item not in self._closed:
            self._events.write("phase", attempt=self._attempts[item].name, phase="preprocessing")

    def _open_item(self, item: int) -> None:
        if item in self._closed:
            return
        self._begun.add(item)
        self._open[item] = open_log(self._attempts[item].log)
        for text in self._preamble:
            write(self._open[item], text)

    def _watch_guardrail(self, text: str) -> None:
        if self.batch is None:
            return
        if blocked := BLOCKED.search(text):
            self.reasons.setdefault(self.batch, []).append(blocked.group().strip())
        # By number within its batch, right behind the reason.
        if (unsafe := UNSAFE.search(text)) and (reasons := self.reasons.get(self.batch)):
            self.unsafe[self.batch * self._batch_size + int(unsafe.group(1)) - 1] = reasons[-1]

    def _tell_phase(self, phase: str) -> None:
        for item in self._open:
            self._events.write("phase", attempt=self._attempts[item].name, phase=phase)

    def _tell_step(self, step: Step) -> None:
        for item in self._open:
            self._events.write("step", attempt=self._attempts[item].name, **asdict(step))


def write(log: int, text: str) -> None:
    # On a full disk a line is lost, the video may not be.
    with contextlib.suppress(OSError):
        os.write(log, text.encode(errors="replace") + b"\n")


def close(log: int) -> None:
    with contextlib.suppress(OSError):
        os.fsync(log)
    os.close(log)
