"""docs/benchmarks.md: the ratios of one run, with the machine and the versions that they hold for."""

import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from benchmarks.ratio import Ratio, Row
from cosmosq import __version__

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"

HEAD = """\
# Benchmarks

Written by `make bench`. Seconds are those of one machine; so each figure stands beside a reference that was measured
in the same run, by turns where both can be repeated, and what has a limit is the ratio of the two. After several rounds
it is the median of their ratios, which need not be the ratio of the medians beside it. A reference that is called "the
promised", or a number of seconds, is fixed.

No GPU has a part in this: what loads and generates is the simulated engine, with loads of 3 or 5 s.

`python -m benchmarks NAME…` measures a part (`start_up`, `sweeps`, `box`, `sessions`, `command_night`, `upsampling`,
`report`, `page`) and writes nothing. `python -m benchmarks.endurance` is not among them, for it takes ten minutes more:
whether a worker's memory stays flat over 2,000 jobs, and its processor quiet while it waits.

"""


def page(rows: Sequence[Row], machine: Mapping[str, str], took_s: float) -> str:
    """The whole page.

    Args:
        machine: as `machine` tells it, from before the run.
    """
    facts = [("as of", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, a run of {took_s / 60:.0f} minutes"), *machine.items()]
    return HEAD + "\n".join(
        [
            *_table(["run", ""], facts),
            "",
            *_table(["what", "reference", "ours", "theirs", "ratio", "limit", ""], map(_cells, rows)),
            "",
        ]
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [names, ["---"] * len(names), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def _cells(row: Row) -> Sequence[str]:
    ours, _, theirs = row.name.partition(" : ")
    if isinstance(row, Ratio):
        return ours, theirs, row.ours, row.theirs, f"{row.ratio:.2f}", f"{row.limit:.3g}", row.verdict
    return ours, theirs, "", "", "", "", f"not measured: {row.reason}"


def machine() -> dict[str, str]:
    """What the figures depend on, in words."""
    memory_gb = psutil.virtual_memory().total / 1e9
    versions = {
        "OpenSSH": _said("ssh", "-V"),
        "Docker": _said("docker", "--version"),
        "Chromium": _said("chromium", "--version"),
    }
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {memory_gb:.0f} GB",
        "load before the run": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}",
        "cosmosq": f"{__version__}, commit {_commit()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: said or "absent" for name, said in versions.items()},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    commit = _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")
    changed = _said("git", "-C", str(ROOT), "status", "--porcelain", "--untracked-files=no")
    return (commit or "unknown") + (", with changes" if changed else "")


def _said(program: str, *arguments: str) -> str:
    """What a program says in one line, on whichever stream; nothing where it is absent or fails."""
    if shutil.which(program) is None:
        return ""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode else (done.stdout or done.stderr).strip().partition("\n")[0]
