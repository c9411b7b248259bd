"""Making the frames of a request: the filter graph, clip by clip, then regions and the mark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count as count_from

import av
import cv2
import numpy as np

from simulated import graph as graphs
from simulated.files import Image, count, decode, size_of
from simulated.look import look_of
from simulated.mark import Mark
from simulated.palette import Numbers, palette_of
from simulated.request import UPSCALE, Request, nearest_size, resized_map
from simulated.settings import Settings

CLOUDS = (9, 16)


@dataclass(frozen=True)
class Shape:
    """The video that comes out, and the clips that it is made of."""

    width: int
    height: int
    frames: int
    clip_frames: int

    @property
    def clips(self) -> int:
        return max(1, math.ceil((self.frames - 1) / (self.clip_frames - 1)))

    def span(self, clip: int) -> int:
        """New frames of a clip: each after the first starts from the last frame of the one before."""
        start = 0 if clip == 0 else 1 + clip * (self.clip_frames - 1)
        end = 1 + (clip + 1) * (self.clip_frames - 1)
        return max(0, min(end, self.frames) - start)


def shape_of(request: Request, settings: Settings) -> Shape:
    """As in the engine: the shortest of input and controls decides the length, one of them the size."""
    paths = list(paths_of(request).values())
    if request.video is not None:
        paths.insert(0, request.video)
    if not paths:
        raise ValueError("There is neither an input video nor a control video.")
    factor = UPSCALE if "upscale" in request.guides else 1
    width, height = nearest_size(*size_of(paths[0]))
    frames = min(count(path) for path in paths)
    return Shape(settings.sized(width) * factor, settings.sized(height) * factor, frames, settings.clip_frames)


def paths_of(request: Request) -> dict[str, str]:
    return {hint: guide.path for hint, guide in request.guides.items() if guide.path and guide.weight > 0}


class Generation:
    """Frames in order; a clip is drawn when `clip` is called, and its frames can be had only once."""

    def __init__(self, request: Request, shape: Shape) -> None:
        self._request = request
        self.shape = shape
        self._video = np.empty((shape.frames, shape.height, shape.width, 3), dtype=np.uint8)
        self._done = 0
        self._mark = Mark(shape.width, shape.height)
        self._streams = self._open_streams()

    def clip(self, number: int) -> None:
        span = self.shape.span(number)
        running: graphs.Running | None = None
        for index in range(span):
            frames = {name: next(stream) for name, stream in self._streams.items()}
            running = running or self._build(number, frames)
            running.push(frames, index)
            self._keep(running)
        if running is not None:
            running.end()
            self._keep(running)

    def video(self) -> Image:
        if self._done != self.shape.frames:
            raise RuntimeError(f"{self._done} of {self.shape.frames} frames came out of the filter graph")
        return self._video

    def _open_streams(self) -> dict[str, Iterator[av.VideoFrame]]:
        request = self._request
        base = clouds(request) if request.ignores_input or request.video is None else decode(request.video)
        controls = {hint: self._control(hint, path) for hint, path in paths_of(request).items()}
        return {"video": base, **controls}

    def _control(self, hint: str, path: str) -> Iterator[av.VideoFrame]:
        mask = self._request.guides[hint].mask
        for frame in decode(path):
            if mask is None:
                yield frame
            else:
                image = frame.to_ndarray(format="rgb24")
                where = resized_map(mask / max(float(mask.max()), 1e-6), frame.width, frame.height)
                yield av.VideoFrame.from_ndarray((image * where[..., None]).astype(np.uint8), format="rgb24")

    def _build(self, clip: int, frames: Mapping[str, av.VideoFrame]) -> graphs.Running:
        look = look_of(self._request, clip)
        shape = self.shape
        if "upscale" in self._request.guides:
            return graphs.upscale(look, frames, shape.width, shape.height, self._request.weight("upscale"))
        return graphs.transfer(look, frames, shape.width, shape.height)

    def _keep(self, running: graphs.Running) -> None:
        for image in running.pull():
            target = self._video[self._done]
            target[:] = image
            for region in self._request.regions:
                tint(target, region.prompt, region.box, region.mask)
            self._mark.draw(target)
            self._done += 1


def clouds(request: Request) -> Iterator[av.VideoFrame]:
    """What stands in for the input when it is ignored: a soft field of colour that drifts."""
    random = Numbers(f"clouds {request.seed} {request.prompt}")
    rows, columns = CLOUDS
    shades = np.array([next(random) for _ in range(rows * columns)]).reshape(rows, columns, 1)
    hues = np.array([next(random) for _ in range(rows * columns * 3)]).reshape(rows, columns, 3)
    for number in count_from(0):
        drift = number / 240
        field = 128 + 60 * np.sin(2 * np.pi * (shades + drift)) + 30 * np.sin(2 * np.pi * (hues - drift))
        image = cv2.resize(field.astype(np.uint8), (columns * 8, rows * 8), interpolation=cv2.INTER_CUBIC)
        yield av.VideoFrame.from_ndarray(np.ascontiguousarray(image, dtype=np.uint8), format="rgb24")


def tint(image: Image, prompt: str, box: tuple[float, float, float, float], mask: np.ndarray | None) -> None:
    """Draws the palette of a regional prompt over its region."""
    height, width = image.shape[:2]
    left, top, right, bottom = box
    part = image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    if part.size == 0:
        return
    gains = np.array(palette_of(prompt).gains) ** 2
    coloured = np.clip(part * gains, 0, 255)
    if mask is not None:
        where = resized_map(mask, part.shape[1], part.shape[0])[..., None]
        coloured = part + (coloured - part) * where
    part[:] = coloured.astype(np.uint8)
