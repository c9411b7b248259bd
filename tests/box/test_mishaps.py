"""A night of thirty jobs over SSH in which session, worker or link dies at a random moment.

COSMOSQ_SEEDS=20 tries as many nights; a seed repeats one.
"""

import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.box.proxy import Proxy
from tests.box.sshd import Server, settings_of
from tests.night import Night, make_night, wait_for

pytestmark = pytest.mark.usefixtures("no_keys")

JOBS = 30
SEEDS = range(int(os.environ.get("COSMOSQ_SEEDS", "3")))
SETS: tuple[dict[str, Any], ...] = ({}, {"vis_weight": 0.2})

Kill = Callable[[Night, "subprocess.Popen[str]", Proxy], None]


@pytest.fixture
def proxy(shared_server: Server) -> Iterator[Proxy]:
    with Proxy(shared_server.port) as proxy:
        yield proxy


@pytest.fixture
def night(shared_server: Server, proxy: Proxy, tmp_path: Path) -> Iterator[Night]:
    host = settings_of(shared_server, tmp_path / "the box", proxy.port)
    made = make_night(tmp_path, simulator={"step_s": 0.005}, host=host)
    known = shared_server.known_hosts.read_text().replace(f":{shared_server.port} ", f":{proxy.port} ")
    made.workspace.known_hosts_path.write_text(known)
    yield made
    made.close()


def kill_session(night: Night, worker: "subprocess.Popen[str]", proxy: Proxy) -> None:
    for path in night.box.glob("sessions/*/session.json"):
        if not (path.parent / "exit").exists():
            told = json.loads(path.read_text())
            for name in ("wrapper_pid", "pid"):
                os.kill(told[name], signal.SIGKILL)


def kill_worker(night: Night, worker: "subprocess.Popen[str]", proxy: Proxy) -> None:
    worker.kill()


def cut_link(night: Night, worker: "subprocess.Popen[str]", proxy: Proxy) -> None:
    proxy.cut()


KILLS: tuple[Kill, ...] = (kill_session, kill_worker, cut_link)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_dies_every_job_succeeds_and_no_good_generation_is_repeated(
    night: Night, proxy: Proxy, seed: int
) -> None:
    chance = random.Random(seed)
    kill = KILLS[seed % len(KILLS)]
    for number in range(JOBS):
        night.enqueue(seed=number, **SETS[number % 10 == 9])
    worker = night.worker("--until-empty")
    count = chance.randrange(JOBS - 1)
    wait_for(lambda: len(night.generations) >= count and night.session_pids(), f"{count} generations")
    with pytest.raises(subprocess.TimeoutExpired):
        worker.wait(chance.random() * 0.3)
    kill(night, worker, proxy)
    worker.communicate(timeout=120)
    night.work()
    assert night.statuses() == ["succeeded"] * JOBS
    assert [night.job(job_id)["failures"] for job_id in range(1, JOBS + 1)] == [0] * JOBS
    done = Counter(name for name, event in told_by_sessions(night) if event == "done")
    assert set(done.values()) == {1}, "a good generation was repeated"
    assert len({name.partition("-")[0] for name in done}) == len(done) == JOBS
    assert night.sql("SELECT count(*) FROM attempts WHERE status = 'succeeded'") == [(JOBS,)]
    assert night.sql("SELECT count(*) FROM attempts WHERE status NOT IN ('succeeded', 'failed')") == [(0,)]
    assert all(night.video(job_id).is_file() for job_id in range(1, JOBS + 1))
    assert night.session_pids() == []
    died = kill is kill_session
    # What was generated to the last step when the session died, and not told, is no good generation.
    assert len(night.generations) <= JOBS + died
    assert len(night.loads) <= 2 + died


def told_by_sessions(night: Night) -> Iterator[tuple[str, str]]:
    """(attempt, event) of all that sessions wrote, whether anybody read it or not."""
    for path in night.box.glob("sessions/*/events.jsonl"):
        for line in path.read_text().splitlines():
            told = json.loads(line)
            yield str(told.get("attempt")), str(told["event"])
