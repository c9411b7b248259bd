"""The engine, loaded once: drives `cosmos_transfer1` and nothing else, be it NVIDIA's or the stand-in.

Imported only after the descriptors are redirected, since the engine prints while it is imported.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cosmos_transfer1
from cosmos_transfer1 import checkpoints
from cosmos_transfer1.diffusion.inference.inference_utils import load_controlnet_specs, validate_controlnet_specs
from cosmos_transfer1.diffusion.inference.preprocessors import Preprocessors
from cosmos_transfer1.diffusion.inference.world_generation_pipeline import (
    DiffusionControl2WorldGenerationPipeline,
    DistilledControl2WorldGenerationPipeline,
)
from cosmos_transfer1.utils import misc
from cosmos_transfer1.utils.io import save_video
from failures import InvalidSpec
from order import Order
from start import Start
from videos import Image

# What transfer.py saves with.
VIDEO_QUALITY = 5
# Attributes that the pipeline reads during a generation and that transfer.py gives to its constructor.
SETTABLE = ("guidance", "num_steps", "seed", "sigma_max", "fps", "blur_strength", "canny_threshold")


@dataclass(frozen=True)
class Generated:
    """A video as uint8 (T, H, W, 3), the prompt that made it, and the time that took."""

    video: Image
    prompt: str
    generate_s: float


class WarmPipeline:
    """Serves any number of orders with the hints that it was loaded for."""

    def __init__(self, start: Start) -> None:
        enable_inference_only()
        self._start = start
        self._loaded = hints_to_load(start)
        self._pipeline = pipeline_class(start)(
            checkpoint_dir=start.checkpoint_dir,
            checkpoint_name=checkpoint_name(start),
            control_inputs=copy.deepcopy(self._loaded),
            offload_network="diffusion_transformer" in start.offload,
            offload_text_encoder_model="text_encoder_model" in start.offload,
            offload_guardrail_models="guardrail_models" in start.offload,
            offload_prompt_upsampler="prompt_upsampler" in start.offload,
        )

    @property
    def version(self) -> str | None:
        return getattr(cosmos_transfer1, "__version__", None)

    def check(self, order: Order) -> None:
        """Raises InvalidSpec for what only another session could serve."""
        order.check_pipeline(self._start.pipeline, self._start.av)
        order.check_warm()
        for hint in order.hints:
            loaded = self._loaded[hint]["ckpt_path"]
            if (asked_for := order[hint].get("ckpt_path", loaded)) != loaded:
                raise InvalidSpec(f"{hint} asks for the checkpoint {asked_for}, this session has loaded {loaded}")

    def generate(self, order: Order, spec: Path, folder: Path, enter: Callable[[str], None]) -> Generated | None:
        """None when the guardrail blocked it. `spec` is the file that the engine reads its hints from."""
        control_inputs = self._read_spec(order, spec)
        misc.set_random_seed(order["seed"])
        enter("preprocessing")
        regional_prompts = order.regional_prompts
        # New each time: it would keep the first blur and canny value that it saw.
        Preprocessors()(
            order.input_video,
            order["prompt"],
            control_inputs,
            str(folder),
            regional_prompts,
            blur_strength=order["blur_strength"],
            canny_threshold=order["canny_threshold"],
        )
        self._set(order, regional_prompts)
        began = time.monotonic()
        result = self._pipeline.generate(
            prompt=[order["prompt"]],
            video_path=[order.input_video],
            negative_prompt=order["negative_prompt"],
            control_inputs=[control_inputs],
            save_folder=str(folder),
            batch_size=1,
        )
        if result is None:
            return None
        # Some releases return the intermediate videos between the two.
        videos, *_, prompts = result
        return Generated(videos[0], prompts[0], round(time.monotonic() - began, 3))

    def save(self, generated: Generated, fps: int, path: Path) -> None:
        _, height, width, _ = generated.video.shape
        save_video(
            video=generated.video,
            fps=fps,
            H=height,
            W=width,
            video_save_quality=VIDEO_QUALITY,
            video_save_path=str(path),
        )

    def _read_spec(self, order: Order, spec: Path) -> dict[str, Any]:
        cfg = SimpleNamespace(
            controlnet_specs=str(spec),
            checkpoint_dir=self._start.checkpoint_dir,
            sigma_max=order["sigma_max"],
            input_video_path=order.input_video,
            use_distilled=self._start.pipeline == "distilled",
        )
        control_inputs, _ = load_controlnet_specs(cfg)
        return validate_controlnet_specs(cfg, control_inputs)

    def _set(self, order: Order, regional_prompts: list[dict[str, Any]]) -> None:
        for name in SETTABLE:
            setattr(self._pipeline, name, order[name])
        # Empty lists, never None: the pipeline embeds whatever it finds here.
        self._pipeline.regional_prompts = [region["prompt"] for region in regional_prompts]
        self._pipeline.region_definitions = region_definitions(regional_prompts)


def enable_inference_only() -> None:
    """Without this the pipeline keeps every activation for a backward pass that never comes."""
    with contextlib.suppress(ImportError):  # The stand-in needs no torch.
        importlib.import_module("torch").enable_grad(False)


def pipeline_class(start: Start) -> type[DiffusionControl2WorldGenerationPipeline]:
    if start.pipeline == "distilled":
        return DistilledControl2WorldGenerationPipeline
    if start.pipeline == "transfer":
        return DiffusionControl2WorldGenerationPipeline
    raise InvalidSpec(f"there is no pipeline {start.pipeline!r}; use transfer or distilled")


def checkpoint_name(start: Start) -> str:
    """The same choice as transfer.py."""
    if start.pipeline == "distilled":
        # Releases of the engine differ in this name.
        names = (
            "EDGE2WORLD_CONTROLNET_7B_DISTILLED_CHECKPOINT_PATH",
            "EDGE2WORLD_CONTROLNET_DISTILLED_CHECKPOINT_PATH",
        )
        return next(str(getattr(checkpoints, name)) for name in names if hasattr(checkpoints, name))
    return checkpoints.BASE_7B_CHECKPOINT_AV_SAMPLE_PATH if start.av else checkpoints.BASE_7B_CHECKPOINT_PATH


def hints_to_load(start: Start) -> dict[str, Any]:
    """Control inputs with their checkpoints and no video, as the network's loading needs them."""
    hints: dict[str, dict[str, Any]] = {hint: {"control_weight": 0.5, "input_control": None} for hint in start.hints}
    for hint, path in start.checkpoints.items():
        hints[hint]["ckpt_path"] = path
    cfg = SimpleNamespace(
        checkpoint_dir=start.checkpoint_dir,
        sigma_max=80.0,  # The value for which no input video is asked.
        input_video_path="",
        use_distilled=start.pipeline == "distilled",
    )
    return validate_controlnet_specs(cfg, hints)


def region_definitions(regional_prompts: list[dict[str, Any]]) -> list[Any]:
    """As transfer.py reads them: boxes out of a JSON file, or the path of a mask."""
    definitions: list[Any] = []
    for region in regional_prompts:
        path = region.get("region_definitions_path")
        if isinstance(path, str) and path.endswith(".json"):
            definitions.extend(json.loads(Path(path).read_bytes()))
        elif path is not None:
            definitions.append(path)
    return definitions
