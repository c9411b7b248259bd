"""How the stand-in shall behave: the environment variable COSMOS_SIMULATOR, a JSON object."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VARIABLE = "COSMOS_SIMULATOR"


@dataclass(frozen=True)
class Settings:
    """`scale` shrinks the engine's sizes, `clip_frames` its clips; `faults` are read by `faults`.

    `upsampler_load_s` and `upsample_s` are the upsampler's: seconds to load it, seconds for each prompt.
    """

    load_s: float = 0.0
    step_s: float = 0.0
    upsampler_load_s: float = 0.0
    upsample_s: float = 0.0
    scale: float = 1.0
    clip_frames: int = 121
    memory_gb: float | None = None
    ledger: Path | None = None
    faults: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls) -> Settings:
        given = json.loads(os.environ.get(VARIABLE) or "{}")
        if "ledger" in given:
            given["ledger"] = Path(given["ledger"])
        return cls(**given)

    def sized(self, pixels: int) -> int:
        """A width or height of the engine at this scale; a multiple of 16, as all of the engine's own are."""
        return max(16, round(pixels * self.scale / 16) * 16)
