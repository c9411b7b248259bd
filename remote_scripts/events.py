"""The session's events: one JSON object a line, appended, never changed."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from datetime import datetime, timezone
from pathlib import Path

# What the client acts on for good; these must survive a reboot of the box a moment later.
DURABLE = frozenset({"done", "blocked", "failed"})
# What may be missing when the disk is full.
EXPENDABLE = frozenset({"phase", "step"})


class Events:
    """Appends to `events.jsonl`, which the session and its log keeper share. Safe in a signal handler."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def write(self, event: str, **fields: object) -> None:
        line = json.dumps({"event": event, "at": utc_now(), **fields}) + "\n"
        with contextlib.suppress(*((OSError,) if event in EXPENDABLE else ())):
            self._append(line.encode())
            if event in DURABLE:
                os.fsync(self._descriptor)

    def _append(self, line: bytes) -> None:
        """The whole line or none of it: half a line would spoil the next one."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            size = os.fstat(self._descriptor).st_size
            if os.write(self._descriptor, line) < len(line):
                os.ftruncate(self._descriptor, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "events.jsonl")
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def utc_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
