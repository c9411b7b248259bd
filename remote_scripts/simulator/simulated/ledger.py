"""The box's own account of what was loaded and generated, for tests that ask whether anything ran twice."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime, timezone
from typing import Any

from simulated.settings import Settings


def loaded(hints: list[str], checkpoint_name: str, received: dict[str, Any]) -> None:
    append({"kind": "load", "hints": hints, "checkpoint_name": checkpoint_name, "received": received})


def generated(received: dict[str, Any]) -> None:
    """`received` is everything that reached generate(), attributes included."""
    sha256 = hashlib.sha256(received["prompt"].encode()).hexdigest()
    append({"kind": "generation", "prompt_sha256": sha256, "seed": received["seed"], "received": received})


def append(entry: dict[str, Any]) -> None:
    path = Settings.read().ledger
    if path is None:
        return
    line = json.dumps({"at": datetime.now(timezone.utc).isoformat(), "pid": os.getpid(), **entry}, default=str)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, (line + "\n").encode())
    finally:
        os.close(descriptor)
