"""Running a program that takes a message, within bounds: it may hang, fork, or never read what it is given."""

import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from cosmosq.errors import NotDelivered

LOOK_S = 0.05
TOLD_BYTES = 300
"""So much of what a program says last is kept as the reason."""


def run(argv: Sequence[str], given: str, folder: Path, *, timeout_s: float, abandoned: threading.Event) -> None:
    """Run a program to its end, with `given` on stdin.

    Raises:
        NotDelivered: it is not there, its exit code is not 0, it took too long, or the worker has to go.
    """
    # Files, no pipes: whoever does not read fills no pipe, and what a program leaves behind keeps none open.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as said:
        stdin.write(given.encode())
        stdin.seek(0)
        try:
            process = subprocess.Popen(
                list(argv), stdin=stdin, stdout=said, stderr=said, cwd=folder, start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise NotDelivered(f"{argv[0]} cannot be run: {error}") from error
        try:
            code = _wait(process, timeout_s, abandoned)
        finally:
            _end(process)
        if code != 0:
            raise NotDelivered(f"exit code {code}: {_last_words(said.fileno()) or 'without a word'}")


def _wait(process: "subprocess.Popen[bytes]", timeout_s: float, abandoned: threading.Event) -> int:
    deadline = time.monotonic() + timeout_s
    while (code := process.poll()) is None:
        if time.monotonic() > deadline:
            raise NotDelivered(f"it took longer than {timeout_s:g} s and was ended")
        if abandoned.wait(LOOK_S):
            raise NotDelivered("the worker ended meanwhile")
    return code


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it with all that it started, if it still runs."""
    if process.poll() is not None:
        return
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    process.kill()
    process.wait()


def _last_words(said: int) -> str:
    with open(said, "rb", closefd=False) as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - TOLD_BYTES))
        return " ".join(stream.read().decode(errors="replace").split())
