"""session.py as a process on the stand-in, in a folder whose name needs quoting."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import av
import pytest

from tests.integration.box_tools import MEDIA, SCRIPTS, Box, Json, make_spec, make_video, wait_for

sys.path.insert(0, str(SCRIPTS))
from failures import BadInput, Cancelled, InvalidSpec, failure_of
from progress import Progress, Step


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path / """the "GPU" box's folder""")
    box.root.mkdir()
    yield box
    box.close()


@pytest.fixture
def video(box: Box) -> Path:
    return make_video(box.root / "videos" / "it's a clip.mp4")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_an_attempt_yields_a_whole_video_and_what_made_it(box: Box, video: Path) -> None:
    session = box.started()
    session.submit("12-1", make_spec(video))
    done = session.outcome("12-1")
    assert done["event"] == "done"
    assert {artifact["name"] for artifact in done["artifacts"]} == {"output.mp4", "output.txt", "spec.json", "log.txt"}
    for artifact in done["artifacts"]:
        path = session.path("12-1", artifact["name"])
        assert (artifact["bytes"], artifact["sha256"]) == (path.stat().st_size, sha256(path))
    assert frame_count(session.path("12-1", "output.mp4")) == 9
    assert session.path("12-1", "output.txt").read_text() == "a kitchen in the evening"
    assert done["generate_s"] > 0


def test_events_tell_the_life_of_a_session_in_order(box: Box, video: Path) -> None:
    session = box.started()
    session.wait_for_event("idle")
    session.submit("1-1", make_spec(video))
    session.outcome("1-1")
    session.stop()
    assert session.wait_for_exit() == 0
    names = [event["event"] for event in session.events if event["event"] not in ("phase", "step")]
    assert names == ["starting", "loading", "ready", "idle", "accepted", "done", "idle", "stopping"]
    phases = [event["phase"] for event in session.of("1-1", "phase")]
    assert phases == [
        "controls",
        "preprocessing",
        "guardrail",
        "text_encoding",
        "latent_encoding",
        "sampling",
        "decoding",
        "guardrail",
        "saving",
    ]
    times = [datetime.fromisoformat(event["at"]) for event in session.events]
    assert times == sorted(times)
    assert all(event["at"].endswith("Z") for event in session.events)
    assert session.events[-1]["reason"] == "asked"


def test_steps_count_from_one_in_every_clip_and_the_last_is_never_left_out(box: Box, video: Path) -> None:
    long_video = make_video(box.root / "videos" / "long.mp4", frames=20)
    session = box.started(step_s=0.03)
    session.submit("1-1", make_spec(long_video, num_steps=7))
    assert session.outcome("1-1")["event"] == "done"
    steps = session.of("1-1", "step")
    assert {(step["clips"], step["steps"]) for step in steps} == {(3, 7)}
    assert [step["clip"] for step in steps if step["step"] == 7] == [1, 2, 3]
    assert min(step["step"] for step in steps) == 1
    assert len(steps) < 3 * 7, "steps are throttled"


PARAMETERS: list[Json] = [
    {"prompt": "a kitchen at night, neon"},
    {"negative_prompt": "dull"},
    {"seed": 2},
    {"num_steps": 20},
    {"guidance": 9.0},
    {"sigma_max": 30.0},
    {"fps": 12},
    {"blur_strength": "very_high"},
    {"canny_threshold": "very_low"},
    {"regional_prompts": [{"prompt": "a neon sign", "mask_prompt": "wall"}]},
    {"edge": {"control_weight": 0.2}},
    {"vis": {"control_weight": 0.9}},
]


def test_every_parameter_reaches_the_video_and_the_same_spec_makes_the_same_bytes(box: Box, video: Path) -> None:
    session = box.started(hints=("vis", "edge"))
    base: Json = {"vis": {"control_weight": 0.3}}
    specs = [make_spec(video, **{**base, **change}) for change in [{}, *PARAMETERS]]
    for number, spec in enumerate([*specs, specs[0]]):
        session.submit(f"{number}-1", spec)
    for number in range(len(specs) + 1):
        assert session.outcome(f"{number}-1")["event"] == "done"
    digests = [sha256(session.path(f"{number}-1", "output.mp4")) for number in range(len(specs) + 1)]
    assert digests[-1] == digests[0]
    assert len(set(digests)) == len(specs)


def test_another_process_makes_the_same_bytes(box: Box, video: Path) -> None:
    digests = set()
    for name in ("first", "second"):
        session = box.started(name)
        session.submit("1-1", make_spec(video))
        session.outcome("1-1")
        digests.add(sha256(session.path("1-1", "output.mp4")))
    assert len(digests) == 1


def test_what_was_asked_is_what_the_engine_received(box: Box, video: Path) -> None:
    session = box.started()
    spec = make_spec(video, seed=77, num_steps=3, guidance=6.5, sigma_max=55.5, fps=30, canny_threshold="high")
    session.submit("1-1", spec)
    session.outcome("1-1")
    (generation,) = box.generations()
    received = generation["received"]
    assert received["numpy_seed"] == 77
    for name in ("prompt", "negative_prompt", "seed", "num_steps", "guidance", "sigma_max", "fps", "canny_threshold"):
        assert received[name] == spec[name]
    written = json.loads(session.path("1-1", "spec.json").read_text())
    control = written["edge"]["input_control"]
    assert received["control_inputs"]["edge"]["input_control"] == control
    assert written == {**spec, "edge": {**spec["edge"], "input_control": control}}


def test_hints_are_given_in_the_order_of_the_session(box: Box, video: Path) -> None:
    session = box.started(hints=("vis", "edge"))
    spec = make_spec(video)
    session.submit("1-1", {**spec, "vis": {"control_weight": 0.3}})
    session.outcome("1-1")
    assert list(box.generations()[0]["received"]["control_inputs"]) == ["vis", "edge"]


def test_a_control_is_made_once_for_a_video_and_a_preset(box: Box, video: Path) -> None:
    session = box.started()
    for number, threshold in enumerate(("medium", "medium", "low")):
        session.submit(f"{number}-1", make_spec(video, canny_threshold=threshold, seed=number))
    controls = [session.outcome(f"{number}-1")["controls"]["edge"] for number in range(3)]
    assert [control["made"] for control in controls] == [True, False, True]
    assert controls[0]["path"] == controls[1]["path"] != controls[2]["path"]
    assert controls[0]["sha256"] == sha256(Path(controls[0]["path"]))
    assert Path(controls[0]["path"]).parent == box.root / "controls"


def test_a_given_control_is_used_as_it_is(box: Box, video: Path) -> None:
    control = make_video(box.root / "videos" / "edges.mp4", shade=100)
    session = box.started()
    session.submit("1-1", make_spec(video, edge={"control_weight": 1, "input_control": str(control)}))
    assert session.outcome("1-1")["controls"] == {}
    assert not (box.root / "controls").exists()
    assert box.generations()[0]["received"]["control_inputs"]["edge"]["input_control"] == str(control)


def test_the_engine_makes_the_controls_that_only_it_can_make(box: Box, video: Path) -> None:
    session = box.started(hints=("depth",))
    session.submit("1-1", make_spec(video, edge=None, depth={"control_weight": 0.8}))
    assert session.outcome("1-1")["event"] == "done"
    assert session.path("1-1", "depth_input_control_0.mp4").exists()


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
        "events_bytes": (session.folder / "events.jsonl").stat().st_size,
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


def test_an_attempt_that_is_sent_twice_is_generated_once(box: Box, video: Path) -> None:
    session = box.started()
    spec = make_spec(video)
    session.submit("1-1", spec)
    session.outcome("1-1")
    session.submit("1-1", spec)
    session.submit("2-1", spec)
    session.outcome("2-1")
    assert len(session.of("1-1", "accepted")) == 1
    assert len(box.generations()) == 2
    assert not list((session.folder / "inbox").glob("*.json"))


def test_orders_are_taken_by_number_and_not_by_spelling(box: Box, video: Path) -> None:
    session = box.session()
    for order in (10, 9, 100):
        session.drop(f"{order}-job{order}-1.json", json.dumps({"attempt": f"job{order}-1", "spec": make_spec(video)}))
    session.start()
    session.outcome("job100-1")
    accepted = [event["attempt"] for event in session.events if event["event"] == "accepted"]
    assert accepted == ["job9-1", "job10-1", "job100-1"]


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


def test_loading_is_timed(box: Box) -> None:
    session = box.started(load_s=0.3)
    assert session.wait_for_event("ready")["load_s"] >= 0.3


def test_stop_lets_the_current_attempt_end_and_takes_no_other(box: Box, video: Path) -> None:
    session = box.started(step_s=0.05)
    session.submit("1-1", make_spec(video))
    session.wait_for_event("accepted", "1-1")
    session.submit("2-1", make_spec(video))
    session.stop()
    assert session.wait_for_exit() == 0
    assert session.outcome("1-1")["event"] == "done"
    assert not session.of("2-1")
    assert (session.folder / "inbox" / "2-2-1.json").exists()


def test_a_forgotten_session_lets_the_gpu_go(box: Box, video: Path) -> None:
    session = box.started(idle_exit_s=0.3)
    session.submit("1-1", make_spec(video))
    session.outcome("1-1")
    assert session.wait_for_exit() == 0
    assert session.events[-1]["event"] == "stopping"
    assert session.events[-1]["reason"] == "idle"


def test_a_terminated_session_says_so(box: Box, video: Path) -> None:
    session = box.started(faults=[{"match": "endless", "do": "hang"}])
    session.submit("1-1", make_spec(video, prompt="endless"))
    wait_for(lambda: any(event["phase"] == "sampling" for event in session.of("1-1", "phase")))
    os.kill(session.events[0]["pid"], 15)
    assert session.wait_for_exit() == 143
    assert session.events[-1]["reason"] == "terminated"
    assert not session.of("1-1", "done", "failed")


def test_the_distilled_pipeline_takes_the_same_orders(box: Box, video: Path) -> None:
    session = box.started(pipeline="distilled")
    session.submit("1-1", make_spec(video, use_distilled=True))
    session.submit("2-1", make_spec(video, num_steps=20, guidance=9.0, sigma_max=30.0, negative_prompt="other"))
    assert session.outcome("1-1")["event"] == session.outcome("2-1")["event"] == "done"
    assert sha256(session.path("1-1", "output.mp4")) == sha256(session.path("2-1", "output.mp4"))
    assert session.of("1-1", "step")[-1]["steps"] == 1


def test_an_upscale_session_makes_three_times_the_size(box: Box, video: Path) -> None:
    session = box.started(hints=("upscale",))
    session.submit("1-1", make_spec(video, edge=None, upscale={"control_weight": 0.5}, num_steps=10))
    assert session.outcome("1-1")["event"] == "done"
    with av.open(str(session.path("1-1", "output.mp4"))) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (3 * 128, 3 * 64)


def test_a_real_clip_is_served(box: Box) -> None:
    if not MEDIA.is_dir():
        pytest.skip("NVIDIA's example clips are not next to the repository")
    session = box.started(hints=("edge", "depth"), clip_frames=121)
    hints = {
        hint: {"control_weight": 0.4, "input_control": str(MEDIA / f"example1_{hint}.mp4")}
        for hint in ("edge", "depth")
    }
    session.submit("1-1", make_spec(MEDIA / "example1_input_video.mp4", **hints))
    assert session.outcome("1-1")["event"] == "done"
    assert frame_count(session.path("1-1", "output.mp4")) == 121


def run_scripts(tmp_path: Path, program: str) -> str:
    """What a program prints that imports the session's modules, in a process group of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        check=True,
        timeout=30,
        start_new_session=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_only_the_attempt_that_was_meant_is_interrupted(tmp_path: Path) -> None:
    program = """
import os, signal, time
from pathlib import Path
from cancellation import Cancellation
from failures import Cancelled
cancellation = Cancellation()
first, second = Path("first"), Path("second")
try:
    with cancellation.of(first):
        first.touch()
        try:
            time.sleep(20)
        except Exception:
            print("swallowed")
except Cancelled:
    print("first cancelled")
os.kill(os.getpid(), signal.SIGUSR1)
with cancellation.of(second):
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.3)
    print("second whole")
"""
    assert run_scripts(tmp_path, program).splitlines() == ["first cancelled", "second whole"]


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


def printed(tmp_path: Path, code: str) -> tuple[str, str]:
    """The session's and the attempt's log after `code` printed inside an attempt."""
    program = f"""
import os, signal, subprocess, sys
from pathlib import Path
from engine_output import EngineOutput
output = EngineOutput(Path.cwd())
print("before")
with output.attempt("1-1", Path("attempt.txt")):
{chr(10).join("    " + line for line in code.strip().splitlines())}
print("after")
output.close()
"""
    run_scripts(tmp_path, program)
    return (tmp_path / "log.txt").read_text(), (tmp_path / "attempt.txt").read_text()


def test_whatever_is_printed_during_an_attempt_is_in_its_log(tmp_path: Path) -> None:
    session, attempt = printed(
        tmp_path,
        """
print("from Python")
print("from Python's stderr", file=sys.stderr)
os.write(1, b"from a library\\n")
subprocess.run([sys.executable, "-c", "print('from a child')"])
os.write(2, b"without a newline")
""",
    )
    assert session.split("\n") == ["before", "after", ""]
    assert attempt.split("\n") == [
        "from Python",
        "from Python's stderr",
        "from a library",
        "from a child",
        "without a newline",
        "",
    ]


def test_what_is_said_after_the_group_was_terminated_is_still_logged(tmp_path: Path) -> None:
    code = "signal.signal(15, signal.SIG_IGN)\nos.killpg(0, 15)\nprint('last words')"
    _, attempt = printed(tmp_path, code)
    assert attempt == "last words\n"


def test_of_a_progress_bar_only_its_last_state_is_logged(tmp_path: Path) -> None:
    _, attempt = printed(
        tmp_path,
        """
for done in range(101):
    os.write(2, f"\\r{done:3d}%|{'#' * (done // 10)}| {done}/100 [00:01<00:02,  1.0it/s]".encode())
os.write(1, b"[11-22 10:00:00|INFO|a.py:1:f] Completed diffusion sampling\\n")
for done in range(3):
    os.write(2, f"\\n\\r{50 * done}%|##| {done}/2 [00:01<00:02,  1.0it/s]\\x1b[A".encode())
""",
    )
    assert attempt.split("\n") == [
        "100%|##########| 100/100 [00:01<00:02,  1.0it/s]",
        "[11-22 10:00:00|INFO|a.py:1:f] Completed diffusion sampling",
        "100%|##| 2/2 [00:01<00:02,  1.0it/s]",
        "",
    ]


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    _, attempt = printed(tmp_path, "for _ in range(50): os.write(1, b'x' * 65536)\nprint()\nprint('next')")
    assert attempt == "x" * 65536 + "\nnext\n"


def test_progress_is_read_from_the_bars_that_the_engine_draws() -> None:
    phases: list[str] = []
    steps: list[Step] = []
    progress = Progress(phases.append, steps.append)
    progress.read_bar("  0%|          | 0/2 [00:00<?, ?it/s]")
    for clip in (1, 2):
        progress.read_line("[11-22 10:00:00|INFO|a.py:1:f] Starting diffusion sampling")
        progress.read_bar("  0%|          | 0/35 [00:00<?, ?it/s]")
        progress.read_bar("Sampling: 100%|██████████| 35/35 [01:10<00:00,  2.0s/it]")
        progress.read_line("[11-22 10:00:00|INFO|a.py:1:f] Completed diffusion sampling")
        progress.read_bar(f" 50%|█████     | {clip}/2 [01:10<01:10, 70.0s/it]")
    assert steps == [Step(1, 2, 35, 35), Step(2, 2, 35, 35)]
    assert phases == ["sampling"]


def test_an_idle_session_costs_next_to_no_time(box: Box) -> None:
    session = box.started()
    session.wait_for_event("idle")
    pid = session.events[0]["pid"]

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before, began = ticks(), time.monotonic()
    wait_for(lambda: time.monotonic() - began > 0.5)
    assert (ticks() - before) / os.sysconf("SC_CLK_TCK") < 0.1
