"""Video files: frames as PyAV decodes them, and H.264 that is the same bytes each time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
COMMENT = "simulated by cosmosq"
# More threads would be faster and, if they followed the number of cores, not reproducible. The macroblock tree looks
# at memory that nobody has written: one run in ten differed.
REPRODUCIBLE = {"threads": "2", "x264-params": "mbtree=0"}


def decode(path: str) -> Iterator[av.VideoFrame]:
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        yield from container.decode(video=0)


def images(path: str) -> Iterator[Image]:
    """The frames as RGB arrays of shape (H, W, 3)."""
    for frame in decode(path):
        yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def size_of(path: str) -> tuple[int, int]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height


def count(path: str) -> int:
    """The number of frames; from the header where it is told there, for decoding only to count is slow."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        return stream.frames or sum(1 for _ in container.decode(video=0))


def rate_of(path: str) -> Fraction:
    with av.open(path) as container:
        return Fraction(container.streams.video[0].average_rate or 24)


def write(
    path: Path,
    images: Iterable[Image],
    fps: int | Fraction,
    width: int,
    height: int,
    *,
    crf: int,
    comment: str | None = None,
) -> None:
    # Faststart: the index comes first, so that a cut file still opens and only its end is missing.
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(os.fspath(path), "w", format="mp4", options=options) as container:
        if comment:
            container.metadata["comment"] = comment
        stream = container.add_stream(
            "libx264", rate=Fraction(fps), options={"crf": str(crf), "preset": "veryfast", **REPRODUCIBLE}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(fitted(image, width, height), format="rgb24")
            # Converted here: the encoder's own conversion leaves the padding of its frames as it finds it.
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))


def fitted(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
