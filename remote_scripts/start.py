"""What a session is started with: `start.json`, written by the client."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Start:
    """The model to load and how. `checkpoints` holds only those that differ from the engine's own.

    `num_gpus` and `batch_size` are for command mode; the latter is None where it is to be found out.
    """

    root: Path
    pipeline: str
    hints: tuple[str, ...]
    av: bool
    checkpoints: dict[str, str]
    checkpoint_dir: str
    offload: frozenset[str]
    idle_exit_s: float
    num_gpus: int
    batch_size: int | None

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
            num_gpus=int(start.get("num_gpus", 1)),
            batch_size=None if start.get("batch_size") == "auto" else int(start.get("batch_size", 1)),
        )
