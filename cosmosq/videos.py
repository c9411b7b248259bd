"""What a video file is, and whether it is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cosmosq.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

# Playlists, scripts and still images also open as "video", and the first two can name other files and hosts.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf,mxf"
OPEN_WITH = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}


class BrokenVideo(InvalidInput):
    """The file is a video but not a whole one: fetch or make it again."""


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """Size in pixels, rate in frames a second, length in frames and in seconds."""

    width: int
    height: int
    fps: float
    frames: int
    duration_s: float


def probe(path: Path) -> VideoInfo:
    """What the container says of its first video stream; nothing is decoded.

    Raises:
        NotFound: no such file.
        BrokenVideo: cut short, as by a copy that broke off.
        InvalidInput: not a video, no video stream, or no frames.
    """
    _refuse_cut(path)
    with _opened(path) as (container, stream):
        frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
        return _info(path, stream, frames)


def verify(path: Path) -> VideoInfo:
    """Decode every frame, one at a time, and return what was really there.

    A fragmented mp4 that was cut exactly between two fragments is a whole, shorter file: nothing in it tells.

    Raises:
        NotFound: no such file.
        BrokenVideo: cut short, damaged, or with fewer frames than it promises.
    """
    _refuse_cut(path)
    try:
        with _opened(path) as (container, stream):
            frames = sum(1 for _ in _decoded(path, container, stream))
            return _info(path, stream, frames)
    except BrokenVideo:
        raise
    except InvalidInput as error:
        raise BrokenVideo(str(error)) from error


def first_picture(path: Path, *, width: int) -> "NDArray[Any]":
    """The first frame as RGB (height, width, 3) of uint8, made smaller if it is wider than `width`.

    Raises:
        NotFound: no such file.
        InvalidInput: not a video, or its first frame cannot be decoded.
    """
    return next(pictures(path, width=width))


def pictures(path: Path, *, width: int | None = None) -> Iterator["NDArray[Any]"]:
    """The shown frames as RGB, each (height, width, 3) of uint8; one at a time, however long the video is.

    Args:
        width: make wider ones smaller.

    Raises:
        NotFound: no such file.
        InvalidInput: not a video; as BrokenVideo: a frame cannot be decoded, or the promised number is not reached.
    """
    with _opened(path) as (container, stream):
        for frame in _decoded(path, container, stream):
            if width is None or frame.width <= width:
                yield frame.to_ndarray(format="rgb24")
            else:
                height = _even(frame.height * width / frame.width)
                yield frame.to_ndarray(format="rgb24", width=width, height=height)


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)


def _decoded(path: Path, container: "InputContainer", stream: "VideoStream") -> Iterator["VideoFrame"]:
    """Every shown frame of `stream`, until one cannot be decoded or the promised number is not reached."""
    import av

    # Errors that the decoder would paint over are what this pass is looking for. One thread, because
    # libav's frame threads can lock up when a damaged file is closed.
    stream.codec_context.options = {"err_detect": "explode"}
    stream.thread_type = "NONE"
    count = unshown = 0
    try:
        for number, packet in enumerate(container.demux(stream), start=1):
            if packet.is_corrupt:
                raise BrokenVideo(f"{path} is broken: the data of frame {number} is incomplete")
            unshown += packet.is_discard
            for frame in packet.decode():
                count += 1
                if frame.is_corrupt:
                    raise BrokenVideo(f"{path} is broken: frame {count} is damaged")
                yield frame
    except (av.FFmpegError, ValueError) as error:
        raise BrokenVideo(f"{path} is broken: frame {count + 1} cannot be decoded ({_reason(error)})") from error
    if count + unshown < stream.frames:
        raise BrokenVideo(f"{path} is broken: it promises {stream.frames} frames and has {count}")


def opened(file: str | BinaryIO, **how: Any) -> "InputContainer":
    """A file as PyAV reads it; titles and comments in it need not be UTF-8."""
    import av

    # Newer ones read every title, and know no word for it.
    if int(av.__version__.partition(".")[0]) < 19:
        how["metadata_errors"] = "replace"
    container: InputContainer = av.open(file, "r", **how)
    return container


@contextmanager
def _opened(path: Path) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    # PyAV takes longer to import than most commands to run.
    import av

    if not path.is_file():
        raise NotFound(f"{path} does not exist or is no file: check the path")
    try:
        # Absolute, because "take:1.mp4" alone would be read as a protocol named "take".
        with opened(str(path.absolute()), options=OPEN_WITH) as container:
            if not container.streams.video:
                raise InvalidInput(_no_video(path, "it has no video stream"))
            if container.streams.video[0].codec_context is None:
                raise InvalidInput(_no_video(path, "its codec is unknown"))
            yield container, container.streams.video[0]
    except av.ArgumentError as error:  # libav's word for a format outside FORMATS
        raise InvalidInput(_no_video(path, "its format is another")) from error
    except (av.FFmpegError, OSError, UnicodeError) as error:
        raise InvalidInput(_no_video(path, _reason(error))) from error


def _info(path: Path, stream: "VideoStream", frames: int) -> VideoInfo:
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    if frames == 0 or not stream.width or not stream.height or fps <= 0:
        raise InvalidInput(_no_video(path, "it has no frames"))
    # From the frames and not from the header, so that it means the same for every container.
    duration_s = round(frames / fps, 6)
    return VideoInfo(width=stream.width, height=stream.height, fps=fps, frames=frames, duration_s=duration_s)


def _no_video(path: Path, reason: str) -> str:
    return f"{path} is no video: {reason}; give an mp4, mov, mkv, webm or avi with at least one frame"


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".").lower()


def _refuse_cut(path: Path) -> None:
    if (lacking := _bytes_lacking(path)) > 0:
        raise BrokenVideo(f"{path} is cut short: at least {lacking} bytes are missing from its end")


def _bytes_lacking(path: Path) -> int:
    """Bytes that the outermost structure of the file promises beyond its end; 0 where it tells nothing.

    Decoding cannot see a cut behind the last frame, or between two frames of a file without an index.
    """
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, SEEK_END)
            stream.seek(0)
            head = stream.read(12)
            if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide"):
                return _end_of_boxes(stream, size) - size
            if head[:4] == b"\x1aE\xdf\xa3":
                return _end_of_elements(stream, size) - size
            if head[:4] == b"RIFF" and head[8:] == b"AVI ":
                return _end_of_chunks(stream, size) - size
            return 0
    except OSError:  # said by whoever opens it as a video
        return 0


def _end_of_boxes(stream: BinaryIO, size: int) -> int:
    """Where the last box of an ISO media file (mp4, mov) ends: 32-bit size, name, perhaps a 64-bit size."""
    at = 0
    while at < size:
        stream.seek(at)
        head = stream.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 0:  # up to the end of the file
            return size if len(head) >= 8 or not any(head) else at + 8
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        at += max(length, 8)
    return at


def _end_of_chunks(stream: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk of an AVI ends: name, 32-bit size, contents, padding to an even length."""
    at = 0
    while at < size:
        stream.seek(at)
        head = stream.read(8)
        at += 8 + int.from_bytes(head[4:], "little")
    return at


def _end_of_elements(stream: BinaryIO, size: int) -> int:
    """Where the last EBML element of a Matroska file (mkv, webm) ends: id and size are of variable length."""
    at = 0
    while at < size:
        stream.seek(at)
        head = stream.read(12)
        id_bytes = 9 - head[0].bit_length()
        if not 1 <= id_bytes <= 4 or len(head) <= id_bytes:
            return at + 5
        size_bytes = 9 - head[id_bytes].bit_length()
        if size_bytes > 8:
            return size
        field = head[id_bytes : id_bytes + size_bytes]
        unknown = 1 << 7 * size_bytes
        length = int.from_bytes(field, "big") & (unknown - 1)
        if length == unknown - 1:  # written as a live stream: the size was never filled in
            return size
        at += id_bytes + size_bytes + length
    return at
