"""`kill -9` of the worker at every moment that matters: one success, one generation, one model load."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosmosq.status import Phase
from tests.night import Night, make_night, wait_for

STEPS = 12


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = make_night(tmp_path, simulator={"step_s": 0.02})
    yield made
    made.close()


def work_until_killed(night: Night, when: str, moment: object) -> bool:
    """Whether the worker was killed before its work was done."""
    command = [sys.executable, "-m", "tests.integration.killed_worker", str(night.workspace.root), when, str(moment)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def assert_done_once(night: Night) -> None:
    assert night.statuses() == ["succeeded"]
    assert len(night.generations) == 1, "a generation was repeated"
    assert len(night.loads) == 1, "the model was loaded again"
    assert night.sql("SELECT count(*) FROM attempts WHERE status = 'succeeded'") == [(1,)]
    assert night.sql("SELECT count(*) FROM attempts WHERE status = 'running'") == [(0,)]
    assert night.sql("SELECT count(*) FROM artifacts WHERE kind = 'video'") == [(1,)]
    assert night.video(1).is_file()
    assert night.session_pids() == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 23, 3))
def test_a_worker_killed_at_a_commit_loses_nothing_and_repeats_nothing(night: Night, when: str, number: int) -> None:
    night.enqueue(num_steps=STEPS)
    work_until_killed(night, when, number)
    night.work()
    assert_done_once(night)


def test_a_worker_killed_again_and_again_still_gets_the_job_done_once(night: Night) -> None:
    night.enqueue(num_steps=STEPS)
    kills = 0
    while work_until_killed(night, "after", 3 + kills % 5) and kills < 15:
        kills += 1
    night.work()
    assert kills >= 3
    assert_done_once(night)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_worker_killed_in_each_phase_loses_nothing_and_repeats_nothing(night: Night, phase: Phase) -> None:
    night.enqueue(num_steps=STEPS)
    assert work_until_killed(night, "after", phase)
    assert (night.statuses(), night.job(1)["phase"]) == (["running"], phase)
    night.work()
    assert_done_once(night)
    assert night.job(1)["attempt"] == 1


def test_a_worker_killed_mid_generation_follows_on_from_where_it_was(night: Night) -> None:
    night.enqueue(num_steps=150)
    worker = night.worker("--until-empty")
    wait_for(lambda: (night.job(1)["step"] or 0) > 5, "some steps")
    worker.kill()
    worker.communicate()
    night.work()
    assert_done_once(night)
    assert [e["event"] for e in night.job(1)["events"]].count("adopted") == 1


@pytest.mark.parametrize("number", [13, 22, 31])
def test_a_worker_killed_with_several_attempts_in_flight_loses_none_and_repeats_none(night: Night, number: int) -> None:
    for seed in range(4):
        night.enqueue(num_steps=STEPS, seed=seed)
    assert work_until_killed(night, "before", number)
    assert len([status for status in night.statuses() if status == "running"]) > 1
    night.work()
    assert night.statuses() == ["succeeded"] * 4
    assert [entry["seed"] for entry in night.generations] == [0, 1, 2, 3]
    assert [night.job(job_id)["attempt"] for job_id in range(1, 5)] == [1] * 4
    assert len(night.loads) == 1
    assert night.session_pids() == []
