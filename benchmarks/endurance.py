"""Whether a worker stays small and quiet: its memory over many short jobs, and its processor while it waits.

    python -m benchmarks.endurance [JOBS]

Not part of `make bench`: 2,000 jobs take some ten minutes.
"""

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

from tests.night import Night, make_night, wait_for

JOBS = 2000
WARM_UP = 100
"""Jobs after which every import has happened and every cache is full."""
WAIT_S = 30.0
FLAT_BYTES = 10_000_000
QUIET = 0.03


def main(jobs: int) -> int:
    """Print both figures; exit code 1 if one is above its limit."""
    with tempfile.TemporaryDirectory() as folder:
        grown, peak = memory_over(Path(folder) / "many", jobs)
        share = processor_while_waiting(Path(folder) / "long")
    print(f"memory over {jobs} short jobs: median of the last tenth {grown / 1e6:+.1f} MB, peak {peak / 1e6:+.1f} MB")
    print(f"processor while it waits: {share:.1%}")
    return int(abs(grown) > FLAT_BYTES or share > QUIET)


def memory_over(root: Path, jobs: int) -> tuple[float, float]:
    """Bytes by which the worker has grown since it was warm: at the end, and at most."""
    root.mkdir()
    night = make_night(root)
    for seed in range(jobs):
        night.enqueue(seed=seed, num_steps=1)
    worker = night.worker("--until-empty", "--poll", "0.2")
    assert worker.stdout is not None
    # What it says would fill the pipe, and it would wait for a reader.
    threading.Thread(target=worker.stdout.read, daemon=True).start()
    process = psutil.Process(worker.pid)
    sizes: list[tuple[int, int]] = []
    while worker.poll() is None:
        time.sleep(0.5)
        try:
            sizes.append((ended(night), process.memory_info().rss))
        except psutil.NoSuchProcess:
            break
        if len(sizes) % 60 == 0:
            print(f"  {sizes[-1][0]} jobs, {sizes[-1][1] / 1e6:.1f} MB", file=sys.stderr)
    worker.wait()
    assert night.statuses() == ["succeeded"] * jobs
    night.close()
    warm = statistics.median(rss for done, rss in sizes if WARM_UP <= done < 2 * WARM_UP)
    last = statistics.median(rss for done, rss in sizes if done >= 0.9 * jobs)
    return last - warm, max(rss for done, rss in sizes if done >= WARM_UP) - warm


def ended(night: Night) -> int:
    """Number of jobs that are over."""
    return int(night.sql("SELECT count(*) FROM jobs WHERE status = 'succeeded'")[0][0])


def processor_while_waiting(root: Path) -> float:
    """Share of one processor that the worker takes while a video is made and others wait behind it."""
    root.mkdir()
    night = make_night(root, simulator={"step_s": 1.0})
    for seed in range(3):
        night.enqueue(seed=seed, num_steps=35)
    worker = night.worker("--poll", "0.2")
    wait_for(lambda: night.job(1)["step"] and night.job(3)["phase"] == "waiting", "the first step")
    process = psutil.Process(worker.pid)
    before = process.cpu_times()
    time.sleep(WAIT_S)
    after = process.cpu_times()
    night.close()
    return (after.user + after.system - before.user - before.system) / WAIT_S


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else JOBS))
