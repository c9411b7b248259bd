"""Out of memory with the model kept loaded: once more with all models offloaded, and what helped is remembered."""

from collections.abc import Callable

from tests.night import Night

MakeNight = Callable[..., Night]
TIGHT_GB = 45.0
"""The clip of these nights needs 60 with one hint, and 36 once all is offloaded."""


def errors(night: Night, job_id: int) -> list[str | None]:
    return [attempt["error"] for attempt in night.job(job_id)["attempts"]]


def test_one_out_of_memory_is_enough_for_a_whole_night(make: MakeNight) -> None:
    night = make(simulator={"memory_gb": TIGHT_GB})
    jobs = [night.enqueue(seed=seed) for seed in range(4)]
    night.work()
    assert night.statuses() == ["succeeded"] * 4
    assert errors(night, jobs[0]) == ["out_of_memory", None]
    assert [errors(night, job) for job in jobs[1:]] == [[None]] * 3
    assert len(night.loads) == 2
    later = night.enqueue(seed=99)
    night.work()
    assert errors(night, later) == [None], "what worked is used the next time"
    assert len(night.loads) == 3


def test_where_the_kind_fits_only_the_one_that_does_not_is_offloaded(make: MakeNight) -> None:
    night = make(faults=[{"do": "oom", "match": "enormous", "times": 1}])
    good = night.enqueue("one")
    big = night.enqueue("enormous")
    other = night.enqueue("two")
    night.work()
    assert [errors(night, job) for job in (good, big, other)] == [[None], ["out_of_memory", None], [None]]
    keys = [key for (key,) in night.sql("SELECT key FROM sessions")]
    assert sorted('"offloaded": true' in key for key in keys) == [False, False, True]


def test_what_no_offloading_helps_ends_after_that(make: MakeNight) -> None:
    night = make(faults=[{"do": "oom", "match": "enormous"}], retries=5)
    job = night.enqueue("enormous")
    night.work()
    assert (night.job(job)["status"], night.job(job)["error"]) == ("failed", "out_of_memory")
    assert errors(night, job) == ["out_of_memory"] * 2


def test_a_host_that_offloads_already_does_not_try_again(make: MakeNight) -> None:
    everything = ["text_encoder_model", "guardrail_models", "diffusion_transformer"]
    night = make(faults=[{"do": "oom", "match": "enormous"}], host={"offload": everything})
    job = night.enqueue("enormous")
    night.work()
    assert errors(night, job) == ["out_of_memory"]
