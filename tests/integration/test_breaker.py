"""The breaker: failures that tell against a host pause it, and one job finds out whether it works again."""

import re
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from cosmosq import claims, pauses
from cosmosq.breaker import Rule
from cosmosq.claims import Outcome
from cosmosq.db import Ledger
from cosmosq.models import Alarm, Job, Pause
from cosmosq.retries import Repeat
from cosmosq.status import Status
from tests.ledger_rows import NOW, make_job
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]

RULE = Rule(stop_after_failures=3, probe_after_s=300)
SUCCESS = Outcome(status=Status.SUCCEEDED)


def failure(error: str, repeat: Repeat = Repeat.NEVER) -> Outcome:
    return Outcome(status=Status.FAILED, error=error, message="so it went", repeat=repeat)


def serve(ledger: Ledger, *outcomes: Outcome, at_s: float = 0, retries: int = 0) -> list[Status]:
    """Claim the next job for each and end it so."""
    at, found = NOW + timedelta(seconds=at_s), []
    for outcome in outcomes:
        claim = claims.claim(ledger, "sim", "me", simulated=True, now=at)
        assert claim is not None
        found.append(claims.finish(ledger, claim, outcome, retries=retries, rule=RULE, now=at))
    return found


def breaker(ledger: Ledger) -> Pause | None:
    with ledger.read() as session:
        return session.get(Pause, ("sim", "breaker"))


def alarms(ledger: Ledger) -> list[Alarm]:
    with ledger.read() as session:
        return list(session.scalars(select(Alarm).order_by(Alarm.id)))


def may_start(ledger: Ledger, at_s: float) -> bool:
    return pauses.why_not(ledger, "sim", NOW + timedelta(seconds=at_s)) is None


def jobs(ledger: Ledger, count: int) -> None:
    with ledger.write() as session:
        for _ in range(count):
            make_job(session)


def test_out_of_memory_of_different_jobs_pauses_the_host_and_sounds_one_alarm(ledger: Ledger) -> None:
    jobs(ledger, 4)
    assert serve(ledger, *[failure("out_of_memory")] * 2) == ["failed"] * 2
    assert breaker(ledger) is None
    serve(ledger, failure("out_of_memory"))
    found = breaker(ledger)
    assert found is not None
    assert found.reason == "3 failures in a row: out_of_memory (job 1, job 2, job 3)"
    told = [(alarm.occasion, alarm.job_id, alarm.text) for alarm in alarms(ledger)]
    assert told[0] == ("job_failed", 1, "job 1 failed: out_of_memory: so it went: `cosmosq show 1` says more")
    assert told[-1] == (
        *("host_paused", None),
        "host sim is paused: 3 failures in a row: out_of_memory (job 1, job 2, job 3): a job is tried in 300 s, "
        "`cosmosq resume --host sim` goes on at once",
    )
    assert [occasion for occasion, _, _ in told] == ["job_failed"] * 3 + ["host_paused"]
    assert not may_start(ledger, 299)
    assert may_start(ledger, 300)


def test_a_success_forgets_the_failures_before_it_and_so_does_a_person(ledger: Ledger) -> None:
    jobs(ledger, 8)
    serve(ledger, *[failure("crashed")] * 2, SUCCESS, *[failure("crashed")] * 2)
    assert breaker(ledger) is None
    serve(ledger, failure("crashed"))
    assert breaker(ledger) is not None
    assert [each.paused_by for each in pauses.resume(ledger, "sim")] == ["breaker"]
    serve(ledger, failure("crashed"))
    assert breaker(ledger) is None


def test_lost_sessions_of_one_job_pause_the_host_though_they_do_not_count_against_the_job(ledger: Ledger) -> None:
    jobs(ledger, 1)
    assert serve(ledger, *[failure("lost", Repeat.UNCOUNTED)] * 3) == ["queued"] * 3
    assert breaker(ledger) is not None
    assert [alarm.occasion for alarm in alarms(ledger)] == ["host_paused"]
    with ledger.read() as session:
        assert session.get_one(Job, 1).failures == 0


def test_what_the_jobs_themselves_are_to_blame_for_pauses_nothing(ledger: Ledger) -> None:
    jobs(ledger, 8)
    blocked = Outcome(status=Status.BLOCKED, error="blocked", message="guardrail")
    serve(ledger, *[blocked] * 4, *[failure("invalid_spec")] * 4)
    assert breaker(ledger) is None
    assert alarms(ledger)[0].text == "job 1 blocked: guardrail: `cosmosq show 1` says more"


def test_a_probe_that_fails_keeps_the_host_paused_for_longer_and_one_that_succeeds_ends_it(ledger: Ledger) -> None:
    jobs(ledger, 8)
    serve(ledger, *[failure("crashed")] * 3)
    serve(ledger, failure("crashed"), at_s=300)
    found = breaker(ledger)
    assert found is not None
    assert (found.tries, found.probe_at) == (1, NOW + timedelta(seconds=900))
    assert found.reason.endswith("; a probe failed: crashed (job 4)")
    assert not may_start(ledger, 899)
    assert may_start(ledger, 900)
    probe = claims.claim(ledger, "sim", "me", simulated=True, now=NOW + timedelta(seconds=900))
    assert probe is not None
    assert not may_start(ledger, 901)
    claims.give_back(ledger, probe, "the worker stops", NOW)
    assert may_start(ledger, 901)
    serve(ledger, Outcome(status=Status.BLOCKED, error="blocked"), at_s=900)
    assert may_start(ledger, 901)
    serve(ledger, SUCCESS, at_s=901)
    assert breaker(ledger) is None
    assert [alarm.occasion for alarm in alarms(ledger)].count("host_paused") == 1


def test_three_crashes_of_a_hundred_jobs_leave_97_queued_until_a_probe_succeeds(make: MakeNight) -> None:
    faults = [{"do": "crash", "times": 4}]
    night = make(faults=faults, retries=0, settings="probe_after_s = 1000", idle_close=0.5)
    for seed in range(100):
        night.enqueue(seed=seed)
    worker = night.worker()
    wait_for(lambda: breaker(night.ledger), "the pause")
    wait_for(lambda: count(night, "running") == 0, "what waited in the inbox")
    errors = night.sql("SELECT error FROM jobs WHERE status = 'failed'")
    assert (errors, count(night, "queued")) == ([("crashed",)] * 3, 97)
    probe_now(night)
    wait_for(lambda: count(night, "failed") == 4, "a probe that fails")
    found = breaker(night.ledger)
    assert found is not None
    assert found.tries == 1
    assert found.probe_at is not None
    assert 1900 < (found.probe_at - now()).total_seconds() < 2000
    assert count(night, "queued") == 96
    worker.send_signal(signal.SIGINT)
    # Those that were given back may change places.
    told = r"sim is paused by the breaker: 3 failures in a row: crashed \(job \d, job \d, job \d\)"
    assert re.search(told, worker.communicate()[0])
    probe_now(night)
    worker = night.worker()
    wait_for(lambda: count(night, "succeeded") > 5, "more than one success")
    assert breaker(night.ledger) is None
    worker.send_signal(signal.SIGINT)
    assert "sim is no longer paused" in worker.communicate()[0]


def count(night: Night, status: str) -> int:
    return night.statuses().count(status)


def probe_now(night: Night) -> None:
    """Time passes."""
    with night.ledger.write() as session:
        session.execute(update(Pause).values(probe_at=now()))


def test_a_session_that_is_lost_before_it_has_begun_counts_as_well(make: MakeNight) -> None:
    night = make(simulator={"load_s": 60.0}, settings="stop_after_failures = 1\nprobe_after_s = 3000")
    night.enqueue()
    night.worker()
    wait_for(lambda: night.session_pids() and night.job(1)["phase"] == "waiting", "the load")
    night.kill_session()
    wait_for(lambda: breaker(night.ledger), "the pause")
    found: Any = breaker(night.ledger)
    session_id = night.sql("SELECT id FROM sessions")[0][0]
    assert found.reason == f"1 failure in a row: lost (session {session_id})"
    wait_for(lambda: night.statuses() == ["queued"], "the job in the queue")
    assert night.job(1)["attempts"] == []
