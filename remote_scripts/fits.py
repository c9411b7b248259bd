"""How many videos fit at once, and whether models must be offloaded for it: asked for, guessed, or learnt here.

`fits.json` in the host's root keeps what worked after something larger did not, by kind of job. Delete it, or a line
of it, after the GPU or the engine has changed.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from attempt import replacing
from start import Start

# GB of the model and of one video that is generated, by the number of hints. The engine keeps a network a hint. Users
# report 80 GB as comfortable for one video, and 28 GB with everything offloaded; the steps between are a guess, and
# a wrong one costs one out-of-memory.
MODEL_GB = {1: 44.0, 2: 48.0, 3: 52.0, 4: 56.0, 5: 60.0}
VIDEO_GB = {1: 8.0, 2: 9.0, 3: 10.0, 4: 11.0, 5: 12.0}
OFFLOADED_GB = 24.0
# More at once only makes a failure dearer: a batch saves loads, and those are saved by its length.
MOST = 8
LOOK_S = 20


@dataclass(frozen=True)
class Fit:
    batch_size: int
    offload: bool


class Fits:
    """Asked before a process is started, told after a batch.

    A failure at a size that has worked says something about that job alone, and changes nothing for the others.
    """

    def __init__(self, start: Start) -> None:
        self._asked = start.batch_size
        self._path = start.root / "fits.json"
        self._failed: dict[str, set[int]] = {}
        self._worked: dict[str, int] = {}

    def of(self, hints: Sequence[str], pipeline: str) -> Fit:
        """What to begin with."""
        kind = kind_of(hints, pipeline)
        asked = Fit(self._asked, False) if self._asked is not None else guess(len(hints), free_gb())
        learnt = self._learnt().get(kind, asked)
        sizes = [asked.batch_size, learnt.batch_size]
        worked = self._worked.get(kind, 0)
        sizes += [max(1, worked, size // 2) for size in self._failed.get(kind, ()) if size > worked]
        return Fit(min(sizes), learnt.offload)

    def has_worked(self, hints: Sequence[str], pipeline: str) -> bool:
        """Whether any number at once did, without offloading."""
        return self._worked.get(kind_of(hints, pipeline), 0) > 0

    def failed(self, hints: Sequence[str], pipeline: str, tried: Fit) -> None:
        """There was not memory enough."""
        self._failed.setdefault(kind_of(hints, pipeline), set()).add(tried.batch_size)

    def worked(self, hints: Sequence[str], pipeline: str, tried: Fit) -> None:
        """Kept only after something larger failed: the largest size that worked, or offloading if none did without."""
        kind = kind_of(hints, pipeline)
        if not tried.offload:
            self._worked[kind] = max(tried.batch_size, self._worked.get(kind, 0))
        if any(size > self._worked.get(kind, 0) for size in self._failed.get(kind, ())):
            self._learn(kind, tried)

    def _learn(self, kind: str, tried: Fit) -> None:
        learnt = self._learnt()
        known, worked = learnt.get(kind), self._worked.get(kind, 0)
        found = Fit(worked, False) if worked else tried
        if known is not None and not known.offload:
            is_refuted = any(worked < size <= known.batch_size for size in self._failed[kind])
            found = found if is_refuted else Fit(max(known.batch_size, worked), False)
        if found != known:
            with replacing(self._path) as part:
                part.write_text(json.dumps({k: asdict(v) for k, v in {**learnt, kind: found}.items()}, indent=2) + "\n")

    def _learnt(self) -> dict[str, Fit]:
        try:
            found = json.loads(self._path.read_bytes())
            return {kind: Fit(int(fit["batch_size"]), bool(fit["offload"])) for kind, fit in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def kind_of(hints: Sequence[str], pipeline: str) -> str:
    return f"{pipeline} {' '.join(hints)}"


def guess(hints: int, free: float | None) -> Fit:
    """One at a time where nobody tells how much there is."""
    if free is None:
        return Fit(1, False)
    known = min(max(hints, 1), max(MODEL_GB))
    room = int((free - MODEL_GB[known]) // VIDEO_GB[known])
    if room < 1:
        return Fit(1, True)
    return Fit(min(room, MOST), False)


def free_gb() -> float | None:
    """Of the fullest GPU, since each holds the whole model; of the stand-in what it pretends to have."""
    if told := os.environ.get("COSMOS_SIMULATOR"):
        pretended = json.loads(told).get("memory_gb")
        return None if pretended is None else float(pretended)
    query = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=LOOK_S, check=True)
        return min(float(line) for line in done.stdout.split()) / 1024
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
