"""Misbehaviour on request: `faults` in COSMOS_SIMULATOR.

Each is `{"match": part of the prompt, "do": …, "step": N, "times": M}`: `block`, `oom`, `crash`, `kill`, `hang` and
`raise` act at step N (the first if absent), `truncate` and `disk_full` when the video is saved, `shift` when those of
a batch are, `load_failure` when the pipeline is made. After M times (always, if absent) a fault is over; the count is
kept beside the ledger, so that it outlives the crash that it causes.
With `"during": "upsampling"` a fault is the upsampler's, else never.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulated import memory
from simulated.settings import Settings

Video = NDArray[np.uint8]

TRUNCATED_TO = 0.6
_counts_in_memory: dict[str, int] = {}
_prompt = ""

GENERATION, UPSAMPLING = "generation", "upsampling"


def at_load(checkpoint: str) -> None:
    if take("load_failure", prompt=""):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), checkpoint)


def at_upsampler_load() -> None:
    if take("load_failure", prompt="", during=UPSAMPLING):
        raise RuntimeError("Engine core initialization failed. See root cause above. Failed core proc(s): {}")


def while_upsampling(prompt: str) -> None:
    for action in ("oom", "crash", "kill", "hang", "raise"):
        if take(action, prompt, during=UPSAMPLING):
            act(action)


def leaves_unanswered(prompt: str) -> bool:
    """Whether the upsampler has nothing to say."""
    return take("silence", prompt, during=UPSAMPLING)


def blocks(prompt: str) -> bool:
    return take("block", prompt)


def at_step(prompt: str, step: int, steps: int) -> None:
    """`step` of `steps` over all clips of a generation, from 1."""
    global _prompt
    _prompt = prompt
    for action in ("oom", "crash", "kill", "hang", "raise"):
        if take(action, prompt, step, steps):
            act(action)


def act(action: str) -> None:
    if action == "oom":
        raise memory.exhausted()
    if action == "crash":
        os._exit(1)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "raise":
        raise RuntimeError("The stand-in was told to fail.")
    while True:
        time.sleep(3600)


def saves(prompt: str) -> None:
    """Whose video is saved next; without it, that of the last step."""
    global _prompt
    _prompt = prompt


def shifted(outputs: list[tuple[Video, str]]) -> list[tuple[Video, str]]:
    """The videos and prompts of a batch; with `shift` one changes its place with its neighbour, or with nobody."""
    for number in range(len(outputs) - 1):
        if take("shift", outputs[number][1]):
            outputs[number], outputs[number + 1] = outputs[number + 1], outputs[number]
            break
    return outputs


def before_saving(path: str) -> None:
    if take("disk_full", _prompt):
        Path(path).write_bytes(b"\0" * 4096)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def after_saving(path: str) -> None:
    if take("truncate", _prompt):
        os.truncate(path, int(Path(path).stat().st_size * TRUNCATED_TO))


def take(action: str, prompt: str, step: int | None = None, steps: int = 1, during: str = GENERATION) -> bool:
    """Whether the fault is due now; counts it if so."""
    settings = Settings.read()
    for number, fault in enumerate(settings.faults):
        is_meant = fault["do"] == action and fault.get("during", GENERATION) == during
        if is_meant and fault.get("match", "") in prompt and is_at(fault, step, steps):
            name = f"{number}-{action}"
            counts = read_counts(settings)
            if counts.get(name, 0) < fault.get("times", float("inf")):
                write_counts(settings, {**counts, name: counts.get(name, 0) + 1})
                return True
    return False


def is_at(fault: dict[str, Any], step: int | None, steps: int) -> bool:
    return step is None or step == min(int(fault.get("step", 1)), steps)


def read_counts(settings: Settings) -> dict[str, int]:
    path = counts_path(settings)
    if path is None:
        return _counts_in_memory
    return json.loads(path.read_text()) if path.exists() else {}


def write_counts(settings: Settings, counts: dict[str, int]) -> None:
    path = counts_path(settings)
    if path is None:
        _counts_in_memory.update(counts)
    else:
        path.write_text(json.dumps(counts))


def counts_path(settings: Settings) -> Path | None:
    return None if settings.ledger is None else settings.ledger.with_name(settings.ledger.name + ".faults.json")
