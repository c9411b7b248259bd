"""What the worker's clock does about schedules: it has the line of each that is due run, one after another."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from cosmosq import firings
from cosmosq.db import Ledger
from cosmosq.errors import CosmosqError
from cosmosq.firings import Turn
from cosmosq.paths import Workspace

log = logging.getLogger(__name__)

LOOK_S = 1.0
TRIES = 3
PAUSE_S = 20.0
"""Between two tries at a line that fails: a full disk or a busy ledger may be mended by then."""
TIMEOUT_S = 3600.0


class Timetable:
    """Looks for schedules that are due, and fires them in a thread of its own.

    A line is run by a command line of its own, which records the firing in the transaction that queues the jobs:
    killed at any moment, both are there or neither.
    """

    def __init__(
        self,
        workspace: Workspace,
        ledger: Ledger,
        *,
        stopping: Callable[[], bool],
        announce: Callable[[str], None],
    ) -> None:
        """
        Args:
            stopping: whether to begin nothing any more.
            announce: takes words for the person at the terminal.
        """
        self._workspace, self._ledger = workspace, ledger
        self._stopping, self._announce = stopping, announce
        self._busy = threading.Lock()
        self._look_at = 0.0
        self._tries: dict[Turn, int] = {}
        self._not_before: dict[Turn, float] = {}

    @property
    def is_busy(self) -> bool:
        """Whether a line is being run."""
        return self._busy.locked()

    def look(self) -> None:
        """Begin to fire what is due; call it as often as you like."""
        if time.monotonic() < self._look_at or self._stopping() or not self._busy.acquire(blocking=False):
            return
        turns: list[Turn] = []
        try:
            self._look_at = time.monotonic() + LOOK_S
            turns = [turn for turn in firings.due(self._ledger, _now()) if self._is_time(turn)]
            if turns:
                threading.Thread(target=self._fire_all, args=(turns,), name="timetable", daemon=True).start()
        finally:
            if not turns:
                self._busy.release()

    def _is_time(self, turn: Turn) -> bool:
        return time.monotonic() >= self._not_before.get(turn, 0.0)

    def _fire_all(self, turns: list[Turn]) -> None:
        try:
            for turn in turns:
                if not self._stopping():
                    self._see_to(turn)
            # Behind one that was missed there may be more.
            self._look_at = 0.0
        finally:
            self._busy.release()

    def _see_to(self, turn: Turn) -> None:
        try:
            if turn.skips:
                firings.give_up(self._ledger, turn, _now(), message="missed")
            elif (failure := self._run(turn)) and firings.is_open(self._ledger, turn):
                self._try_again(turn, failure)
        except (CosmosqError, OSError):
            log.exception("a schedule was not seen to", extra={"schedule": turn.name})
            self._not_before[turn] = time.monotonic() + PAUSE_S

    def _run(self, turn: Turn) -> str:
        """Run the line of a schedule; returns why it failed, empty if it did not."""
        folder = self._workspace.root / turn.folder
        if not folder.is_dir():
            return f"its folder {folder} is gone: remove the schedule and add it in another"
        firing = f"{turn.name}@{turn.due_at.isoformat()}"
        # Without the folder in which it runs on the path for modules (-P), and with no part in a terminal's Ctrl-C.
        command = [sys.executable, "-P", "-m", "cosmosq", "-w", str(self._workspace.root)]
        try:
            done = subprocess.run(
                [*command, "enqueue", "--firing", firing, *turn.line],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"its line took longer than {TIMEOUT_S:g} s"
        if done.returncode == 0:
            log.info("a schedule fired", extra={"schedule": turn.name})
            self._announce(f"schedule {turn.name} fired")
            return ""
        return _last_line(done.stderr) or f"its line ended with {done.returncode}"

    def _try_again(self, turn: Turn, failure: str) -> None:
        """Later, or never if that was the last try."""
        self._tries[turn] = self._tries.get(turn, 0) + 1
        self._not_before[turn] = time.monotonic() + PAUSE_S
        log.warning("a schedule's line failed: %s", failure, extra={"schedule": turn.name})
        self._announce(f"schedule {turn.name} failed: {failure}")
        if self._tries[turn] >= TRIES:
            firings.give_up(self._ledger, turn, _now(), message=failure)


def _last_line(told: bytes) -> str:
    lines = told.decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("cosmosq: ")[:500] if lines else ""


def _now() -> datetime:
    return datetime.now(UTC)
