"""Reading and writing video files with PyAV, a frame at a time."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from digests import stamp_of
from failures import BadInput
from numpy.typing import NDArray

Image = NDArray[np.uint8]
DEFAULT_RATE = Fraction(24)


def check(path: str) -> None:
    """Raises BadInput unless the file's first frame can be decoded; a whole check would cost a decoding."""
    try:
        _check_at(path, stamp_of(Path(path)))
    except OSError as error:
        raise BadInput(f"{path} cannot be opened: {error}") from error


@functools.lru_cache(maxsize=256)
def _check_at(path: str, stamp: tuple[int, int, int]) -> None:
    """Once for as long as the file stays as it is: the GPU waits meanwhile."""
    if not any(True for _ in frames(Path(path))):
        raise BadInput(f"{path} holds no video frame")


def rate(path: Path) -> Fraction:
    with opened(path) as container:
        return Fraction(container.streams.video[0].average_rate or DEFAULT_RATE)


def frames(path: Path) -> Iterator[Image]:
    """RGB frames of shape (H, W, 3)."""
    with opened(path) as container, decoding(path):
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def length(path: Path) -> int:
    """Number of frames, by decoding: what a header says may be wrong, and then the last frame would not be found."""
    with opened(path) as container, decoding(path):
        return sum(1 for _ in container.decode(video=0))


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, IndexError) as error:
        raise BadInput(f"{path} cannot be decoded: {error}") from error


def opened(path: Path) -> av.container.InputContainer:
    try:
        container = av.open(os.fspath(path))
    except (OSError, av.error.FFmpegError) as error:
        raise BadInput(f"{path} cannot be opened: {error}") from error
    if not container.streams.video:
        container.close()
        raise BadInput(f"{path} holds no video")
    return container


def write(path: Path, images: Iterable[Image], rate: Fraction, crf: int) -> None:
    """Encodes RGB or grey images to H.264, the same bytes each time."""
    with av.open(os.fspath(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream: av.VideoStream | None = None
        for number, image in enumerate(images):
            if stream is None:
                stream = add_stream(container, image, rate, crf)
            frame = av.VideoFrame.from_ndarray(image, format="gray" if image.ndim == 2 else "rgb24")
            # Converted here: the encoder's own conversion leaves the padding of its frames as it finds it.
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))


def add_stream(container: av.container.OutputContainer, image: Image, rate: Fraction, crf: int) -> av.VideoStream:
    height, width = image.shape[:2]
    # One thread: with several, the rate control may depend on their number. The macroblock tree looks at memory that
    # nobody has written. Odd sizes have no 4:2:0.
    options = {"crf": str(crf), "preset": "medium", "threads": "1", "x264-params": "mbtree=0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p"
    stream.time_base = 1 / rate
    return stream
