"""Control videos that the stand-in makes itself when a spec has none, cheaply and the same each time.

The engine draws the Canny thresholds and the blur's scale at random; here the presets decide, so that a
generation is reproducible without a seed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from simulated import files
from simulated.files import Image
from simulated.palette import Numbers
from simulated.request import Map

CANNY = {
    "very_low": (20, 50),
    "low": (50, 100),
    "medium": (100, 200),
    "high": (200, 300),
    "very_high": (300, 400),
}
DOWN_UP = {"very_low": 4, "low": 6, "medium": 10, "high": 14, "very_high": 16}
CRF = 12


def make(hint: str, video: str, target: Path, prompt: str, blur_strength: str, canny_threshold: str) -> None:
    draw = recipe(hint, prompt, blur_strength, canny_threshold)
    width, height = (pixels // 2 * 2 for pixels in files.size_of(video))
    files.write(target, map(draw, files.images(video)), files.rate_of(video), width, height, crf=CRF)


def recipe(hint: str, prompt: str, blur_strength: str, canny_threshold: str) -> Callable[[Image], Image]:
    if hint == "edge":
        return lambda image: edges(image, *CANNY[canny_threshold])
    if hint == "vis":
        return lambda image: coarse(image, DOWN_UP[blur_strength])
    if hint == "depth":
        return depth
    if hint == "seg":
        return lambda image: segments(image, prompt)
    return keypoints


def edges(image: Image, lower: int, upper: int) -> Image:
    return rgb(cv2.Canny(image, lower, upper))


def coarse(image: Image, factor: int) -> Image:
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def depth(image: Image) -> Image:
    """Low in the picture and bright is near."""
    height = image.shape[0]
    light = cv2.cvtColor(coarse(image, 24), cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.linspace(0, 255, height, dtype=np.float32)[:, None]
    return rgb((0.4 * light + 0.6 * slope).astype(np.uint8))


def segments(image: Image, prompt: str) -> Image:
    """Areas of like brightness, each in a colour that depends on what was to be segmented."""
    light = cv2.cvtColor(coarse(image, 16), cv2.COLOR_RGB2GRAY)
    random = Numbers(f"segments {prompt}")
    colours = np.array([[255 * next(random) for _ in range(3)] for _ in range(6)]).astype(np.uint8)
    return np.asarray(colours[light // 43], dtype=np.uint8)


def keypoints(image: Image) -> Image:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    drawn = np.zeros_like(image)
    corners = cv2.goodFeaturesToTrack(grey, 32, 0.02, max(2, image.shape[0] // 16))
    for x, y in np.asarray(corners if corners is not None else []).reshape(-1, 2):
        cv2.circle(drawn, (int(x), int(y)), max(2, image.shape[0] // 48), (255, 180, 40), -1)
    return drawn


def weight_map(video: str, prompt: str, weight: float) -> Map:
    """Where a prompted object is taken to be: a soft disc whose place depends on the prompt."""
    width, height = files.size_of(video)
    random = Numbers(f"object {prompt}")
    across, down = 0.25 + 0.5 * next(random), 0.25 + 0.5 * next(random)
    x, y = np.meshgrid(np.linspace(0, 1, width // 4), np.linspace(0, 1, height // 4))
    return np.asarray(weight * np.exp(-(((x - across) ** 2 + (y - down) ** 2) / 0.05)), dtype=np.float32)


def rgb(grey: np.ndarray) -> Image:
    return np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2)
