"""Reading and checking controlnet specs, with the engine's rules and messages."""

import json
from pathlib import Path
from typing import Any

from simulated import log

from cosmos_transfer1.checkpoints import (
    DEPTH2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    EDGE2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    EDGE2WORLD_CONTROLNET_7B_DISTILLED_CHECKPOINT_PATH,
    HDMAP2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    KEYPOINT2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    LIDAR2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    SEG2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    UPSCALER_CONTROLNET_7B_CHECKPOINT_PATH,
    VIS2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
)

valid_hint_keys = {"vis", "seg", "edge", "depth", "keypoint", "upscale", "hdmap", "lidar"}

default_model_names = {
    "vis": VIS2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    "seg": SEG2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    "edge": EDGE2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    "depth": DEPTH2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    "keypoint": KEYPOINT2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    "upscale": UPSCALER_CONTROLNET_7B_CHECKPOINT_PATH,
    "hdmap": HDMAP2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
    "lidar": LIDAR2WORLD_CONTROLNET_7B_CHECKPOINT_PATH,
}
default_distilled_model_names = {"edge": EDGE2WORLD_CONTROLNET_7B_DISTILLED_CHECKPOINT_PATH}

Specs = dict[str, dict[str, Any]]


def load_controlnet_specs(cfg: Any) -> tuple[Specs, dict[str, Any]]:
    """Splits the file `cfg.controlnet_specs` into hints and other arguments."""
    hints: Specs = {}
    arguments: dict[str, Any] = {}
    for key, value in json.loads(Path(cfg.controlnet_specs).read_text()).items():
        if key in valid_hint_keys:
            hints[key] = value
        elif isinstance(value, dict):
            raise ValueError(f"Invalid hint_key: {key}. Must be one of {valid_hint_keys}")
        else:
            arguments[key] = value
    return hints, arguments


def validate_controlnet_specs(cfg: Any, controlnet_specs: Specs) -> Specs:
    """Fills in `ckpt_path` and a weight of "0.5"; changes its argument and returns it."""
    for hint_key, config in controlnet_specs.items():
        if hint_key not in valid_hint_keys:
            raise ValueError(f"Invalid hint_key: {hint_key}. Must be one of {valid_hint_keys}")
        if not cfg.input_video_path and cfg.sigma_max < 80:
            raise ValueError("Must have 'input_video' specified if sigma_max < 80")
        if not cfg.input_video_path and "input_control" not in config:
            raise ValueError(
                f"{hint_key} controlnet must have 'input_control' video specified if no 'input_video' specified."
            )
        if "ckpt_path" not in config:
            log.info(f"No checkpoint path specified for {hint_key}. Using default.")
            names = default_distilled_model_names if getattr(cfg, "use_distilled", False) else default_model_names
            config["ckpt_path"] = f"{cfg.checkpoint_dir}/{names.get(hint_key, default_model_names[hint_key])}"
        if "control_weight" not in config:
            log.warning(f"No control weight specified for {hint_key}. Setting to 0.5.")
            config["control_weight"] = "0.5"
        check_weight(hint_key, config["control_weight"])
    return controlnet_specs


def check_weight(hint_key: str, weight: Any) -> None:
    if isinstance(weight, str) and weight.endswith(".pt"):
        return
    try:
        valid = float(weight) >= 0
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(f"Control weight for {hint_key} must be a valid non-negative float or a path to a .pt file.")
