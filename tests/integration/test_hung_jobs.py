"""Generations without an end: stopped, recorded as such and repeated, alone if their session still answers."""

import json
import os
import signal
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import update

from cosmosq.config import HostConfig, parse_config
from cosmosq.db import Ledger
from cosmosq.models import Attempt
from cosmosq.report.timeouts import Timeout, expected_s, timeout_of
from cosmosq.status import Status
from tests.ledger_rows import make_ended_job, make_job
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]


def hung(make: MakeNight) -> Night:
    """A job whose generation has hung for an hour while no worker looked, and one behind it in the inbox."""
    night = make(faults=[{"do": "hang", "match": "endless", "times": 1}], host={"timeout_s": 1000}, retries=1)
    night.enqueue("endless")
    night.enqueue("short")
    worker = night.worker()
    wait_for(lambda: (night.job(1)["phase"], night.job(2)["phase"]) == ("generating", "waiting"), "one in each place")
    wait_for(lambda: (night.box / "generations.jsonl.faults.json").exists(), "the fault")
    worker.kill()
    worker.communicate()
    with night.ledger.write() as session:
        session.execute(update(Attempt).values(phase_at=now() - timedelta(hours=1)))
    return night


def test_a_hung_job_alone_is_stopped_and_repeated_if_its_session_still_answers(make: MakeNight) -> None:
    night = hung(make)
    night.work()
    assert night.statuses() == ["succeeded"] * 2
    first, second = night.job(1)["attempts"]
    assert (first["status"], first["error"], second["status"]) == ("failed", "timed_out", "succeeded")
    assert first["message"].startswith("generated for 1:00:")
    assert first["message"].endswith("and 16:40 is the limit (timeout_s of host sim)")
    assert (night.job(1)["failures"], night.job(2)["attempt"]) == (1, 1)
    assert (len(night.loads), len(night.generations)) == (1, 2)


def test_a_session_that_does_not_stop_a_hung_job_is_ended_and_the_others_in_it_are_given_back(make: MakeNight) -> None:
    night = hung(make)
    for path in night.box.glob("sessions/*/session.json"):
        os.kill(json.loads(path.read_text())["pid"], signal.SIGSTOP)
    worker = night.worker("--until-empty", first="from cosmosq.session import watch; watch.STOP_S = 0.5")
    worker.communicate(timeout=200)
    assert night.statuses() == ["succeeded"] * 2
    assert [attempt["error"] for attempt in night.job(1)["attempts"]] == ["timed_out", None]
    returned = [event["data"]["reason"] for event in night.job(2)["events"] if event["event"] == "returned"]
    assert any(reason.endswith("did not stop job 1") for reason in returned), returned
    assert (night.job(2)["attempt"], night.job(2)["failures"]) == (1, 0)
    assert (len(night.loads), len(night.generations)) == (2, 2)
    assert night.session_pids() == []


def host(**settings: object) -> HostConfig:
    return parse_config({"hosts": {"sim": settings}}, source="test").host()


def limit(ledger: Ledger, job_id: int, **settings: object) -> Timeout | None:
    with ledger.read() as session:
        return timeout_of(session, host(**settings), job_id)


def test_the_limit_is_four_times_what_the_host_has_taken_for_so_many_steps(ledger: Ledger) -> None:
    with ledger.write() as session:
        job = make_job(session, parameters={"num_steps": 20}).id
        for seconds in (100.0, 110.0):
            make_ended_job(session, parameters={"num_steps": 10}, attempt={"generating_s": seconds})
        make_ended_job(session, attempt={"generating_s": 9000.0}, host="other")
        make_ended_job(session, Status.FAILED, attempt={"generating_s": 9000.0})
    assert limit(ledger, job) is None
    with ledger.write() as session:
        # Followed on a day later.
        make_ended_job(session, parameters={"num_steps": 10}, attempt={"generating_s": 86_400.0})
    assert limit(ledger, job) == Timeout(seconds=880, source="4 × what 3 like it lead one to expect on sim")
    assert limit(ledger, job, timeout_s=0) is None
    assert limit(ledger, job, timeout_s=90) == Timeout(seconds=90, source="timeout_s of host sim")


def test_little_work_is_not_expected_to_take_less_than_the_least_that_was_seen() -> None:
    assert expected_s(1, [(10, 100.0), (10, 120.0), (20, 300.0)]) == 100
    assert expected_s(40, [(10, 100.0), (10, 120.0), (20, 300.0)]) == 480
    assert expected_s(0, [(0, 5.0), (0, 7.0), (0, 30.0)]) == 7


def test_no_limit_is_shorter_than_a_minute(ledger: Ledger) -> None:
    with ledger.write() as session:
        job = make_job(session).id
        for _ in range(3):
            make_ended_job(session, attempt={"generating_s": 1.0})
    found = limit(ledger, job)
    assert found is not None
    assert found.seconds == 60
