"""Makes the controls and weight maps that a spec asks for by words, with the engine's names for the files."""

from pathlib import Path
from typing import Any

from simulated import guides, log
from simulated.request import write_map

MADE_FROM_INPUT = ("vis", "edge", "depth", "seg", "keypoint")
RANK = 0


class Preprocessors:
    """Like the engine's, it keeps the first blur and canny value that it sees: make a new one for each job."""

    def __init__(self) -> None:
        self._presets: tuple[str, str] | None = None

    def __call__(
        self,
        input_video: str,
        input_prompt: str,
        control_inputs: dict[str, dict[str, Any]],
        output_folder: str,
        regional_prompts: list[dict[str, Any]] | None = None,
        blur_strength: str = "medium",
        canny_threshold: str = "medium",
    ) -> dict[str, dict[str, Any]]:
        """Changes `control_inputs` and `regional_prompts` in place."""
        self._presets = self._presets or (blur_strength, canny_threshold)
        for hint, config in control_inputs.items():
            if hint in MADE_FROM_INPUT and config.get("input_control") is None:
                prompt = config.get("input_control_prompt") or input_prompt
                self._make_control(hint, input_video, prompt, config, Path(output_folder))
            if config.get("control_weight_prompt") is not None:
                make_weight_map(hint, input_video, config, Path(output_folder))
        for number, region in enumerate(regional_prompts or []):
            if region.get("mask_prompt"):
                make_region(number, input_video, region, Path(output_folder))
        return control_inputs

    def _make_control(self, hint: str, video: str, prompt: str, config: dict[str, Any], folder: Path) -> None:
        target = folder / f"{hint}_input_control_{RANK}.mp4"
        log.info(f"no input_control provided for {hint}. generating input control video with {prompt=}")
        blur_strength, canny_threshold = self._presets or ("medium", "medium")
        guides.make(hint, video, target, prompt, blur_strength, canny_threshold)
        config["input_control"] = str(target)


def make_weight_map(hint: str, video: str, config: dict[str, Any], folder: Path) -> None:
    prompt = config["control_weight_prompt"]
    log.info(f"{hint}: generating control weight tensor with SAM using {prompt=}")
    weight = config.get("control_weight", 1.0)
    target = folder / f"{hint}_control_weight_{RANK}.pt"
    scale = float(weight) if isinstance(weight, int | float) else 1.0
    write_map(str(target), guides.weight_map(video, prompt, scale))
    config["control_weight"] = str(target)


def make_region(number: int, video: str, region: dict[str, Any], folder: Path) -> None:
    target = folder / f"regional_context_{number}.pt"
    log.info(f"generating regional context for {region['mask_prompt']}")
    write_map(str(target), guides.weight_map(video, region["mask_prompt"], 1.0))
    region["region_definitions_path"] = str(target)
