"""The box's own account of what was loaded and generated, for tests that ask whether anything ran twice."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime, timezone
from typing import Any

from simulated.settings import Settings


def loaded(began_at: str, hints: list[str], checkpoint_name: str, received: dict[str, Any]) -> None:
    told = {"hints": hints, "checkpoint_name": checkpoint_name, "received": received}
    append({"kind": "load", "began_at": began_at, **told})


def generated(began_at: str, received: dict[str, Any]) -> None:
    """`received` is everything that reached generate(), attributes included."""
    sha256 = hashlib.sha256(received["prompt"].encode()).hexdigest()
    told = {"prompt_sha256": sha256, "seed": received["seed"], "received": received}
    append({"kind": "generation", "began_at": began_at, **told})


def now() -> str:
    return datetime.now(timezone.utc).isoformat()


def append(entry: dict[str, Any]) -> None:
    path = Settings.read().ledger
    if path is None:
        return
    line = json.dumps({"at": now(), "pid": os.getpid(), **entry}, default=str)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, (line + "\n").encode())
    finally:
        os.close(descriptor)
