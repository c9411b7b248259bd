"""Measuring beside a real worker: it keeps nobody waiting, and what it has not done is done next time."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from cosmosq.posters import posters_of
from tests.night import Night, wait_for

MakeNight = Callable[..., Night]

SLOW = """
import os, pathlib, time
def measure(output, source, controls, facts):
    folder = pathlib.Path(__file__).parent
    (folder / "begun.part").write_text(f"{os.getpid()} {os.nice(0)}")
    (folder / "begun.part").replace(folder / "begun")
    while not (folder / "release").exists():
        time.sleep(0.02)
    return {"slow": len(list(output))}
"""


def install(folder: Path, name: str, code: str, group: str = "cosmosq.measures") -> Path:
    """A package as pip would leave it, whose function `measure` is an entry point."""
    package = folder / f"{name}-1.0.dist-info"
    package.mkdir(parents=True)
    (folder / f"{name}_code.py").write_text(code)
    (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{group}]\n{name} = {name}_code:measure\n")
    return folder


def measured(night: Night, name: str) -> list[int]:
    """Jobs whose videos have this number."""
    statement = (
        "SELECT job_id, m.name FROM measurements m JOIN artifacts a ON a.id = m.artifact_id "
        "JOIN attempts t ON t.id = a.attempt_id ORDER BY job_id"
    )
    return [job_id for job_id, found in night.sql(statement) if found == name]


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_slow_measure_of_low_priority_delays_no_job_and_a_kill_loses_none(make: MakeNight, tmp_path: Path) -> None:
    packages = install(tmp_path / "packages", "slow", SLOW)
    environment = {"PYTHONPATH": str(packages)}
    night = make(measure=True)
    night.enqueue()
    worker = night.worker(environment=environment)
    wait_for((packages / "begun").exists, "the slow measure of the first video")
    pid, niceness = map(int, (packages / "begun").read_text().split())
    assert niceness == 19
    assert measured(night, "canny_f1") == measured(night, "blur_ssim") == [1]
    # The second one differs in its seed alone.
    night.enqueue(seed=2)
    wait_for(lambda: night.statuses() == ["succeeded"] * 2, "the second job")
    assert not (packages / "release").exists()
    assert measured(night, "slow") == []

    # The worker and what measures are killed; nothing of the second video is measured yet.
    os.kill(pid, signal.SIGKILL)
    worker.kill()
    worker.wait()
    (packages / "release").touch()
    again = night.worker("--until-empty", environment=environment)
    wait_for(lambda: measured(night, "slow") == [1, 2], "the slow measure of both")
    assert again.wait(30) == 0
    began_at = time.time_ns()
    for name in ("canny_f1", "blur_ssim", "luma_mean", "diversity_ssim"):
        assert measured(night, name) == [1, 2], name
    # The first report has no video to decode.
    made = posters_of([night.video(1), night.video(2)], night.workspace.posters_path)
    assert {poster.stat().st_mtime_ns < began_at for poster in made.values()} == {True}
    assert len(night.sql("SELECT * FROM measured WHERE reason IS NULL")) == 2 * 5


def test_what_measures_ends_with_a_worker_that_is_told_to_stop(make: MakeNight, tmp_path: Path) -> None:
    packages = install(tmp_path / "packages", "slow", SLOW)
    night = make(measure=True)
    night.enqueue()
    worker = night.worker(environment={"PYTHONPATH": str(packages)})
    wait_for((packages / "begun").exists, "the slow measure")
    pid = int((packages / "begun").read_text().split()[0])
    began = time.monotonic()
    worker.send_signal(signal.SIGINT)
    assert worker.wait(30) == 0
    assert time.monotonic() - began < 20
    wait_for(lambda: is_gone(pid), "the end of what measures")
    assert night.statuses() == ["succeeded"]
    assert measured(night, "slow") == []


def test_a_workspace_that_wants_no_measures_gets_none(make: MakeNight) -> None:
    night = make()
    night.enqueue()
    night.work()
    assert night.sql("SELECT * FROM measured") == []
    assert not night.workspace.measuring_log_path.exists()
