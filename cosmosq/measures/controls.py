"""Whether depth and regions of the output, as a model sees them, are those of the control videos."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cosmosq.measures.looks import luma
from cosmosq.measures.matching import Frame, Plane, labels_sized, plane_sized
from cosmosq.measures.undefined import Undefined

SMALLEST_REGION = 0.005
"""Colours on less than this share of a frame are what compression left between two regions."""


def depth_of(control: Frame) -> NDArray[np.float64]:
    """What a depth control says, from 0 to 1."""
    return luma(control) / 255


def si_rmse(estimated: Plane, reference: NDArray[np.float64]) -> float | None:
    """Root mean square error after both have the same median; None where no pixel has a value above 0 in both."""
    depth = plane_sized(estimated, reference.shape)
    valid = (depth > 0) & (reference > 0) & np.isfinite(depth)
    if not valid.any():
        return None
    theirs, ours = reference[valid], depth[valid]
    scaled = ours * (np.median(theirs) / np.median(ours))
    return float(np.sqrt(np.mean(np.square(theirs - scaled))))


def depth(estimated: Iterable[Plane], control: Iterable[Frame]) -> dict[str, float]:
    """Averaged over the frames that have values."""
    errors = (si_rmse(ours, depth_of(theirs)) for ours, theirs in zip(estimated, control, strict=False))
    return {"depth_si_rmse": _mean(errors, "no frame has a depth above 0 in both videos")}


def regions_of(control: Frame) -> NDArray[np.int64]:
    """The number of its region for each pixel of a segmentation control; -1 between regions.

    Colours count as one if they agree in their two highest bits: compression changes the rest.
    """
    high = control.astype(np.int64) >> 6
    colours = high[..., 0] << 4 | high[..., 1] << 2 | high[..., 2]
    sizes = np.bincount(colours.ravel(), minlength=64)
    return np.where(sizes[colours] >= SMALLEST_REGION * colours.size, colours, -1)


def miou(estimated: Plane, reference: NDArray[np.int64]) -> float | None:
    """Best intersection over union of each region with a label, averaged over the regions; None without regions."""
    labels = np.unique(labels_sized(estimated, reference.shape), return_inverse=True)[1].reshape(reference.shape)
    regions = [number for number in np.unique(reference) if number >= 0]
    if not regions:
        return None
    sizes = np.bincount(labels.ravel())
    best = []
    for number in regions:
        inside = np.bincount(labels[reference == number], minlength=sizes.size)
        best.append(float(np.max(inside / (sizes + inside.sum() - inside))))
    return float(np.mean(best))


def seg(estimated: Iterable[Plane], control: Iterable[Frame]) -> dict[str, float]:
    """Averaged over the frames that have regions."""
    found = (miou(ours, regions_of(theirs)) for ours, theirs in zip(estimated, control, strict=False))
    return {"seg_miou": _mean(found, "the control has no regions")}


def _mean(values: Iterable[float | None], lacking: str) -> float:
    known = [value for value in values if value is not None]
    if not known:
        raise Undefined(lacking)
    return float(np.mean(known))
