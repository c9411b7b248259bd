"""Folders of numbered frames, as Houdini renders them, and the videos made of them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import part_of, publish, writing
from cosmosq.videos import opened

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".exr", ".tif", ".tiff", ".bmp"})
RANGES_SHOWN = 8

FRAME = re.compile(r"(?P<prefix>.*?)(?P<number>[0-9]{1,18})(?P<suffix>\.[A-Za-z]+)", re.DOTALL)
# `####` (Houdini's MPlay, Nuke), `%04d` (printf) and `$F4` (Houdini).
PLACEHOLDER = re.compile(r"#+|%(?:0?(?P<printf>[1-9]))?d|\$F(?P<houdini>[1-9])?")


@dataclass(frozen=True, kw_only=True)
class FrameSequence:
    """Frames that differ in their number alone; `pattern` is their name with `####` for it."""

    pattern: str
    paths: tuple[Path, ...]
    numbers: tuple[int, ...]

    @property
    def folder(self) -> Path:
        return self.paths[0].parent

    @property
    def first(self) -> int:
        return self.numbers[0]

    @property
    def last(self) -> int:
        return self.numbers[-1]

    @property
    def stem(self) -> str:
        """The name before the number, without the separator: `color` of `color.####.png`; may be empty."""
        return re.sub(r"#+\.[A-Za-z]+$", "", self.pattern).rstrip("._- ")


def is_pattern(name: str) -> bool:
    """Whether the file name stands for numbered frames: `####`, `%04d` or `$F4` before an image suffix."""
    return Path(name).suffix.lower() in SUFFIXES and PLACEHOLDER.search(name) is not None


def is_frame(path: Path) -> bool:
    """Whether the file's name is that of a numbered frame."""
    return path.suffix.lower() in SUFFIXES and FRAME.fullmatch(path.name) is not None


def find_sequences(place: Path) -> list[FrameSequence]:
    """The sequences in a folder, or the one that a pattern or any of its frames stands for.

    Only names are read: gaps are refused by `refuse_gaps`, sizes by `encode`.

    Raises:
        NotFound: no such folder, or no frame of that pattern in it.
        InvalidInput: one number twice, e.g. `a.1.png` and `a.01.png`.
    """
    if place.is_dir():
        return _sequences(place.iterdir())
    # A frame may be called `shot #1.0001.png`: what exists is meant as it is written.
    if is_frame(place) and (place.is_file() or not is_pattern(place.name)):
        pattern = _frame_pattern(place.name)
    elif is_pattern(place.name):
        pattern = _pattern_regex(place.name)
    else:
        raise InvalidInput(
            f"{place} is no pattern of frames: write it as color.####.png, color.%04d.png or color.$F4.png"
        )
    siblings = place.parent.iterdir() if place.parent.is_dir() else ()
    found = _sequences(path for path in siblings if pattern.fullmatch(path.name))
    if not found:
        raise NotFound(f"no frame of {place}: check the folder and the pattern")
    return found


def _frame_pattern(name: str) -> re.Pattern[str]:
    match = FRAME.fullmatch(name)
    assert match is not None
    return re.compile(re.escape(match["prefix"]) + "[0-9]+" + re.escape(match["suffix"]))


def _pattern_regex(name: str) -> re.Pattern[str]:
    # The last one, because the number stands before the suffix: `take#2.####.png`.
    *_, match = PLACEHOLDER.finditer(name)
    token = match[0]
    digits = len(token) if token[0] == "#" else int(match["printf"] or match["houdini"] or 1)
    before, after = re.escape(name[: match.start()]), re.escape(name[match.end() :])
    return re.compile(f"{before}[0-9]{{{digits},18}}{after}")


def _sequences(paths: Iterable[Path]) -> list[FrameSequence]:
    groups: dict[tuple[str, str], dict[int, Path]] = defaultdict(dict)
    # Hidden files are the leavings of file managers: `._color.0001.png`.
    for path in sorted(path for path in paths if is_frame(path) and not path.name.startswith(".")):
        match = FRAME.fullmatch(path.name)
        assert match is not None
        group, number = groups[match["prefix"], match["suffix"]], int(match["number"])
        if number in group:
            raise InvalidInput(f"{group[number]} and {path.name} are both frame {number}: remove one of them")
        group[number] = path
    return [_sequence(prefix, suffix, group) for (prefix, suffix), group in sorted(groups.items())]


def _sequence(prefix: str, suffix: str, group: dict[int, Path]) -> FrameSequence:
    numbers = tuple(sorted(group))
    first = group[numbers[0]].name
    digits = len(first) - len(prefix) - len(suffix)
    return FrameSequence(
        pattern=prefix + "#" * digits + suffix,
        paths=tuple(group[number] for number in numbers),
        numbers=numbers,
    )


def refuse_gaps(sequence: FrameSequence) -> None:
    """Raise InvalidInput naming the frames that are missing between the first and the last."""
    gaps = [(a + 1, b - 1) for a, b in pairwise(sequence.numbers) if b > a + 1]
    if gaps:
        raise InvalidInput(
            f"{sequence.folder / sequence.pattern} lacks frame {ranges_text(gaps)}: render them and repeat"
        )


def ranges_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers as (first, last), in order."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def ranges_text(runs: list[tuple[int, int]]) -> str:
    """`0007, 0010-0014`; the first few, then how many frames it is in all."""
    shown = ", ".join(f"{a:04d}" if a == b else f"{a:04d}-{b:04d}" for a, b in runs[:RANGES_SHOWN])
    if len(runs) <= RANGES_SHOWN:
        return shown
    return f"{shown}, … ({sum(b - a + 1 for a, b in runs)} in all)"


def encode(sequence: FrameSequence, target: Path, fps: int, *, white: float | None = None) -> None:
    """Make an H.264 mp4 of the frames, `fps` frames a second; equal frames give equal bytes.

    Sizes: an odd width or height is padded by repeating its last column or row, as 4:2:0 needs even ones.
    Transparency: shown over black; EXR colours have it multiplied in already, so there it is dropped.
    Deep grey (16 bits, float: depth): scaled linearly, one scale for all frames. 16 bits map 0…65535 to 0…255,
    unless nothing is above a quarter of that: then, and for floats above 1, the largest value becomes 255.
    Linear colour (EXR): given the sRGB curve; what is above 1 is white.

    Args:
        white: the `white_level` of the sequence, by whom it is known already: it takes decoding all frames.

    Raises:
        InvalidInput: gaps, frames of different sizes, or a frame that cannot be decoded.
        StorageFailed: `target` cannot be written.
    """
    refuse_gaps(sequence)
    white = white_level(sequence) if white is None else white
    encode_pictures(target, _pictures(sequence, white), fps)


def encode_pictures(
    target: Path, pictures: Iterable["NDArray[Any]"], fps: int, *, crf: int = 12, preset: str = "medium"
) -> None:
    """Make an H.264 mp4 of RGB pictures (height, width, 3) of uint8, all of one size with even sides.

    Args:
        crf: x264's constant rate factor; lower is better and larger.
        preset: x264's, from ultrafast to placebo.

    Raises:
        StorageFailed: `target` cannot be written.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(target)
        try:
            _write(part, pictures, fps, {"crf": str(crf), "preset": preset})
            publish(part, target)
        finally:
            part.unlink(missing_ok=True)


def white_level(sequence: FrameSequence) -> float:
    """The value of deep grey frames that becomes white, as a part of the full range; 1.0 for all others."""
    frame = _read(sequence.paths[0])
    if not _is_deep_grey(frame):
        return 1.0
    brightest = max(float(_grey(_read(path)).max()) for path in sequence.paths)
    if brightest > 1.0 or 0.0 < brightest <= 0.25:
        return brightest
    return 1.0


def _pictures(sequence: FrameSequence, white: float) -> Iterator["NDArray[Any]"]:
    """RGB frames (height, width, 3) of uint8 with even sides."""
    shape: tuple[int, ...] | None = None
    for path in sequence.paths:
        picture = _picture(_read(path), white)
        if shape is not None and picture.shape != shape:
            raise InvalidInput(
                f"{path} is {_size(picture.shape)} and {sequence.paths[0].name} is {_size(shape)}:"
                " render all frames of a sequence in one size"
            )
        shape = picture.shape
        yield _even(picture)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}×{shape[0]}"


def _even(picture: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _read(path: Path) -> "VideoFrame":
    """The decoded image, in the depth and the channels of its file."""
    import av

    try:
        if path.suffix.lower() in PARTIAL and PARTIAL[path.suffix.lower()](path.read_bytes()):
            raise InvalidInput(f"{path} is no whole image: render it again")
        # An open file and not a name, in which libav would look for patterns and protocols.
        with path.open("rb") as stream, opened(stream) as container:
            for frame in container.decode(video=0):
                if not frame.is_corrupt:
                    return frame
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InvalidInput(f"{path} is no image that can be decoded ({error}): render it again") from error
    raise InvalidInput(f"{path} is no whole image: render it again")


def _is_partial_jpeg(data: bytes) -> bool:
    """Whether no end marker follows the start of the last scan; neither marker can occur within the scan."""
    return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def _is_partial_exr(data: bytes) -> bool:
    """Whether a single-part EXR lacks blocks that its table of offsets names; libav shows those as black.

    Source: OpenEXR file layout: magic, version, attributes (name, type, size, value), offsets, blocks.
    """
    flags = int.from_bytes(data[5:8], "little")
    if flags & 0x18:  # deep or multi-part: another table, and not what is decoded here
        return False
    at = 8
    while data[at] != 0:
        at = data.index(0, data.index(0, at) + 1) + 1
        at += 4 + int.from_bytes(data[at : at + 4], "little")
    at, lowest, highest = at + 1, len(data), 0
    while at < lowest:  # the first block begins where the table ends
        offset = int.from_bytes(data[at : at + 8], "little")
        at, lowest, highest = at + 8, min(lowest, offset or len(data)), max(highest, offset)
        if not 0 < offset < len(data):
            return True
    size_at = highest + (16 if flags & 0x02 else 4)  # behind the coordinates of a tile or a line
    return size_at + 4 + int.from_bytes(data[size_at : size_at + 4], "little") > len(data)


def _is_partial_tiff(data: bytes) -> bool:
    """Whether a strip or tile that the first directory names ends beyond the file.

    Source: TIFF 6.0: byte order, directory of (tag, type, count, value or its offset); BigTIFF is not looked into.
    """
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    if int.from_bytes(data[2:4], order) != 42:
        return False

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    directory = number(4, 4)
    values: dict[int, list[int]] = {}
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        tag, size, count = number(entry, 2), 2 if number(entry + 2, 2) == 3 else 4, number(entry + 4, 4)
        if tag in (273, 279, 324, 325) and count < len(data):  # offsets and byte counts of strips and tiles
            start = entry + 8 if size * count <= 4 else number(entry + 8, 4)
            if start + size * count > len(data):
                return True
            values[tag] = [number(start + size * index, size) for index in range(count)]
    offsets, counts = values.get(273) or values.get(324, []), values.get(279) or values.get(325, [])
    return max((sum(pair) for pair in zip(offsets, counts, strict=False)), default=len(data) + 1) > len(data)


# Frames that are still being rendered or copied: libav fills up what these formats lack, and says nothing.
PARTIAL = {
    ".exr": _is_partial_exr,
    ".jpg": _is_partial_jpeg,
    ".jpeg": _is_partial_jpeg,
    ".tif": _is_partial_tiff,
    ".tiff": _is_partial_tiff,
}


def _is_deep_grey(frame: "VideoFrame") -> bool:
    colours = [component for component in frame.format.components if not component.is_alpha]
    return len(colours) == 1 and colours[0].bits > 8


def _grey(frame: "VideoFrame") -> "NDArray[Any]":
    """Deep grey as (height, width) of float32; 1.0 is the full range of an integer, and plain 1.0 of a float."""
    import numpy as np

    if frame.format.components[0].bits == 32 or "f" in frame.format.name:
        return np.nan_to_num(frame.to_ndarray(format="grayf32le"), nan=0.0, posinf=0.0, neginf=0.0)
    return (frame.to_ndarray(format="gray16le") / np.float32(65535)).astype(np.float32)


def _picture(frame: "VideoFrame", white: float) -> "NDArray[Any]":
    import numpy as np

    if _is_deep_grey(frame):
        grey = _to_bytes(_grey(frame) / np.float32(white))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if frame.format.name.startswith("gbr") and "f" in frame.format.name:
        return _to_bytes(_srgb(frame.to_ndarray(format="gbrpf32le")))
    if frame.format.has_palette or any(component.is_alpha for component in frame.format.components):
        rgba = frame.to_ndarray(format="rgba").astype(np.float32) / np.float32(255)
        return _to_bytes(rgba[:, :, :3] * rgba[:, :, 3:])
    return cast("NDArray[Any]", frame.to_ndarray(format="rgb24"))


def _to_bytes(values: "NDArray[Any]") -> "NDArray[Any]":
    import numpy as np

    return cast("NDArray[Any]", np.rint(np.clip(values, 0.0, 1.0) * 255).astype(np.uint8))


def _srgb(linear: "NDArray[Any]") -> "NDArray[Any]":
    """IEC 61966-2-1: linear light to the curve that screens expect."""
    import numpy as np

    light = np.clip(np.nan_to_num(linear, nan=0.0, posinf=1.0, neginf=0.0), 0.0, 1.0)
    curved = 1.055 * light ** (1 / 2.4) - 0.055
    return cast("NDArray[Any]", np.where(light <= 0.0031308, light * 12.92, curved))


def _write(path: Path, pictures: Iterable["NDArray[Any]"], fps: int, quality: dict[str, str]) -> None:
    import av
    from av.video.reformatter import ColorRange, Colorspace

    # No version, no time of day, and a fixed number of threads: x264 divides its work by it. Its macroblock tree looks
    # at memory that nobody has written.
    reproducible = {**quality, "x264-params": "mbtree=0"}
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path.absolute()), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=fps, options=reproducible)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 4
        # BT.601, and said so: readers that ignore the tag assume just that.
        stream.codec_context.colorspace = Colorspace.SMPTE170M
        stream.codec_context.color_range = ColorRange.MPEG
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
