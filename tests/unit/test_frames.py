"""Numbered frames: finding them, refusing gaps, and the videos made of them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of
from cosmosq.frames import (
    FrameSequence,
    encode,
    find_sequences,
    is_frame,
    is_pattern,
    ranges_of,
    ranges_text,
    refuse_gaps,
    white_level,
)
from cosmosq.videos import verify
from tests.media import Pixels, decoded, make_frame, make_frames, picture


def make_sequence(*numbers: int) -> FrameSequence:
    """A sequence by its numbers alone; no files."""
    paths = tuple(Path(f"/renders/depth.{number:04d}.png") for number in numbers)
    return FrameSequence(pattern="depth.####.png", paths=paths, numbers=numbers)


def test_a_folder_gives_each_of_its_sequences(tmp_path: Path) -> None:
    make_frames(tmp_path, "color", frames=4)
    make_frames(tmp_path, "depth", frames=3, first=1001, suffix=".tif")
    make_frame(tmp_path / "._color.0001.png", picture())
    (tmp_path / "notes.txt").touch()
    found = find_sequences(tmp_path)
    assert [(s.pattern, s.stem, s.first, s.last, len(s.paths)) for s in found] == [
        ("color.####.png", "color", 1, 4, 4),
        ("depth.####.tif", "depth", 1001, 1003, 3),
    ]
    assert [path.name for path in found[0].paths] == [f"color.000{number}.png" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize("name", ["color.####.png", "color.%04d.png", "color.$F4.png", "color.#.png", "color.$F.png"])
def test_a_pattern_gives_its_sequence_alone(tmp_path: Path, name: str) -> None:
    make_frames(tmp_path, "color")
    make_frames(tmp_path, "depth")
    assert is_pattern(name)
    (sequence,) = find_sequences(tmp_path / name)
    assert sequence.pattern == "color.####.png"


def test_one_frame_stands_for_its_sequence(tmp_path: Path) -> None:
    frames = make_frames(tmp_path, "color", frames=3)
    make_frames(tmp_path, "depth")
    (sequence,) = find_sequences(frames[1])
    assert list(sequence.paths) == frames


def test_frames_are_in_the_order_of_their_numbers_and_not_of_their_names(tmp_path: Path) -> None:
    for number in (9, 10, 11):
        make_frame(tmp_path / f"shot{number}.png", picture(number))
    (sequence,) = find_sequences(tmp_path)
    assert sequence.numbers == (9, 10, 11)
    assert [path.name for path in sequence.paths] == ["shot9.png", "shot10.png", "shot11.png"]


@pytest.mark.parametrize("name", ["color.png", "take1.mp4", "color.0001.txt", "0001"])
def test_other_files_are_no_frames(name: str) -> None:
    assert not is_frame(Path(name))


def test_a_pattern_without_frames_is_not_found(tmp_path: Path) -> None:
    for place in (tmp_path / "depth.####.png", tmp_path / "no folder" / "depth.####.png"):
        with pytest.raises(NotFound, match="check the folder and the pattern"):
            find_sequences(place)


def test_a_name_without_a_number_is_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"color\.%04d\.png"):
        find_sequences(tmp_path / "depth.png")


def test_one_number_written_in_two_ways_is_refused(tmp_path: Path) -> None:
    make_frame(tmp_path / "a.1.png", picture())
    make_frame(tmp_path / "a.01.png", picture())
    with pytest.raises(InvalidInput, match=r"both frame 1: remove one"):
        find_sequences(tmp_path)


def test_missing_frames_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"depth\.####\.png lacks frame 0007, 0010-0014: render them"):
        refuse_gaps(make_sequence(5, 6, 8, 9, 15))


def test_many_gaps_are_told_in_one_short_line() -> None:
    with pytest.raises(InvalidInput, match=r"0002, 0004, .*, 0016, … \(499 in all\)") as refusal:
        refuse_gaps(make_sequence(*range(1, 1000, 2)))
    assert len(str(refusal.value)) < 200


def test_a_stray_frame_far_away_takes_no_time() -> None:
    with pytest.raises(InvalidInput, match="lacks frame 0002-999999999999:"):
        refuse_gaps(make_sequence(1, 10**12))


@given(st.sets(st.integers(0, 300), min_size=1))
def test_a_sequence_is_refused_exactly_when_a_number_is_missing(numbers: set[int]) -> None:
    missing = set(range(min(numbers), max(numbers))) - numbers
    if not missing:
        refuse_gaps(make_sequence(*sorted(numbers)))
        return
    with pytest.raises(InvalidInput) as refusal:
        refuse_gaps(make_sequence(*sorted(numbers)))
    assert f"lacks frame {ranges_text(ranges_of(missing))}:" in str(refusal.value)


@given(st.sets(st.integers(0, 10**6)))
def test_ranges_cover_the_numbers_and_nothing_else(numbers: set[int]) -> None:
    runs = ranges_of(numbers)
    assert {number for first, last in runs for number in range(first, last + 1)} == numbers
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(runs))


def sequence_of(folder: Path) -> FrameSequence:
    (sequence,) = find_sequences(folder)
    return sequence


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".PNG"])
def test_frames_become_a_video_that_looks_like_them(tmp_path: Path, suffix: str) -> None:
    make_frames(tmp_path / "in", frames=6, suffix=suffix)
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    info = verify(tmp_path / "out.mp4")
    assert (info.width, info.height, info.fps, info.frames) == (64, 48, 24.0, 6)
    for number, frame in enumerate(decoded(tmp_path / "out.mp4"), start=1):
        difference = np.abs(frame.astype(int) - picture(number))
        assert difference.mean() < 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.mp4"]


def test_a_single_frame_is_a_video_of_one(tmp_path: Path) -> None:
    make_frames(tmp_path / "in", frames=1)
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    assert verify(tmp_path / "out.mp4").frames == 1


def test_equal_frames_give_equal_bytes_wherever_they_lie(tmp_path: Path) -> None:
    make_frames(tmp_path / "a", frames=30, width=160, height=96)
    make_frames(tmp_path / "b b", "other name", frames=30, width=160, height=96, first=7)
    for index, path in enumerate(find_sequences(tmp_path / "b b")[0].paths):
        path.write_bytes((tmp_path / "a" / f"color.{index + 1:04d}.png").read_bytes())
    encode(sequence_of(tmp_path / "a"), tmp_path / "a.mp4", 24)
    encode(sequence_of(tmp_path / "b b"), tmp_path / "b.mp4", 24)
    assert sha256_of(tmp_path / "a.mp4") == sha256_of(tmp_path / "b.mp4")


def test_the_index_lies_in_front(tmp_path: Path) -> None:
    make_frames(tmp_path / "in")
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_odd_sizes_grow_by_one_pixel_and_lose_none(tmp_path: Path) -> None:
    make_frames(tmp_path / "in", width=65, height=49)
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    frames = decoded(tmp_path / "out.mp4")
    assert frames.shape == (4, 50, 66, 3)
    assert np.abs(frames[0, :49, :65].astype(int) - picture(1, width=65, height=49)).mean() < 6


def make_grey(folder: Path, brightest: float, dtype: type, suffix: str = ".png") -> FrameSequence:
    """Two frames of a ramp; the second goes from 0 to `brightest`, the first to half of it."""
    for number, top in ((1, brightest / 2), (2, brightest)):
        ramp: Pixels = np.tile(np.linspace(0, top, 64), (48, 1)).astype(dtype)
        make_frame(folder / f"depth.{number:04d}{suffix}", ramp)
    return sequence_of(folder)


@pytest.mark.parametrize(
    ("brightest", "dtype", "suffix"),
    [(65535, np.uint16, ".png"), (4000, np.uint16, ".png"), (4000, np.uint16, ".tif"), (87.5, np.float32, ".exr")],
)
def test_deep_grey_uses_all_of_8_bits_with_one_scale_for_all_frames(
    tmp_path: Path, brightest: float, dtype: type, suffix: str
) -> None:
    encode(make_grey(tmp_path / "in", brightest, dtype, suffix), tmp_path / "out.mp4", 24)
    first, second = decoded(tmp_path / "out.mp4").astype(int)
    expected = np.linspace(0, 255, 64)
    assert np.abs(second[24, :, 0] - expected).max() < 4
    assert np.abs(first[24, :, 0] - expected / 2).max() < 4


@pytest.mark.parametrize(("brightest", "dtype", "suffix"), [(40000, np.uint16, ".png"), (0.7, np.float32, ".exr")])
def test_deep_grey_that_uses_its_range_keeps_its_levels(
    tmp_path: Path, brightest: float, dtype: type, suffix: str
) -> None:
    sequence = make_grey(tmp_path / "in", brightest, dtype, suffix)
    assert white_level(sequence) == 1.0
    encode(sequence, tmp_path / "out.mp4", 24)
    full = 65535 if dtype is np.uint16 else 1.0
    assert abs(int(decoded(tmp_path / "out.mp4")[1].max()) - 255 * brightest / full) < 4


def test_16_bit_colour_becomes_the_same_colour_in_8(tmp_path: Path) -> None:
    make_frame(tmp_path / "in" / "color.0001.png", picture(1).astype(np.uint16) * 257)
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    assert np.abs(decoded(tmp_path / "out.mp4")[0].astype(int) - picture(1)).mean() < 6


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_transparency_is_shown_over_black(tmp_path: Path, dtype: type) -> None:
    pixels = np.full((48, 64, 4), 200, np.uint8)
    pixels[:, 32:, 3] = 0
    pixels[:, :32, 3] = 255
    scale = np.iinfo(dtype).max // 255
    make_frame(tmp_path / "in" / "seg.0001.png", pixels.astype(dtype) * dtype(scale))
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    (frame,) = decoded(tmp_path / "out.mp4").astype(int)
    assert np.abs(frame[:, :28] - 200).max() < 6
    assert frame[:, 36:].max() < 6


def test_linear_light_gets_the_curve_of_screens(tmp_path: Path) -> None:
    pixels = np.full((48, 64, 3), 0.2140, np.float32)
    pixels[:, 32:] = 7.0
    pixels[0, 0] = np.nan
    make_frame(tmp_path / "in" / "beauty.0001.exr", pixels)
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    (frame,) = decoded(tmp_path / "out.mp4").astype(int)
    assert np.abs(frame[10:, :28] - 127).max() < 4
    assert frame[10:, 36:].min() > 250


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 100, 50), (255, 255, 255)])
def test_flat_colours_survive(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    make_frame(tmp_path / "in" / "seg.0001.png", np.full((48, 64, 3), colour, np.uint8))
    encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    assert np.abs(decoded(tmp_path / "out.mp4")[0].astype(int) - colour).max() < 5


def test_frames_of_different_sizes_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    # Late, so that part of the video has been written by then.
    make_frames(tmp_path / "in", frames=90)
    make_frame(tmp_path / "in" / "color.0090.png", picture(width=32, height=32))
    with pytest.raises(InvalidInput, match=r"color\.0090\.png is 32×32 and color\.0001\.png is 64×48"):
        encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_sequence_with_gaps_is_not_encoded(tmp_path: Path) -> None:
    make_frames(tmp_path / "in")[1].unlink()
    with pytest.raises(InvalidInput, match="lacks frame 0002"):
        encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)


@pytest.mark.parametrize("suffix", [".png", ".exr", ".tif", ".jpg", ".bmp"])
def test_a_frame_that_cannot_be_decoded_is_named(tmp_path: Path, suffix: str) -> None:
    for frame in make_frames(tmp_path / "in", suffix=".png"):
        frame.rename(frame.with_suffix(suffix))
    (tmp_path / "in" / f"color.0003{suffix}").write_bytes(b"not an image")
    with pytest.raises(InvalidInput, match=rf"color\.0003\{suffix} is no .*image.*: render it again"):
        encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("part", [0.01, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".exr"])
def test_a_half_written_frame_is_refused(tmp_path: Path, suffix: str, part: float) -> None:
    for number in (1, 2):
        pixels: Pixels = picture(number, width=160, height=96)
        if suffix == ".exr":
            pixels = pixels.astype(np.float32) / 255
        path = make_frame(tmp_path / "in" / f"color.{number:04d}{suffix}", pixels)
    encode(sequence_of(tmp_path / "in"), tmp_path / "whole.mp4", 24)
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])
    with pytest.raises(InvalidInput, match=rf"color\.0002\{suffix} is no"):
        encode(sequence_of(tmp_path / "in"), tmp_path / "out.mp4", 24)
