"""upsample_prompts.py as a process on the stand-in: one load for all prompts, and each prompt ends for itself."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.integration.box_tools import SCRIPTS, Box, BoxSession, Json, make_spec, make_video, run_box, wait_for

sys.path.insert(0, str(SCRIPTS))
from token_budget import MAX_MODEL_LEN, OUTPUT_TOKENS, Size, total_tokens


def upsampling(box: Box, name: str = "u1", **arguments: Any) -> BoxSession:
    return box.started(name, hints=(), pipeline="upsample", script="upsample_prompts.py", **arguments)


def order(video: Path, prompt: str = "a kitchen in the evening", **overrides: str) -> Json:
    return {"prompt": prompt, "video": str(video), "frames": "first-last", "max_size": "auto", **overrides}


def entries(box: Box, kind: str) -> list[Json]:
    lines = box.ledger.read_text().splitlines() if box.ledger.exists() else []
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def text_of(session: BoxSession, attempt: str) -> str:
    return session.path(attempt, "output.txt").read_text()


def test_a_prompt_becomes_a_longer_one_that_shows_prompt_and_frames(box: Box, video: Path) -> None:
    session = upsampling(box)
    session.submit("12-1", order(video))
    done = session.outcome("12-1")
    assert done["event"] == "done", done
    assert {artifact["name"] for artifact in done["artifacts"]} == {"output.txt", "spec.json", "log.txt"}
    assert text_of(session, "12-1").startswith("a kitchen in the evening. The video opens on a ")
    assert done["upsampling"] == {
        "model": "Cosmos-UpsamplePrompt1-12B-Transfer",
        "frames": [0, 8],
        "width": 128,
        "height": 72,
        "tokens": total_tokens(Size(128, 72), 2) + 7 + 1,
        "is_exact": True,
    }
    assert done["generate_s"] >= 0
    phases = [event["phase"] for event in session.of("12-1", "phase")]
    assert phases == ["frames", "upsampling"]
    assert not list((session.folder / "attempts" / "12-1").glob("*.png"))


def test_twenty_prompts_are_served_with_one_load_and_each_is_told_when_it_is_made(box: Box, video: Path) -> None:
    session = upsampling(box)
    for number in range(20):
        session.submit(f"{number}-1", order(video, f"kitchen number {number}"))
    for number in range(20):
        assert session.outcome(f"{number}-1")["event"] == "done"
        assert f"kitchen number {number}." in text_of(session, f"{number}-1")
    session.stop()
    assert session.wait_for_exit() == 0
    assert len(entries(box, "upsampler_load")) == 1
    assert [entry["prompt"] for entry in entries(box, "upsampling")] == [f"kitchen number {n}" for n in range(20)]


def test_offloaded_the_model_is_loaded_for_each_prompt_and_the_size_is_the_safe_one(box: Box) -> None:
    video = make_video(box.root / "videos" / "wide.mp4", width=1280, height=720, frames=2)
    session = upsampling(box, offload=("prompt_upsampler",))
    prompt = "a kitchen " * 50
    for number in range(2):
        session.submit(f"{number}-1", order(video, prompt))
    told = [session.outcome(f"{number}-1")["upsampling"] for number in range(2)]
    assert [(each["width"], each["height"], each["is_exact"]) for each in told] == [(848, 480, False)] * 2
    assert len(entries(box, "upsampler_load")) == 2


def test_a_tokenizer_that_can_be_asked_leaves_more_room_for_the_frames(box: Box) -> None:
    video = make_video(box.root / "videos" / "wide.mp4", width=1280, height=720, frames=2)
    session = upsampling(box)
    session.submit("1-1", order(video, "a kitchen " * 50))
    told = session.outcome("1-1")["upsampling"]
    assert told["width"] > 848
    assert told["tokens"] <= MAX_MODEL_LEN - OUTPUT_TOKENS


def test_the_same_prompt_again_gets_another_answer_as_with_the_engine(box: Box, video: Path) -> None:
    session = upsampling(box)
    for number in (1, 2):
        session.submit(f"{number}-1", order(video))
        session.outcome(f"{number}-1")
    assert text_of(session, "1-1") != text_of(session, "2-1")


def test_other_frames_of_the_same_video_give_another_text(box: Box, video: Path) -> None:
    session = upsampling(box)
    for number, frames in enumerate(("0", "8")):
        session.submit(f"{number}-1", order(video, frames=frames))
        session.outcome(f"{number}-1")
    assert text_of(session, "0-1") != text_of(session, "1-1")
    assert [len(entry["images"]) for entry in entries(box, "upsampling")] == [1, 1]


def test_prompts_that_fail_fail_alone(box: Box, video: Path) -> None:
    broken = box.root / "videos" / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:200])
    faults = [
        {"do": "raise", "match": "gloomy", "during": "upsampling"},
        {"do": "silence", "match": "silent", "during": "upsampling"},
    ]
    session = upsampling(box, faults=faults)
    orders = {
        "1-1": (order(video, "a gloomy kitchen"), "engine_error"),
        "2-1": (order(video, "a silent kitchen"), "bad_output"),
        "3-1": (order(broken), "bad_input"),
        "4-1": (order(box.root / "videos" / "absent.mp4"), "bad_input"),
        "5-1": (order(video, "kitchen 1 2 3 4 " * 500), "prompt_too_long"),
        "6-1": (order(video, frames="last"), "invalid_spec"),
        "7-1": (order(video, frames="99"), "bad_input"),
        "8-1": (order(video, max_size="16x16"), "invalid_spec"),
        "9-1": ({"prompt": "a kitchen"}, "invalid_spec"),
        "10-1": (order(video), None),
    }
    for attempt, (spec, _) in orders.items():
        session.submit(attempt, spec)
    for attempt, (_, error) in orders.items():
        outcome = session.outcome(attempt)
        assert (outcome.get("error"), outcome.get("fatal", False)) == (error, False), outcome
        assert session.path(attempt, "output.txt").exists() == (error is None)
    assert len(entries(box, "upsampler_load")) == 1
    # A video without a frame never becomes a question about the text alone.
    assert all(entry["images"] for entry in entries(box, "upsampling"))


def test_what_was_made_before_the_session_was_killed_is_kept(box: Box, video: Path) -> None:
    session = upsampling(box, faults=[{"do": "kill", "match": "gloomy", "during": "upsampling"}])
    for number, prompt in enumerate(("a kitchen", "a gloomy kitchen", "a bright kitchen")):
        session.submit(f"{number}-1", order(video, prompt))
    wait_for(lambda: session.status()["state"] != "running")
    assert session.of("0-1", "done")
    assert "a kitchen." in text_of(session, "0-1")
    assert session.of("1-1", "accepted")
    assert not session.of("1-1", "done", "failed")
    assert not session.of("2-1", "accepted")


def test_a_cancelled_prompt_ends_and_the_next_is_made(box: Box, video: Path) -> None:
    session = upsampling(box, faults=[{"do": "hang", "match": "gloomy", "during": "upsampling"}])
    session.submit("1-1", order(video, "a gloomy kitchen"))
    session.submit("2-1", order(video))
    wait_for(lambda: "upsampling" in [event["phase"] for event in session.of("1-1", "phase")])
    session.cancel("1-1")
    assert session.outcome("1-1")["error"] == "cancelled"
    assert session.outcome("2-1")["event"] == "done"


def test_beside_a_transfer_session_it_finds_no_memory_and_says_so(box: Box, video: Path) -> None:
    transfer = box.started("t1")
    transfer.wait_for_event("ready")
    session = upsampling(box)
    failed = session.outcome(None)
    assert (failed["fatal"], "Engine core initialization failed" in failed["message"]) == (True, True)
    session.wait_for_exit()
    assert "Free memory on device" in (session.folder / "log.txt").read_text()
    transfer.stop()
    transfer.wait_for_exit()
    after = upsampling(box, "u2")
    after.submit("1-1", order(video))
    assert after.outcome("1-1")["event"] == "done"


def test_a_transfer_session_beside_it_runs_out_of_memory(box: Box, video: Path) -> None:
    upsampling(box).wait_for_event("ready")
    transfer = box.started("t1")
    transfer.submit("1-1", make_spec(video))
    assert transfer.outcome(None)["error"] == "out_of_memory"


def test_what_torchrun_leaves_in_the_environment_does_not_reach_the_engine(box: Box, video: Path) -> None:
    session = box.session("u1", hints=(), pipeline="upsample", script="upsample_prompts.py")
    start = json.loads((session.folder / "start.json").read_text())
    start["env"] |= {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "VLLM_WORKER_MULTIPROC_METHOD": "fork"}
    (session.folder / "start.json").write_text(json.dumps(start))
    session.start()
    session.submit("1-1", order(video))
    assert session.outcome("1-1")["event"] == "done"


def test_terminated_it_frees_the_gpu_at_once(box: Box, video: Path) -> None:
    session = upsampling(box, faults=[{"do": "hang", "during": "upsampling"}])
    session.submit("1-1", order(video))
    wait_for(lambda: session.of("1-1", "accepted"))
    run_box("kill", session.folder, "--grace", "5")
    assert session.exit_code == 143
    assert [event["event"] for event in session.events][-1] == "stopping"
