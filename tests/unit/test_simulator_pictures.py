"""The stand-in's pictures: every parameter shows, and the same request gives the same pixels."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.box_tools import MEDIA, SCRIPTS, make_video

sys.path.insert(0, str(SCRIPTS / "simulator"))
from cosmos_transfer1.diffusion.inference.preprocessors import Preprocessors
from cosmos_transfer1.diffusion.inference.world_generation_pipeline import (
    DiffusionControl2WorldGenerationPipeline,
    DistilledControl2WorldGenerationPipeline,
)
from cosmos_transfer1.utils.io import save_video

Video = NDArray[np.uint8]
Controls = dict[str, dict[str, Any]]

SMALL = {"scale": 0.2, "clip_frames": 9}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMOS_SIMULATOR", json.dumps(SMALL))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("media")
    video = make_video(folder / "video.mp4", width=256, height=144)
    made: dict[str, str] = {"video": str(video)}
    controls: Controls = {hint: {} for hint in ("vis", "edge", "depth", "seg", "keypoint")}
    Preprocessors()(str(video), "a kitchen", controls, str(folder))
    return made | {hint: config["input_control"] for hint, config in controls.items()}


def generate(
    media: dict[str, str],
    weights: dict[str, Any] | None = None,
    *,
    video: str | None = "video",
    prompt: str = "a kitchen",
    negative_prompt: str = "blurry",
    pipeline: type[DiffusionControl2WorldGenerationPipeline] = DiffusionControl2WorldGenerationPipeline,
    controls: Controls | None = None,
    **attributes: Any,
) -> Video:
    """One generation; `weights` by hint use the media's controls."""
    given = controls or {
        hint: {"control_weight": weight, "input_control": media[hint]}
        for hint, weight in (weights or {"edge": 0.5}).items()
    }
    settings: dict[str, Any] = {"guidance": 5.0, "seed": 1, "num_steps": 35, "sigma_max": 70.0, **attributes}
    result = pipeline("checkpoints", "base_model.pt", control_inputs=given, **settings).generate(
        prompt=[prompt],
        video_path=[media[video] if video else ""],
        negative_prompt=negative_prompt,
        control_inputs=[given],
    )
    assert result is not None
    return result[0][0]


def difference(one: Video, other: Video) -> float:
    """Mean distance of the pixels, of 255."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def saturation(video: Video) -> float:
    return float((video.max(axis=-1).astype(float) - video.min(axis=-1)).mean())


def sharpness(picture: cv2.typing.MatLike) -> float:
    return float(cv2.Laplacian(picture, cv2.CV_64F).var())


def edge_agreement(video: Video, source: Path) -> float:
    """F1 of the edges of a video and those of its source, with a tolerance of two pixels."""
    with av.open(str(source)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = video.shape[1:3]
    scores = []
    for made, original in zip(video, frames, strict=True):
        ours = cv2.Canny(made, 100, 200) > 0
        theirs = cv2.Canny(cv2.resize(np.asarray(original), (width, height)), 100, 200) > 0
        wide = np.ones((5, 5), np.uint8)
        precision = cv2.dilate(theirs.astype(np.uint8), wide)[ours].mean() if ours.any() else 0.0
        recall = cv2.dilate(ours.astype(np.uint8), wide)[theirs].mean()
        scores.append(2 * precision * recall / max(precision + recall, 1e-9))
    return float(np.mean(scores))


CHANGES: list[dict[str, Any]] = [
    {"prompt": "a kitchen at night"},
    {"prompt": "a kitchen "},
    {"negative_prompt": "dull"},
    {"seed": 2},
    {"num_steps": 10},
    {"num_steps": 50},
    {"guidance": 7.0},
    {"sigma_max": 40.0},
    {"sigma_max": 80.0},
    {"regional_prompts": ["a neon sign"]},
    {"regional_prompts": ["a neon sign"], "region_definitions": [[0.1, 0.1, 0.5, 0.5]]},
    {"weights": {"edge": 0.9}},
    {"weights": {"edge": 0.5, "vis": 0.4}},
    {"weights": {"edge": 0.5, "depth": 0.4}},
    {"weights": {"edge": 0.5, "seg": 0.4}},
    {"weights": {"edge": 0.5, "keypoint": 0.4}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: json.dumps(change)[:60])
def test_a_changed_parameter_can_be_seen(media: dict[str, str], change: dict[str, Any]) -> None:
    assert difference(generate(media), generate(media, **change)) > 0.3


@pytest.mark.parametrize("preset", ["very_low", "low", "high", "very_high"])
@pytest.mark.parametrize(("hint", "parameter"), [("vis", "blur_strength"), ("edge", "canny_threshold")])
def test_a_preset_shows_in_the_controls_that_the_engine_makes(
    media: dict[str, str], hint: str, parameter: str, preset: str
) -> None:
    controls: Controls = {hint: {"control_weight": 1.0}}
    attributes: dict[str, Any] = {parameter: preset}
    changed = generate(media, controls=controls, **attributes)
    assert difference(generate(media, controls=controls), changed) > 0.05


@pytest.mark.parametrize("hint", ["vis", "edge", "depth", "seg", "keypoint"])
def test_the_contents_of_a_control_show(media: dict[str, str], hint: str) -> None:
    own = generate(media, {hint: 0.8})
    other = generate(
        media, controls={hint: {"control_weight": 0.8, "input_control": media["depth" if hint != "depth" else "seg"]}}
    )
    assert difference(own, other) > 1


def test_the_same_request_gives_the_same_pixels_in_another_process(media: dict[str, str]) -> None:
    controls: Controls = {
        hint: {"control_weight": 0.3, "input_control": media[hint]} for hint in ("vis", "edge", "depth", "seg")
    }
    here = generate(media, controls=controls)
    code = """
import hashlib, json, sys
from cosmos_transfer1.diffusion.inference.world_generation_pipeline import DiffusionControl2WorldGenerationPipeline
video, controls = json.loads(sys.argv[1])
pipeline = DiffusionControl2WorldGenerationPipeline("c", "b", control_inputs=controls, guidance=5.0, seed=1)
videos, _ = pipeline.generate(["a kitchen"], [video], "blurry", [controls])
print(hashlib.sha256(videos[0].tobytes()).hexdigest())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps([media["video"], controls])],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS / "simulator")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_more_edge_weight_follows_the_edges_more(media: dict[str, str]) -> None:
    videos = [generate(media, {"edge": weight}) for weight in (0.0, 0.2, 1.0)]
    none, little, full = (edge_agreement(video, Path(media["video"])) for video in videos)
    assert none + 0.05 < little < full


def test_lines_are_drawn_where_no_input_is_followed(media: dict[str, str]) -> None:
    videos = [generate(media, {"edge": weight}, sigma_max=80.0) for weight in (0.0, 0.3, 1.0)]
    none, little, full = (edge_agreement(video, Path(media["video"])) for video in videos)
    assert none + 0.05 < little < full


def test_more_vis_weight_is_closer_to_the_blurred_colours(media: dict[str, str]) -> None:
    with av.open(media["vis"]) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    distances = []
    for weight in (0.1, 0.5, 1.0):
        video = generate(media, {"vis": weight})
        size = (video.shape[2], video.shape[1])
        colours = np.asarray([cv2.resize(np.asarray(frame), size) for frame in frames], dtype=np.uint8)
        distances.append(difference(video, colours))
    assert distances == sorted(distances, reverse=True)


def test_a_higher_sigma_is_further_from_the_input(media: dict[str, str]) -> None:
    with av.open(media["video"]) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    distances = []
    for sigma in (5.0, 40.0, 79.0):
        video = generate(media, {"edge": 0.1}, sigma_max=sigma)
        size = (video.shape[2], video.shape[1])
        distances.append(difference(video, np.asarray([cv2.resize(np.asarray(f), size) for f in frames], np.uint8)))
    assert distances == sorted(distances)


def test_from_sigma_80_the_input_video_is_ignored(media: dict[str, str]) -> None:
    assert np.array_equal(
        generate(media, sigma_max=80.0, video="video"), generate(media, sigma_max=80.0, video="depth")
    )
    assert np.array_equal(generate(media, sigma_max=80.0), generate(media, sigma_max=80.0, video=None))
    assert not np.array_equal(generate(media, sigma_max=79.0), generate(media, sigma_max=79.0, video="depth"))


def test_guidance_saturates(media: dict[str, str]) -> None:
    assert saturation(generate(media, guidance=12.0)) > saturation(generate(media, guidance=2.0))


def test_fewer_steps_are_noisier_and_blurrier(media: dict[str, str]) -> None:
    # Where no input is followed the lines are drawn, and nothing is as sharp as these.
    made = {steps: generate(media, {"edge": 1.0}, num_steps=steps, sigma_max=80.0) for steps in (4, 12, 35)}
    # Hardly anything moves in the upper right: what changes there is noise, and the mean of all frames is free of it.
    parts = {steps: video[:, :70, -120:] for steps, video in made.items()}
    noise = {steps: difference(part[1:], part[:-1]) for steps, part in parts.items()}
    assert noise[4] > noise[12] > noise[35]
    still = {steps: sharpness(part.mean(axis=0).astype(np.uint8)) for steps, part in parts.items()}
    assert still[4] < still[12] < still[35]


def test_weights_are_normalised_only_where_their_sum_is_over_one(media: dict[str, str]) -> None:
    assert np.array_equal(generate(media, {"edge": 2.0}), generate(media, {"edge": 1.0}))
    assert np.array_equal(generate(media, {"edge": 2.0, "vis": 2.0}), generate(media, {"edge": 0.5, "vis": 0.5}))
    assert not np.array_equal(generate(media, {"edge": 0.5}), generate(media, {"edge": 1.0}))
    assert np.array_equal(generate(media, {"edge": "0.5"}), generate(media, {"edge": 0.5}))


def test_the_distilled_pipeline_ignores_what_the_engine_ignores(media: dict[str, str]) -> None:
    distilled = DistilledControl2WorldGenerationPipeline
    base = generate(media, pipeline=distilled)
    other = generate(
        media, pipeline=distilled, num_steps=3, guidance=15.0, sigma_max=20.0, negative_prompt="something else"
    )
    assert np.array_equal(base, other)
    assert not np.array_equal(base, generate(media, pipeline=distilled, seed=2))


SIZES = [
    ((1920, 1080), (1280, 704)),
    ((640, 480), (960, 704)),
    ((400, 400), (960, 960)),
    ((480, 640), (704, 960)),
    ((90, 160), (704, 1280)),
]


@pytest.mark.parametrize(("source", "engine"), SIZES)
def test_the_size_is_the_engines_nearest_by_aspect_ratio(
    tmp_path: Path, source: tuple[int, int], engine: tuple[int, int]
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=2, width=source[0], height=source[1])
    video = generate({"video": str(path), "edge": str(path)})
    assert video.shape[1:3] == (round(engine[1] * 0.2 / 16) * 16, round(engine[0] * 0.2 / 16) * 16)


@pytest.mark.parametrize(("frames", "clips"), [(1, 1), (5, 1), (9, 1), (10, 2), (17, 2), (18, 3)])
def test_long_videos_are_made_in_clips_and_keep_their_length(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], frames: int, clips: int
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=frames)
    assert generate({"video": str(path), "edge": str(path)}).shape[0] == frames
    assert capfd.readouterr().err.count("Starting diffusion sampling") == clips


def test_the_shortest_of_input_and_controls_decides_the_length(media: dict[str, str], tmp_path: Path) -> None:
    short = make_video(tmp_path / "short.mp4", frames=4)
    assert generate({**media, "edge": str(short)}).shape[0] == 4


def test_an_upscaled_video_is_three_times_as_large_and_depends_on_its_parameters(media: dict[str, str]) -> None:
    def upscaled(weight: float = 0.5, **attributes: Any) -> Video:
        return generate(media, controls={"upscale": {"control_weight": weight}}, **{"num_steps": 10, **attributes})

    base = upscaled()
    assert base.shape[1:3] == (3 * 144, 3 * 256)
    for other in (upscaled(1.0), upscaled(seed=2), upscaled(num_steps=35)):
        assert difference(base, other) > 0.01


def test_a_prompted_weight_acts_only_around_its_object(media: dict[str, str], tmp_path: Path) -> None:
    controls: Controls = {
        "seg": {"control_weight": 0.8, "control_weight_prompt": "the robot", "input_control": media["seg"]}
    }
    Preprocessors()(media["video"], "a kitchen", controls, str(tmp_path))
    assert controls["seg"]["control_weight"].endswith(".pt")
    masked, everywhere = generate(media, controls=controls), generate(media, {"seg": 0.8})
    assert difference(masked, everywhere) > 1


def test_every_video_says_that_it_is_simulated(media: dict[str, str], tmp_path: Path) -> None:
    video = generate(media)
    corner = video[:, -8:, :60]
    assert all((frame > 200).any() and (frame < 60).any() for frame in corner)
    path = tmp_path / "out.mp4"
    save_video(video, 24, video.shape[1], video.shape[2], 5, str(path))
    with av.open(str(path)) as container:
        assert container.metadata["comment"] == "simulated by cosmosq"
        assert container.streams.video[0].average_rate == 24


def test_a_saved_video_is_the_same_bytes_each_time_and_its_index_comes_first(
    media: dict[str, str], tmp_path: Path
) -> None:
    video = generate(media)
    for name in ("a.mp4", "b.mp4"):
        save_video(video, 30, video.shape[1], video.shape[2], 5, str(tmp_path / name))
    content = (tmp_path / "a.mp4").read_bytes()
    assert content == (tmp_path / "b.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_real_clip_becomes_a_variation_that_keeps_its_scene(tmp_path: Path) -> None:
    if not MEDIA.is_dir():
        pytest.skip("NVIDIA's example clips are not next to the repository")
    media = {"video": str(MEDIA / "example1_input_video.mp4"), "edge": str(MEDIA / "example1_edge.mp4")}
    weak, strong = generate(media, {"edge": 0.1}), generate(media, {"edge": 1.0})
    assert strong.shape == (121, 144, 192, 3)
    assert edge_agreement(strong, Path(media["video"])) > edge_agreement(weak, Path(media["video"]))
