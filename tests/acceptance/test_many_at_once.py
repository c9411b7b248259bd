"""Many processes enqueue at once while a worker works: no job is lost, and nobody hears of a lock."""

import json
import signal
import subprocess
from pathlib import Path

from tests.acceptance.command_line import COSMOSQ
from tests.night import make_night, wait_for

PROCESSES, JOBS = 5, 40


def test_processes_that_enqueue_at_once_lose_no_job(tmp_path: Path) -> None:
    enqueue_at_once(tmp_path, PROCESSES, JOBS)


def enqueue_at_once(folder: Path, processes: int, jobs: int) -> None:
    """A sweep of so many jobs each."""
    night = make_night(folder)
    try:
        for number in range(processes):
            night.add(f"a kitchen {number}", name=f"kitchen-{number}")
        first = night.enqueue("the first", seed=1)
        worker = night.worker()
        wait_for(lambda: night.job(first)["status"] == "succeeded", "a worker at work")
        started = [_enqueue(night.workspace.root, number, jobs) for number in range(processes)]
        said = [process.communicate(timeout=300) for process in started]
        assert [process.returncode for process in started] == [0] * processes, said
        ids = [row["id"] for out, _ in said for row in json.loads(out) if row["new"]]
        assert len(set(ids)) == len(ids) == processes * jobs
        worker.send_signal(signal.SIGINT)
        words, _ = worker.communicate(timeout=120)
        log = night.workspace.log_path.read_text() if night.workspace.log_path.exists() else ""
        assert "locked" not in "".join([words, log, *(err for _, err in said)])
        assert [row[0] for row in night.sql("SELECT id FROM jobs ORDER BY id")] == [first, *sorted(ids)]
        positions = [row[0] for row in night.sql("SELECT position FROM jobs ORDER BY id")]
        assert positions == sorted(set(positions)), "each has a place of its own"
        assert not night.sql("SELECT id FROM jobs WHERE status NOT IN ('queued', 'succeeded')")
        events = night.sql("SELECT count(*) FROM events WHERE event = 'queued' AND session_id IS NULL")
        assert events[0][0] >= processes * jobs
    finally:
        night.close()


def _enqueue(root: Path, number: int, jobs: int) -> "subprocess.Popen[str]":
    fixed = ("-s", "edge.weight=0.5", "-s", "num_steps=1", "--priority", str(number % 3), "--json")
    command = [*COSMOSQ, "enqueue", f"kitchen-{number}", "-p", f"seed=range(0,{jobs})", *fixed]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
