"""What the stand-in for the upsampler writes: longer than the prompt, and seen to come from prompt and frames."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from simulated.files import Image
from simulated.palette import Numbers

SIMULATED = "(simulated upsampling)"
LIGHTS = ("pitch-dark", "dim", "evenly lit", "bright", "glaring")
HUES = ("red", "green", "blue")
TEXTURES = ("smooth", "soft", "grainy", "busy")
MOVES = ("glides forward", "holds still", "drifts sideways", "rises slowly", "turns to the left", "pulls back")
MATERIALS = ("brushed steel", "wet asphalt", "weathered wood", "polished concrete", "frosted glass", "coarse linen")
ENDINGS = (
    "Every surface reacts to the light as it would in life.",
    "Shadows stay where the light leaves them.",
    "Nothing in the scene is out of place.",
    "Small movements keep the picture alive.",
)
PIECE = re.compile(r"\s?[^\W\d_]{1,5}|\d|\s?[^\w\s]|\s+|_")


def caption(prompt: str, pictures: Sequence[Image], number: int) -> str:
    """The `number`-th answer to the same question."""
    seen = hashlib.sha256(b"".join(picture.tobytes() for picture in pictures)).hexdigest()
    random = Numbers(f"{number}\n{seen}\n{prompt}")

    def one_of(words: Sequence[str]) -> str:
        return words[int(next(random) * len(words))]

    views = [
        f"{'The video opens on' if place == 0 else 'Then it shows'} {appearance(picture)}"
        for place, picture in enumerate(pictures)
    ]
    told = f"{prompt.strip().rstrip('.')}. {'. '.join(views)}. The camera {one_of(MOVES)} past {one_of(MATERIALS)}."
    return f"{told} {one_of(ENDINGS)} {SIMULATED}"


def appearance(picture: Image) -> str:
    means = picture.reshape(-1, 3).mean(axis=0)
    light = LIGHTS[min(len(LIGHTS) - 1, int(means.mean() / 256 * len(LIGHTS)))]
    rough = float(np.abs(np.diff(picture.mean(axis=2), axis=1)).mean()) if picture.shape[1] > 1 else 0.0
    texture = TEXTURES[min(len(TEXTURES) - 1, int(rough / 8))]
    return f"a {light}, {texture} scene that leans to {HUES[int(means.argmax())]}"


def tokens(text: str) -> list[str]:
    """Pieces of at most six letters; never more than there are bytes."""
    return PIECE.findall(text)


def cut(text: str, most: int) -> str:
    return "".join(tokens(text)[:most])
