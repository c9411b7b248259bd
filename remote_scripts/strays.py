"""Processes that outlive whoever started them: found again, and ended, so that none keeps the GPU.

torchrun gives its workers a session of their own. If it is killed, they live on, where no signal to its group
reaches them; but they become children of the nearest ancestor that asked for orphans.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
POLL_S = 0.01
# It ends with the pipe that it reads, and must write down what the dead said last.
SPARED = b"log_keeper.py"


def adopt_orphans() -> None:
    """From now on, descendants whose parent dies become this process's own children."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants(grace_s: float) -> None:
    """TERM, then KILL, to all that came of this process, but for log keepers; dead children are reaped."""
    signal_all(signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while reap_and_count() and time.monotonic() < deadline:
        time.sleep(POLL_S)
    deadline = time.monotonic() + max(grace_s, 1.0)
    # Again and again: the child of a child that was just killed is adopted a moment later.
    while reap_and_count() and time.monotonic() < deadline:
        signal_all(signal.SIGKILL)
        time.sleep(POLL_S)


def signal_all(number: signal.Signals) -> None:
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap_and_count() -> int:
    found = descendants()
    for pid in found:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return len(descendants()) if found else 0


def descendants() -> list[int]:
    """Living and dead-but-unreaped ones."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := parent_of(entry)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found, unseen = [], [os.getpid()]
    while unseen:
        for child in children.get(unseen.pop(), []):
            unseen.append(child)
            if not is_spared(child):
                found.append(child)
    return found


def parent_of(entry: Path) -> int | None:
    try:
        text = (entry / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in parentheses may itself hold spaces and parentheses.
    return int(text[text.rindex(")") + 2 :].split()[1])


def is_spared(pid: int) -> bool:
    try:
        return SPARED in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
