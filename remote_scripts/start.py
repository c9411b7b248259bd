"""What a session is started with: `start.json`, written by the client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Start:
    """The model to load and how. `checkpoints` holds only those that differ from the engine's own."""

    root: Path
    pipeline: str
    hints: tuple[str, ...]
    av: bool
    checkpoints: dict[str, str]
    checkpoint_dir: str
    offload: frozenset[str]
    idle_exit_s: float

    @classmethod
    def read(cls, session: Path) -> Start:
        start = json.loads((session / "start.json").read_bytes())
        key = start["key"]
        return cls(
            root=Path(start["root"]),
            pipeline=key["pipeline"],
            hints=tuple(key["hints"]),
            av=bool(key.get("av", False)),
            checkpoints=dict(key.get("checkpoints", {})),
            checkpoint_dir=start.get("checkpoint_dir", "checkpoints"),
            offload=frozenset(start.get("offload", ())),
            idle_exit_s=float(start.get("idle_exit_s", 1800)),
        )
