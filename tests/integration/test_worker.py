"""Jobs on a real worker and a real session: each outcome, and what is recorded of it."""

import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from cosmosq import jobs, videos
from tests.media import make_video
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]


def test_jobs_of_one_key_share_one_model_load(make: MakeNight) -> None:
    night = make()
    for seed in range(5):
        night.enqueue(seed=seed)
    night.work()
    assert night.statuses() == ["succeeded"] * 5
    assert len(night.loads) == 1
    assert len(night.generations) == 5


def test_the_same_job_gives_the_same_bytes_and_another_one_does_not(make: MakeNight) -> None:
    night = make()
    first = night.enqueue()
    same = night.enqueue(again=True)
    others = [
        night.enqueue(seed=2),
        night.enqueue("a stormy harbour"),
        night.enqueue(edge_weight=0.9),
        night.enqueue(vis_weight=0.2),
        night.enqueue(guidance=9),
    ]
    night.work()
    videos_made = {job_id: night.video(job_id).read_bytes() for job_id in (first, same, *others)}
    assert videos_made[first] == videos_made[same]
    assert len({videos_made[job_id] for job_id in (first, *others)}) == 1 + len(others)


def test_results_come_home_with_prompt_spec_and_log(make: MakeNight) -> None:
    night = make()
    job_id = night.enqueue("light; rain $(reboot) 'quoted' 🎬")
    night.work()
    folder = night.video(job_id).parent
    assert sorted(path.name for path in folder.iterdir()) == ["log.txt", "output.mp4", "prompt.txt", "spec.json"]
    assert (folder / "prompt.txt").read_text() == "light; rain $(reboot) 'quoted' 🎬"
    assert re.fullmatch(rf"outputs/\d{{4}}-\d\d-\d\d/{job_id}-[\w-]+", str(folder.relative_to(night.workspace.root)))
    artifact = next(a for a in night.job(job_id)["artifacts"] if a["kind"] == "video")
    info = videos.verify(folder / "output.mp4")
    assert (artifact["width"], artifact["height"], artifact["fps"], artifact["frames"]) == (
        info.width,
        info.height,
        info.fps,
        info.frames,
    )
    assert artifact["simulated"]
    assert not list(night.workspace.outputs_path.rglob("*.part"))


def test_prompts_of_every_kind_arrive_byte_for_byte(make: MakeNight) -> None:
    night = make()
    texts = [
        "x" * 20_000,
        "line\nline\r\nline\ttab",
        "\"double\" 'single' `back` $(touch pwned) ; rm -rf / && \\ %s {0} {{x}}",
        "🎬🏳️‍🌈 עִבְרִית العربية ‮reversed‬ 漢字",
        "  spaces kept  ",
        "--flag-like",
    ]
    ids = [night.enqueue(text) for text in texts]
    night.work()
    received = {g["received"]["prompt"] for g in night.generations}
    for job_id, text in zip(ids, texts, strict=True):
        assert (night.video(job_id).parent / "prompt.txt").read_bytes() == text.encode()
        assert text in received


def test_missing_edge_and_vis_controls_are_made_once(make: MakeNight) -> None:
    night = make()
    for seed in (1, 2, 3):
        night.enqueue(seed=seed, vis_weight=0.5)
    night.enqueue(seed=1, vis_weight=0.5, canny_threshold="high")
    night.work()
    assert night.statuses() == ["succeeded"] * 4
    assert len(list((night.box / "controls").glob("*.mp4"))) == 3
    made = [e["data"]["controls"]["edge"]["made"] for job_id in range(1, 5) for e in done(night, job_id)]
    assert made == [True, False, False, True]


def done(night: Night, job_id: int) -> list[dict[str, Any]]:
    return [event for event in night.job(job_id)["events"] if event["event"] == "done"]


def test_a_blocked_prompt_ends_as_blocked_and_the_session_lives_on(make: MakeNight) -> None:
    night = make(faults=[{"do": "block", "match": "forbidden"}])
    blocked, good = night.enqueue("something forbidden"), night.enqueue("something good")
    night.work()
    job = night.job(blocked)
    assert (job["status"], job["error"]) == ("blocked", "blocked")
    assert "BLOCKLIST" in job["message"]
    assert night.job(good)["status"] == "succeeded"
    assert len(night.loads) == 1
    assert (night.workspace.root / log_of(job)).read_text().count("GUARDRAIL BLOCKED") == 1


def log_of(job: dict[str, Any]) -> str:
    return str(next(a["path"] for a in job["artifacts"] if a["kind"] == "log"))


def test_out_of_memory_is_repeated_in_a_fresh_session(make: MakeNight) -> None:
    night = make(faults=[{"do": "oom", "match": "big", "times": 1}])
    job_id = night.enqueue("big")
    night.work()
    attempts = night.job(job_id)["attempts"]
    assert [(a["status"], a["error"]) for a in attempts] == [("failed", "out_of_memory"), ("succeeded", None)]
    assert len(night.loads) == 2


def test_a_crash_is_repeated_until_no_retry_is_left(make: MakeNight) -> None:
    night = make(faults=[{"do": "crash", "match": "cursed", "step": 2}], retries=1)
    cursed, good = night.enqueue("cursed"), night.enqueue("blessed")
    night.work()
    job = night.job(cursed)
    assert job["status"] == "failed"
    assert [a["error"] for a in job["attempts"]] == ["crashed", "crashed"]
    assert night.job(good)["status"] == "succeeded"
    assert (night.workspace.root / log_of(job)).stat().st_size > 0


def test_a_truncated_video_fails_the_attempt(make: MakeNight) -> None:
    night = make(faults=[{"do": "truncate", "match": "cut", "times": 1}])
    job_id = night.enqueue("cut")
    night.work()
    attempts = night.job(job_id)["attempts"]
    assert [(a["status"], a["error"]) for a in attempts] == [("failed", "bad_output"), ("succeeded", None)]
    videos.verify(night.video(job_id))


def test_an_error_of_the_engine_is_told_with_its_message(make: MakeNight) -> None:
    night = make(faults=[{"do": "raise", "match": "odd"}], retries=0)
    job_id = night.enqueue("odd")
    night.work()
    job = night.job(job_id)
    assert (job["status"], job["error"]) == ("failed", "engine_error")
    assert "told to fail" in job["message"]
    assert "Traceback" in (night.workspace.root / log_of(job)).read_text()


def test_a_model_that_cannot_be_loaded_fails_the_job_at_once(make: MakeNight) -> None:
    night = make(faults=[{"do": "load_failure"}])
    job_id = night.enqueue()
    night.work()
    job = night.job(job_id)
    assert (job["status"], job["error"], job["attempt"]) == ("failed", "missing_checkpoint", 1)


def test_a_silent_session_is_ended_and_the_job_repeated(make: MakeNight) -> None:
    night = make(faults=[{"do": "hang", "match": "stuck", "times": 1}], stall_s=1)
    job_id = night.enqueue("stuck")
    night.work()
    attempts = night.job(job_id)["attempts"]
    assert [(a["status"], a["error"]) for a in attempts] == [("failed", "stalled"), ("succeeded", None)]
    assert night.session_pids() == []


def test_an_input_that_changed_is_named_and_nothing_runs(make: MakeNight, tmp_path: Path) -> None:
    night = make()
    job_id = night.enqueue()
    make_video(tmp_path / "input.mp4", seed=9)
    night.work()
    job = night.job(job_id)
    assert (job["status"], job["error"], job["attempt"]) == ("failed", "input_changed", 1)
    assert str(tmp_path / "input.mp4") in job["message"]
    assert night.generations == []


def test_a_running_job_is_cancelled_and_the_session_lives_on(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    first, second = night.enqueue("long", num_steps=1000), night.enqueue("short")
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(first)["step"], "the first step")
    jobs.cancel(night.ledger, [first], now())
    worker.communicate(timeout=60)
    assert night.statuses() == ["cancelled", "succeeded"]
    assert len(night.loads) == 1
    assert night.job(second)["attempt"] == 1


def test_progress_is_recorded_while_it_generates(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    job_id = night.enqueue(num_steps=40)
    worker = night.worker("--until-empty")
    wait_for(lambda: (night.job(job_id)["step"] or 0) >= 5, "step 5")
    job = night.job(job_id)
    assert (job["phase"], job["steps"], job["clip"], job["clips"]) == ("generating", 40, 1, 2)
    worker.communicate(timeout=60)
    assert night.job(job_id)["step"] == 40


def test_a_second_worker_for_the_host_refuses_and_names_the_first(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    night.enqueue(num_steps=200)
    first = night.worker()
    wait_for(lambda: night.sql("SELECT pid FROM workers"), "the first worker")
    second = night.worker()
    said, _ = second.communicate(timeout=30)
    assert second.returncode == 4
    assert f"pid {first.pid}" in said
    assert night.statuses() == ["running"]


def test_one_interrupt_finishes_the_job_and_stops(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02})
    night.enqueue("one", num_steps=60)
    night.enqueue("two", num_steps=60)
    worker = night.worker()
    wait_for(lambda: night.job(1)["step"], "the first step")
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert worker.returncode == 0
    assert night.statuses() == ["succeeded", "queued"]
    assert night.session_pids() == [], "the GPU is held by a session nobody serves"


def test_two_interrupts_leave_the_work_running_and_the_next_worker_takes_it_over(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02})
    night.enqueue("one", num_steps=350)
    worker = night.worker()
    wait_for(lambda: night.job(1)["step"], "the first step")
    worker.send_signal(signal.SIGINT)
    assert worker.stdout is not None
    assert any("interrupt again" in line for line in worker.stdout)
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert worker.returncode == 130
    assert night.statuses() == ["running"]
    assert len(night.session_pids()) == 1
    night.work()
    assert night.statuses() == ["succeeded"]
    assert (len(night.loads), len(night.generations), night.job(1)["attempt"]) == (1, 1, 1)


def test_a_killed_session_is_noticed_and_the_job_repeated(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.02})
    night.enqueue(num_steps=100)
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(1)["step"], "the first step")
    night.kill_session()
    worker.communicate(timeout=60)
    attempts = night.job(1)["attempts"]
    assert [(a["status"], a["error"]) for a in attempts] == [("failed", "lost"), ("succeeded", None)]
    ends = [end for (end,) in night.sql('SELECT "end" FROM sessions ORDER BY started_at')]
    assert ends == ["lost: killed", "exited 0"]


def test_an_upscale_follows_its_source_and_uses_its_result(make: MakeNight) -> None:
    from cosmosq.enqueue import enqueue
    from cosmosq.upscale_wishes import upscales_for

    night = make()
    source = night.enqueue()
    wishes = upscales_for(night.ledger, [source], {}, weight=0.4)
    upscale = enqueue(night.ledger, night.config.host(), wishes, now=now())[0].id
    night.work()
    assert night.statuses() == ["succeeded", "succeeded"]
    received = night.generations[1]["received"]
    assert received["control_inputs"]["upscale"]["control_weight"] == 0.4
    artifact = next(a for a in night.job(source)["artifacts"] if a["kind"] == "video")
    assert Path(received["video_path"]).stem == artifact["sha256"]
    small, large = videos.probe(night.video(source)), videos.probe(night.video(upscale))
    assert large.width == 3 * small.width


def test_the_session_stays_open_for_the_next_job(make: MakeNight) -> None:
    night = make(idle_close=30)
    night.enqueue("one")
    night.worker()
    wait_for(lambda: night.statuses() == ["succeeded"], "the first job")
    night.enqueue("two")
    wait_for(lambda: night.statuses() == ["succeeded"] * 2, "the second job")
    assert len(night.loads) == 1


def test_an_idle_session_is_closed_after_its_time(make: MakeNight) -> None:
    night = make(idle_close=0.2)
    night.enqueue()
    night.worker()
    wait_for(lambda: night.statuses() == ["succeeded"], "the job")
    wait_for(lambda: night.sql('SELECT "end" FROM sessions') == [("exited 0",)], "the session's end")
    night.enqueue("two")
    wait_for(lambda: night.statuses() == ["succeeded"] * 2, "the second job")
    assert len(night.loads) == 2


def test_a_lost_ticket_is_rung_again(make: MakeNight) -> None:
    night = make()
    night.enqueue()
    assert night.sql("SELECT count(*) FROM events WHERE event = 'queued'") == [(1,)]
    night.work()
    assert night.statuses() == ["succeeded"], "no ticket was ever put for this job"


def test_a_full_disk_on_the_box_is_told_and_cured_by_a_retry(make: MakeNight) -> None:
    night = make(faults=[{"do": "disk_full", "match": "large", "times": 1}])
    job_id = night.enqueue("large")
    night.work()
    job = night.job(job_id)
    assert (job["status"], job["error"], job["attempt"]) == ("failed", "disk_full", 1)
    jobs.retry(night.ledger, [job_id], now())
    night.work()
    assert night.statuses() == ["succeeded"]


def test_a_worker_until_empty_waits_for_what_is_due_later(make: MakeNight) -> None:
    night = make()
    due_at = now() + timedelta(seconds=2)
    job_id = night.enqueue(due_at=due_at)
    night.work()
    assert night.statuses() == ["succeeded"]
    assert night.job(job_id)["started_at"] >= due_at
