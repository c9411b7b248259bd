"""Two commands in turn, and how their times compare."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 11


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median seconds of both sides, and the median of the ratios round by round."""

    name: str
    ours_s: float
    theirs_s: float
    ratio: float
    limit: float
    """The ratio should stay below this."""
    unit: str = ""
    """What the two are in, if not in seconds."""

    @property
    def ours(self) -> str:
        """Our side in words."""
        return self._in_words(self.ours_s)

    @property
    def theirs(self) -> str:
        """The reference's side in words."""
        return self._in_words(self.theirs_s)

    def _in_words(self, value: float) -> str:
        return f"{value:.1f} {self.unit}" if self.unit else f"{value * 1000:.1f} ms"

    @property
    def verdict(self) -> str:
        """Whether the ratio is within its limit."""
        return "ok" if self.ratio <= self.limit else "TOO SLOW"

    def __str__(self) -> str:
        times = f"{self.ours:>11}  {self.theirs:>11}"
        return f"{self.name:<58} {times}  ratio {self.ratio:5.2f}  limit {self.limit:g}  {self.verdict}"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What could not be measured here, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name:<58} not measured: {self.reason}"


Row = Ratio | Missing


def compare(
    name: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    limit: float,
    rounds: int = ROUNDS,
    before: Callable[[], object] = lambda: None,
) -> Ratio:
    """Run both in turn, so that a machine that slows down slows both, after one round that is not counted.

    Args:
        before: what makes the start equal for both; its time is not counted.
    """
    ours(), theirs()
    pairs = [((before(), seconds(ours))[1], (before(), seconds(theirs))[1]) for _ in range(rounds)]
    return Ratio(
        name=name,
        ours_s=statistics.median(pair[0] for pair in pairs),
        theirs_s=statistics.median(pair[1] for pair in pairs),
        ratio=statistics.median(first / second for first, second in pairs),
        limit=limit,
    )


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def process(*command: str, cwd: str | os.PathLike[str] | None = None) -> Callable[[], object]:
    """A call that runs a whole process."""

    def run() -> None:
        subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return run


def report(rows: Sequence[Row]) -> int:
    """Print the ratios; the number of those above their limit."""
    for row in rows:
        print(row, flush=True)
    return sum(isinstance(row, Ratio) and row.ratio > row.limit for row in rows)
