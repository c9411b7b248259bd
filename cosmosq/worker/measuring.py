"""Measuring beside the work: one process of low priority that the worker starts whenever a video came home."""

import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from cosmosq import measurements
from cosmosq.db import Ledger
from cosmosq.errors import CosmosqError
from cosmosq.files import writing
from cosmosq.paths import Workspace

log = logging.getLogger(__name__)

LEAST_URGENT = 19
PATIENCE_S = 5.0
"""How long a process that is ended may take to notice."""


class Measuring:
    """Looks now and then whether a video came, and has what lacks measurements measured; never waits for it."""

    def __init__(self, workspace: Workspace, ledger: Ledger) -> None:
        self._workspace, self._ledger = workspace, ledger
        self._process: subprocess.Popen[bytes] | None = None
        # What an earlier worker left is measured too.
        self._seen = -1

    def look(self) -> None:
        """Start the process if there may be something to measure and none runs."""
        if self._process is not None and self._process.poll() is None:
            return
        try:
            with self._ledger.read() as session:
                newest = measurements.newest(session)
            if newest not in (0, self._seen):
                self._seen = newest
                self._start()
        except (CosmosqError, OSError) as error:
            # A full disk, say: the work goes on, and the next video is another try.
            log.warning("videos are not measured: %s", error)

    def _start(self) -> None:
        command = [sys.executable, "-m", "cosmosq", "-w", str(self._workspace.root), "measure"]
        path = self._workspace.measuring_log_path
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as told:
                # A session of its own: Ctrl-C at the terminal is meant for the worker, which passes it on.
                self._process = subprocess.Popen(
                    [*command, "--background", str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=told,
                    start_new_session=True,
                )

    def end(self, *, leave: bool) -> None:
        """End the process, or leave it to go on by itself for a while; what is not measured then is so next time."""
        if leave:
            self.look()
            if self._process is not None and self._process.poll() is None:
                # Nobody waits for it any more, and that is no oversight which Python must warn of.
                self._process.returncode = 0
        elif self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S)


@contextmanager
def the_only_one(workspace: Workspace) -> Iterator[bool]:
    """Whether no other process measures this workspace in the background; none will until the end of the block.

    A lock of SQLite's is the operating system's own: it ends with the process, however that ends.
    """
    path = workspace.measuring_lock_path
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            yield False
            return
        yield True


def step_aside() -> None:
    """Leave processor and disk to whoever wants them."""
    import cv2

    with suppress(AttributeError, OSError):
        os.nice(LEAST_URGENT)
    cv2.setNumThreads(max(1, (os.cpu_count() or 1) // 2))
