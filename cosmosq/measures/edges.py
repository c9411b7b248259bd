"""Canny-F1: whether the edges of the output are where those of its input are."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cosmosq.measures.matching import Frame
from cosmosq.measures.undefined import Undefined

LOWER, UPPER = 100, 200
"""NVIDIA's preset `medium`, whatever the job's canny_threshold is, so that all jobs are measured alike."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Pixels that are an edge in both pictures, in the output alone, in the input alone."""

    both: int = 0
    output_only: int = 0
    input_only: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            both=self.both + other.both,
            output_only=self.output_only + other.output_only,
            input_only=self.input_only + other.input_only,
        )

    @property
    def precision(self) -> float:
        """The share of the output's edges that the input has too; 0 if it has no edge."""
        return _share(self.both, self.both + self.output_only)

    @property
    def recall(self) -> float:
        """The share of the input's edges that the output has too; 0 if the input has no edge."""
        return _share(self.both, self.both + self.input_only)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.both, 2 * self.both + self.output_only + self.input_only)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def edges(frame: Frame) -> NDArray[np.bool_]:
    """The Canny map of the frame in grey."""
    return np.asarray(cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), LOWER, UPPER)) > 0


def counts(output: Frame, reference: Frame) -> Counts:
    """Of two frames of one size."""
    ours, theirs = edges(output), edges(reference)
    return Counts(
        both=int(np.count_nonzero(ours & theirs)),
        output_only=int(np.count_nonzero(ours & ~theirs)),
        input_only=int(np.count_nonzero(theirs & ~ours)),
    )


def canny(matched: Iterable[tuple[Frame, Frame]]) -> dict[str, float]:
    """F1, precision and recall over the edge pixels of all frames together, as PAI-Bench counts them.

    Raises:
        Undefined: neither video has an edge.
    """
    total = sum((counts(output, reference) for output, reference in matched), Counts())
    if not total.both + total.output_only + total.input_only:
        raise Undefined("neither the video nor its input has an edge")
    return {"canny_f1": total.f1, "canny_precision": total.precision, "canny_recall": total.recall}
