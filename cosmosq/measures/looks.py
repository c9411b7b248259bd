"""What the pictures of one video are like, told from its luma alone."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosmosq.measures.matching import Frame

REC709 = np.array([0.2126, 0.7152, 0.0722])
"""Rec. 709 luma of R'G'B', here of the full range 0 to 255."""
DARK, DARK_SHARE = 0.1 * 255, 0.98
"""A frame is black if so many of its pixels are at most so bright: FFmpeg's `blackdetect`."""
STILL = 0.001 * 255
"""A frame is frozen if it differs from the one before by at most this on average: FFmpeg's `freezedetect`, -60 dB."""


def luma(frame: Frame) -> NDArray[np.float64]:
    """Rec. 709 luma of each pixel."""
    return np.asarray(frame @ REC709, dtype=np.float64)


def is_black(plane: NDArray[np.float64]) -> bool:
    """Whether nearly every pixel is nearly black."""
    return float(np.mean(plane <= DARK)) >= DARK_SHARE


def difference(plane: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """Mean absolute difference of the pixels."""
    return float(np.mean(np.abs(plane - before)))


@dataclass
class _Sums:
    frames: int = 0
    pixels: int = 0
    luma: float = 0.0
    squares: float = 0.0
    motion: float = 0.0
    black: int = 0
    frozen: int = 0


def looks(output: Iterable[Frame]) -> dict[str, float]:
    """Number of frames, mean and variance of luma, motion energy, black and frozen frames."""
    sums = _Sums()
    before: NDArray[np.float64] | None = None
    for frame in output:
        plane = luma(frame)
        sums.frames += 1
        sums.pixels += plane.size
        sums.luma += float(plane.sum())
        sums.squares += float(np.square(plane).sum())
        sums.black += is_black(plane)
        if before is not None:
            moved = difference(plane, before)
            sums.motion += moved
            sums.frozen += moved <= STILL
        before = plane
    return _values(sums)


def _values(sums: _Sums) -> dict[str, float]:
    mean = sums.luma / max(1, sums.pixels)
    return {
        "frames": float(sums.frames),
        "luma_mean": mean,
        "luma_variance": max(0.0, sums.squares / max(1, sums.pixels) - mean**2),
        "motion_energy": sums.motion / max(1, sums.frames - 1),
        "black_frames": float(sums.black),
        "frozen_frames": float(sums.frozen),
    }
