"""The engine's log lines: `[MM-DD HH:MM:SS|INFO|path:line:func] message`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

TOP = Path(__file__).parent.parent


def info(message: str) -> None:
    write("INFO", message)


def warning(message: str) -> None:
    write("WARNING", message)


def critical(message: str) -> None:
    write("CRITICAL", message)


def write(level: str, message: str) -> None:
    caller = sys._getframe(2)
    path = Path(caller.f_code.co_filename)
    shown = path.relative_to(TOP) if path.is_relative_to(TOP) else path
    where = f"{shown}:{caller.f_lineno}:{caller.f_code.co_name}"
    sys.stderr.write(f"[{time.strftime('%m-%d %H:%M:%S')}|{level}|{where}] {message}\n")
    sys.stderr.flush()
