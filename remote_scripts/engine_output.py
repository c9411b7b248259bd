"""Everything the engine prints, on any level: Python, C libraries and child processes.

Descriptors 1 and 2 become a pipe to a `log_keeper`, so that nothing can bypass the logs.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from log_keeper import MARK

ANSWER_WAIT_S = 5.0


class EngineOutput:
    """Owns descriptors 1 and 2 of the process from `__init__` to `close`."""

    def __init__(self, session: Path) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(line_buffering=True, errors="backslashreplace")
        command = [sys.executable, str(Path(__file__).with_name("log_keeper.py")), str(session)]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._answers = self._keeper.stdout.fileno()
        self._unread = b""
        self._ids = itertools.count()
        self._originals = (os.dup(1), os.dup(2))
        os.dup2(self._keeper.stdin.fileno(), 1)
        os.dup2(self._keeper.stdin.fileno(), 2)
        self._keeper.stdin.close()

    @contextlib.contextmanager
    def attempt(self, name: str, log: Path) -> Iterator[None]:
        """What is printed inside belongs to the attempt; its log is whole and closed on leaving."""
        self._mark(log=str(log), attempt=name)
        try:
            yield
        finally:
            self._mark(log=None, attempt=None)

    def enter(self, phase: str) -> None:
        """Begins a phase of the session's own, after whatever the engine printed before; nobody waits for it."""
        self._send(phase=phase)

    def blocked_by(self) -> str | None:
        """What the guardrail printed during this attempt, if it did."""
        answer: str | None = self._mark().get("blocked_by")
        return answer

    def drain(self, wait_s: float = ANSWER_WAIT_S) -> None:
        """Returns when all that was printed before is in its log."""
        self._mark(wait_s)

    def close(self) -> None:
        flush()
        os.dup2(self._originals[0], 1)
        os.dup2(self._originals[1], 2)
        # A child of the engine may still hold the pipe; the keeper then ends with it.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._keeper.wait(ANSWER_WAIT_S)

    def _send(self, **fields: str | None) -> int:
        flush()
        number = next(self._ids)
        os.write(2, b"\n" + MARK + json.dumps({"id": number, **fields}).encode() + b"\n")
        return number

    def _mark(self, wait_s: float = ANSWER_WAIT_S, **fields: str | None) -> dict[str, Any]:
        number = self._send(**fields)
        deadline = time.monotonic() + wait_s
        while line := self._next_answer(deadline):
            answer: dict[str, Any] = json.loads(line)
            # Earlier answers are still there: nobody waited for them, or a cancellation interrupted that.
            if answer["id"] == number:
                return answer
        return {}

    def _next_answer(self, deadline: float) -> bytes | None:
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, deadline - time.monotonic()))
            block = os.read(self._answers, 65536) if ready else b""
            if not block:
                return None
            self._unread += block
        line, _, self._unread = self._unread.partition(b"\n")
        return line


def flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    # The buffers of C libraries, which sys.stdout knows nothing of.
    ctypes.CDLL(None).fflush(None)
