"""How alike pictures are: Blur SSIM of output and input, and how far apart the videos of different seeds are.

Both need scikit-image, which the extra `cosmosq[measure]` brings.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cosmosq.measures.looks import luma
from cosmosq.measures.matching import Frame, plane_sized
from cosmosq.measures.undefined import Undefined

DIAMETER, SIGMA_COLOR, SIGMA_SPACE = 30, 150, 100
"""The bilateral filter of NVIDIA's blur preset `medium`."""
THUMBNAILS, THUMBNAIL_WIDTH = 16, 256
"""Videos of different seeds are compared at so many frames, evenly spaced, and at this width."""

Thumbnails = Sequence[NDArray[np.float64]]


def blurred(frame: Frame) -> Frame:
    """The blur that both videos get."""
    return np.asarray(cv2.bilateralFilter(frame, DIAMETER, SIGMA_COLOR, SIGMA_SPACE), dtype=np.uint8)


def blur_ssim_of(output: Frame, reference: Frame) -> float:
    """SSIM of two blurred frames of one size: of each channel in windows of 7×7, averaged over all pixels."""
    ours, theirs = blurred(output), blurred(reference)
    if min(ours.shape[:2]) < 7:
        raise Undefined("a picture of less than 7 pixels has no SSIM")
    # The range of the input, as PAI-Bench takes it; a picture of one colour has none.
    reach = int(theirs.max()) - int(theirs.min()) or 255
    _, pixels = _ssim(theirs, ours, data_range=reach, channel_axis=2, full=True)
    return float(np.mean(pixels))


def blur_ssim(matched: Iterable[tuple[Frame, Frame]]) -> dict[str, float]:
    """Averaged over the frames."""
    return {"blur_ssim": _mean([blur_ssim_of(output, reference) for output, reference in matched])}


def thumbnails(output: Iterator[Frame], frames: int) -> Thumbnails:
    """Luma of evenly spaced frames at a small size.

    Args:
        frames: how many the video has.
    """
    step = max(1, frames // THUMBNAILS)
    found = []
    for frame in islice(output, 0, None, step):
        plane = luma(frame)
        height = max(7, round(plane.shape[0] * THUMBNAIL_WIDTH / plane.shape[1]))
        found.append(plane_sized(plane, (height, THUMBNAIL_WIDTH)))
    return found


def distance(one: Thumbnails, other: Thumbnails) -> float:
    """1 minus the mean SSIM of their frames: 0 for the same video."""
    alike = [float(_ssim(a, plane_sized(b, a.shape), data_range=255)) for a, b in zip(one, other, strict=False)]
    return 1 - _mean(alike)


def _ssim(one: NDArray[Any], other: NDArray[Any], **options: Any) -> Any:
    # Only here is it needed, and it may not be installed.
    from skimage import metrics

    measure: Any = metrics.structural_similarity
    return measure(one, other, **options)


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise Undefined("there is no frame to compare")
    return float(np.mean(values))
