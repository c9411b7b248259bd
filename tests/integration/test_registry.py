"""Which process serves which host: at most one each, told by real processes."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from sqlalchemy import select

from cosmosq.db import Ledger
from cosmosq.errors import WorkerBusy
from cosmosq.models import Worker
from cosmosq.worker import registry
from tests.ledger_rows import NOW

Process = subprocess.Popen[bytes]


@pytest.fixture
def process() -> Iterator[Process]:
    """Another process, alive until the test ends it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def _enter(ledger: Ledger, pid: int, *, machine: str | None = None, started_at: datetime | None = None) -> None:
    """The row of a worker that registered itself earlier."""
    if started_at is None:
        started_at = datetime.fromtimestamp(psutil.Process(pid).create_time(), UTC)
    with ledger.write() as session:
        session.add(
            Worker(
                host="sim",
                owner="the first",
                machine=machine or platform.node(),
                pid=pid,
                process_started_at=started_at,
                heartbeat_at=NOW,
            )
        )


def _register(ledger: Ledger, *hosts: str, now: datetime = NOW) -> None:
    registry.register(ledger, hosts or ("sim",), "me", silent_s=60, now=now)


def _owners(ledger: Ledger) -> dict[str, str]:
    with ledger.read() as session:
        return {row.host: row.owner for row in session.scalars(select(Worker))}


def _serving(ledger: Ledger, now: datetime = NOW) -> int | None:
    return registry.serving(ledger, "sim", silent_s=60, now=now)


def test_a_worker_registers_for_its_hosts_and_leaves(ledger: Ledger) -> None:
    _register(ledger, "sim", "gpu")
    assert _owners(ledger) == {"sim": "me", "gpu": "me"}
    assert _serving(ledger) == os.getpid()
    registry.unregister(ledger, "me", NOW)
    assert _owners(ledger) == {}
    assert _serving(ledger) is None


def test_a_second_worker_is_refused_and_told_of_the_first(ledger: Ledger, process: Process) -> None:
    _enter(ledger, process.pid)
    # A live process is believed, however long it was silent: a laptop may have slept.
    with pytest.raises(WorkerBusy, match=rf"^host sim is served by the worker with pid {process.pid} on ") as refused:
        _register(ledger, now=NOW + timedelta(days=1))
    assert refused.value.exit_code == 4
    assert _owners(ledger) == {"sim": "the first"}
    assert _serving(ledger) == process.pid


def test_a_worker_registers_for_all_its_hosts_or_for_none(ledger: Ledger, process: Process) -> None:
    _enter(ledger, process.pid)
    with pytest.raises(WorkerBusy):
        _register(ledger, "gpu", "sim")
    assert _owners(ledger) == {"sim": "the first"}


def test_a_worker_that_was_killed_is_replaced(ledger: Ledger, process: Process) -> None:
    _enter(ledger, process.pid)
    process.kill()
    process.wait()
    assert _serving(ledger) is None
    _register(ledger)
    assert _owners(ledger) == {"sim": "me"}


def test_a_worker_that_ended_but_was_not_waited_for_is_replaced(ledger: Ledger, process: Process) -> None:
    _enter(ledger, process.pid)
    process.kill()
    # Ended, and not yet collected: what a zombie is.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    _register(ledger)
    assert _owners(ledger) == {"sim": "me"}


def test_a_stranger_with_the_pid_of_a_dead_worker_is_not_taken_for_it(ledger: Ledger, process: Process) -> None:
    _enter(ledger, process.pid, started_at=NOW - timedelta(days=3))
    assert _serving(ledger) is None
    _register(ledger)
    assert _owners(ledger) == {"sim": "me"}


@pytest.mark.parametrize(("silent_s", "alive"), [(59, True), (61, False)])
def test_a_worker_on_another_machine_is_judged_by_its_heartbeat(ledger: Ledger, silent_s: int, alive: bool) -> None:
    _enter(ledger, 1, machine="elsewhere", started_at=NOW)
    now = NOW + timedelta(seconds=silent_s)
    assert (_serving(ledger, now) == 1) is alive
    if alive:
        with pytest.raises(WorkerBusy, match="with pid 1 on elsewhere"):
            _register(ledger, now=now)
    else:
        _register(ledger, now=now)
        assert _owners(ledger) == {"sim": "me"}


def test_a_heartbeat_is_of_its_owner_alone(ledger: Ledger) -> None:
    _register(ledger, "sim")
    registry.register(ledger, ("gpu",), "other", silent_s=60, now=NOW)
    later = NOW + timedelta(minutes=3)
    registry.beat(ledger, "me", later)
    with ledger.read() as session:
        beats = {row.host: row.heartbeat_at for row in session.scalars(select(Worker))}
    assert beats == {"sim": later, "gpu": NOW}


def test_leaving_takes_nobody_else_along(ledger: Ledger) -> None:
    _register(ledger, "sim")
    registry.unregister(ledger, "somebody", NOW)
    assert _owners(ledger) == {"sim": "me"}


def test_no_two_workers_have_the_same_name() -> None:
    assert len({registry.new_owner() for _ in range(100)}) == 100
    assert len(registry.new_owner()) <= 80
