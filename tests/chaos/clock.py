"""The wall clock of one process, stepped by libfaketime: monotonic time goes on as it always does."""

from pathlib import Path

LIBRARIES = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
NAME = "libfaketimeMT.so.1"


def library() -> Path | None:
    """Where libfaketime is, if it is installed."""
    return next((path for folder in LIBRARIES if (path := Path(folder) / NAME).exists()), None)


class Clock:
    """Right until it is stepped; `environment` is for the processes that look at it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.step(0)

    def step(self, seconds: int) -> None:
        """So far from the true time."""
        part = self._path.with_suffix(".part")
        part.write_text(f"{seconds:+d}")
        part.replace(self._path)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            # Reading the file for each look at the clock would take half of the worker's time.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
