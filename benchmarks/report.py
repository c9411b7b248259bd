"""How long a report takes over 100,000 jobs with measurements, and how much memory.

python -m benchmarks.report [JOBS]
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from benchmarks.ratio import Ratio, compare, report
from benchmarks.start_up import COSMOSQ
from cosmosq.db import Ledger, insert_rows
from cosmosq.engines.assignment import complete, digest_of, to_columns
from cosmosq.models import Artifact, Attempt, Job, JobLabel, Measurement, ParameterSet, Rating
from cosmosq.paths import Workspace
from cosmosq.report import rows
from cosmosq.report.query import Filter
from cosmosq.status import Kind
from tests.ledger_rows import NOW, make_prompt, make_session, make_workspace

JOBS = 100_000
MEASURES = (
    *("canny_f1", "canny_precision", "canny_recall", "blur_ssim"),
    *("luma_mean", "luma_variance", "motion_energy", "diversity"),
)
MOST_BYTES = 300_000_000
ROUNDS = 3
WATCH = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def measure(jobs: int = JOBS) -> list[Ratio]:
    """The CSV against SQLite's own program printing the same joined rows, its peak of memory, and a table of groups."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = fill(Path(folder) / "night", jobs)
        csv = ("report", "--csv", f"{folder}/ours.csv")
        table = ("report", "--by", "edge.weight,guidance")
        theirs = dump(workspace, Path(folder))
        return [
            compare(
                f"report --csv, {jobs:,} jobs : sqlite3 of the same rows",
                lambda: run(workspace, csv),
                theirs,
                limit=3.0,
                rounds=ROUNDS,
                before=os.sync,
            ),
            Ratio(
                name=f"report --csv, {jobs:,} jobs: peak : the promised",
                ours_s=(peak := run(workspace, csv) / 1e6),
                theirs_s=MOST_BYTES / 1e6,
                ratio=peak * 1e6 / MOST_BYTES,
                limit=1.0,
                unit="MB",
            ),
            compare(
                f"report --by, {jobs:,} jobs : sqlite3 of all rows",
                lambda: run(workspace, table),
                theirs,
                limit=2.0,
                rounds=1,
            ),
        ]


def run(workspace: Workspace, arguments: Sequence[str]) -> int:
    """Run a command, and return the most bytes that it held."""
    # By way of a small process: Linux counts what a process was before its program began, which is as large as we are.
    told = subprocess.run(
        [sys.executable, "-c", WATCH, COSMOSQ, *arguments], cwd=workspace.root, check=True, stdout=subprocess.PIPE
    )
    return int(told.stdout) * 1024


def dump(workspace: Workspace, folder: Path) -> Callable[[], object]:
    """SQLite's own program, or Python's driver where that is not there, writing the same joined rows as CSV."""
    ledger = Ledger(workspace.ledger_path)
    with ledger.read() as session:
        statement = rows.whole(session, Filter()).statement
        text = str(statement.compile(ledger.engine, compile_kwargs={"literal_binds": True}))
    ledger.close()
    program = shutil.which("sqlite3")
    python = "import csv, sqlite3, sys; c = sqlite3.connect(sys.argv[1]).execute(sys.stdin.read()); "
    python += "w = csv.writer(sys.stdout); w.writerow([d[0] for d in c.description]); w.writerows(c)"
    command = [program, "-csv", "-header"] if program else [sys.executable, "-c", python]

    def work() -> None:
        with (folder / "theirs.csv").open("wb") as stream:
            subprocess.run([*command, workspace.ledger_path], input=text.encode(), stdout=stream, check=True)

    return work


def fill(root: Path, jobs: int) -> Workspace:
    """A workspace whose jobs have all ended: one in ten failed, the others were measured, one in seven was rated."""
    workspace, ledger = make_workspace(root)
    with ledger.write() as session:
        prompts = [make_prompt(session, text="a quiet kitchen in the evening, " * 20).id for _ in range(10)]
        sessions = [make_session(session).id for _ in range(100)]
        _fill_jobs(session, range(1, jobs + 1), prompts, sessions)
        _fill_results(session, [number for number in range(1, jobs + 1) if number % 10])
    ledger.close()
    return workspace


def _fill_jobs(session: Session, numbers: range, prompts: Sequence[str], sessions: Sequence[str]) -> None:
    sets = [
        complete(Kind.TRANSFER, {"edge.weight": n % 100 / 100 + 0.01, "guidance": 3 + n // 100 % 5, "seed": n})
        for n in numbers
    ]
    insert_rows(
        session,
        ParameterSet,
        ({"id": n, "digest": digest_of(values), **to_columns(values)} for n, values in zip(numbers, sets, strict=True)),
    )
    insert_rows(
        session,
        Job,
        (
            {
                **{"id": n, "status": _status(n), "kind": "transfer", "prompt_id": prompts[n % len(prompts)]},
                **{"parameter_set_id": n, "engine": "simulated", "host": "sim", "digest": f"{n:064x}", "attempt": 1},
                **{"error": None if n % 10 else "crashed", "message": None if n % 10 else f"exit code {n} at /box/{n}"},
                **{"created_at": NOW, "started_at": _at(n), "ended_at": _at(n + 60), "session_key": ""},
            }
            for n in numbers
        ),
    )
    rng = random.Random(1)
    insert_rows(
        session,
        Attempt,
        (
            {
                **{"id": n, "job_id": n, "number": 1, "status": _status(n), "phase": "recording", "phase_at": _at(n)},
                **{"host": "sim", "session_id": sessions[n % len(sessions)], "simulated": True},
                **{"uploading_s": rng.random(), "generating_s": 61.0, "downloading_s": rng.random()},
                **{"generate_s": rng.gauss(60, 5), "started_at": _at(n), "ended_at": _at(n + 60)},
            }
            for n in numbers
        ),
    )
    insert_rows(session, JobLabel, ({"job_id": n, "key": "night", "value": str(n // 1000)} for n in numbers))


def _fill_results(session: Session, numbers: Sequence[int]) -> None:
    video = {"kind": "video", "sha256": "0" * 64, "bytes": 10**6, "simulated": True, "created_at": NOW}
    shape = {"width": 1280, "height": 704, "fps": 24.0, "frames": 121, "duration_s": 121 / 24}
    insert_rows(
        session,
        Artifact,
        ({"id": n, "attempt_id": n, "path": f"outputs/2026-11-22/{n}/output.mp4", **video, **shape} for n in numbers),
    )
    rng = random.Random(2)
    insert_rows(
        session,
        Measurement,
        (
            {"artifact_id": n, "name": name, "value": rng.random(), "created_at": NOW}
            for n in numbers
            for name in MEASURES
        ),
    )
    insert_rows(
        session,
        Rating,
        ({"job_id": n, "stars": n % 5 + 1, "rated_at": NOW} for n in numbers if n % 7 == 0),
    )


def _status(number: int) -> str:
    return "succeeded" if number % 10 else "failed"


def _at(number: int) -> datetime:
    return NOW + timedelta(seconds=number)


if __name__ == "__main__":
    sys.exit(1 if report(measure(*map(int, sys.argv[1:]))) else 0)
