"""command_session.py on the stand-in: one process of transfer.py for what may share one, and each item an outcome."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.box_tools import Box, BoxSession, Json, frame_count, make_spec, make_video, sha256, wait_for


def commanding(box: Box, name: str = "s1", **options: Any) -> BoxSession:
    """A session that is not started."""
    return box.session(name, script="command_session.py", **options)


def submit_all(session: BoxSession, video: Path, *prompts: str, **parameters: Any) -> None:
    for number, prompt in enumerate(prompts, 1):
        session.submit(f"{number}-1", make_spec(video, prompt=prompt, **parameters))


def invoked(session: BoxSession) -> list[tuple[list[str], int, bool]]:
    return [
        (event["attempts"], event["batch_size"], event["offload"])
        for event in session.events
        if event["event"] == "invoked"
    ]


def prompts_generated(box: Box) -> list[str]:
    return [generation["received"]["prompt"] for generation in box.generations()]


def test_one_order_is_made_as_nvidia_documents_it(box: Box, video: Path) -> None:
    session = commanding(box)
    session.start()
    spec = make_spec(video, seed=77, num_steps=3, guidance=6.5, sigma_max=55.5, fps=30, canny_threshold="high")
    session.submit("12-1", spec)
    done = session.outcome("12-1")
    assert done["event"] == "done", session.log
    assert {artifact["name"] for artifact in done["artifacts"]} == {"output.mp4", "output.txt", "spec.json", "log.txt"}
    for artifact in done["artifacts"]:
        path = session.path("12-1", artifact["name"])
        assert (artifact["bytes"], artifact["sha256"]) == (path.stat().st_size, sha256(path))
    assert frame_count(session.path("12-1", "output.mp4")) == 9
    assert session.path("12-1", "output.txt").read_text() == spec["prompt"]
    (received,) = (generation["received"] for generation in box.generations())
    names = ("prompt", "negative_prompt", "seed", "num_steps", "guidance", "sigma_max", "fps", "canny_threshold")
    assert {name: received[name] for name in names} == {name: spec[name] for name in names}
    phases = [event["phase"] for event in session.of("12-1", "phase")]
    assert phases[:3] == ["loading", "preprocessing", "guardrail"]
    assert phases[-2:] == ["decoding", "guardrail"]
    assert session.of("12-1", "step")[-1]["step"] == 3
    session.stop()
    assert session.wait_for_exit() == 0
    named = [event["event"] for event in session.events if event["event"] not in ("phase", "step", "idle")]
    assert named == ["starting", "ready", "loading", "invoked", "accepted", "done", "stopping"]


def test_a_warm_session_and_a_batch_make_the_same_bytes_of_the_same_orders(box: Box, video: Path) -> None:
    other = make_video(box.root / "videos" / "other.mp4", shade=90)
    changes: list[Json] = [
        {"prompt": "one"},
        {"prompt": "two", "edge": {"control_weight": 0.1}},
        {"prompt": "three", "input_video_path": str(other)},
        {"prompt": "four", "edge": {"control_weight": 0.6, "input_control": str(other)}},
    ]
    sessions = [box.session("warm"), commanding(box, "command")]
    for session in sessions:
        for number, change in enumerate(changes):
            session.submit(f"{number}-1", make_spec(video, **change))
        session.start()
    for number in range(len(changes)):
        assert len({session.outcome(f"{number}-1")["event"] for session in sessions}) == 1
        assert len({sha256(session.path(f"{number}-1", "output.mp4")) for session in sessions}) == 1
    assert invoked(sessions[1]) == [([f"{number}-1" for number in range(4)], 1, False)]


def test_eight_in_a_batch_one_blocked_one_without_memory_one_crash_and_one_shifted(box: Box, video: Path) -> None:
    faults = [
        {"match": "forbidden", "do": "block"},
        {"match": "enormous", "do": "oom", "step": 2},
        {"match": "doomed", "do": "crash", "step": 3},
        {"match": "astray", "do": "shift"},
    ]
    prompts = ("good 1", "forbidden", "good 2", "astray", "doomed", "good 3", "enormous", "good 4")
    session = commanding(box, batch_size=4, faults=faults)
    submit_all(session, video, *prompts)
    session.start()
    outcomes = {prompt: session.outcome(f"{number}-1", 90) for number, prompt in enumerate(prompts, 1)}
    told = {prompt: outcome.get("error", outcome["event"]) for prompt, outcome in outcomes.items()}
    assert told == {
        **dict.fromkeys(("good 1", "good 2", "good 3", "good 4", "astray"), "done"),
        "forbidden": "blocked",
        "enormous": "out_of_memory",
        "doomed": "crashed",
    }
    assert outcomes["forbidden"]["reason"].startswith("GUARDRAIL BLOCKED: BLOCKLIST")
    assert "CUDA out of memory" in outcomes["enormous"]["message"]
    assert sorted(prompts_generated(box)) == ["astray", "good 1", "good 2", "good 3", "good 4"]
    alone = box.started("alone")
    for number, prompt in enumerate(prompts, 1):
        if told[prompt] == "done":
            assert session.path(f"{number}-1", "output.txt").read_text() == prompt
            alone.submit(f"{number}-1", make_spec(video, prompt=prompt))
            assert alone.outcome(f"{number}-1")["event"] == "done"
            assert len({sha256(each.path(f"{number}-1", "output.mp4")) for each in (session, alone)}) == 1
    assert invoked(session)[0] == ([f"{number}-1" for number in range(1, 9)], 4, False)
    assert ("7-1" in invoked(session)[-1][0], invoked(session)[-1][2]) == (True, True), "the last resort is offloading"


def test_a_partly_blocked_batch_costs_one_process_and_the_others_get_their_own_videos(box: Box, video: Path) -> None:
    session = commanding(box, batch_size=4, faults=[{"match": "forbidden", "do": "block"}])
    submit_all(session, video, "forbidden", "two", "three", "four")
    session.start()
    assert session.outcome("1-1")["event"] == "blocked"
    for number, prompt in ((2, "two"), (3, "three"), (4, "four")):
        assert session.outcome(f"{number}-1")["event"] == "done"
        assert session.path(f"{number}-1", "output.txt").read_text() == prompt
    assert len(invoked(session)) == 1


def test_one_at_a_time_a_failure_costs_one_job_and_videos_are_announced_as_they_appear(box: Box, video: Path) -> None:
    faults = [{"match": "forbidden", "do": "block"}, {"match": "wrong", "do": "raise"}]
    session = commanding(box, faults=faults)
    submit_all(session, video, "one", "forbidden", "three", "wrong", "five")
    session.start()
    outcomes = [session.outcome(f"{number}-1") for number in range(1, 6)]
    assert [outcome.get("error", outcome["event"]) for outcome in outcomes] == [
        *("done", "blocked", "done", "engine_error", "done")
    ]
    assert outcomes[3]["message"] == "RuntimeError: The stand-in was told to fail."
    assert prompts_generated(box) == ["one", "three", "five"]
    assert [len(attempts) for attempts, _, _ in invoked(session)] == [5, 3, 1]
    told = [(event["event"], event["attempt"]) for event in session.events if event["event"] in ("accepted", "done")]
    assert told[:3] == [("accepted", "1-1"), ("done", "1-1"), ("accepted", "2-1")]
    assert "GUARDRAIL" not in session.path("1-1", "log.txt").read_text()
    assert "GUARDRAIL" in session.path("2-1", "log.txt").read_text()
    assert "Traceback" in session.path("4-1", "log.txt").read_text()


def test_only_what_may_share_a_process_does(box: Box, video: Path) -> None:
    session = commanding(box)
    for number, seed in enumerate((1, 2, 1), 1):
        session.submit(f"{number}-1", make_spec(video, prompt=f"prompt {number}", seed=seed))
    session.start()
    for number in range(1, 4):
        assert session.outcome(f"{number}-1")["event"] == "done"
    assert [attempts for attempts, _, _ in invoked(session)] == [["1-1", "3-1"], ["2-1"]]


def test_too_large_a_batch_is_halved_and_what_worked_is_remembered(box: Box, video: Path) -> None:
    session = commanding(box, batch_size=4, memory_gb=60)
    submit_all(session, video, "one", "two", "three", "four")
    session.start()
    for number in range(1, 5):
        assert session.outcome(f"{number}-1")["event"] == "done"
    assert [size for _, size, _ in invoked(session)] == [4, 2]
    learnt = json.loads((box.root / "fits.json").read_text())
    assert learnt == {"transfer edge": {"batch_size": 2, "offload": False}}
    later = commanding(box, "s2", batch_size=4, memory_gb=60)
    submit_all(later, video, "five", "six", "seven", "eight")
    later.start()
    for number in range(1, 5):
        assert later.outcome(f"{number}-1")["event"] == "done"
    assert [size for _, size, _ in invoked(later)] == [2]


def test_at_one_the_models_are_offloaded_and_that_is_remembered_too(box: Box, video: Path) -> None:
    session = commanding(box, memory_gb=30)
    submit_all(session, video, "one", "two")
    session.start()
    for number in (1, 2):
        assert session.outcome(f"{number}-1")["event"] == "done"
    assert invoked(session)[0][2] is False
    assert all(offload for _, _, offload in invoked(session)[1:])
    assert json.loads((box.root / "fits.json").read_text()) == {"transfer edge": {"batch_size": 1, "offload": True}}
    session.submit("3-1", make_spec(video, prompt="three"))
    assert session.outcome("3-1")["event"] == "done"
    assert invoked(session)[-1] == (["3-1"], 1, True)


def test_what_no_offloading_helps_runs_out_of_memory(box: Box, video: Path) -> None:
    session = commanding(box, memory_gb=10)
    session.submit("1-1", make_spec(video))
    session.start()
    failed = session.outcome("1-1")
    assert (failed["error"], failed["fatal"]) == ("out_of_memory", False)
    assert [offload for _, _, offload in invoked(session)] == [False, True]


def test_the_batch_size_can_be_found_from_the_free_memory(box: Box, video: Path) -> None:
    session = commanding(box, batch_size="auto", memory_gb=61)
    submit_all(session, video, "one", "two", "three")
    session.start()
    for number in range(1, 4):
        assert session.outcome(f"{number}-1")["event"] == "done"
    assert [size for _, size, _ in invoked(session)] == [2]


def test_a_cancelled_item_stops_where_it_is_and_the_others_go_on(box: Box, video: Path) -> None:
    faults = [{"match": "endless", "do": "hang", "step": 2}]
    session = commanding(box, faults=faults)
    submit_all(session, video, "one", "endless", "three", "four")
    session.start()
    wait_for(lambda: session.of("2-1", "step"))
    session.cancel("4-1")
    assert session.outcome("4-1")["error"] == "cancelled"
    session.cancel("2-1")
    assert session.outcome("2-1")["error"] == "cancelled"
    assert [session.outcome(f"{number}-1")["event"] for number in (1, 3)] == ["done", "done"]
    assert prompts_generated(box) == ["one", "three"]
    session.stop()
    assert session.wait_for_exit() == 0


def test_stop_ends_what_was_accepted_and_takes_no_more(box: Box, video: Path) -> None:
    session = commanding(box, step_s=0.05)
    submit_all(session, video, "one", "two")
    session.start()
    session.wait_for_event("accepted", "2-1")
    session.submit("3-1", make_spec(video, prompt="three"))
    session.stop()
    assert session.wait_for_exit() == 0
    assert [session.outcome(f"{number}-1")["event"] for number in (1, 2)] == ["done", "done"]
    assert not session.of("3-1")
    assert len(list((session.folder / "inbox").glob("*-3-1.json"))) == 1


def workers_of(box: Box) -> list[str]:
    """Processes of transfer.py that work in this box's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"transfer.py" in command and os.fsencode(box.root) in command:
                found.append(entry.name)
    return found


@pytest.mark.parametrize("whom", ["session", "group"])
def test_a_killed_session_leaves_no_engine_behind(box: Box, video: Path, whom: str) -> None:
    session = commanding(box, faults=[{"match": "endless", "do": "hang"}])
    submit_all(session, video, "one", "endless", "three")
    pid = session.start()["pid"]
    wait_for(lambda: session.of("2-1", "phase")[-1:] and session.of("2-1", "phase")[-1]["phase"] == "sampling")
    assert workers_of(box)
    if whom == "group":
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)
    assert session.wait_for_exit() == -9
    assert not workers_of(box)
    assert session.outcome("1-1")["event"] == "done"
    assert [event["event"] for event in session.of("2-1", "accepted", "done", "failed", "blocked")] == ["accepted"]
    assert not session.of("3-1"), "what only waited for its turn is not blamed"


def test_a_terminated_session_says_so_and_takes_the_engine_with_it(box: Box, video: Path) -> None:
    session = commanding(box, faults=[{"match": "endless", "do": "hang"}])
    submit_all(session, video, "endless")
    pid = session.start()["pid"]
    wait_for(lambda: workers_of(box))
    os.kill(pid, signal.SIGTERM)
    assert session.wait_for_exit() == 143
    assert session.events[-1]["reason"] == "terminated"
    assert not workers_of(box)


def test_a_missing_checkpoint_fails_the_orders_by_name(box: Box, video: Path) -> None:
    session = commanding(box, faults=[{"do": "load_failure"}])
    submit_all(session, video, "one", "two")
    session.start()
    for number in (1, 2):
        failed = session.outcome(f"{number}-1")
        assert failed["error"] == "missing_checkpoint"
        assert "base_model.pt" in failed["message"]
        assert "base_model.pt" in session.path(f"{number}-1", "log.txt").read_text()


def test_an_engine_that_cannot_be_started_is_tried_twice_and_then_ends_the_session(box: Box, video: Path) -> None:
    session = commanding(box)
    start = json.loads((session.folder / "start.json").read_text())
    nowhere = box.root / "no checkout"
    nowhere.mkdir()
    start["env"] = {**start["env"], "PYTHONPATH": str(nowhere), "PATH": "/usr/bin:/bin"}
    (session.folder / "start.json").write_text(json.dumps(start))
    submit_all(session, video, "one", "two")
    session.start()
    failed = session.outcome(None)
    assert (failed["error"], failed["fatal"]) == ("crashed", True)
    assert "exit code 127" in failed["message"]
    assert session.wait_for_exit() == 1
    assert "torchrun: not found" in session.log
    assert len(invoked(session)) == 2
    assert not session.of("1-1", "failed"), "no job is blamed"


def test_orders_that_cannot_be_carried_out_are_refused_one_by_one(box: Box, video: Path) -> None:
    session = commanding(box)
    session.drop("1-1-1.json", "{not json")
    changes: list[Json] = [
        {"guidance": None},
        {"depth": {"control_weight": 0.2}},
        {"edge": {"control_weight": -1}},
        {"input_video_path": str(box.root / "missing.mp4")},
        {"use_distilled": True},
        {},
    ]
    for number, change in enumerate(changes, 2):
        session.submit(f"{number}-1", make_spec(video, **change))
    session.start()
    errors = [session.outcome(f"{number}-1").get("error") for number in range(1, 8)]
    assert errors == [*["invalid_spec"] * 4, "bad_input", "invalid_spec", None]


def test_upscales_run_alone_and_several_gpus_are_asked_for(box: Box, video: Path) -> None:
    session = commanding(box, hints=("upscale",), num_gpus=2, batch_size=4)
    upscale = {"edge": None, "upscale": {"control_weight": 0.5}, "num_steps": 10}
    submit_all(session, video, "one", "two", **upscale)
    session.start()
    for number in (1, 2):
        assert session.outcome(f"{number}-1")["event"] == "done"
    assert [attempts for attempts, _, _ in invoked(session)] == [["1-1"], ["2-1"]]
    assert '"num_gpus": 2' in session.path("1-1", "log.txt").read_text()
