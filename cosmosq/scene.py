"""A little rendered scene for the demo: a camera gliding past boxes and spheres, as numbered frames of three passes.

Everything is computed here with numpy and OpenCV, the same each time: nothing is downloaded, and nobody's footage is
used. Lengths are in metres, y points up.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cosmosq.errors import StorageFailed
from cosmosq.files import writing

Array = NDArray[np.float32]
Pixels = NDArray[Any]
Triple = tuple[float, float, float]

SAMPLES = 2
"""Rays along each side of a pixel."""
FIELD_OF_VIEW = 46.0
"""Degrees across the width."""
NEAR, FAR = 4.0, 20.0
"""Distances that are white and black in the depth pass."""
GROUND_M, GROUND_PIXELS = 40.0, 1400
"""Side of the ground whose light is worked out beforehand, and of the picture that holds it."""

SUN: Triple = (-0.55, 0.68, -0.48)
SUNLIGHT: Triple = (1.0, 0.86, 0.66)
SKYLIGHT: Triple = (0.30, 0.36, 0.47)
ZENITH: Triple = (0.24, 0.40, 0.66)
HAZE: Triple = (0.86, 0.80, 0.74)


class Solid(Protocol):
    """Something that stands on the ground; arrays are (3, N)."""

    @property
    def centre(self) -> Triple: ...

    @property
    def reach(self) -> float:
        """No part of it is farther from its centre."""

    @property
    def colour(self) -> Triple:
        """Linear light from 0 to 1."""

    def distances(self, origins: Array, directions: Array) -> Array:
        """How far along each ray it is met; infinite where it is missed."""

    def normals(self, points: Array) -> Array:
        """Unit vectors out of its surface."""


@dataclass(frozen=True, kw_only=True)
class Sphere:
    """A ball."""

    centre: Triple
    radius: float
    colour: Triple

    @property
    def reach(self) -> float:
        return self.radius

    def distances(self, origins: Array, directions: Array) -> Array:
        offset = origins - _column(self.centre)
        half = _dot(offset, directions)
        under = half * half - _dot(offset, offset) + self.radius**2
        near = -half - np.sqrt(np.maximum(under, 0))
        return np.where((under > 0) & (near > 1e-3), near, np.float32(np.inf))

    def normals(self, points: Array) -> Array:
        return (points - _column(self.centre)) / np.float32(self.radius)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A block turned about the vertical; `half` are half its sides."""

    centre: Triple
    half: Triple
    turn: float
    """Degrees."""
    colour: Triple

    @property
    def reach(self) -> float:
        return float(np.linalg.norm(self.half))

    def distances(self, origins: Array, directions: Array) -> Array:
        origin = self._turned(origins - _column(self.centre), 1)
        direction = self._turned(directions, 1)
        safe = np.where(np.abs(direction) < 1e-6, np.float32(1e-6), direction)
        first, second = (-_column(self.half) - origin) / safe, (_column(self.half) - origin) / safe
        enter = np.minimum(first, second).max(axis=0)
        leave = np.maximum(first, second).min(axis=0)
        return np.where((leave > enter) & (enter > 1e-3), enter, np.float32(np.inf))

    def normals(self, points: Array) -> Array:
        inside = self._turned(points - _column(self.centre), 1) / _column(self.half)
        side = np.abs(inside).argmax(axis=0)
        local = np.where(np.arange(3)[:, None] == side, np.sign(inside), 0).astype(np.float32)
        return self._turned(local, -1)

    def _turned(self, vectors: Array, sense: int) -> Array:
        """Into the box's own axes, or out of them again."""
        angle = np.radians(self.turn) * sense
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        x, y, z = vectors
        return np.stack([cos * x - sin * z, np.broadcast_to(y, x.shape), sin * x + cos * z])


SOLIDS: tuple[Solid, ...] = (
    Box(centre=(-4.2, 1.1, 3.6), half=(0.8, 1.1, 0.8), turn=18, colour=(0.62, 0.16, 0.10)),
    Box(centre=(-1.5, 0.45, 1.2), half=(0.7, 0.45, 0.45), turn=-24, colour=(0.75, 0.52, 0.12)),
    Box(centre=(1.1, 1.6, 5.4), half=(0.7, 1.6, 0.7), turn=35, colour=(0.14, 0.30, 0.52)),
    Box(centre=(3.6, 0.7, 2.2), half=(0.7, 0.7, 0.7), turn=12, colour=(0.20, 0.42, 0.22)),
    Box(centre=(6.8, 1.3, 6.2), half=(1.5, 1.3, 0.5), turn=-30, colour=(0.55, 0.50, 0.46)),
    Sphere(centre=(-2.6, 0.75, 5.0), radius=0.75, colour=(0.80, 0.78, 0.74)),
    Sphere(centre=(0.3, 0.5, 2.6), radius=0.5, colour=(0.58, 0.10, 0.24)),
    Sphere(centre=(1.9, 0.32, 0.6), radius=0.32, colour=(0.10, 0.45, 0.48)),
    Sphere(centre=(5.4, 0.9, 3.9), radius=0.9, colour=(0.82, 0.38, 0.12)),
)

FLOOR, SKY = -1, -2
"""What a ray meets that meets no solid."""

LABELS = (
    *((200, 80, 60), (230, 190, 70), (60, 110, 190), (90, 170, 90), (150, 130, 120)),
    *((235, 235, 225), (180, 50, 110), (50, 180, 185), (240, 140, 50)),
    *((120, 180, 235), (75, 75, 80)),
)
"""Colours of the segmentation pass: the solids in order, then, counted from the end, sky and floor."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One rendered picture in three passes, RGB or grey, uint8."""

    color: Pixels
    depth: Pixels
    segmentation: Pixels


def write_frames(folder: Path, *, frames: int = 72, width: int = 640, height: int = 352) -> list[Path]:
    """Render the scene into `color.0001.png`, `depth.0001.png`, `segmentation.0001.png`, … and return their paths.

    Raises:
        StorageFailed: the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    ground = lit_ground()

    def one(number: int) -> list[Path]:
        frame = render((number - 1) / max(1, frames - 1), ground, width, height)
        return list(_save(folder, number, frame))

    # numpy and OpenCV let go of the interpreter while they compute.
    with ThreadPoolExecutor(2) as pool:
        return [path for paths in pool.map(one, range(1, frames + 1)) for path in paths]


def _save(folder: Path, number: int, frame: Frame) -> Iterator[Path]:
    for name in ("color", "depth", "segmentation"):
        path = folder / f"{name}.{number:04d}.png"
        pixels = getattr(frame, name)
        encoded, data = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
        if not encoded:
            raise StorageFailed(f"{path} cannot be encoded as PNG: check the OpenCV installation")
        with writing(path):
            path.write_bytes(data.tobytes())
        yield path


def render(time: float, ground: Array, width: int, height: int) -> Frame:
    """The picture at `time` from 0 to 1; `ground` comes from `lit_ground`."""
    origin, directions = camera_rays(time, width * SAMPLES, height * SAMPLES)
    distance, met = trace(origin, directions)
    below = directions[1] < -1e-4
    to_floor = np.where(below, -origin[1] / np.where(below, directions[1], -1), np.float32(np.inf))
    floor = to_floor < distance
    distance, met = np.where(floor, to_floor, distance), np.where(floor, FLOOR, met)
    color = sky(directions)
    for index in (FLOOR, *range(len(SOLIDS))):
        seen = np.flatnonzero(met == index)
        points = origin + directions[:, seen] * distance[seen]
        found = floor_light(ground, points) if index == FLOOR else shaded(SOLIDS[index], points, directions[:, seen])
        veil = 1 - np.exp(-((distance[seen] / 30) ** 2))
        color[:, seen] = found + (_column(HAZE) - found) * veil
    return _developed(color, distance, met, width, height)


def camera_rays(time: float, width: int, height: int) -> tuple[Array, Array]:
    """Where the camera stands (3, 1) and where each pixel looks (3, N), unit vectors, row by row."""
    eased = time * time * (3 - 2 * time)
    position = np.array([-4.6 + 7.4 * eased, 1.75 + 0.5 * np.sin(np.pi * time), -6.4 + 1.2 * time])
    target = np.array([-0.4 + 2.6 * eased, 0.75, 3.2])
    forward = (target - position) / np.linalg.norm(target - position)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    span = np.tan(np.radians(FIELD_OF_VIEW) / 2)
    across = ((np.arange(width) + 0.5) / width * 2 - 1) * span
    down = (1 - (np.arange(height) + 0.5) / height * 2) * span * height / width
    x, y = np.meshgrid(across, down)
    rays = forward[:, None] + right[:, None] * x.ravel() + up[:, None] * y.ravel()
    rays /= np.sqrt((rays * rays).sum(axis=0))
    return position[:, None].astype(np.float32), rays.astype(np.float32)


def trace(origins: Array, directions: Array) -> tuple[Array, NDArray[np.int64]]:
    """Distance and index of the first solid on each ray; infinite and SKY where there is none.

    Either may be a single column, for all rays.
    """
    nearest = np.full(max(origins.shape[1], directions.shape[1]), np.inf, dtype=np.float32)
    met = np.full(nearest.shape, SKY)
    for index, solid in enumerate(SOLIDS):
        offset = _column(solid.centre) - origins
        gap = _dot(offset, offset) - _dot(offset, directions) ** 2
        # Most rays pass far off, which is cheap to tell.
        close = np.flatnonzero(gap < solid.reach**2)
        distance = solid.distances(_some(origins, close), _some(directions, close))
        closer = distance < nearest[close]
        nearest[close[closer]], met[close[closer]] = distance[closer], index
    return nearest, met


def _some(vectors: Array, chosen: NDArray[np.int64]) -> Array:
    return vectors if vectors.shape[1] == 1 else vectors[:, chosen]


def shaded(solid: Solid, points: Array, directions: Array) -> Array:
    """Light that leaves a solid's surface towards the camera."""
    normals = solid.normals(points)
    sun = _unit(SUN)
    towards = np.maximum(_dot(normals, sun), 0)
    lit = np.isinf(trace(points + normals * np.float32(0.01), sun)[0])
    mirrored = sun - 2 * _dot(normals, sun) * normals
    gloss = np.maximum(_dot(mirrored, directions), 0) ** 40 * lit
    # Darker near the ground, where half of the sky is hidden.
    open_sky = (0.55 + 0.45 * normals[1]) * (1 - 0.45 * np.exp(-4 * np.maximum(points[1], 0)))
    light = _column(SUNLIGHT) * (towards * lit) * 1.3 + _column(SKYLIGHT) * open_sky * 1.2
    return np.asarray(_column(solid.colour) * light + 0.35 * gloss, dtype=np.float32)


def sky(directions: Array) -> Array:
    """A gradient from the haze above the horizon to the zenith, brighter around the sun's side."""
    height = np.clip(directions[1] * 2.6, 0, 1) ** 0.7
    return np.asarray(_column(HAZE) + (_column(ZENITH) - _column(HAZE)) * height, dtype=np.float32)


def lit_ground() -> Array:
    """The ground's light from above (pixels, pixels, 3): tiles, soft shadows, and dimmer where a solid stands close."""
    side = (np.arange(GROUND_PIXELS, dtype=np.float32) + 0.5) / GROUND_PIXELS * GROUND_M - GROUND_M / 2
    x, z = (axis.astype(np.float32) for axis in np.meshgrid(side, side))
    points = np.stack([x.ravel(), np.full(x.size, 1e-3, np.float32), z.ravel()])
    sun, up = trace(points, _unit(SUN))[0], trace(points, _column((0, 1, 0)))[0]
    lit = cv2.GaussianBlur(np.isinf(sun).reshape(x.shape).astype(np.float32), (0, 0), 2.2)
    close = cv2.GaussianBlur(np.isfinite(up).reshape(x.shape).astype(np.float32), (0, 0), 14)
    light = _row(SUNLIGHT) * lit[..., None] * 0.92 + _row(SKYLIGHT) * (1.25 - close)[..., None]
    return np.asarray(_tiles(x, z) * light, dtype=np.float32)


def _tiles(x: Array, z: Array) -> Array:
    """Square tiles of 1.1 m, no two quite alike, with dark joints."""
    column, row = np.floor(x / 1.1), np.floor(z / 1.1)
    odd = np.sin(column * 12.9898 + row * 78.233) * 43758.5453
    shade = 0.42 + 0.10 * (odd - np.floor(odd)) + 0.07 * ((column + row) % 2)
    into = np.minimum(np.abs(x / 1.1 - np.round(x / 1.1)), np.abs(z / 1.1 - np.round(z / 1.1)))
    joint = np.clip(into / 0.02, 0.45, 1)
    return np.asarray((shade * joint)[..., None] * _row((1.0, 0.95, 0.88)), dtype=np.float32)


def floor_light(ground: Array, points: Array) -> Array:
    """The ground's light at points on it; beyond the picture its edge goes on."""
    scale = GROUND_PIXELS / GROUND_M
    x, z = ((points[axis] + GROUND_M / 2) * np.float32(scale) - np.float32(0.5) for axis in (0, 2))
    # remap takes no more than 32767 columns, so one long row will not do.
    columns = 4096
    u, v = (np.pad(axis, (0, -len(axis) % columns)).reshape(-1, columns) for axis in (x, z))
    found = cv2.remap(ground, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(-1, 3)[: len(x)].T, dtype=np.float32)


def _developed(color: Array, distance: Array, met: NDArray[np.int64], width: int, height: int) -> Frame:
    """From light to pixels: samples are averaged for colour only, as no depth or label lies between two others."""
    shape = (height * SAMPLES, width * SAMPLES)
    light = np.ascontiguousarray(np.clip(color, 0, 1).T).reshape(*shape, 3)
    image = cv2.resize(light, (width, height), interpolation=cv2.INTER_AREA) ** (1 / 2.2) * 255
    one_each = distance.reshape(shape)[::SAMPLES, ::SAMPLES]
    nearness = np.log(FAR / np.clip(one_each, NEAR, FAR)) / np.log(FAR / NEAR)
    segmentation = np.array(LABELS, dtype=np.uint8)[met.reshape(shape)[::SAMPLES, ::SAMPLES]]
    depth = np.rint(nearness * 255).astype(np.uint8)
    return Frame(color=np.rint(image).astype(np.uint8), depth=depth, segmentation=segmentation)


def _column(triple: Triple) -> Array:
    return np.array(triple, dtype=np.float32)[:, None]


def _row(triple: Triple) -> Array:
    return np.array(triple, dtype=np.float32)


def _unit(triple: Triple) -> Array:
    vector = _column(triple)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _dot(left: Array, right: Array) -> Array:
    # Written out, it takes a third of the time that a sum along the axis does.
    return np.asarray(left[0] * right[0] + left[1] * right[1] + left[2] * right[2], dtype=np.float32)
