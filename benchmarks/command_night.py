"""One night in command mode, job by job: every job pays for its own load. Beside it, the same night warm.

python -m benchmarks.command_night [JOBS]
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ratio import Ratio, report
from tests.night import make_night

LOAD_S, VIDEO_S = 5.0, 2.0
STEPS, CLIPS = 10, 2
"""Of each job; the clip of `make_night` is as long as two clips of its engine."""
LIMIT = 1 / 2.5


@dataclass(frozen=True, kw_only=True)
class Night:
    """What a night took, by the wall clock and by the box's own account."""

    seconds: float
    loads: int
    generations: int


def spend(mode: str, jobs: int, *, load_s: float = LOAD_S, video_s: float = VIDEO_S) -> Night:
    """A night of jobs that differ in their seed alone, which a process of the command line shares with nobody.

    Args:
        mode: `warm` or `command`.
    """
    with tempfile.TemporaryDirectory() as folder:
        simulator = {"load_s": load_s, "step_s": video_s / (STEPS * CLIPS)}
        night = make_night(Path(folder), simulator=simulator, host={"mode": mode})
        try:
            for seed in range(jobs):
                night.enqueue(seed=seed, num_steps=STEPS)
            began = time.monotonic()
            night.work()
            seconds = time.monotonic() - began
            assert night.statuses() == ["succeeded"] * jobs, night.statuses()
            return Night(seconds=seconds, loads=len(night.loads), generations=len(night.generations))
        finally:
            night.close()


def measure(jobs: int = 50) -> list[Ratio]:
    """Warm against command mode, both in one run."""
    warm, command = spend("warm", jobs), spend("command", jobs)
    assert (warm.generations, command.generations) == (jobs, jobs)
    return [
        Ratio(
            name=f"{jobs} jobs: warm ({warm.loads} load) : job by job ({command.loads} loads)",
            ours_s=warm.seconds,
            theirs_s=command.seconds,
            ratio=warm.seconds / command.seconds,
            limit=LIMIT,
        )
    ]


if __name__ == "__main__":
    sys.exit(1 if report(measure(*map(int, sys.argv[1:]))) else 0)
