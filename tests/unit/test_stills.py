"""Which frames the upsampler sees, how large they become, and that there is never none."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.box_tools import MEDIA, SCRIPTS, make_video
from tests.media import make_sound, packet_starts
from tests.media import make_video as make_whole_video

sys.path.insert(0, str(SCRIPTS))
import stills
import token_budget
from failures import BadInput
from frame_choice import Choice, NoChoice
from token_budget import Size, fit, total_tokens


@pytest.mark.parametrize(
    ("written", "frames", "indices"),
    [
        ("first", 100, (0, 1)),
        ("first", 1, (0,)),
        ("first:1", 100, (0,)),
        ("first-last", 100, (0, 99)),
        ("first-last", 1, (0,)),
        ("spread", 100, (25, 75)),
        ("spread:1", 100, (50,)),
        ("spread", 1, (0,)),
        ("60", 100, (60,)),
        ("60,0", 100, (0, 60)),
        ("5,5", 100, (5,)),
    ],
)
def test_frames_are_chosen_as_written(written: str, frames: int, indices: tuple[int, ...]) -> None:
    choice = Choice.read(written)
    assert choice.of(frames) == indices
    assert Choice.read(str(choice)) == choice


@pytest.mark.parametrize("written", ["", "last", "first:3", "1,2,3", "-1", "first-last:0", "0.5", "٣"])
def test_what_names_no_frames_is_refused(written: str) -> None:
    with pytest.raises(NoChoice, match="use first, first-last, spread"):
        Choice.read(written)


@given(st.sampled_from(["first", "first-last", "spread", "first:1", "first-last:1", "spread:1"]), st.integers(1, 9999))
def test_chosen_frames_exist_and_are_at_most_two(written: str, frames: int) -> None:
    indices = Choice.read(written).of(frames)
    assert 1 <= len(indices) <= 2
    assert all(0 <= index < frames for index in indices)


def test_the_frames_taken_are_those_that_were_chosen(tmp_path: Path) -> None:
    video = make_video(tmp_path / "it's.mp4", frames=9)
    everything = stills.take(video, Choice.read("0,8")) + stills.take(video, Choice.read("2,6"))
    by_index = {still.index: still.image for still in everything}
    assert [still.index for still in stills.take(video, Choice.read("first-last"))] == [0, 8]
    assert [still.index for still in stills.take(video, Choice.read("spread"))] == [2, 6]
    assert all(np.array_equal(s.image, by_index[s.index]) for s in stills.take(video, Choice.read("spread")))
    assert not np.array_equal(by_index[0], by_index[8])


def test_a_frame_beyond_the_end_is_an_error_and_not_another_frame(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no frame 9"):
        stills.take(make_video(tmp_path / "a.mp4", frames=9), Choice.read("0,9"))


@pytest.mark.parametrize("written", ["first", "first-last", "spread", "0"])
def test_a_video_without_a_frame_is_an_error_and_never_a_call_without_pictures(tmp_path: Path, written: str) -> None:
    broken, empty = make_video(tmp_path / "a.mp4"), make_whole_video(tmp_path / "b.mp4")
    broken.write_bytes(broken.read_bytes()[:300])
    # The index is whole, and nothing of what it leads to is there.
    os.truncate(empty, packet_starts(empty)[0])
    for path in (broken, empty, make_sound(tmp_path / "sound.m4a"), tmp_path / "absent.mp4"):
        with pytest.raises(BadInput):
            stills.take(path, Choice.read(written))


def test_pictures_lie_only_for_as_long_as_they_are_needed(tmp_path: Path) -> None:
    taken = stills.take(make_video(tmp_path / "a.mp4", width=128, height=72), Choice.read("first"))
    with stills.written(taken, Size(64, 32), tmp_path) as paths:
        pictures = [cv2.imread(path) for path in paths]
        assert [picture.shape for picture in pictures if picture is not None] == [(32, 64, 3)] * 2
        assert len(set(paths)) == 2
    assert not list(tmp_path.glob("*.png"))


def check_fits(video: Path, source: Size, tmp_path: Path) -> None:
    for written in ("first", "first-last", "spread"):
        taken = stills.take(video, Choice.read(written))
        assert [still.size for still in taken] == [source] * 2
        size = fit(source, len(taken), 500)
        assert total_tokens(size, 2, 500) <= token_budget.MAX_MODEL_LEN - token_budget.OUTPUT_TOKENS
        with stills.written(taken, size, tmp_path) as paths:
            pictures = [cv2.imread(path) for path in paths]
        assert [picture.shape for picture in pictures if picture is not None] == [(size.height, size.width, 3)] * 2


@pytest.mark.skipif(not MEDIA.is_dir(), reason="NVIDIA's example media are not beside the repository")
@pytest.mark.parametrize(
    ("name", "source"), [("example1_input_video.mp4", Size(640, 480)), ("robot_sample_input.mp4", Size(1280, 704))]
)
def test_frames_of_real_clips_fit_the_budget(tmp_path: Path, name: str, source: Size) -> None:
    check_fits(MEDIA / name, source, tmp_path)


def test_frames_of_a_4k_clip_fit_the_budget(tmp_path: Path) -> None:
    check_fits(make_video(tmp_path / "4k.mp4", frames=2, width=3840, height=2160), Size(3840, 2160), tmp_path)
