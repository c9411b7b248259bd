"""Pauses: what runs is finished, what waits comes back, nothing new starts, and a restart changes nothing."""

import signal
from collections.abc import Callable

import pytest

from cosmosq import pauses
from cosmosq.db import Ledger
from cosmosq.errors import MoveRefused
from cosmosq.models import Pause
from tests.ledger_rows import NOW, make_job
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]


def pause(ledger: Ledger, host: str | None = None, *, at_once: bool = False, reason: str = "") -> Pause:
    return pauses.pause(ledger, host, reason=reason, at_once=at_once, now=now())


def events_of(night: Night, job_id: int, event: str) -> list[str]:
    return [str(e["data"].get("reason")) for e in night.job(job_id)["events"] if e["event"] == event]


def test_a_pause_finishes_what_is_generated_frees_the_gpu_and_outlives_the_worker(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02}, idle_close=0.2)
    for seed in range(3):
        night.enqueue(seed=seed, num_steps=50 if seed == 0 else 3)
    worker = night.worker()
    wait_for(lambda: night.job(1)["step"] and night.job(3)["phase"] == "waiting", "the others in the inbox")
    pause(night.ledger, "sim", reason="somebody needs the GPU")
    wait_for(lambda: night.statuses() == ["succeeded", "queued", "queued"], "the end of the first")
    wait_for(lambda: not night.session_pids(), "the GPU to be free")
    worker.send_signal(signal.SIGINT)
    said, _ = worker.communicate(timeout=60)
    assert "sim is paused: somebody needs the GPU" in said
    assert events_of(night, 2, "returned") == ["paused: somebody needs the GPU"]
    night.worker("--until-empty")
    wait_for(lambda: (worker.pid,) not in night.sql("SELECT pid FROM workers") != [], "the next worker")
    night.enqueue(seed=9)
    assert night.statuses() == ["succeeded", "queued", "queued", "queued"]
    pauses.resume(night.ledger, "sim")
    wait_for(lambda: night.statuses() == ["succeeded"] * 4, "all of them")
    assert (len(night.loads), [night.job(job_id)["attempt"] for job_id in (1, 2, 3)]) == (2, [1, 1, 1])


def test_a_pause_at_once_stops_what_is_generated_and_counts_no_failure(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02}, retries=0)
    for seed in range(2):
        night.enqueue(seed=seed, num_steps=500 if seed == 0 else 3)
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(1)["step"] and night.job(2)["phase"] == "waiting", "one in each place")
    pause(night.ledger, at_once=True)
    wait_for(lambda: night.statuses() == ["queued", "queued"], "both back in the queue")
    job = night.job(1)
    assert (job["failures"], job["error"], job["message"]) == (0, "paused", "stopped by `cosmosq pause --now`")
    assert [(a["status"], a["error"]) for a in job["attempts"]] == [("cancelled", "paused")]
    assert night.job(2)["attempts"] == []
    pauses.resume(night.ledger, None)
    wait_for(lambda: night.job(1)["step"] and night.job(1)["attempt"] == 2, "the first again")
    worker.kill()
    worker.communicate()


def test_a_pause_that_is_heard_of_by_the_next_worker_stops_the_job_all_the_same(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    night.enqueue(num_steps=1000)
    worker = night.worker()
    wait_for(lambda: night.job(1)["step"], "the first step")
    worker.kill()
    worker.communicate()
    pause(night.ledger, "sim", at_once=True)
    night.worker()
    wait_for(lambda: night.statuses() == ["queued"], "the job in the queue")
    assert (night.job(1)["failures"], night.job(1)["error"]) == (0, "paused")


def test_pauses_of_a_host_and_of_all_are_lifted_each_by_its_own_word(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_job(session)
    assert pauses.why_not(ledger, "sim", NOW) is None
    pause(ledger, "other")
    assert pauses.why_not(ledger, "sim", NOW) is None
    pause(ledger, reason="the power is off")
    assert pauses.why_not(ledger, "sim", NOW) == "paused: the power is off"
    with pytest.raises(MoveRefused, match="sim is paused with all hosts: `cosmosq resume` lifts that"):
        pauses.resume(ledger, "sim")
    assert [each.host for each in pauses.resume(ledger, "other")] == ["other"]
    assert [each.host for each in pauses.resume(ledger, None)] == ["*"]
    assert pauses.resume(ledger, None) == pauses.resume(ledger, "sim") == []


def test_a_pause_that_is_said_again_keeps_its_time_and_only_gets_stricter(ledger: Ledger) -> None:
    first = pause(ledger, "sim", reason="lunch", at_once=True)
    again = pause(ledger, "sim")
    assert (again.since, again.reason, again.at_once) == (first.since, "lunch", True)
