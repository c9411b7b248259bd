"""Whether the process that a row names still lives."""

import platform
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cosmosq.models import Worker

if TYPE_CHECKING:
    import psutil

_SAME_START = timedelta(seconds=2)
"""Slack when start times are compared: the clock may have been corrected meanwhile."""


def is_alive(worker: Worker, now: datetime, silent_s: float) -> bool:
    """Whether a worker lives: told by its process, or on another machine by its heartbeat.

    Args:
        silent_s: a worker on another machine that was silent for so long is taken to be gone.
    """
    if worker.machine != platform.node():
        return now - worker.heartbeat_at < timedelta(seconds=silent_s)
    # Most commands never ask, and it takes a while to import.
    import psutil

    try:
        process = psutil.Process(worker.pid)
        same = abs(started_at(process) - worker.process_started_at) < _SAME_START
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def started_at(process: "psutil.Process") -> datetime:
    """When a process began, as a row has it."""
    return datetime.fromtimestamp(process.create_time(), UTC)
