"""Measures against known truth: equal, noise, growing blur, and implementations of our own that share nothing."""

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cosmosq.measures import controls, edges, looks, matching, similarity
from cosmosq.measures.catalogue import OURS
from cosmosq.measures.material import Material
from cosmosq.measures.undefined import Undefined
from cosmosq.videos import BrokenVideo, pictures
from tests.media import MEDIA, decoded, make_video

Frame = NDArray[np.uint8]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "measures.md"


def scene(index: int = 0, *, width: int = 160, height: int = 120) -> Frame:
    """Discs and bars of many contrasts over a ramp; it moves with `index`."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 120, width).astype(np.uint8)
    image[..., 1] = np.linspace(60, 0, height).astype(np.uint8)[:, None]
    for number in range(6):
        centre = (20 + 25 * number + 2 * index, 30 + 12 * (number % 3))
        cv2.circle(image, centre, 6 + 3 * number, (250 - 30 * number, 40 * number, 90 + 25 * number), -1)
    cv2.rectangle(image, (10, 75), (60, 110), (255, 255, 255), -1)
    cv2.rectangle(image, (90, 80), (150, 100), (10, 10, 10), 3)
    return image


def noise(seed: int = 0) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (120, 160, 3)).astype(np.uint8)


SCENE = [scene(index) for index in range(4)]
NOISE = [noise(index) for index in range(4)]


def blurred(sigma: float) -> list[Frame]:
    return [np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8) if sigma else frame for frame in SCENE]


def compared(output: list[Frame], reference: list[Frame]) -> dict[str, float]:
    """Canny-F1 and Blur SSIM as they are stored."""
    matched = list(matching.pairs(iter(output), iter(reference)))
    return {**edges.canny(matched), **similarity.blur_ssim(matched)}


def test_a_video_against_itself_is_one() -> None:
    assert compared(SCENE, SCENE) == pytest.approx(
        {"canny_f1": 1, "canny_precision": 1, "canny_recall": 1, "blur_ssim": 1}, abs=1e-12
    )


def test_a_video_against_noise_is_near_nothing() -> None:
    found = compared(NOISE, SCENE)
    assert found["canny_f1"] < 0.15
    assert found["blur_ssim"] < 0.15


def test_the_more_a_video_is_blurred_the_less_it_follows_its_input() -> None:
    found = [compared(blurred(sigma), SCENE) for sigma in (0, 1, 2, 4, 8, 16)]
    for sharper, softer in pairwise(found):
        assert sharper["canny_f1"] >= softer["canny_f1"]
        assert sharper["canny_recall"] >= softer["canny_recall"]
        assert sharper["blur_ssim"] > softer["blur_ssim"]
    assert found[1]["canny_f1"] > found[3]["canny_f1"]


# Written again, from the definitions


def own_canny(frame: Frame) -> NDArray[np.bool_]:
    """Canny's detector: Sobel 3×3, |dx| + |dy|, what is no maximum in one of four directions out, hysteresis."""
    red, green, blue = (frame[..., channel].astype(np.int64) for channel in range(3))
    grey = (9798 * red + 19235 * green + 3735 * blue + 16384) >> 15
    dx, dy = (ndimage.sobel(grey, axis=axis, mode="nearest") for axis in (1, 0))
    size = np.abs(dx) + np.abs(dy)
    around = np.pad(size, 1)
    rows, columns = size.shape

    def neighbour(down: int, right: int) -> Any:
        return around[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]

    flat = np.abs(dy) * 32768 < np.abs(dx) * 13573
    steep = np.abs(dy) * 32768 > np.abs(dx) * (13573 + 65536)
    rising = (dx ^ dy) < 0
    peak = np.where(
        flat,
        (size > neighbour(0, -1)) & (size >= neighbour(0, 1)),
        np.where(
            steep,
            (size > neighbour(-1, 0)) & (size >= neighbour(1, 0)),
            np.where(
                rising,
                (size > neighbour(-1, 1)) & (size > neighbour(1, -1)),
                (size > neighbour(-1, -1)) & (size > neighbour(1, 1)),
            ),
        ),
    )
    weak = peak & (size > 100)
    lines, count = ndimage.label(weak, structure=np.ones((3, 3)))
    strong = np.unique(lines[weak & (size > 200)])
    return np.isin(lines, strong[strong > 0]) if count else weak


def own_f1(output: Frame, reference: Frame) -> tuple[float, float, float]:
    ours, theirs = own_canny(output).ravel().tolist(), own_canny(reference).ravel().tolist()
    table = [[0, 0], [0, 0]]
    for truth, found in zip(theirs, ours, strict=True):
        table[truth][found] += 1
    precision = table[1][1] / (table[1][1] + table[0][1])
    recall = table[1][1] / (table[1][1] + table[1][0])
    return 2 * precision * recall / (precision + recall), precision, recall


def own_ssim(one: Frame, other: Frame, reach: float) -> float:
    """Wang et al. (2004) with uniform windows of 7×7 and the unbiased covariance, averaged over channels and pixels."""
    first, second = one.astype(float), other.astype(float)

    def mean(values: Any) -> Any:
        return ndimage.uniform_filter(values, size=(7, 7, 1))

    def spread(a: Any, b: Any) -> Any:
        return (mean(a * b) - mean(a) * mean(b)) * 49 / 48

    small, large = (0.01 * reach) ** 2, (0.03 * reach) ** 2
    light = (2 * mean(first) * mean(second) + small) / (mean(first) ** 2 + mean(second) ** 2 + small)
    shape = (2 * spread(first, second) + large) / (spread(first, first) + spread(second, second) + large)
    return float((light * shape).mean())


@pytest.mark.parametrize(
    "made", [blurred(1.5), blurred(3), NOISE, SCENE[::-1]], ids=["soft", "softer", "noise", "late"]
)
def test_canny_f1_is_that_of_an_implementation_of_our_own(made: list[Frame]) -> None:
    for output, reference in zip(made, SCENE, strict=True):
        found = edges.counts(output, reference)
        assert (found.f1, found.precision, found.recall) == pytest.approx(own_f1(output, reference), abs=1e-6)


@pytest.mark.parametrize("made", [blurred(3), NOISE, SCENE[::-1]], ids=["soft", "noise", "late"])
def test_blur_ssim_is_that_of_an_implementation_of_our_own(made: list[Frame]) -> None:
    for output, reference in zip(made, SCENE, strict=True):
        ours, theirs = (np.asarray(cv2.bilateralFilter(f, 30, 150, 100), np.uint8) for f in (output, reference))
        reach = float(theirs.max()) - float(theirs.min())
        assert similarity.blur_ssim_of(output, reference) == pytest.approx(own_ssim(theirs, ours, reach), abs=1e-6)


def test_the_looks_of_a_video_are_what_numpy_says_of_all_its_frames_at_once() -> None:
    whole = np.stack(SCENE).astype(float) @ np.array([0.2126, 0.7152, 0.0722])
    found = looks.looks(SCENE)
    assert found["luma_mean"] == pytest.approx(whole.mean(), abs=1e-9)
    assert found["luma_variance"] == pytest.approx(whole.var(), abs=1e-6)
    assert found["motion_energy"] == pytest.approx(np.abs(np.diff(whole, axis=0)).mean(), abs=1e-9)
    assert (found["frames"], found["black_frames"], found["frozen_frames"]) == (4, 0, 0)


def test_black_and_frozen_frames_are_counted() -> None:
    black, grey = np.zeros((20, 30, 3), np.uint8), np.full((20, 30, 3), 26, np.uint8)
    speck = black.copy()
    speck[0, :12] = 255
    found = looks.looks([black, speck, grey, grey, SCENE[0][:20, :30], grey])
    assert found["black_frames"] == 2
    assert found["frozen_frames"] == 1


# Matching


def test_frames_are_matched_by_their_number_and_at_the_size_of_the_input() -> None:
    large = [np.asarray(cv2.resize(frame, (320, 240), interpolation=cv2.INTER_NEAREST), np.uint8) for frame in SCENE]
    matched = list(matching.pairs(iter(large[:3]), iter(SCENE)))
    assert [reference is SCENE[index] for index, (_, reference) in enumerate(matched)] == [True] * 3
    assert all(np.array_equal(output, reference) for output, reference in matched)
    small = list(matching.pairs(iter(SCENE), iter(large)))
    assert {output.shape for output, _ in small} == {(240, 320, 3)}


def test_what_cannot_be_said_is_not_said() -> None:
    flat = [np.full((40, 60, 3), 90, np.uint8)] * 2
    with pytest.raises(Undefined, match="edge"):
        edges.canny(zip(flat, flat, strict=True))
    assert edges.canny(zip(flat, [scene()[:40, :60]] * 2, strict=True))["canny_f1"] == 0
    assert similarity.blur_ssim(zip(flat, flat, strict=True))["blur_ssim"] == 1
    with pytest.raises(Undefined, match="no frame"):
        similarity.blur_ssim([])
    with pytest.raises(Undefined, match="7 pixels"):
        similarity.blur_ssim_of(flat[0][:5], flat[0][:5])


# Models of somebody else


def test_depth_counts_what_is_left_after_both_have_the_same_median() -> None:
    truth = np.linspace(0.1, 1, 24).reshape(4, 6)
    assert controls.si_rmse(truth * 7, truth) == pytest.approx(0, abs=1e-12)
    wrong = truth.copy()
    wrong[0, 0] += 0.5
    ratio = np.median(truth) / np.median(wrong)
    assert controls.si_rmse(wrong, truth) == pytest.approx(np.sqrt(np.mean((truth - wrong * ratio) ** 2)))
    assert controls.si_rmse(np.zeros((4, 6)), truth) is None
    holed = np.where(truth < 0.3, np.nan, truth)
    assert controls.si_rmse(holed, truth) == pytest.approx(0, abs=1e-12)
    control = [np.repeat((truth * 255).round().astype(np.uint8)[..., None], 3, axis=2)]
    assert controls.depth([truth], control)["depth_si_rmse"] < 0.01


def test_regions_count_by_their_best_label() -> None:
    control = np.zeros((40, 60, 3), np.uint8)
    control[:, 30:] = (200, 30, 30)
    labels = np.where(np.arange(60) < 30, 5, 9)[None].repeat(40, axis=0)
    assert controls.seg([labels], [control])["seg_miou"] == 1
    moved = np.where(np.arange(60) < 20, 5, 9)[None].repeat(40, axis=0)
    assert controls.seg([moved], [control])["seg_miou"] == pytest.approx((20 / 30 + 30 / 40) / 2)
    assert controls.seg([np.zeros((20, 30))], [control])["seg_miou"] == pytest.approx(0.5)
    noisy = control.copy()
    noisy[:1, :10] = (90, 200, 90)
    assert (controls.regions_of(noisy)[:1, :10] == -1).all()


# Videos


def test_videos_that_differ_are_apart_and_the_same_one_is_not() -> None:
    one, other = (similarity.thumbnails(iter(frames), 4) for frames in (SCENE, blurred(4)))
    assert similarity.distance(one, one) == pytest.approx(0, abs=1e-12)
    assert 0.05 < similarity.distance(one, other) < 1
    assert similarity.distance(one, other) == pytest.approx(similarity.distance(other, one))
    assert len(similarity.thumbnails(iter(SCENE * 40), 160)) == 16


def material(tmp_path: Path, **sources: Path) -> Material:
    video = make_video(tmp_path / "output.mp4", frames=8, width=128, height=96)
    return Material(output_path=video, sources={**sources}, facts={"fps": 24.0})


def test_a_file_against_itself_is_one_by_every_measure_that_compares(tmp_path: Path) -> None:
    source = make_video(tmp_path / "input.mp4", frames=8, width=128, height=96)
    found: dict[str, float] = {}
    for measure in OURS:
        if measure.run and measure.estimator is None:
            found |= measure.run(material(tmp_path, input=source))
    assert (found["canny_f1"], found["frames"]) == (1, 8)
    assert found["duration_s"] == pytest.approx(1 / 3)
    assert found["blur_ssim"] == pytest.approx(1, abs=1e-12)
    assert found["bytes"] == source.stat().st_size
    assert set(found) | {"diversity_ssim", "depth_si_rmse", "seg_miou"} == {v for m in OURS for v in m.values}


def test_pictures_come_one_at_a_time_and_a_cut_video_is_refused(tmp_path: Path) -> None:
    video = make_video(tmp_path / "whole.mp4", frames=30)
    stream: Iterator[Any] = pictures(video)
    assert np.array_equal(next(stream), decoded(video)[0])
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:-2000])
    with pytest.raises(BrokenVideo):
        list(pictures(cut))


MEASURING = """
import sys
from pathlib import Path
from cosmosq.measures import edges, looks
from cosmosq.measures.material import Material

video = Path(sys.argv[1])
measured = Material(output_path=video, sources={"input": video}, facts={"fps": 24.0})
looks.looks(measured.output())
edges.canny(measured.matched())
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")))
"""
"""Measures a video and prints how many KiB of memory that took at most, what is not Python's included."""


def peak_of_measuring(video: Path) -> int:
    """Bytes."""
    done = subprocess.run([sys.executable, "-c", MEASURING, str(video)], check=True, capture_output=True, text=True)
    return int(done.stdout) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of one process")
def test_a_long_video_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    short, long = (make_video(tmp_path / f"{n}.mp4", frames=n, width=320, height=240) for n in (12, 240))
    frames_between = (240 - 12) * 320 * 240 * 3
    assert peak_of_measuring(long) - peak_of_measuring(short) < frames_between / 4


def recorded(title: str) -> dict[str, float]:
    """A column of the table of NVIDIA's examples in docs/measures.md."""
    lines = [line.strip("| \n").split(" | ") for line in DOCS.read_text().splitlines() if line.startswith("|")]
    head = next(index for index, line in enumerate(lines) if title in line)
    column = lines[head].index(title)
    rows = (line for line in lines[head + 2 :] if len(line) == len(lines[head]))
    return {line[0].strip("`"): float(line[column]) for line in rows if line[0].startswith("`")}


@pytest.mark.skipif(not MEDIA.is_dir(), reason="NVIDIA's example media are not beside the repository")
@pytest.mark.parametrize("name", ["example1_single_control_edge", "example1_uniform_weights"])
def test_nvidias_own_results_measure_as_the_documentation_says(name: str) -> None:
    source = MEDIA / "example1_input_video.mp4"
    found = Material(output_path=MEDIA / f"{name}.mp4", sources={"input": source}, facts={"fps": 24.0})
    wanted = recorded(name)
    assert edges.canny(found.matched()) == pytest.approx(
        {key: wanted[key] for key in edges.canny(found.matched())}, abs=6e-4
    )
    some = [pair for index, pair in enumerate(found.matched()) if index % 60 == 0]
    assert similarity.blur_ssim(some)["blur_ssim"] == pytest.approx(wanted["blur_ssim"], abs=0.01)
