"""A worker that has to go, or cannot ask: whoever comes next goes on."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cosmosq import db, prompts
from cosmosq.session import remote
from tests.ledger_rows import make_ledger
from tests.night import KEY, Night, now, site_of, wait_for

MakeNight = Callable[..., Night]

IMPATIENT = "from cosmosq import db; db.BUSY_TIMEOUT_MS = 300"
"""Waits for the ledger's write lock for 0.3 s instead of 30."""


def test_run_follows_a_worker_and_goes_on_when_that_one_leaves(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02})
    night.enqueue("the worker's own", num_steps=60)
    prompts.add(night.ledger, [prompts.Draft(text="another kitchen", clip="shot", name="other")], now())
    worker = night.worker()
    wait_for(lambda: night.job(1)["step"], "the first step")
    words = ["run", "other", "-s", "edge.weight=0.5", "-s", "num_steps=3"]
    command = [sys.executable, "-m", "cosmosq", "-w", str(night.workspace.root), *words]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    night.processes.append(running)
    assert running.stderr is not None
    following = f"the worker with pid {worker.pid} serves sim: following"
    assert any(following in line for line in running.stderr)
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert night.statuses()[0] == "succeeded"
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, night.statuses()) == (0, ["succeeded"] * 2)
    assert out.strip() == str(night.video(2))
    assert (len(night.loads), len(night.generations)) == (2, 2)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_worker_whose_ledger_is_taken_away_stops_and_says_so(make: MakeNight, tmp_path: Path, replaced: bool) -> None:
    night = make()
    worker = night.worker()
    wait_for(lambda: night.sql("SELECT pid FROM workers"), "the worker")
    shutil.move(night.workspace.ledger_path, tmp_path / "old.db")
    if replaced:
        make_ledger(tmp_path / "new.db").close()
        shutil.move(tmp_path / "new.db", night.workspace.ledger_path)
    said, _ = worker.communicate(timeout=30)
    assert worker.returncode == 2
    assert said.splitlines()[-1] == (
        f"cosmosq: the ledger {night.workspace.ledger_path} is gone: the worker has nothing to work on"
    )


def test_a_session_that_cannot_be_asked_keeps_no_other_from_being_reconciled(make: MakeNight) -> None:
    night = make()
    site = site_of(night)
    killed, mute = remote.start(site, KEY), remote.start(site, KEY)
    wait_for(lambda: len(night.loads) == 2, "both models")
    told = json.loads(site.host.read(killed.folder.path / "session.json"))
    for name in ("wrapper_pid", "pid"):
        os.kill(told[name], signal.SIGKILL)
    path = Path(mute.folder.path / "session.json")
    whole = path.read_text()
    path.write_text("nonsense")
    try:
        assert [session.id for session in remote.unended(site)] == [mute.id, killed.id], "the mute one comes first"
        night.work()
        ends = dict(night.sql('SELECT id, "end" FROM sessions'))
        assert ends == {killed.id: "lost: killed", mute.id: None}
    finally:
        path.write_text(whole)
    night.work()
    assert dict(night.sql('SELECT id, "end" FROM sessions'))[mute.id] == "exited 0"


@contextlib.contextmanager
def write_lock(night: Night) -> Iterator[None]:
    """Another program in the middle of a write."""
    other = sqlite3.connect(night.workspace.ledger_path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


def test_a_worker_that_waits_too_long_for_the_ledger_stops_and_the_next_one_repeats_nothing(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02})
    assert night.sql("PRAGMA busy_timeout") == [(db.BUSY_TIMEOUT_MS,)] == [(30_000,)]
    night.enqueue(num_steps=60)
    worker = night.worker(first=IMPATIENT)
    wait_for(lambda: (night.job(1)["step"] or 0) > 5, "some steps")
    with write_lock(night):
        said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 2
    assert "is locked by another program for too long" in said.splitlines()[-1]
    assert night.statuses() == ["running"]
    night.work()
    assert night.statuses() == ["succeeded"]
    assert (len(night.loads), len(night.generations), night.job(1)["attempt"]) == (1, 1, 1)
