"""A worker that sleeps for an hour, and a machine without power: nothing is lost, nothing is taken from another."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import psutil
from sqlalchemy import text, update

from cosmosq.config import load_config
from cosmosq.db import open_ledger
from cosmosq.models import Worker
from cosmosq.paths import Workspace
from cosmosq.queue import Queue
from cosmosq.recovery.table import look
from cosmosq.worker.checkup import examine, scene_of
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]
COPIES = 20
SEED = 7


def stand_still(worker: "subprocess.Popen[str]") -> None:
    worker.send_signal(signal.SIGSTOP)
    wait_for(lambda: psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED, "the process to stand still")


@contextmanager
def asleep(worker: "subprocess.Popen[str]") -> Iterator[None]:
    """The process stands still, wherever it is."""
    stand_still(worker)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


def between_writes(night: Night, worker: "subprocess.Popen[str]") -> bool:
    """Whether the process that stands still does not hold the ledger's write lock; if it does, it goes on."""
    try:
        with closing(sqlite3.connect(night.workspace.ledger_path, timeout=0.1, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        worker.send_signal(signal.SIGCONT)
        return False
    return True


def findings(workspace: Workspace) -> list[str]:
    ledger, queue = open_ledger(workspace.ledger_path), Queue(workspace.queue_path)
    try:
        scene = scene_of(workspace, ledger, load_config(workspace.config_path), queue, now=now())
        return [finding.what for _, finding in look(scene)]
    finally:
        queue.close()
        ledger.close()


def test_a_worker_that_sleeps_for_an_hour_loses_its_jobs_to_nobody_and_goes_on(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02})
    for seed in range(3):
        night.enqueue(seed=seed, num_steps=40)
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(1)["step"], "the first step")
    owners = night.sql("SELECT lease_owner FROM jobs ORDER BY id")
    with asleep(worker):
        while not between_writes(night, worker):
            stand_still(worker)
        hour = timedelta(hours=1)
        with night.ledger.write() as session:
            session.execute(update(Worker).values(heartbeat_at=now() - hour))
        other = night.worker("--until-empty")
        said, _ = other.communicate(timeout=120)
        assert (other.returncode, f"host sim is served by the worker with pid {worker.pid} on " in said) == (4, True)
        assert findings(night.workspace) == []
        assert night.sql("SELECT lease_owner FROM jobs ORDER BY id") == owners
    worker.communicate(timeout=120)
    assert worker.returncode == 0
    assert night.statuses() == ["succeeded"] * 3
    assert [night.job(job_id)["attempt"] for job_id in (1, 2, 3)] == [1, 1, 1]
    assert (len(night.loads), len(night.generations)) == (1, 3)
    assert not night.sql("SELECT id FROM events WHERE event = 'adopted'")


def copy_of(night: Night, folder: Path) -> Workspace:
    """What is on the disk at this moment."""
    copied = Workspace(root=folder)
    copied.folder.mkdir(parents=True)
    shutil.copy(night.workspace.config_path, copied.config_path)
    for name in ("ledger.db", "ledger.db-wal", "queue.db", "queue.db-wal"):
        if (night.workspace.folder / name).exists():
            shutil.copy(night.workspace.folder / name, copied.folder / name)
    return copied


def test_the_ledger_survives_a_power_cut_at_any_moment(make: MakeNight, tmp_path: Path) -> None:
    night = make()
    rng = random.Random(SEED)
    night.enqueue(seed=0)
    worker = night.worker()
    copies: list[tuple[Workspace, int]] = []
    wait_for(lambda: night.job(1)["attempts"], "the worker to begin")
    for number in range(1, COPIES + 1):
        time.sleep(rng.uniform(0, 0.1))
        with asleep(worker):
            copies.append((copy_of(night, tmp_path / f"copy-{number}"), number))
        night.enqueue(seed=number)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert len({tuple(jobs_in(copied)) for copied, _ in copies}) > 3, "the worker did not work meanwhile"
    for copied, enqueued in copies:
        assert len(jobs_in(copied)) == enqueued
        assert_heals(copied)


def jobs_in(workspace: Workspace) -> list[str]:
    ledger = open_ledger(workspace.ledger_path)
    try:
        with ledger.read() as session:
            assert session.scalars(text("PRAGMA integrity_check")).all() == ["ok"]
            assert session.execute(text("PRAGMA foreign_key_check")).all() == []
            return list(session.scalars(text("SELECT status || attempt FROM jobs ORDER BY id")))
    finally:
        ledger.close()


def assert_heals(workspace: Workspace) -> None:
    ledger, queue = open_ledger(workspace.ledger_path), Queue(workspace.queue_path)
    try:
        config = load_config(workspace.config_path)
        told = list(examine(scene_of(workspace, ledger, config, queue, now=now()), fix=True))
        assert [each for each in told if not each.fixed] == []
        assert findings(workspace) == []
    finally:
        queue.close()
        ledger.close()
