"""How much memory the stand-in pretends to need, so that `memory_gb` can be too little.

40 GB for the network, the text encoder and the guardrails; less what is offloaded; 4 GB for each hint; 8 GB for
each 121 frames; 30 GB more for the upscaler's nine patches. With everything offloaded, one hint and one clip
need 28 GB, which is what users report of the engine.
"""

from __future__ import annotations

from collections.abc import Collection

BASE_GB = 40.0
HINT_GB = 4.0
CLIP_GB = 8.0
UPSCALE_GB = 30.0
OFFLOADED_GB = {"text_encoder_model": 12.0, "guardrail_models": 5.0, "network": 7.0}


class OutOfMemoryError(RuntimeError):
    """Has the name and the message of torch's."""


def needed_gb(hints: Collection[str], clips: int, offloaded: Collection[str]) -> float:
    saved = sum(OFFLOADED_GB[name] for name in offloaded)
    upscale = UPSCALE_GB if "upscale" in hints else 0.0
    return BASE_GB - saved + HINT_GB * len(hints) + CLIP_GB * clips + upscale


def check(needed: float, budget: float | None) -> None:
    if budget is not None and needed > budget:
        raise exhausted(needed - budget, budget)


def exhausted(missing_gb: float = 2.0, total_gb: float = 80.0) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"CUDA out of memory. Tried to allocate {missing_gb:.2f} GiB. GPU 0 has a total capacity of "
        f"{total_gb:.2f} GiB of which 0.00 GiB is free."
    )
