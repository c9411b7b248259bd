"""What one generation is asked to show, in the terms of the stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from simulated import log

Map = NDArray[np.float32]

# The engine's sizes by aspect ratio.
SIZES = ((1280, 704), (960, 704), (960, 960), (704, 960), (704, 1280))
RATIOS = (16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)

UPSCALE = 3
IGNORES_INPUT_FROM = 80


@dataclass(frozen=True)
class Guide:
    """A control video and its weight, normalised. `mask` is where it acts, in 0…1; None is everywhere."""

    path: str | None
    weight: float
    mask: Map | None = None


@dataclass(frozen=True)
class Region:
    """A regional prompt and where it acts: left, top, right, bottom as parts of 1, or a mask."""

    prompt: str
    box: tuple[float, float, float, float]
    mask: Map | None = None


@dataclass(frozen=True)
class Request:
    prompt: str
    negative_prompt: str
    seed: int
    num_steps: int
    guidance: float
    sigma_max: float
    video: str | None
    guides: Mapping[str, Guide]
    regions: tuple[Region, ...]

    @property
    def ignores_input(self) -> bool:
        return self.video is None or self.sigma_max >= IGNORES_INPUT_FROM

    def weight(self, hint: str) -> float:
        return self.guides[hint].weight if hint in self.guides else 0.0


def nearest_size(width: int, height: int) -> tuple[int, int]:
    """The engine's size whose aspect ratio is nearest."""
    ratio = width / height
    return min(zip(SIZES, RATIOS, strict=True), key=lambda pair: (pair[1] - ratio) ** 2)[0]


def guides_of(control_inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Guide]:
    """Weights are normalised only where their sum is over 1."""
    weights = {hint: weight_of(config) for hint, config in control_inputs.items()}
    total = max(1.0, sum(weight for weight, _ in weights.values()))
    return {
        hint: Guide(control_inputs[hint].get("input_control"), weight / total, mask)
        for hint, (weight, mask) in weights.items()
    }


def weight_of(config: Mapping[str, Any]) -> tuple[float, Map | None]:
    weight = config.get("control_weight", 0.5)
    if isinstance(weight, str) and weight.endswith(".pt"):
        mask = read_map(weight)
        return float(mask.max()), mask
    return float(weight), None


def regions_of(prompts: list[str], definitions: list[Any]) -> tuple[Region, ...]:
    """A prompt without a definition gets an upright strip, so that it can be seen."""
    count = len(prompts)
    regions = []
    for number, prompt in enumerate(prompts):
        definition = definitions[number] if number < len(definitions) else None
        if isinstance(definition, str):
            regions.append(Region(prompt, (0.0, 0.0, 1.0, 1.0), read_map(definition)))
        else:
            left, top, right, bottom = definition or (number / count, 0.0, (number + 1) / count, 1.0)
            regions.append(Region(prompt, (float(left), float(top), float(right), float(bottom))))
    return tuple(regions)


def write_map(path: str, mask: Map) -> None:
    # The name says torch, for the layout is the engine's; there is no torch here.
    with open(path, "wb") as file:  # noqa: PTH123 - numpy would append .npy to a path
        np.save(file, mask)


def read_map(path: str) -> Map:
    """A map of ours; torch's format cannot be read without torch, so such a map acts everywhere at one half."""
    try:
        mask = np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except ValueError:
        log.warning(f"The stand-in cannot read the weight map {path}; it takes 0.5 everywhere.")
        return np.full((2, 2), 0.5, dtype=np.float32)
    return mask if mask.ndim == 2 else np.asarray(mask.mean(axis=0), dtype=np.float32)


def resized_map(mask: Map, width: int, height: int) -> Map:
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
