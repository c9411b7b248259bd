"""What the parameters do to the picture: a request in, the numbers of the filter graph out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulated.palette import Matrix, Numbers, colour_matrix, palette_of
from simulated.request import Request

GOOD_STEPS = 35
NOISE_LIMIT = 60


@dataclass(frozen=True)
class Look:
    """Opacities and strengths are in 0…1, `softness` in pixels of a 1280 wide picture.

    A picture is free if there is no input that it follows: there lines are drawn, as there is nothing to keep.
    """

    colours: Matrix
    levels: int
    posterised: float
    gammas: tuple[float, float, float]
    detail: float
    contrast: float
    softness: float
    noise: int
    noise_seed: int
    vis: float
    edge: float
    is_free: bool
    shade: float
    fog: tuple[float, float, float]
    tint: float
    tint_hue: float
    overlay: float


def look_of(request: Request, clip: int) -> Look:
    palette = palette_of(request.prompt)
    avoided = Numbers(f"negative {request.negative_prompt}")
    drawn = Numbers(f"seed {request.seed}")
    distance = min(1.0, request.sigma_max / 80)
    edge = request.weight("edge")
    hue = palette.hue + (next(avoided) - 0.5) * 40 + (next(drawn) - 0.5) * 30
    gains = tuple(gain * (0.92 + 0.16 * next(avoided)) for gain in palette.gains)
    return Look(
        colours=colour_matrix(hue, saturation(request.guidance), (gains[0], gains[1], gains[2]), 0.2 + 0.8 * distance),
        levels=palette.levels,
        posterised=0.45 * distance,
        gammas=(0.85 + 0.3 * next(drawn), 0.85 + 0.3 * next(drawn), 0.85 + 0.3 * next(drawn)),
        detail=min(1.0, max(0.1, 1 - 0.8 * distance + 0.45 * edge)),
        contrast=0.82 + 0.036 * min(request.guidance, 20),
        softness=2.2 * math.sqrt(max(0.0, GOOD_STEPS / request.num_steps - 1)),
        noise=min(NOISE_LIMIT, round(1 + 100 / request.num_steps)),
        # Each clip of a long video has a seed of its own, as in the engine.
        noise_seed=int(next(Numbers(f"grain {request.seed + clip} {request.prompt}")) * 2**31),
        vis=0.8 * request.weight("vis"),
        edge=0.85 * edge,
        is_free=request.ignores_input,
        shade=request.weight("depth"),
        fog=(0.55 + 0.4 * next(drawn), 0.55 + 0.4 * next(drawn), 0.6 + 0.4 * next(drawn)),
        tint=0.45 * request.weight("seg"),
        tint_hue=palette.hue * 4,
        overlay=0.8 * max(request.weight(hint) for hint in ("keypoint", "hdmap", "lidar")),
    )


def saturation(guidance: float) -> float:
    return min(2.2, 0.55 + 0.1 * guidance)
