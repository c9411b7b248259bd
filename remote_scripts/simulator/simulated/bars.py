"""Progress bars as tqdm draws them on stderr when nobody configures it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

CELLS = 10


def counted(total: int) -> Iterator[int]:
    """`for i in tqdm(range(total))`."""
    began = time.monotonic()
    draw(0, total, 0.0)
    for done in range(total):
        yield done
        draw(done + 1, total, time.monotonic() - began)
    sys.stderr.write("\n")
    sys.stderr.flush()


def draw(done: int, total: int, elapsed_s: float) -> None:
    filled = CELLS * done // total
    cells = "█" * filled + " " * (CELLS - filled)
    pace = f"{clock(elapsed_s * (total - done) / done)}, {elapsed_s / done:5.2f}s/it" if done else "?, ?it/s"
    sys.stderr.write(f"\r{100 * done // total:3d}%|{cells}| {done}/{total} [{clock(elapsed_s)}<{pace}]")
    sys.stderr.flush()


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
