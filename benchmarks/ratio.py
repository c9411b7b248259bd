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

    def __str__(self) -> str:
        verdict = "ok" if self.ratio <= self.limit else "TOO SLOW"
        scale, unit = (1, self.unit) if self.unit else (1000, "ms")
        times = f"{self.ours_s * scale:8.1f} {unit}  {self.theirs_s * scale:8.1f} {unit}"
        return f"{self.name:<58} {times}  ratio {self.ratio:5.2f}  limit {self.limit:g}  {verdict}"


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


def report(ratios: Sequence[Ratio]) -> int:
    """Print the ratios; the number of those above their limit."""
    for ratio in ratios:
        print(ratio)
    return sum(ratio.ratio > ratio.limit for ratio in ratios)
