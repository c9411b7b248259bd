"""The spec of one attempt, read strictly: what is missing or of another type is refused, not guessed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failures import InvalidSpec

PRESETS = ("very_low", "low", "medium", "high", "very_high")
NUMBER = (int, float)
PARAMETERS: dict[str, tuple[type, ...]] = {
    "prompt": (str,),
    "negative_prompt": (str,),
    "seed": (int,),
    "num_steps": (int,),
    "guidance": NUMBER,
    "sigma_max": NUMBER,
    "fps": (int,),
    "blur_strength": (str,),
    "canny_threshold": (str,),
}


@dataclass(frozen=True)
class Order:
    """A controlnet spec with every parameter in it and its hints in the session's order."""

    spec: dict[str, Any]
    hints: tuple[str, ...]

    @classmethod
    def read(cls, spec: dict[str, Any], hints: tuple[str, ...]) -> Order:
        check_parameters(spec)
        ordered = {key for key, value in spec.items() if isinstance(value, dict)}
        if ordered != set(hints):
            raise InvalidSpec(f"the spec has the hints {sorted(ordered)}, this session serves {sorted(hints)}")
        general = {key: value for key, value in spec.items() if key not in ordered}
        # The order of the hints is the order of the encoders.
        return cls({**general, **{hint: copy.deepcopy(spec[hint]) for hint in hints}}, hints)

    def check_pipeline(self, pipeline: str, av: bool) -> None:
        """Raises InvalidSpec for what only a session with another pipeline could serve."""
        is_distilled = {"transfer": False, "distilled": True}[pipeline]
        if bool(self.spec.get("use_distilled", is_distilled)) != is_distilled:
            raise InvalidSpec(f"use_distilled does not fit a session with the {pipeline} pipeline")
        if bool(self.spec.get("is_av_sample", av)) != av:
            raise InvalidSpec("is_av_sample does not fit the checkpoint that this session has loaded")

    def check_warm(self) -> None:
        """Raises InvalidSpec for what only NVIDIA's command line does."""
        if self.spec.get("upsample_prompt"):
            raise InvalidSpec("upsample_prompt needs a host with mode = command: the upsampler would take all memory")

    def check_weights(self) -> None:
        """What the engine would refuse only after it was loaded, for a whole batch. Raises InvalidSpec."""
        for hint in self.hints:
            weight = self.spec[hint].get("control_weight", 0)
            is_map = isinstance(weight, str) and weight.endswith(".pt")
            if not is_map and not (isinstance(weight, NUMBER) and not isinstance(weight, bool) and weight >= 0):
                raise InvalidSpec(f"Control weight for {hint} is {weight!r}, not a number of at least 0 or a map")

    def __getitem__(self, parameter: str) -> Any:
        return self.spec[parameter]

    @property
    def input_video(self) -> str:
        return self.spec.get("input_video_path") or ""

    @property
    def regional_prompts(self) -> list[dict[str, Any]]:
        return copy.deepcopy(self.spec.get("regional_prompts") or [])

    def control_of(self, hint: str) -> str | None:
        return self.spec[hint].get("input_control") or None

    def videos(self) -> Iterator[str]:
        if self.input_video:
            yield self.input_video
        for hint in self.hints:
            if control := self.control_of(hint):
                yield control

    def with_control(self, hint: str, path: Path) -> Order:
        return Order({**self.spec, hint: {**self.spec[hint], "input_control": str(path)}}, self.hints)

    def text(self) -> str:
        return json.dumps(self.spec, indent=2, ensure_ascii=False) + "\n"


def check_parameters(spec: dict[str, Any]) -> None:
    for name, types in PARAMETERS.items():
        if name not in spec:
            raise InvalidSpec(f"{name} is missing; every parameter must be in the spec")
        # A bool is an int to Python, but no seed.
        if not isinstance(spec[name], types) or isinstance(spec[name], bool):
            raise InvalidSpec(f"{name} is {spec[name]!r}, not {' or '.join(kind.__name__ for kind in types)}")
    for name in ("blur_strength", "canny_threshold"):
        if spec[name] not in PRESETS:
            raise InvalidSpec(f"{name} is {spec[name]!r}; choose one of {', '.join(PRESETS)}")
