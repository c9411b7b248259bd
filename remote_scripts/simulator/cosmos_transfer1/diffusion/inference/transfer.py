"""The engine's command line: one video, or a native batch, then the process ends.

Run from the root of the checkout with PYTHONPATH set to it, as NVIDIA documents:

    torchrun --nproc_per_node=1 cosmos_transfer1/diffusion/inference/transfer.py --controlnet_specs spec.json
"""

import argparse
import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated import faults, log

from cosmos_transfer1.checkpoints import (
    BASE_7B_CHECKPOINT_AV_SAMPLE_PATH,
    BASE_7B_CHECKPOINT_PATH,
    EDGE2WORLD_CONTROLNET_7B_DISTILLED_CHECKPOINT_PATH,
)
from cosmos_transfer1.diffusion.inference.inference_utils import (
    Specs,
    load_controlnet_specs,
    validate_controlnet_specs,
)
from cosmos_transfer1.diffusion.inference.preprocessors import Preprocessors
from cosmos_transfer1.diffusion.inference.world_generation_pipeline import (
    DiffusionControl2WorldGenerationPipeline,
    DistilledControl2WorldGenerationPipeline,
)
from cosmos_transfer1.utils import misc
from cosmos_transfer1.utils.io import read_prompts_from_file, save_video

PRESETS = ("very_low", "low", "medium", "high", "very_high")
PROMPT = (
    "The video captures a stunning, photorealistic scene with remarkable attention to detail, giving it a lifelike "
    "appearance that is almost indistinguishable from reality. It appears to be from a high-budget 4K movie, "
    "showcasing ultra-high-definition quality with impeccable resolution."
)
NEGATIVE_PROMPT = (
    "The video captures a game playing, with bad crappy graphics and cartoonish frames. It represents a recording "
    "of old outdated games. The lighting looks very fake. The textures are very raw and basic. The geometries are "
    "very primitive. The images are very pixelated and of poor CG quality. There are many subtitles in the footage. "
    "Overall, the video is unrealistic at all."
)
VIDEO_QUALITY = 5


def parse_arguments() -> tuple[argparse.Namespace, Specs]:
    """The arguments after the spec's own keys were laid over them, and the spec's hints."""
    parser = argparse.ArgumentParser(description="Control to world generation demo script", conflict_handler="resolve")
    parser.add_argument("--prompt", type=str, default=PROMPT)
    parser.add_argument("--negative_prompt", type=str, default=NEGATIVE_PROMPT)
    parser.add_argument("--input_video_path", type=str, default="")
    parser.add_argument("--num_input_frames", type=int, default=1, choices=[1])
    parser.add_argument("--sigma_max", type=float, default=70.0)
    parser.add_argument("--blur_strength", type=str, default="medium", choices=PRESETS)
    parser.add_argument("--canny_threshold", type=str, default="medium", choices=PRESETS)
    parser.add_argument("--controlnet_specs", type=str, required=True)
    parser.add_argument("--checkpoint_dir", type=str, default="checkpoints")
    parser.add_argument("--video_save_name", type=str, default="output")
    parser.add_argument("--video_save_folder", type=str, default="outputs/")
    parser.add_argument("--batch_input_path", type=str)
    parser.add_argument("--batch_size", type=int, default=1)
    parser.add_argument("--num_steps", type=int, default=35)
    parser.add_argument("--guidance", type=float, default=5)
    parser.add_argument("--fps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--num_gpus", type=int, default=1)
    for flag in ("diffusion_transformer", "text_encoder_model", "guardrail_models", "prompt_upsampler"):
        parser.add_argument(f"--offload_{flag}", action="store_true")
    for flag in ("upsample_prompt", "use_distilled", "is_av_sample"):
        parser.add_argument(f"--{flag}", action="store_true")
    cfg = parser.parse_args()
    control_inputs, in_spec = load_controlnet_specs(cfg)
    for key, value in in_spec.items():
        # The exact token: `--seed=5` loses to the spec, `--seed 5` wins. Neither type nor choices are looked at.
        if f"--{key}" not in sys.argv:
            setattr(cfg, key, value)
    log.info(f"final args: {json.dumps(vars(cfg), indent=4)}")
    return cfg, control_inputs


def demo(cfg: argparse.Namespace, control_inputs: Specs) -> None:
    control_inputs = validate_controlnet_specs(cfg, control_inputs)
    misc.set_random_seed(cfg.seed)
    preprocessors = Preprocessors()
    pipeline = make_pipeline(cfg, control_inputs)
    if cfg.batch_input_path:
        log.info(f"Reading batch inputs from path: {cfg.batch_input_path}")
        items = read_prompts_from_file(cfg.batch_input_path)
    else:
        items = [{"prompt": cfg.prompt, "visual_input": cfg.input_video_path}]
    batch_size = cfg.batch_size
    if "upscale" in control_inputs and batch_size > 1:
        batch_size = 1
        log.info("Setting batch_size=1 as upscale does not support batch generation")
    Path(cfg.video_save_folder).mkdir(parents=True, exist_ok=True)
    for start in range(0, len(items), batch_size):
        batch = items[start : start + batch_size]
        controls = []
        for number, item in enumerate(batch, start):
            controls.append(prepare(cfg, preprocessors, control_inputs, item, place_of(cfg, number)))
        pipeline.regional_prompts, pipeline.region_definitions = regions_of(cfg)
        # A blocked batch is None, which nobody catches: the process dies, and the items behind it are lost.
        videos, prompts = pipeline.generate(  # type: ignore[misc]
            prompt=[item.get("prompt") or "" for item in batch],
            video_path=[item.get("visual_input") or "" for item in batch],
            negative_prompt=cfg.negative_prompt,
            control_inputs=controls,
            save_folder=str(place_of(cfg, start + len(batch) - 1)),
            batch_size=len(batch),
        )
        # The engine's own mistake: what was blocked is gone from `videos`, and the others move up.
        for number, (video, prompt) in enumerate(faults.shifted(list(zip(videos, prompts, strict=True))), start):
            save(cfg, number, video, prompt)


def make_pipeline(cfg: argparse.Namespace, control_inputs: Specs) -> DiffusionControl2WorldGenerationPipeline:
    kind, checkpoint = DiffusionControl2WorldGenerationPipeline, BASE_7B_CHECKPOINT_PATH
    if cfg.is_av_sample:
        checkpoint = BASE_7B_CHECKPOINT_AV_SAMPLE_PATH
    if cfg.use_distilled:
        kind, checkpoint = DistilledControl2WorldGenerationPipeline, EDGE2WORLD_CONTROLNET_7B_DISTILLED_CHECKPOINT_PATH
    return kind(
        checkpoint_dir=cfg.checkpoint_dir,
        checkpoint_name=checkpoint,
        offload_network=cfg.offload_diffusion_transformer,
        offload_text_encoder_model=cfg.offload_text_encoder_model,
        offload_guardrail_models=cfg.offload_guardrail_models,
        offload_prompt_upsampler=cfg.offload_prompt_upsampler,
        guidance=cfg.guidance,
        num_steps=cfg.num_steps,
        fps=cfg.fps,
        seed=cfg.seed,
        num_input_frames=cfg.num_input_frames,
        control_inputs=control_inputs,
        sigma_max=cfg.sigma_max,
        blur_strength=cfg.blur_strength,
        canny_threshold=cfg.canny_threshold,
        upsample_prompt=cfg.upsample_prompt,
    )


def place_of(cfg: argparse.Namespace, number: int) -> Path:
    folder = Path(cfg.video_save_folder)
    return folder / f"video_{number}" if cfg.batch_input_path else folder


def prepare(
    cfg: argparse.Namespace, preprocessors: Preprocessors, control_inputs: Specs, item: dict[str, Any], folder: Path
) -> Specs:
    """The item's own controls: the spec's with the item's overrides, and those made that nobody gave."""
    folder.mkdir(parents=True, exist_ok=True)
    controls = copy.deepcopy(control_inputs)
    for hint, override in item.get("control_overrides", {}).items():
        if hint in controls:
            controls[hint].update(override)
        else:
            log.warning(f"Ignoring unknown control key in override: {hint}")
    log.info("running preprocessor")
    preprocessors(
        item.get("visual_input") or "",
        item.get("prompt") or "",
        controls,
        str(folder),
        getattr(cfg, "regional_prompts", None),
        cfg.blur_strength,
        cfg.canny_threshold,
    )
    return controls


def regions_of(cfg: argparse.Namespace) -> tuple[list[str], list[Any]]:
    """Prompts and definitions of the regions, boxes read from their file."""
    prompts, definitions = [], []
    for region in getattr(cfg, "regional_prompts", None) or []:
        prompts.append(region["prompt"])
        path = region.get("region_definitions_path")
        if isinstance(path, str) and path.endswith(".json"):
            definitions.extend(json.loads(Path(path).read_bytes()))
        elif path is not None:
            definitions.append(path)
    return prompts, definitions


def save(cfg: argparse.Namespace, number: int, video: NDArray[np.uint8], prompt: str) -> None:
    folder = place_of(cfg, number)
    name, told = ("output", "prompt") if cfg.batch_input_path else (cfg.video_save_name, cfg.video_save_name)
    faults.saves(prompt)
    _, height, width, _ = video.shape
    save_video(video, cfg.fps, height, width, VIDEO_QUALITY, str(folder / f"{name}.mp4"))
    path = folder / f"{told}.txt"
    path.write_text(prompt)
    log.info(f"Saved prompt to {path}")


if __name__ == "__main__":
    demo(*parse_arguments())
