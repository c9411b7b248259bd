"""Cancelling an attempt from outside: a file appears, and the main thread is interrupted wherever it is."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from failures import Cancelled

POLL_S = 0.2
# Asked again when a library swallowed the exception; late enough for a normal clean-up to finish.
REPEAT_S = 3.0


class Cancellation:
    """Must be made in the main thread, which is the one that it interrupts."""

    def __init__(self) -> None:
        self._current: Path | None = None
        self._asked: Path | None = None
        self._main = threading.main_thread().ident
        signal.signal(signal.SIGUSR1, self._interrupt)
        threading.Thread(target=self._watch, name="cancellation", daemon=True).start()

    @contextlib.contextmanager
    def of(self, request: Path) -> Iterator[None]:
        """Inside, the file `request` raises Cancelled; outside nothing does, however late the signal comes."""
        if request.exists():
            raise Cancelled("cancelled before it began")
        self._current = request
        try:
            try:
                yield
            finally:
                self._current = None
        finally:  # Once more, for a signal that came just before the line above.
            self._current = None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # The main thread alone changes `_current` and runs this handler, so the two cannot cross. A signal
        # that was sent for an earlier attempt names another file and is dropped here.
        if self._current is not None and self._asked == self._current:
            raise Cancelled("cancelled on request")

    def _watch(self) -> None:
        asked_at = float("-inf")
        while True:
            time.sleep(POLL_S)
            request = self._current
            if request is None or not request.exists():
                continue
            if request != self._asked or time.monotonic() - asked_at > REPEAT_S:
                self._asked, asked_at = request, time.monotonic()
                if self._main is not None:
                    signal.pthread_kill(self._main, signal.SIGUSR1)
