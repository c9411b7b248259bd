"""Waiting jobs get other parameters, prompts, priorities and labels, by the same rules as when they were enqueued."""

from collections.abc import Callable
from typing import Any

import pytest

from cosmosq import claims, clips, edits, jobs, prompts
from cosmosq.db import Ledger
from cosmosq.enqueue import enqueue
from cosmosq.errors import InvalidInput, MoveRefused, NotFound
from cosmosq.models import Job
from cosmosq.status import Status
from cosmosq.upscale_wishes import upscales_for
from cosmosq.wishes import wishes_for
from tests.ledger_rows import NOW
from tests.media import make_video
from tests.night import Night, now

MakeNight = Callable[..., Night]


@pytest.fixture
def night(make: MakeNight) -> Night:
    return make(roles=("input", "depth"))


def change(night: Night, *ids: int, again: bool = False, **wanted: Any) -> list[int]:
    told = {"parameters": {}, "labels": {}, **wanted}
    return edits.edit(night.ledger, ids, edits.Edit(**told), again=again, now=now())


def stored(ledger: Ledger, job_id: int) -> Job:
    with ledger.read() as session:
        return session.get_one(Job, job_id)


def test_an_edited_job_is_the_one_that_would_have_been_enqueued(night: Night) -> None:
    job_id = night.enqueue(seed=1)
    assert change(night, job_id, parameters={"seed": "2", "depth.weight": "0.4"}, priority=4, labels={"a": "b"}) == [1]
    edited, told = stored(night.ledger, job_id), night.job(job_id)
    jobs.cancel(night.ledger, [job_id], now())
    twin = stored(night.ledger, night.enqueue(seed=2, depth_weight=0.4, again=True))
    same = ("digest", "session_key", "parameter_set_id", "prompt_id")
    assert [getattr(edited, name) for name in same] == [getattr(twin, name) for name in same]
    assert (edited.priority, edited.position, told["labels"]) == (4, 1, {"a": "b"})
    assert [row["role"] for row in told["inputs"]] == ["depth", "input"]
    (event,) = [each for each in told["events"] if each["event"] == "edited"]
    assert event["data"] == {
        "before": {"seed": 1, "depth.weight": 0.0, "priority": 0, "label a": None},
        "after": {"seed": 2, "depth.weight": 0.4, "priority": 4, "label a": "b"},
    }


def test_what_is_as_it_was_leaves_no_trace(night: Night) -> None:
    job_id = night.enqueue(seed=1)
    assert change(night, job_id, parameters={"seed": 1}, priority=0) == []
    assert [event["event"] for event in night.job(job_id)["events"]] == ["queued"]


def test_another_prompt_brings_its_own_parameters_and_keeps_what_was_asked(night: Night) -> None:
    video = make_video(night.workspace.root / "o.mp4", seed=9)
    clips.add(night.ledger, night.workspace, "other", [f"input={video}"], now=now())
    drafts = [
        prompts.Draft(text="a harbour", clip="other", name="harbour", parameters={"guidance": 3.0, "edge.weight": 1.0})
    ]
    (harbour,) = prompts.add(night.ledger, drafts, now())
    job_id = night.enqueue(seed=7)
    assert change(night, job_id, prompt="harbour") == [job_id]
    told = night.job(job_id)
    assert told["prompt_id"] == harbour.id
    assert told["changed"] == {"num_steps": 3, "guidance": 3.0, "seed": 7, "edge.weight": 0.5}
    assert [row["path"].rpartition("/")[2] for row in told["inputs"]] == ["o.mp4"]


def test_what_was_pinned_stays_where_the_clip_has_other_videos_by_now(night: Night) -> None:
    job_id = night.enqueue(seed=1)
    pinned = night.job(job_id)["inputs"]
    newer = make_video(night.workspace.root / "newer.mp4", seed=77)
    clips.add(night.ledger, night.workspace, "shot", [f"input={newer}"], replace=True, now=now())
    change(night, job_id, parameters={"seed": 2})
    assert night.job(job_id)["inputs"] == pinned
    with pytest.raises(InvalidInput, match=r"job 1: hdmap\.weight needs"):
        change(night, job_id, parameters={"hdmap.weight": 1})


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"sed": 1}, "sed is no parameter"),
        ({"num_steps": "many"}, "num_steps"),
        ({"edge.weight": 0}, "job 2: no hint has a weight"),
        ({"upscale.weight": 1, "edge.weight": 0}, "job 2: it is of kind transfer and would be of kind upscale"),
    ],
)
def test_what_enqueue_refuses_is_refused_here(night: Night, parameters: dict[str, object], told: str) -> None:
    job_id, other = night.enqueue(seed=1), night.enqueue(seed=2)
    before = [stored(night.ledger, each).digest for each in (job_id, other)]
    with pytest.raises(InvalidInput, match=told):
        change(night, other, job_id, parameters=parameters)
    assert [stored(night.ledger, each).digest for each in (job_id, other)] == before, "all or none"


def test_a_job_that_would_be_another_ones_twin_is_refused_unless_again(night: Night) -> None:
    first, second, third = (night.enqueue(seed=seed) for seed in (1, 2, 3))
    with pytest.raises(InvalidInput, match=f"job {second} would be the same as job {first}, which is queued"):
        change(night, second, parameters={"seed": 1})
    with pytest.raises(InvalidInput, match=f"job {third} would be the same as job {second}"):
        change(night, second, third, parameters={"seed": 9})
    assert night.job(second)["parameters"]["seed"] == 2, "all or none"
    assert change(night, second, third, parameters={"seed": 1}, again=True) == [second, third]


def test_only_what_waits_can_be_edited(night: Night) -> None:
    job_id = night.enqueue(seed=1)
    with pytest.raises(NotFound, match="9 is no job"):
        change(night, 9, priority=1)
    claims.claim(night.ledger, "sim", "me", simulated=True, now=NOW)
    with pytest.raises(MoveRefused, match=f"job {job_id} is running .* `cosmosq hold {job_id}` first"):
        change(night, job_id, parameters={"seed": 4})
    other = night.enqueue(seed=2)
    jobs.cancel(night.ledger, [other], now())
    with pytest.raises(MoveRefused, match=f"job {other} is cancelled and cannot be edited"):
        change(night, other, priority=1)


def test_a_claim_for_another_model_than_the_job_has_by_now_comes_to_nothing(night: Night) -> None:
    job_id = night.enqueue(seed=1)
    key = stored(night.ledger, job_id).session_key
    change(night, job_id, parameters={"vis.weight": 0.3})
    assert claims.claim(night.ledger, "sim", "me", simulated=True, now=NOW, key=key) is None
    assert stored(night.ledger, job_id).status == Status.QUEUED


def test_upscales_and_upsampled_jobs_keep_what_they_are_made_of(night: Night) -> None:
    (prompt,) = night.add("a short prompt")
    (job_id,) = night.enqueue_upsampled(prompt)
    (upsampling,) = night.job(job_id)["depends_on"]
    host = night.config.host()
    (upscale,) = (each.id for each in enqueue(night.ledger, host, upscales_for(night.ledger, [job_id], {}), now=now()))
    assert change(night, job_id, upscale, parameters={"num_steps": 2}) == [job_id, upscale]
    assert [night.job(each)["depends_on"] for each in (job_id, upscale)] == [[upsampling], [job_id]]
    for each in (job_id, upscale):
        with pytest.raises(InvalidInput, match="enqueue it anew"):
            change(night, each, prompt=prompt)
    with pytest.raises(InvalidInput, match="makes a prompt longer"):
        change(night, upsampling, parameters={"seed": 3})
    assert change(night, upsampling, priority=2) == [upsampling]
    wishes = wishes_for(night.ledger, [prompt], {"edge.weight": 0.5, "num_steps": 2})
    assert wishes[0].digest("simulated") != stored(night.ledger, job_id).digest, "it waits for a longer prompt"
