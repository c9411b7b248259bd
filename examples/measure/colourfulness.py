"""How colourful a video is, and how much more than its input: Hasler and Süsstrunk, 2003, averaged over frames."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


def measure(
    output: Iterator[Frame],
    source: Iterator[Frame] | None,
    controls: Mapping[str, Iterator[Frame]],
    facts: Mapping[str, Any],
) -> dict[str, float]:
    """A measure: from a video and what it was made from to numbers by name.

    Args:
        output: frames of the video, RGB, (height, width, 3) of uint8. They are decoded while you take them, one at a
            time, and can be taken once.
        source: likewise those of the input video; None where the job has none. It may have another size.
        controls: likewise those of the clip's control videos, by hint: `depth`, `seg`, …
        facts: `job_id`, `prompt`, `parameters` by name, `width`, `height`, `fps`, `frames` and more.

    Returns:
        what is stored as `colourfulness.KEY`, and under the measure's own name as `colourfulness`.
    """
    mean = _mean(output)
    numbers = {"colourfulness": mean}
    if source is not None:
        numbers["gain"] = mean - _mean(source)
    return numbers


# Count it up when the definition changes: what an older version gave is measured anew.
measure.version = 1


def _mean(frames: Iterable[Frame]) -> float:
    found = [_colourfulness(frame) for frame in frames]
    return sum(found) / len(found)


def _colourfulness(frame: Frame) -> float:
    red, green, blue = (frame[..., channel].astype(float) for channel in range(3))
    across, down = red - green, (red + green) / 2 - blue
    return float(np.hypot(across.std(), down.std()) + 0.3 * np.hypot(across.mean(), down.mean()))
