"""Edge and vis controls, made once per input video and preset, the same bytes each time.

The engine makes these itself when a spec has none, but draws the Canny thresholds and the blur's scale at random,
so that `canny_threshold` would change nothing. Here both follow the preset alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import videos
from digests import known_sha256_of
from failures import InvalidSpec
from order import Order
from videos import Image

# Part of a control's key: count it up when the recipe below makes other pixels.
RECIPE = 1

# Lower and upper threshold by preset, as the engine has them when its randomness is off.
CANNY = {
    "very_low": (20, 50),
    "low": (50, 100),
    "medium": (100, 200),
    "high": (200, 300),
    "very_high": (300, 400),
}


@dataclass(frozen=True)
class Blur:
    """One vis preset: a bilateral filter on the frame shrunk by `shrink`, then down and up again by `down_up`.

    The filters are the engine's. It draws `down_up` at random from 4 to 17; here it is fixed to what the engine's
    own presets mean when its randomness is off: 4, 4, 10, 16, 16.
    """

    diameter: int
    sigma_color: int
    sigma_space: int
    shrink: int
    down_up: int


BLUR = {
    "very_low": Blur(15, 100, 50, shrink=1, down_up=4),
    "low": Blur(15, 100, 50, shrink=4, down_up=4),
    "medium": Blur(30, 150, 100, shrink=2, down_up=10),
    "high": Blur(50, 300, 150, shrink=1, down_up=16),
    "very_high": Blur(50, 300, 150, shrink=4, down_up=16),
}

# Thin white lines suffer from compression more than blurred colours do.
CRF = {"edge": 10, "vis": 14}


@dataclass(frozen=True)
class Control:
    """A guiding video; `made` is false when it was there already."""

    path: Path
    sha256: str
    made: bool


def make_missing(order: Order, folder: Path) -> tuple[Order, dict[str, Control]]:
    """The order with a control for each hint that has a recipe here and none in the spec; and what was made or found.

    Raises:
        BadInput: the video is missing or cannot be decoded.
        InvalidSpec: there is neither a control nor a video to make it from.
    """
    found: dict[str, Control] = {}
    for hint, preset in (("vis", order["blur_strength"]), ("edge", order["canny_threshold"])):
        if hint not in order.hints or order.control_of(hint):
            continue
        if not order.input_video:
            raise InvalidSpec(f"{hint} has neither an input_control nor an input video to make it from")
        found[hint] = make(hint, preset, Path(order.input_video), folder)
        order = order.with_control(hint, found[hint].path)
    return order, found


def make(hint: str, preset: str, video_path: Path, folder: Path) -> Control:
    """Makes the control `hint` of a video into `folder`, or finds the one that was made before.

    Raises:
        BadInput: the video is missing or cannot be decoded.
        InvalidSpec: the hint has no recipe here, or the preset is unknown.
    """
    presets: dict[str, tuple[str, ...]] = {"edge": tuple(CANNY), "vis": tuple(BLUR)}
    if preset not in presets.get(hint, ()):
        raise InvalidSpec(f"there is no {hint} control with the preset {preset!r}")
    videos.check(os.fspath(video_path))
    path = folder / f"{key(hint, preset, video_path)}.mp4"
    made = not path.exists()
    if made:
        write(path, hint, preset, video_path)
    return Control(path, known_sha256_of(path), made)


def key(hint: str, preset: str, video_path: Path) -> str:
    return hashlib.sha256(f"{known_sha256_of(video_path)}\n{hint}\n{preset}\n{RECIPE}".encode()).hexdigest()


def write(path: Path, hint: str, preset: str, video_path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The pid keeps two sessions on one box apart that make the same control at the same time.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        videos.write(part, images(hint, preset, video_path), videos.rate(video_path), CRF[hint])
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def images(hint: str, preset: str, video_path: Path) -> Iterator[Image]:
    for frame in videos.frames(video_path):
        yield edges(frame, preset) if hint == "edge" else blurred(frame, BLUR[preset])


def edges(frame: Image, preset: str) -> Image:
    """Grey, white on black. Canny takes the colour frame as it is, like the engine."""
    lower, upper = CANNY[preset]
    return np.asarray(cv2.Canny(frame, lower, upper), dtype=np.uint8)


def blurred(frame: Image, blur: Blur) -> Image:
    height, width = frame.shape[:2]
    small = resized(frame, width // blur.shrink, height // blur.shrink, cv2.INTER_AREA)
    smooth = cv2.bilateralFilter(small, blur.diameter, blur.sigma_color, blur.sigma_space)
    full = resized(np.asarray(smooth, dtype=np.uint8), width, height, cv2.INTER_LINEAR)
    coarse = resized(full, width // blur.down_up, height // blur.down_up, cv2.INTER_AREA)
    return resized(coarse, width, height, cv2.INTER_CUBIC)


def resized(frame: Image, width: int, height: int, interpolation: int) -> Image:
    size = (max(1, width), max(1, height))
    return np.asarray(cv2.resize(frame, size, interpolation=interpolation), dtype=np.uint8)
