"""session.py when something goes wrong: each outcome is told apart, and the session lives on where it can."""

import errno
import json
import sys
from pathlib import Path

import av
import pytest

from tests.integration.box_tools import SCRIPTS, Box, Json, make_spec, make_video, sha256, wait_for

sys.path.insert(0, str(SCRIPTS))
from failures import BadInput, Cancelled, InvalidSpec, failure_of


def test_a_blocked_prompt_is_a_result_of_its_own(box: Box, video: Path) -> None:
    session = box.started(faults=[{"match": "forbidden", "do": "block"}])
    session.submit("1-1", make_spec(video, prompt="something forbidden"))
    session.submit("2-1", make_spec(video, prompt=" "))
    session.submit("3-1", make_spec(video))
    blocked = session.outcome("1-1")
    assert blocked["event"] == "blocked"
    assert blocked["reason"].startswith("GUARDRAIL BLOCKED: BLOCKLIST")
    assert {artifact["name"] for artifact in blocked["artifacts"]} == {"spec.json", "log.txt"}
    assert session.outcome("2-1")["event"] == "blocked"
    assert session.outcome("3-1")["event"] == "done"
    assert "GUARDRAIL" in session.path("1-1", "log.txt").read_text()
    assert "GUARDRAIL" not in session.path("3-1", "log.txt").read_text()


def test_out_of_memory_is_fatal_and_ends_the_process(box: Box, video: Path) -> None:
    session = box.started(memory_gb=60)
    long_video = make_video(box.root / "videos" / "long.mp4", frames=20)
    session.submit("1-1", make_spec(video))
    session.submit("2-1", make_spec(long_video))
    session.submit("3-1", make_spec(video))
    assert session.outcome("1-1")["event"] == "done"
    failed = session.outcome("2-1")
    assert (failed["error"], failed["fatal"]) == ("out_of_memory", True)
    assert "CUDA out of memory" in failed["message"]
    assert session.wait_for_exit() == 1
    assert not session.of("3-1"), "nothing more is taken after a fatal failure"


def test_offloading_saves_memory(box: Box, video: Path) -> None:
    offload = ("text_encoder_model", "guardrail_models", "diffusion_transformer")
    session = box.started(memory_gb=28, offload=offload)
    session.submit("1-1", make_spec(video))
    assert session.outcome("1-1")["event"] == "done"


@pytest.mark.parametrize(("do", "code"), [("crash", 1), ("kill", -9)])
def test_a_process_that_dies_leaves_its_exit_code(box: Box, video: Path, do: str, code: int) -> None:
    session = box.started(faults=[{"match": "doomed", "do": do, "step": 2}])
    session.submit("1-1", make_spec(video, prompt="doomed"))
    assert session.wait_for_exit() == code
    assert session.status() == {
        "session": "s1",
        "state": "exited",
        "exit": code,
        "reason": None,
    }
    assert [event["event"] for event in session.of("1-1", "accepted", "done", "failed")] == ["accepted"]
    assert "Starting diffusion sampling" in session.path("1-1", "log.txt").read_text()


def test_an_exception_fails_the_attempt_and_not_the_session(box: Box, video: Path) -> None:
    session = box.started(faults=[{"match": "bad", "do": "raise", "step": 2, "times": 1}])
    session.submit("1-1", make_spec(video, prompt="bad"))
    session.submit("1-2", make_spec(video, prompt="bad"))
    failed = session.outcome("1-1")
    assert (failed["error"], failed["fatal"]) == ("engine_error", False)
    assert failed["message"] == "RuntimeError: The stand-in was told to fail."
    assert "Traceback (most recent call last)" in session.path("1-1", "log.txt").read_text()
    assert session.outcome("1-2")["event"] == "done"


def test_an_empty_negative_prompt_crashes_the_engine_and_is_reported(box: Box, video: Path) -> None:
    session = box.started()
    session.submit("1-1", make_spec(video, negative_prompt=""))
    failed = session.outcome("1-1")
    assert failed["error"] == "engine_error"
    assert "NoneType" in failed["message"]


def test_a_full_disk_leaves_no_half_video(box: Box, video: Path) -> None:
    session = box.started(faults=[{"match": "big", "do": "disk_full", "times": 1}])
    session.submit("1-1", make_spec(video, prompt="big"))
    session.submit("1-2", make_spec(video, prompt="big"))
    failed = session.outcome("1-1")
    assert (failed["error"], failed["fatal"]) == ("disk_full", False)
    assert not list(session.path("1-1").glob("output*.mp4"))
    assert session.outcome("1-2")["event"] == "done"


def test_a_truncated_video_opens_but_lacks_its_end(box: Box, video: Path) -> None:
    session = box.started(faults=[{"match": "cut", "do": "truncate"}])
    session.submit("1-1", make_spec(video, prompt="cut"))
    done = session.outcome("1-1")
    path = session.path("1-1", "output.mp4")
    assert done["event"] == "done"
    assert {"name": "output.mp4", "bytes": path.stat().st_size, "sha256": sha256(path)} in done["artifacts"]
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 9
        # What a cut file does depends on the decoder: it ends early or raises.
        decoded = 0
        try:
            for _ in container.decode(video=0):
                decoded += 1
        except av.error.FFmpegError:
            pass
    assert decoded < 9


def test_cancelling_interrupts_the_engine_and_the_next_attempt_is_fine(box: Box, video: Path) -> None:
    session = box.started(faults=[{"match": "endless", "do": "hang", "step": 2}])
    session.submit("1-1", make_spec(video, prompt="endless"))
    wait_for(lambda: session.of("1-1", "step"))
    session.submit("2-1", make_spec(video))
    session.cancel("1-1")
    failed = session.outcome("1-1")
    assert (failed["error"], failed["fatal"]) == ("cancelled", False)
    assert not session.path("1-1", "output.mp4").exists()
    assert session.outcome("2-1")["event"] == "done"


def test_an_attempt_cancelled_before_it_is_taken_generates_nothing(box: Box, video: Path) -> None:
    session = box.session()
    session.cancel("1-1")
    session.submit("1-1", make_spec(video))
    session.start()
    assert session.outcome("1-1")["error"] == "cancelled"
    assert [event["event"] for event in session.of("1-1")] == ["accepted", "failed"]
    assert box.generations() == []


def test_a_cancel_that_comes_too_late_does_not_hit_the_next_attempt(box: Box, video: Path) -> None:
    session = box.started(step_s=0.01)
    for number in range(8):
        session.submit(f"{number}-1", make_spec(video, seed=number))
    for number in range(8):
        if number % 2 == 0:
            session.outcome(f"{number}-1")
            session.cancel(f"{number}-1")
    outcomes = [session.outcome(f"{number}-1")["event"] for number in range(8)]
    assert outcomes == ["done"] * 8


MALFORMED = [b"{not json", b"[]", b'{"attempt": "0-1"}', b'{"attempt": "other", "spec": {}}', b"\xff", b""]


def test_malformed_orders_are_put_aside_and_reported(box: Box, video: Path) -> None:
    session = box.session()
    inbox = session.folder / "inbox"
    inbox.mkdir()
    for number, content in enumerate(MALFORMED):
        (inbox / f"{number}-{number}-1.json").write_bytes(content)
    session.drop("50-good-1.json", json.dumps({"attempt": "good-1", "spec": make_spec(video)}))
    session.start()
    for number in range(len(MALFORMED)):
        failed = session.outcome(f"{number}-1")
        assert (failed["error"], failed["fatal"]) == ("invalid_spec", False)
        assert (inbox / "rejected" / f"{number}-{number}-1.json").exists()
    assert session.outcome("good-1")["event"] == "done"


def test_an_order_cannot_name_a_folder_outside_its_place(box: Box, video: Path) -> None:
    session = box.session()
    names = ["..", ".hidden", "."]
    for name in names:
        session.drop(f"1-{name}.json", json.dumps({"attempt": name, "spec": make_spec(video)}))
    session.drop("nodash.json", json.dumps({"attempt": "", "spec": make_spec(video)}))
    session.start()
    for name in [*names, ""]:
        assert session.outcome(name)["error"] == "invalid_spec"
    assert not list(session.folder.rglob("order.json"))
    assert not list(box.root.rglob("output.mp4"))


INVALID: list[tuple[Json, str]] = [
    ({"guidance": None}, "guidance is missing"),
    ({"seed": "7"}, "seed is '7'"),
    ({"seed": True}, "seed is True"),
    ({"canny_threshold": "extreme"}, "canny_threshold is 'extreme'"),
    ({"depth": {"control_weight": 0.2}}, "this session serves"),
    ({"edge": {"control_weight": -1}}, "Control weight for edge"),
    ({"edge": {"control_weight": 1, "ckpt_path": "other.pt"}}, "asks for the checkpoint other.pt"),
    ({"use_distilled": True}, "use_distilled"),
    ({"is_av_sample": True}, "is_av_sample"),
    ({"input_video_path": ""}, "neither an input_control nor an input video"),
]


def test_a_spec_that_the_session_cannot_serve_is_refused_by_name(box: Box, video: Path) -> None:
    session = box.started()
    for number, (change, _) in enumerate(INVALID):
        session.submit(f"{number}-1", make_spec(video, **change))
    for number, (_, message) in enumerate(INVALID):
        failed = session.outcome(f"{number}-1")
        assert (failed["error"], failed["fatal"]) == ("invalid_spec", False)
        assert message in failed["message"]
    assert box.generations() == []


def test_an_input_that_cannot_be_read_is_named(box: Box, video: Path) -> None:
    broken = box.root / "videos" / "broken.mp4"
    broken.write_bytes(b"no video at all")
    session = box.started()
    session.submit("1-1", make_spec(box.root / "missing.mp4"))
    session.submit("2-1", make_spec(broken))
    session.submit("3-1", make_spec(video, edge={"control_weight": 1, "input_control": str(broken)}))
    for attempt, name in (("1-1", "missing.mp4"), ("2-1", "broken.mp4"), ("3-1", "broken.mp4")):
        failed = session.outcome(attempt)
        assert failed["error"] == "bad_input"
        assert name in failed["message"]


def test_a_missing_checkpoint_ends_the_session_with_a_reason(box: Box) -> None:
    session = box.started(faults=[{"do": "load_failure"}])
    failed = session.outcome(None)
    assert (failed["error"], failed["fatal"]) == ("missing_checkpoint", True)
    assert ".pt" in failed["message"]
    assert session.wait_for_exit() == 1
    assert "FileNotFoundError" in session.log


OUT_OF_MEMORY = type("OutOfMemoryError", (RuntimeError,), {})


@pytest.mark.parametrize(
    ("exception", "error", "fatal"),
    [
        (OUT_OF_MEMORY("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", True),
        (RuntimeError("CUDA out of memory"), "out_of_memory", True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "engine_error", True),
        (RuntimeError("shapes do not match"), "engine_error", False),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", False),
        (FileNotFoundError(errno.ENOENT, "No such file", "checkpoints/base_model.pt"), "missing_checkpoint", False),
        (FileNotFoundError(errno.ENOENT, "No such file", "notes.txt"), "engine_error", False),
        (ValueError("Failed to load T5 model"), "missing_checkpoint", False),
        (ValueError("Invalid hint_key: egde"), "invalid_spec", False),
        (ValueError("Must have 'input_video' specified if sigma_max < 80"), "invalid_spec", False),
        (InvalidSpec("x"), "invalid_spec", False),
        (BadInput("x"), "bad_input", False),
        (Cancelled("x"), "cancelled", False),
        (SystemExit(3), "engine_error", False),
    ],
)
def test_failures_are_told_apart(exception: BaseException, error: str, fatal: bool) -> None:
    failure = failure_of(exception)
    assert (failure.error, failure.fatal) == (error, fatal)


def test_a_wrapped_failure_is_still_recognised_and_its_message_is_short() -> None:
    wrapped = RuntimeError("line one\nline two " * 500)
    assert len(failure_of(wrapped).message) == 2000
    assert "\n" not in failure_of(wrapped).message
    wrapped.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert failure_of(wrapped).error == "disk_full"
