"""The prompt upsampler, with the engine's names, limits and the words that vLLM fails with."""

import math
import os
import time
from collections import Counter
from itertools import islice
from typing import Any

import cv2
import numpy as np
from simulated import captions, faults, files, gpu, ledger, log
from simulated.settings import Settings

COSMOS_UPSAMPLER_CHECKPOINT = "nvidia/Cosmos-UpsamplePrompt1-12B-Transfer"
MAX_MODEL_LEN = 4096
MAX_IMAGES = 2
MAX_TOKENS = 300
WRAPPING = 9
LONGEST_SIDE = 1024
PATCH = 16

if os.environ.get("COSMOS_SIMULATED_VLLM_REGISTRATION") != str(os.getpid()):
    raise ImportError("cosmos_transfer1.utils.fix_vllm_registration must be imported before vLLM")
if os.environ.get("VLLM_WORKER_MULTIPROC_METHOD") != "spawn":
    raise RuntimeError("Cannot re-initialize CUDA in forked subprocess. Use the 'spawn' start method")
if found := [name for name in os.environ if name.startswith("TORCHELASTIC_")]:
    raise RuntimeError(f"torchelastic agent found where there is none: {found[0]}")


class Tokenizer:
    """As much of vLLM's as anybody needs to count."""

    def encode(self, text: str) -> list[int]:
        return [1, *(hash(piece) & 0xFFFF for piece in captions.tokens(text))]


class LLM:
    """As much of vLLM's as anybody needs to reach the tokenizer."""

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()


class PixtralPromptUpsampler:
    """Keeps the model unless it is offloaded."""

    def __init__(self, checkpoint_dir: str, offload_prompt_upsampler: bool = False) -> None:
        self.checkpoint_dir = checkpoint_dir
        self.offload_prompt_upsampler = offload_prompt_upsampler
        self.upsampler_model: LLM | None = None
        self._answers: Counter[tuple[Any, ...]] = Counter()
        if not offload_prompt_upsampler:
            self._load_upsampler_model()

    def _load_upsampler_model(self) -> None:
        faults.at_upsampler_load()
        gpu.for_upsampler()
        time.sleep(Settings.read().upsampler_load_s)
        self.upsampler_model = LLM()
        ledger.append({"kind": "upsampler_load", "offload": self.offload_prompt_upsampler})

    def _prompt_upsample_with_offload(self, prompt: str, video_path: str | list[str]) -> str:
        self._load_upsampler_model()
        try:
            return self._prompt_upsample(prompt, video_path)
        finally:
            self.upsampler_model = None
            gpu.free()

    def _prompt_upsample(self, prompt: str, video_path: str | list[str]) -> str:
        """The longer prompt.

        Raises:
            ValueError: more than two images, or more tokens than the model takes.
        """
        if self.upsampler_model is None:
            raise AttributeError("'PixtralPromptUpsampler' object has no attribute 'upsampler_model'")
        pictures = read(video_path)
        count = WRAPPING + len(captions.tokens(prompt)) + sum(image_tokens(*picture.shape[:2]) for picture in pictures)
        check(len(pictures), count)
        log.info(f"Upsampling a prompt with {len(pictures)} images")
        time.sleep(Settings.read().upsample_s)
        faults.while_upsampling(prompt)
        asked = (prompt, *(picture.tobytes() for picture in pictures))
        self._answers[asked] += 1
        text = captions.caption(prompt, pictures, self._answers[asked])
        text = captions.cut(text, min(MAX_TOKENS, MAX_MODEL_LEN - count))
        if faults.leaves_unanswered(prompt):
            text = ""
        sizes = [[picture.shape[1], picture.shape[0]] for picture in pictures]
        ledger.append({"kind": "upsampling", "prompt": prompt, "images": sizes, "tokens": count, "text": text})
        return text


def read(video_path: str | list[str]) -> list[files.Image]:
    """The pictures, or the first two frames of a video at their full size."""
    if isinstance(video_path, str):
        return list(islice(files.images(video_path), MAX_IMAGES))
    return [picture(path) for path in video_path]


def picture(path: str) -> files.Image:
    image = cv2.imread(path)
    if image is None:
        raise ValueError(f"Cannot load image {path}")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def image_tokens(height: int, width: int) -> int:
    shrunk = max(1.0, max(width, height) / LONGEST_SIDE)
    return (math.ceil(width / shrunk / PATCH) + 1) * math.ceil(height / shrunk / PATCH)


def check(images: int, count: int) -> None:
    if images > MAX_IMAGES:
        raise ValueError(f"At most {MAX_IMAGES} image(s) may be provided in one request.")
    if count > MAX_MODEL_LEN:
        raise ValueError(
            f"The decoder prompt (length {count}) is longer than the maximum model length of {MAX_MODEL_LEN}. Make "
            "sure that `max_model_len` is no smaller than the number of text tokens plus multimodal tokens. For image "
            "inputs, the number of image tokens depends on the number of images and their aspect ratios as well."
        )
