"""session.py as a process on the stand-in, in a folder whose name needs quoting: what it makes, and its life."""

import json
import os
import time
from datetime import datetime
from pathlib import Path

import av
import pytest

from tests.integration.box_tools import MEDIA, Box, Json, frame_count, make_spec, make_video, sha256, wait_for


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
    wait_for(lambda: len(session.named("idle")) == 2)
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
