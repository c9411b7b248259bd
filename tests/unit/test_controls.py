"""controls.py: made once, the same bytes each time, different for each preset."""

import hashlib
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.box_tools import MEDIA, SCRIPTS, make_video

sys.path.insert(0, str(SCRIPTS))
import controls
import videos
from failures import BadInput, InvalidSpec

PRESETS = ("very_low", "low", "medium", "high", "very_high")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("a clip's folder") / "it's.mp4", frames=6, width=160, height=96)


def frames_of(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.asarray(frames, dtype=np.uint8)


@pytest.mark.parametrize("hint", ["edge", "vis"])
def test_a_control_has_the_frames_the_rate_and_the_size_of_its_video(hint: str, video: Path, tmp_path: Path) -> None:
    control = controls.make(hint, "medium", video, tmp_path)
    with av.open(str(control.path)) as made, av.open(str(video)) as source:
        ours, theirs = made.streams.video[0], source.streams.video[0]
        assert (ours.width, ours.height, ours.average_rate) == (theirs.width, theirs.height, theirs.average_rate)
    assert frames_of(control.path).shape == frames_of(video).shape
    assert control.sha256 == hashlib.sha256(control.path.read_bytes()).hexdigest()


def test_it_is_made_once_and_then_found(video: Path, tmp_path: Path) -> None:
    first = controls.make("edge", "low", video, tmp_path)
    written_at = first.path.stat().st_mtime_ns
    second = controls.make("edge", "low", video, tmp_path)
    assert (first.made, second.made) == (True, False)
    assert (first.path, first.sha256) == (second.path, second.sha256)
    assert second.path.stat().st_mtime_ns == written_at
    assert [path.name for path in tmp_path.iterdir()] == [first.path.name]


def test_the_same_video_under_another_name_has_the_same_control(video: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(video.read_bytes())
    first = controls.make("edge", "low", video, tmp_path)
    assert controls.make("edge", "low", copy, tmp_path).path == first.path


@pytest.mark.parametrize("hint", ["edge", "vis"])
def test_every_preset_makes_another_video(hint: str, video: Path, tmp_path: Path) -> None:
    made = [controls.make(hint, preset, video, tmp_path) for preset in PRESETS]
    assert len({control.path for control in made}) == len({control.sha256 for control in made}) == len(PRESETS)


@pytest.mark.parametrize("hint", ["edge", "vis"])
def test_another_process_makes_the_same_bytes(hint: str, video: Path, tmp_path: Path) -> None:
    here = controls.make(hint, "medium", video, tmp_path / "here")
    code = "import sys, controls, pathlib as p; controls.make(*sys.argv[1:3], *map(p.Path, sys.argv[3:]))"
    subprocess.run(
        [sys.executable, "-c", code, hint, "medium", str(video), str(tmp_path / "there")],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        check=True,
    )
    assert (tmp_path / "there" / here.path.name).read_bytes() == here.path.read_bytes()


def test_encoding_does_not_depend_on_what_is_in_the_memory(video: Path, tmp_path: Path) -> None:
    # x264 did with its macroblock tree: other bytes for the same frames, in most of these rounds.
    images = list(controls.images("vis", "medium", video))
    random, rubbish, digests = Random(1), [], set()
    for _ in range(40):
        rubbish.append(random.randbytes(random.randint(1, 100_000)))
        videos.write(tmp_path / "v.mp4", images, Fraction(24), 14)
        digests.add(hashlib.sha256((tmp_path / "v.mp4").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_control_for_which_there_is_no_room_leaves_nothing_behind(video: Path, tmp_path: Path) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
import controls
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    controls.make("edge", "very_low", Path(sys.argv[1]), Path(sys.argv[2]))
except OSError as error:
    print(type(error).__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(video), str(tmp_path / "controls")],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "OSError"
    assert not list((tmp_path / "controls").iterdir())


def test_edges_are_those_of_canny_on_the_colour_frame(video: Path, tmp_path: Path) -> None:
    control = controls.make("edge", "medium", video, tmp_path)
    expected = np.stack([cv2.Canny(frame, 100, 200) for frame in frames_of(video)]) > 127
    made = frames_of(control.path)[..., 0] > 127
    assert expected.any()
    assert (made != expected).mean() < 0.005


def test_a_higher_threshold_keeps_fewer_edges(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (90, 160, 3))
    frame = np.asarray(cv2.GaussianBlur(noise.astype(np.uint8), (0, 0), 1), dtype=np.uint8)
    counts = [int((controls.edges(frame, preset) > 0).sum()) for preset in PRESETS]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


def test_a_stronger_blur_keeps_less_detail(video: Path) -> None:
    frame = frames_of(video)[0]
    detail = [cv2.Laplacian(controls.blurred(frame, controls.BLUR[preset]), cv2.CV_64F).var() for preset in PRESETS]
    assert detail[0] > detail[2] > detail[4]


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "bgr0"
        for number in range(3):
            image = np.full((49, 65, 3), 80 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    assert frames_of(controls.make("vis", "low", path, tmp_path).path).shape == (3, 49, 65, 3)


@pytest.mark.parametrize("content", [None, b"", b"not a video"])
def test_an_unreadable_video_is_a_bad_input_and_leaves_nothing_behind(tmp_path: Path, content: bytes | None) -> None:
    video = tmp_path / "input.mp4"
    if content is not None:
        video.write_bytes(content)
    with pytest.raises(BadInput, match=r"input\.mp4"):
        controls.make("edge", "medium", video, tmp_path / "controls")
    assert not list(tmp_path.glob("controls/*"))


@pytest.mark.parametrize(("hint", "preset"), [("edge", "none"), ("vis", "extreme"), ("depth", "medium")])
def test_what_has_no_recipe_is_refused(hint: str, preset: str, video: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec):
        controls.make(hint, preset, video, tmp_path)


def test_a_real_clip_gets_the_edges_that_nvidia_shows(tmp_path: Path) -> None:
    if not MEDIA.is_dir():
        pytest.skip("NVIDIA's example clips are not next to the repository")
    control = controls.make("edge", "medium", MEDIA / "example1_input_video.mp4", tmp_path)
    ours, theirs = frames_of(control.path), frames_of(MEDIA / "example1_edge.mp4")
    assert ours.shape == theirs.shape
    near = cv2.dilate((theirs[60, ..., 0] > 127).astype(np.uint8), np.ones((3, 3), np.uint8))
    edges = ours[60, ..., 0] > 127
    assert near[edges].mean() > 0.8
