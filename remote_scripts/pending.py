"""An accepted attempt that waits for a process of the engine, and how careful that process has to be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import controls
import videos
from attempt import Attempt, replacing
from controls import Control
from order import Order
from start import Start

LARGEST = 1_000_000


@dataclass(frozen=True)
class Pending:
    """`cap` is how many videos may be generated at once with it, after what it has met already."""

    attempt: Attempt
    order: Order
    controls: dict[str, Control]
    cap: int = LARGEST
    offload: bool = False
    alone: bool = False

    @property
    def is_upsampled(self) -> bool:
        """Whether the engine is to make its prompt longer itself."""
        return bool(self.order.spec.get("upsample_prompt"))

    @property
    def is_cancelled(self) -> bool:
        return self.attempt.cancel.exists()


def prepare(attempt: Attempt, start: Start) -> Pending:
    """Checks what was ordered and makes the controls that are missing.

    Raises:
        BadInput: a video is missing or cannot be decoded.
        InvalidSpec: the order cannot be carried out as it is written.
    """
    order = Order.read(attempt.ordered_spec(), start.hints)
    order.check_pipeline(start.pipeline, start.av)
    order.check_weights()
    for video in order.videos():
        videos.check(video)
    order, made = controls.make_missing(order, start.root / "controls")
    with replacing(attempt.spec) as part:
        part.write_text(order.text())
    return Pending(attempt, order, made)


def ordered(path: Path, start: Start) -> dict[str, Any] | None:
    """The spec of an order that still lies in the inbox, as it will be; None if it cannot be carried out."""
    try:
        return Order.read(json.loads(path.read_bytes())["spec"], start.hints).spec
    except Exception:  # Whatever is wrong with it is said when it is taken.
        return None
