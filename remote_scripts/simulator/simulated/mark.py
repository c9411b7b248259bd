"""The word SIMULATED in a corner of every frame, so that nobody takes the stand-in's videos for the engine's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from simulated.files import Image

WORD = "SIMULATED"
FONT = cv2.FONT_HERSHEY_SIMPLEX


class Mark:
    """Drawn once for a frame size, then laid over each frame."""

    def __init__(self, width: int, height: int) -> None:
        scale = max(0.25, 0.8 * min(width, height) / 704)
        thickness = max(1, round(scale * 1.6))
        (text_width, text_height), _ = cv2.getTextSize(WORD, FONT, scale, thickness)
        margin = max(2, text_height // 2)
        self._height, self._width = min(height, text_height + 2 * margin), min(width, text_width + 2 * margin)
        letters: NDArray[np.uint8] = np.zeros((self._height, self._width, 3), np.uint8)
        cv2.putText(letters, WORD, (margin, margin + text_height), FONT, scale, (255,) * 3, thickness, cv2.LINE_AA)
        self._letters = letters

    def draw(self, image: Image) -> None:
        """White on a darkened ground, at the lower left."""
        corner = image[-self._height :, : self._width]
        np.maximum(corner // 3, self._letters, out=corner)
