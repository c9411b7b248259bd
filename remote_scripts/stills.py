"""Frames of a video as pictures for the upsampler, under names that no other process uses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import videos
from failures import BadInput
from frame_choice import Choice
from token_budget import Size
from videos import Image


@dataclass(frozen=True)
class Still:
    """A frame by its index from 0."""

    index: int
    image: Image

    @property
    def size(self) -> Size:
        height, width = self.image.shape[:2]
        return Size(width, height)


def take(path: Path, choice: Choice) -> list[Still]:
    """The chosen frames, whole, in order.

    Raises:
        BadInput: the video cannot be decoded, has no frame, or not those that are named.
    """
    wanted = choice.of(videos.length(path) if choice.needs_length else choice.count)
    found: list[Still] = []
    for index, image in enumerate(videos.frames(path)):
        if index in wanted:
            found.append(Still(index, image))
        if len(found) == len(wanted):
            break
    if not found and choice.how:
        raise BadInput(f"{path} holds no video frame")
    missing = set(wanted) - {still.index for still in found}
    # A video of one frame has no second, and that is what `first` shows of it.
    if missing and choice.how != "first":
        raise BadInput(f"{path} has no frame {min(missing)}: choose others")
    return found


def scaled(still: Still, size: Size) -> Image:
    if still.size == size:
        return still.image
    image = cv2.resize(still.image, (size.width, size.height), interpolation=cv2.INTER_AREA)
    return np.asarray(image, dtype=np.uint8)


@contextlib.contextmanager
def written(stills: list[Still], size: Size, folder: Path) -> Iterator[list[str]]:
    """Paths of the frames in this size as PNG files, which are gone afterwards: a night of them would fill a disk."""
    paths = [folder / f"frame-{still.index:06d}.png" for still in stills]
    try:
        for still, path in zip(stills, paths, strict=True):
            data = cv2.imencode(".png", cv2.cvtColor(scaled(still, size), cv2.COLOR_RGB2BGR))[1]
            # Through Python's own file, which says so when the disk is full.
            path.write_bytes(data.tobytes())
        yield [str(path) for path in paths]
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
