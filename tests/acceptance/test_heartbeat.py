"""`cosmosq status` says whether somebody works, and since when nobody does."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from cosmosq.db import Ledger, open_ledger
from cosmosq.models import Worker
from cosmosq.paths import Workspace
from cosmosq.worker import registry
from tests.acceptance.command_line import Shell

AT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = open_ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


@pytest.fixture
def process() -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def enter(ledger: Ledger, pid: int, ago: timedelta) -> None:
    """A worker with that pid, whose last heartbeat was some time ago."""
    registry.register(ledger, ["sim"], "me", silent_s=60, now=datetime.now(UTC) - ago)
    with ledger.write() as session:
        worker = session.get_one(Worker, "sim")
        worker.pid, worker.process_started_at = pid, datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)


def queue(shell: Shell) -> dict[str, object]:
    (host,) = shell.ok("status", "--queue", "--json").json
    return {name: host[name] for name in ("worker", "worker_pid", "heartbeat_at")}


def test_jobs_that_nobody_works_on_are_told_with_what_to_do(shell: Shell) -> None:
    assert "worker" not in shell.ok("status").err, "nothing waits"
    shell.ok("enqueue", "kitchen")
    assert shell.ok("status").err.splitlines()[-1] == "sim: no worker: `cosmosq worker` starts one"
    assert queue(shell) == {"worker": "none", "worker_pid": None, "heartbeat_at": None}


def test_a_worker_that_has_left_is_remembered(shell: Shell, ledger: Ledger) -> None:
    registry.register(ledger, ["sim"], "me", silent_s=60, now=datetime.now(UTC))
    left_at = datetime(2026, 11, 26, 2, 10, tzinfo=UTC)
    registry.unregister(ledger, "me", left_at)
    assert "worker" not in shell.ok("status").err
    shell.ok("enqueue", "kitchen")
    told = rf"sim: no worker has been alive since {AT}: `cosmosq worker` starts one"
    assert re.fullmatch(told, shell.ok("status").err.splitlines()[-1])
    assert queue(shell) == {"worker": "none", "worker_pid": None, "heartbeat_at": "2026-11-26T02:10:00+00:00"}
    assert "sim: no worker has been alive since" in shell.ok("status", "--queue").err


def test_a_living_worker_is_told_with_the_age_of_its_heartbeat(
    shell: Shell, ledger: Ledger, process: "subprocess.Popen[bytes]"
) -> None:
    enter(ledger, process.pid, timedelta(seconds=3))
    assert re.search(r"^sim: worker alive \d+ s ago$", shell.ok("status").err, re.M), "also where nothing waits"
    assert not shell.ok("status", "--json").err
    shell.ok("enqueue", "kitchen")
    assert re.search(r"\balive$", shell.ok("status", "--queue").out, re.M)
    assert (queue(shell)["worker"], queue(shell)["worker_pid"]) == ("alive", process.pid)


def test_a_worker_that_is_there_and_says_nothing_is_told_apart(
    shell: Shell, ledger: Ledger, process: "subprocess.Popen[bytes]"
) -> None:
    enter(ledger, process.pid, timedelta(minutes=5))
    told = rf"sim: the worker with pid {process.pid} has said nothing for 5:0\d: is it stopped, or does it wait\?"
    assert re.fullmatch(told, shell.ok("status").err.splitlines()[-1])


def test_a_worker_that_was_killed_was_last_alive_at_its_last_heartbeat(
    shell: Shell, ledger: Ledger, process: "subprocess.Popen[bytes]"
) -> None:
    enter(ledger, process.pid, timedelta(minutes=5))
    process.kill()
    process.wait()
    assert "worker" not in shell.ok("status").err
    shell.ok("enqueue", "kitchen")
    assert "sim: no worker has been alive since 20" in shell.ok("status").err
    assert queue(shell)["worker"] == "none"
