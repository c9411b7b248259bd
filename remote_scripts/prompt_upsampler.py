"""The engine's prompt upsampler, loaded once: NVIDIA's or the stand-in's, and it does not know which.

Imported only after the descriptors are redirected, since the engine prints while it is imported.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from start import Start
from token_budget import most_prompt_tokens

MODEL = "Cosmos-UpsamplePrompt1-12B-Transfer"
# What torchrun leaves in the environment of its children. vLLM would take itself for one of them.
DISTRIBUTED = (
    "RANK",
    "LOCAL_RANK",
    "GROUP_RANK",
    "ROLE_RANK",
    "ROLE_NAME",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "GROUP_WORLD_SIZE",
    "ROLE_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
)
OFFLOADED = "prompt_upsampler"


@dataclass(frozen=True)
class Count:
    """Tokens of a text; if not exact, no fewer than there are."""

    tokens: int
    is_exact: bool


class Tokenizer(Protocol):
    def encode(self, text: str) -> Sequence[int]: ...


class PromptUpsampler:
    """Serves any number of prompts; offloaded, it reads the model from disk for each."""

    def __init__(self, start: Start) -> None:
        prepare_environment()
        # In this order: the second patches what the third imports.
        import cosmos_transfer1
        from cosmos_transfer1.utils import fix_vllm_registration  # noqa: F401

        # isort: split
        from cosmos_transfer1.auxiliary.upsampler.model.upsampler import PixtralPromptUpsampler

        self._is_offloaded = OFFLOADED in start.offload
        self._upsampler = PixtralPromptUpsampler(
            checkpoint_dir=start.checkpoint_dir, offload_prompt_upsampler=self._is_offloaded
        )
        self.version: str | None = getattr(cosmos_transfer1, "__version__", None)

    def count(self, prompt: str) -> Count:
        """By the model's own tokenizer where it can be reached, else as much as it could be."""
        tokenizer = tokenizer_of(self._upsampler)
        if tokenizer is None:
            return Count(most_prompt_tokens(prompt), is_exact=False)
        return Count(len(tokenizer.encode(prompt)), is_exact=True)

    def upsample(self, prompt: str, pictures: list[str]) -> tuple[str, float]:
        """The longer prompt, and the seconds that it took."""
        began = time.monotonic()
        if self._is_offloaded:
            text = self._upsampler._prompt_upsample_with_offload(prompt, pictures)
        else:
            text = self._upsampler._prompt_upsample(prompt, pictures)
        return str(text or "").strip(), round(time.monotonic() - began, 3)


def prepare_environment() -> None:
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    for name in [name for name in os.environ if name.startswith("TORCHELASTIC_") or name in DISTRIBUTED]:
        del os.environ[name]


def tokenizer_of(upsampler: object) -> Tokenizer | None:
    """Of the vLLM model among its attributes. The engine promises none, so nothing is made of its absence."""
    for value in vars(upsampler).values():
        get: Any = getattr(value, "get_tokenizer", None)
        try:
            tokenizer = get() if callable(get) else None
            if tokenizer is not None and len(tokenizer.encode("a")) > 0:
                return tokenizer  # type: ignore[no-any-return]
        except Exception as error:
            print(f"the upsampler's tokenizer cannot be used: {type(error).__name__}: {error}")
    return None
