"""Reading prompts and writing videos, with the engine's names and arguments."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated import faults, files, log


def read_prompts_from_file(prompt_file: str) -> list[dict[str, Any]]:
    """One object a line; like the engine's, it does not forgive a blank line."""
    with Path(prompt_file).open() as lines:
        return [json.loads(line.strip()) for line in lines]


def save_video(
    video: NDArray[np.uint8], fps: int, H: int, W: int, video_save_quality: int, video_save_path: str
) -> None:
    """Writes (T, H, W, 3) as H.264.

    Raises:
        OSError: the simulated disk is full.
    """
    faults.before_saving(video_save_path)
    # 0 to 10 in the engine; 5 is what it saves with.
    files.write(Path(video_save_path), video, fps, W, H, crf=33 - 2 * video_save_quality, comment=files.COMMENT)
    faults.after_saving(video_save_path)
    log.info(f"Saved video to {video_save_path}")
