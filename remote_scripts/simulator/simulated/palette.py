"""Colours out of words: the same text always gives the same palette, and some words give the one expected."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

# Word → gain of red, green, blue and brightness.
MOODS = {
    "night": (0.55, 0.65, 1.10),
    "snow": (1.10, 1.15, 1.25),
    "winter": (1.05, 1.12, 1.25),
    "sunset": (1.35, 0.95, 0.70),
    "sunlight": (1.20, 1.08, 0.85),
    "warm": (1.20, 1.02, 0.82),
    "autumn": (1.25, 0.95, 0.65),
    "rain": (0.80, 0.90, 1.05),
    "fog": (1.00, 1.03, 1.06),
    "neon": (1.20, 0.75, 1.30),
    "forest": (0.80, 1.15, 0.80),
    "desert": (1.25, 1.05, 0.75),
}
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Palette:
    """`hue` in degrees, `gains` for red, green and blue, `levels` of the posterisation."""

    hue: float
    gains: tuple[float, float, float]
    levels: int


def palette_of(text: str) -> Palette:
    random = numbers(text)
    words = text.lower()
    gains = np.array([0.88 + 0.24 * next(random) for _ in range(3)])
    for word, mood in MOODS.items():
        if word in words:
            gains *= mood
    return Palette((next(random) - 0.5) * 70, (gains[0], gains[1], gains[2]), 6 + int(next(random) * 6))


def numbers(text: str) -> "Numbers":
    return Numbers(text)


class Numbers:
    """An endless row of numbers in 0…1 that depends on a text alone."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._count = 0

    def __iter__(self) -> "Numbers":
        return self

    def __next__(self) -> float:
        self._count += 1
        digest = hashlib.sha256(f"{self._count}\n{self._text}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48


def colour_matrix(hue: float, saturation: float, gains: tuple[float, float, float], strength: float) -> Matrix:
    """Turns hues around the grey axis, then saturates, then gains; `strength` 0 leaves colours as they are."""
    grey = np.tile(LUMA, (3, 1))
    saturated = grey + saturation * (np.eye(3) - grey)
    full = np.diag(gains) @ saturated @ hue_rotation(hue)
    return np.asarray((1 - strength) * np.eye(3) + strength * full)


def hue_rotation(degrees: float) -> Matrix:
    """Rodrigues' rotation around (1, 1, 1)."""
    angle = math.radians(degrees)
    cos, part, turn = math.cos(angle), (1 - math.cos(angle)) / 3, math.sqrt(1 / 3) * math.sin(angle)
    return np.array(
        [
            [cos + part, part - turn, part + turn],
            [part + turn, cos + part, part - turn],
            [part - turn, part + turn, cos + part],
        ]
    )
