"""A session that is fed ahead: one load for many jobs, and people who change their minds meanwhile."""

import signal
from collections.abc import Callable
from typing import Any

from cosmosq import jobs
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]

SETS: tuple[dict[str, Any], ...] = ({}, {"vis_weight": 0.2}, {"depth_weight": 0.3}, {"seg_weight": 0.3})


def order_of(night: Night) -> list[int]:
    """Seeds in the order in which the box generated them."""
    return [entry["seed"] for entry in night.generations]


def events_of(night: Night, job_id: int) -> list[str]:
    return [str(event["event"]) for event in night.job(job_id)["events"]]


def is_waiting(night: Night, *job_ids: int) -> bool:
    return all(night.job(job_id)["phase"] == "waiting" for job_id in job_ids)


def test_fifty_jobs_with_one_set_of_hints_load_the_model_once(make: MakeNight) -> None:
    night = make()
    for seed in range(50):
        night.enqueue(seed=seed)
    night.work()
    assert night.statuses() == ["succeeded"] * 50
    assert len(night.loads) == 1
    assert order_of(night) == list(range(50))


def test_four_sets_of_hints_in_turn_load_four_times(make: MakeNight) -> None:
    night = make()
    for seed in range(20):
        night.enqueue(seed=seed, **SETS[seed % 4])
    night.work()
    assert night.statuses() == ["succeeded"] * 20
    assert [entry["hints"] for entry in night.loads] == [["edge"], ["vis", "edge"], ["edge", "depth"], ["edge", "seg"]]
    assert len(night.generations) == 20


def test_a_job_that_needs_another_model_is_not_overtaken_for_ever(make: MakeNight) -> None:
    night = make(settings="max_overtake = 3")
    night.enqueue(seed=0)
    night.enqueue(seed=1, vis_weight=0.2)
    for seed in range(2, 8):
        night.enqueue(seed=seed)
    night.work()
    assert order_of(night) == [0, 2, 3, 4, 1, 5, 6, 7]
    assert len(night.loads) == 3


def test_the_next_jobs_wait_in_the_inbox_while_one_is_generated(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05}, host={"prefetch": 2})
    ids = [night.enqueue(seed=seed, num_steps=400 if seed == 0 else 3) for seed in range(5)]
    night.worker()
    wait_for(lambda: night.job(ids[0])["step"] and is_waiting(night, *ids[1:3]), "two more in the inbox")
    assert night.statuses() == ["running"] * 3 + ["queued"] * 2
    assert len(list(night.box.glob("sessions/*/inbox/*.json"))) == 2


def test_each_job_that_is_cancelled_stops_where_it_is_and_the_session_lives_on(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05}, host={"prefetch": 1})
    generating, waiting, queued, good = (
        night.enqueue(seed=seed, num_steps=1000 if seed == 0 else 3) for seed in range(4)
    )
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(generating)["step"] and is_waiting(night, waiting), "one in each place")
    jobs.cancel(night.ledger, [waiting, queued], now())
    wait_for(lambda: night.job(waiting)["status"] == "cancelled", "the end of the one in the inbox")
    assert night.job(generating)["status"] == "running"
    jobs.cancel(night.ledger, [generating], now())
    worker.communicate(timeout=60)
    assert night.statuses() == ["cancelled", "cancelled", "cancelled", "succeeded"]
    assert night.job(waiting)["message"] == "cancelled before it began"
    assert night.job(generating)["message"] == "cancelled while it was generated"
    assert "accepted" not in events_of(night, waiting)
    assert (len(night.loads), order_of(night)) == (1, [3])
    assert good == 4


def test_a_job_of_higher_priority_overtakes_what_only_waits_in_the_inbox(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    ids = [night.enqueue(seed=seed, num_steps=40 if seed == 0 else 3) for seed in range(3)]
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(ids[0])["step"] and is_waiting(night, *ids[1:]), "the others in the inbox")
    night.enqueue(seed=9, priority=5)
    worker.communicate(timeout=60)
    assert night.statuses() == ["succeeded"] * 4
    assert order_of(night) == [0, 9, 1, 2]
    assert len(night.loads) == 1
    overtaken = night.job(ids[1])
    assert (overtaken["attempt"], len(overtaken["attempts"]), overtaken["failures"]) == (1, 1, 0)
    returned = next(event for event in overtaken["events"] if event["event"] == "returned")
    assert returned["data"]["reason"] == "job 4 goes first"


def test_a_job_that_is_held_while_it_waits_in_the_inbox_is_taken_back(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    first, second = night.enqueue(seed=0, num_steps=1000), night.enqueue(seed=1)
    night.worker()
    wait_for(lambda: night.job(first)["step"] and is_waiting(night, second), "the other in the inbox")
    assert jobs.hold(night.ledger, [second], now()) == ([], [second])
    wait_for(lambda: night.statuses() == ["running", "held"], "the hold")
    assert night.job(second)["attempts"] == []
    jobs.cancel(night.ledger, [first], now())
    wait_for(lambda: night.statuses() == ["cancelled", "held"], "the end of the other")
    jobs.release(night.ledger, [second], now())
    wait_for(lambda: night.statuses() == ["cancelled", "succeeded"], "the released one")
    assert len(night.loads) == 1


def test_one_interrupt_gives_back_what_only_waits(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    for seed in range(3):
        night.enqueue(seed=seed, num_steps=25)
    worker = night.worker()
    wait_for(lambda: night.job(1)["step"] and is_waiting(night, 2, 3), "the others in the inbox")
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert night.statuses() == ["succeeded", "queued", "queued"]
    assert [night.job(job_id)["attempt"] for job_id in (1, 2, 3)] == [1, 0, 0]


def test_out_of_memory_gives_back_what_waited_behind_it(make: MakeNight) -> None:
    night = make(faults=[{"do": "oom", "match": "big", "times": 1}], simulator={"step_s": 0.02})
    big = night.enqueue("big", num_steps=20)
    others = [night.enqueue(seed=seed) for seed in range(3)]
    night.work()
    assert night.statuses() == ["succeeded"] * 4
    assert [attempt["error"] for attempt in night.job(big)["attempts"]] == ["out_of_memory", None]
    for job_id in others:
        assert (night.job(job_id)["attempt"], night.job(job_id)["failures"]) == (1, 0)
    assert (len(night.loads), len(night.generations)) == (2, 4)


def test_a_model_that_cannot_be_loaded_is_the_fault_of_one_job_alone(make: MakeNight) -> None:
    night = make(faults=[{"do": "load_failure", "times": 1}])
    for seed in range(3):
        night.enqueue(seed=seed)
    night.work()
    assert night.statuses() == ["failed", "succeeded", "succeeded"]
    assert [night.job(job_id)["attempt"] for job_id in (1, 2, 3)] == [1, 1, 1]
