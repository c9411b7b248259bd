"""Which frames are compared, and at what size."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
"""RGB, (height, width, 3)."""
Plane = NDArray[Any]
"""One number a pixel, (height, width)."""


def pairs(output: Iterator[Frame], reference: Iterator[Frame]) -> Iterator[tuple[Frame, Frame]]:
    """Each output frame, at the reference's size, with the frame it was made from, until the shorter one ends.

    The n-th frame belongs to the n-th: the engine discards the rate of its input and makes a frame of each frame, so
    that an input of 30 frames a second and its result of 24 are at the same place at different seconds.
    """
    for made, source in zip(output, reference, strict=False):
        yield sized(made, source.shape[:2]), source


def sized(frame: Frame, shape: tuple[int, ...]) -> Frame:
    """The frame with this height and width: areas are averaged to make it smaller, lines drawn to make it larger."""
    return np.asarray(_resized(frame, shape), dtype=np.uint8)


def plane_sized(plane: Plane, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Likewise for depths."""
    return np.asarray(_resized(np.asarray(plane, dtype=np.float64), shape), dtype=np.float64)


def labels_sized(labels: Plane, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Likewise for labels, between which there is nothing."""
    rows = np.arange(shape[0]) * labels.shape[0] // shape[0]
    columns = np.arange(shape[1]) * labels.shape[1] // shape[1]
    return np.asarray(labels[rows[:, None], columns], dtype=np.int64)


def _resized(pixels: Any, shape: tuple[int, ...]) -> Any:
    height, width = shape[:2]
    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = height * width < pixels.shape[0] * pixels.shape[1]
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
