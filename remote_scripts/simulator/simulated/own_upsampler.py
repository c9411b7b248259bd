"""What the pipeline does with `--upsample_prompt`: which control it shows the upsampler, and in which environment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulated import guides, log

OF_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME")
BLURRED = ("vis", "edge")
OTHERS = ("seg", "depth")


class OwnUpsampler:
    """Made once for a process, with the controls of the spec that it was started with."""

    def __init__(self, control_inputs: dict[str, dict[str, Any]], checkpoint_dir: str) -> None:
        log.info("Initializing prompt upsampler...")
        shown = [hint for hint in BLURRED if hint in control_inputs]
        self._hint = next(iter(shown or [hint for hint in control_inputs if hint in OTHERS]), None)
        self._controls = control_inputs
        self._checkpoint_dir = checkpoint_dir
        log.info(f"Prompt upsampler initialized with hint key: {self._hint}")

    def upsample(self, prompt: str, video: str, folder: str, presets: tuple[str, str]) -> str:
        """The longer prompt, or the same one for hints of which it is shown nothing."""
        if self._hint is None:
            return prompt
        log.info(f"Upsampling prompt with controlnet: {self._hint}")
        control = self._controls[self._hint].get("input_control")
        if control is None and self._hint in BLURRED:
            control = str(Path(folder) / f"{self._hint}_upsampler.mp4")
            guides.make(self._hint, video, Path(control), prompt, *presets)
        if control is None:
            raise TypeError("expected str, bytes or os.PathLike object, not NoneType")
        with out_of_torchrun():
            # Only then may it be imported, as the engine's own vLLM may.
            from cosmos_transfer1.utils import fix_vllm_registration  # noqa: F401

            # isort: split
            from cosmos_transfer1.auxiliary.upsampler.model.upsampler import PixtralPromptUpsampler

            upsampler = PixtralPromptUpsampler(self._checkpoint_dir, offload_prompt_upsampler=True)
            longer = upsampler._prompt_upsample_with_offload(prompt, control)
        log.info(f"Upsampled prompt: {longer}")
        return longer


@contextmanager
def out_of_torchrun() -> Iterator[None]:
    taken = {name: os.environ.pop(name) for name in list(os.environ) if is_of_torchrun(name)}
    try:
        yield
    finally:
        os.environ.update(taken)


def is_of_torchrun(name: str) -> bool:
    return name in OF_TORCHRUN or name.startswith("TORCHELASTIC_")
