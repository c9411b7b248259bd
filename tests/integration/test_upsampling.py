"""Upsampling jobs with real workers: first and once, each prompt one outcome, and their text in the videos."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cosmosq import jobs, prompts, upsampling
from cosmosq.errors import InvalidInput, MoveRefused
from cosmosq.models import EngineSession, Job
from cosmosq.report import rows
from cosmosq.report.query import Filter
from tests.media import make_video
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]


def upsampled_texts(night: Night) -> list[str]:
    """What the stand-in's own account says it wrote, in order."""
    return [entry["text"] for entry in night.box_ledger("upsampling")]


def sessions(night: Night) -> list[str]:
    """`upsample` or `transfer` for each session, in the order of their starts."""
    with night.ledger.read() as session:
        keys = session.scalars(select(EngineSession.key).order_by(EngineSession.started_at)).all()
    return ["upsample" if '"pipeline": "upsample"' in key else "transfer" for key in keys]


def test_a_prompt_gets_a_longer_one_with_all_that_is_known_of_it(make: MakeNight) -> None:
    night = make()
    (original,) = night.add("a quiet kitchen", name="kitchen")
    (job_id,) = night.upsample(original, frames="first-last")
    night.work()
    job = night.job(job_id)
    assert (job["status"], job["kind"]) == ("succeeded", "upsample"), job["message"]
    assert {artifact["kind"] for artifact in job["artifacts"]} == {"prompt", "spec", "log"}
    result = upsampling.results(night.ledger, [job_id])[job_id]
    record = prompts.get(night.ledger, result)
    assert (record.upsampled, record.original_id, record.clip) == (True, original, "shot")
    assert record.text == upsampled_texts(night)[0]
    made = upsampling.made(night.ledger, result)
    assert made is not None
    assert made.model.startswith("Cosmos-UpsamplePrompt1-12B")
    assert (made.original_text, made.frames, made.width, made.height) == ("a quiet kitchen", "0,11", 64, 48)
    assert made.simulated
    assert prompts.get(night.ledger, original).text == "a quiet kitchen"


def test_upsampling_comes_first_and_once_and_its_text_is_what_is_generated(make: MakeNight) -> None:
    night = make()
    ids = night.add("a quiet kitchen", "a loud kitchen")
    plain = night.enqueue("a third kitchen")
    asked = [night.enqueue_upsampled(prompt, seed=seed)[0] for seed in (1, 2) for prompt in ids]
    night.work()
    assert set(night.statuses()) == {"succeeded"}
    assert sessions(night) == ["upsample", "transfer"]
    assert len(night.box_ledger("upsampler_load")) == 1
    assert len(night.loads) == 1
    texts = upsampled_texts(night)
    assert len(texts) == 2
    generated = [entry["received"]["prompt"] for entry in night.generations]
    assert sorted(generated) == sorted(["a third kitchen", *texts, *texts])
    assert night.job(plain)["upsampled_text"] is None
    assert night.job(asked[0])["upsampled_text"] == texts[0]


def test_the_same_request_again_is_skipped_and_variants_are_made_on_purpose(make: MakeNight) -> None:
    night = make()
    (original,) = night.add("a quiet kitchen")
    (first,) = night.upsample(original)
    assert night.upsample(original) == [first]
    three = night.upsample(original, variants=3)
    assert three[0] == first
    assert night.upsample(original, frames="spread") != [first]
    (repeated,) = night.upsample(original, again=True)
    assert repeated not in three
    night.work()
    assert set(night.statuses()) == {"succeeded"}
    texts = upsampled_texts(night)
    assert len(texts) == 5
    made = upsampling.results(night.ledger, [*three, repeated])
    assert len(set(made.values())) == 4


def test_a_transfer_that_is_asked_for_again_after_its_upsampling_is_the_same(make: MakeNight) -> None:
    night = make()
    (original,) = night.add("a quiet kitchen")
    before = night.enqueue_upsampled(original)
    night.work()
    assert night.enqueue_upsampled(original) == before
    # Another one uses what there is.
    night.enqueue_upsampled(original, seed=2)
    night.work()
    assert len(upsampled_texts(night)) == 1
    assert len(night.generations) == 2


def test_failing_prompts_fail_alone_and_take_their_own_videos_with_them(make: MakeNight) -> None:
    faults = [
        {"do": "raise", "match": "gloomy", "during": "upsampling"},
        {"do": "crash", "match": "wild", "during": "upsampling", "times": 1},
        {"do": "block", "match": "forbidden"},
    ]
    night = make(faults=faults, retries=0, settings='repeat = { crashed = "uncounted" }')
    texts = ("a quiet kitchen", "a gloomy kitchen", "a wild kitchen", "a forbidden kitchen", "a bright kitchen")
    videos = dict(zip(texts, night.enqueue_upsampled(*night.add(*texts)), strict=True))
    night.work()
    found = {text: night.job(job_id)["status"] for text, job_id in videos.items()}
    assert found == {
        "a quiet kitchen": "succeeded",
        "a gloomy kitchen": "cancelled",
        "a wild kitchen": "succeeded",
        "a forbidden kitchen": "blocked",
        "a bright kitchen": "succeeded",
    }
    made = [text for text in upsampled_texts(night) if text.startswith(("a quiet", "a bright", "a wild"))]
    assert len(made) == 3
    # A retry brings back the video that waited for it.
    with pytest.raises(InvalidInput, match="was to upsample the prompt, is failed: `cosmosq retry"):
        night.enqueue_upsampled(*night.add("a gloomy kitchen"), seed=3)
    failed = [job_id for (job_id,) in night.sql("SELECT id FROM jobs WHERE status = 'failed'")]
    assert set(jobs.retry(night.ledger, failed, now())) == {*failed, videos["a gloomy kitchen"]}


def test_an_upsampling_that_ran_out_of_memory_is_repeated_as_any_other(make: MakeNight) -> None:
    night = make(faults=[{"do": "oom", "match": "gloomy", "during": "upsampling", "times": 1}])
    (job,) = night.upsample(*night.add("a gloomy kitchen"))
    night.work()
    assert [attempt["error"] for attempt in night.job(job)["attempts"]] == ["out_of_memory", None]


def test_the_upsampler_can_be_told_to_free_the_memory_after_each_prompt(make: MakeNight) -> None:
    night = make(host={"offload": ["prompt_upsampler"]})
    jobs = night.upsample(*night.add("a kitchen", "a harbour"))
    night.work()
    assert night.statuses() == ["succeeded"] * len(jobs)
    assert [load["offload"] for load in night.box_ledger("upsampler_load")] == [True, True]


def test_a_killed_worker_and_a_killed_session_cost_no_prompt_and_none_is_made_twice(make: MakeNight) -> None:
    night = make(simulator={"upsample_s": 0.2})
    ids = night.add(*(f"kitchen {number}" for number in range(8)))
    night.upsample(*ids)
    worker = night.worker("--until-empty")
    wait_for(lambda: len(upsampled_texts(night)) >= 2, "two prompts")
    worker.kill()
    worker.wait()
    worker = night.worker("--until-empty")
    wait_for(lambda: len(upsampled_texts(night)) >= 4, "two more")
    (pid,) = night.session_pids()
    os.kill(pid, signal.SIGKILL)
    assert worker.wait(60) == 0
    assert night.statuses() == ["succeeded"] * 8
    made = upsampling.results(night.ledger, range(1, 9))
    assert len(set(made.values())) == 8
    kept = {prompts.get(night.ledger, prompt_id).text for prompt_id in made.values()}
    # The one under way when its session was killed may be made again; of the others none.
    assert len(upsampled_texts(night)) <= 9
    assert kept <= set(upsampled_texts(night))


def test_an_urgent_video_does_not_wait_behind_others_for_its_upsampling(make: MakeNight) -> None:
    night = make()
    (first, second) = night.add("a quiet kitchen", "a loud kitchen")
    night.upsample(first, second)
    (urgent,) = night.enqueue_upsampled(second, priority=5)
    source = night.job(urgent)["depends_on"][0]
    with night.ledger.read() as session:
        assert session.get_one(Job, source).priority == 5
    night.work()
    texts = upsampled_texts(night)
    assert [text.split(".")[0] for text in texts] == ["a loud kitchen", "a quiet kitchen"]


def test_an_upscale_keeps_the_longer_prompt_of_its_source(make: MakeNight) -> None:
    from cosmosq.enqueue import enqueue
    from cosmosq.upscale_wishes import upscales_for

    night = make()
    (video,) = night.enqueue_upsampled(*night.add("a quiet kitchen"))
    wishes = upscales_for(night.ledger, [video], {"num_steps": 2})
    enqueue(night.ledger, night.config.host(), wishes, now=now())
    source = night.job(video)["depends_on"][0]
    with pytest.raises(InvalidInput, match="makes a prompt and no video"):
        upscales_for(night.ledger, [source], {})
    night.work()
    assert set(night.statuses()) == {"succeeded"}
    assert [entry["received"]["prompt"] for entry in night.generations] == upsampled_texts(night) * 2


def test_reports_tell_with_and_without(make: MakeNight) -> None:
    night = make()
    (original,) = night.add("a quiet kitchen")
    plain = night.enqueue("a quiet kitchen")
    (longer,) = night.enqueue_upsampled(original)
    night.work()
    with night.ledger.read() as session:
        found: dict[int, dict[str, Any]] = {row["id"]: row for row in rows.stream(session, Filter())}
    assert (found[plain]["upsampled"], found[plain]["upsampled_prompt"]) == (False, None)
    assert (found[longer]["upsampled"], found[longer]["upsampled_prompt"]) == (True, upsampled_texts(night)[0])
    assert found[longer]["prompt"] == "a quiet kitchen"


def test_what_an_upsampling_made_is_forgotten_only_in_order(make: MakeNight) -> None:
    night = make()
    (original,) = night.add("a quiet kitchen")
    (video,) = night.enqueue_upsampled(original)
    night.work()
    source = night.job(video)["depends_on"][0]
    result = upsampling.results(night.ledger, [source])[source]
    with pytest.raises(InvalidInput, match="is what job"):
        prompts.remove(night.ledger, [result])
    with pytest.raises(MoveRefused, match="depends on"):
        jobs.remove(night.ledger, [source])
    jobs.remove(night.ledger, [video, source])
    with pytest.raises(InvalidInput, match=f"is the original of {result}"):
        prompts.remove(night.ledger, [original])
    made = upsampling.made(night.ledger, result)
    assert made is not None
    assert made.job_id == source
    prompts.remove(night.ledger, [result, original])
    assert prompts.list_prompts(night.ledger) == []


def test_a_video_that_changed_since_is_not_shown(make: MakeNight, tmp_path: Path) -> None:
    night = make()
    (job_id,) = night.upsample(*night.add("a quiet kitchen"))
    (path,) = {job_input["path"] for job_input in night.job(job_id)["inputs"]}
    make_video(Path(path), seed=9)
    night.work()
    assert night.job(job_id)["error"] == "input_changed"
    assert upsampled_texts(night) == []


def test_a_host_in_command_mode_makes_longer_prompts_all_the_same(make: MakeNight) -> None:
    night = make(host={"mode": "command"})
    videos = night.enqueue_upsampled(*night.add("a quiet kitchen", "a loud kitchen"))
    night.work()
    assert set(night.statuses()) == {"succeeded"}, [night.job(job_id)["message"] for job_id in videos]
    assert sessions(night) == ["upsample", "transfer"]
    assert sorted(entry["received"]["prompt"] for entry in night.generations) == sorted(upsampled_texts(night))
