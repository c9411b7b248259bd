"""One GPU, which the upsampler shares with nobody: it takes 98 % of the memory and finds out when it is not there.

A lock beside the ledger stands for the memory, so that it is freed however the process that has it ends. Pipelines
share it with each other, as they always did.
"""

from __future__ import annotations

import fcntl
import os

from simulated import log, memory
from simulated.settings import Settings

TOTAL_GB = 80.0
SHARE = 0.98
_held: int | None = None
_kind: int | None = None


def for_pipeline() -> None:
    """Raises OutOfMemoryError beside an upsampler."""
    if not take(fcntl.LOCK_SH):
        raise memory.exhausted()


def for_upsampler() -> None:
    """Raises RuntimeError beside a pipeline or another upsampler, as vLLM does: the reason is in the log."""
    if not take(fcntl.LOCK_EX):
        log.critical(
            f"ValueError: Free memory on device ({TOTAL_GB * (1 - SHARE):.2f}/{TOTAL_GB:.2f} GiB) on startup is less "
            f"than desired GPU memory utilization ({SHARE}, {TOTAL_GB * SHARE:.2f} GiB). Decrease GPU memory "
            "utilization or reduce GPU memory used by other processes."
        )
        raise RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")


def free() -> None:
    global _held, _kind
    if _held is not None:
        os.close(_held)
        _held = _kind = None


def take(kind: int) -> bool:
    global _held, _kind
    ledger = Settings.read().ledger
    if ledger is None or _kind == kind == fcntl.LOCK_SH:
        return True
    descriptor = os.open(ledger.with_name(ledger.name + ".gpu"), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held, _kind = descriptor, kind
    return True
