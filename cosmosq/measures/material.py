"""What a measure is given: a video, what it was made from, and what is known of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmosq import videos

if TYPE_CHECKING:
    from cosmosq.measures.matching import Frame


@dataclass(frozen=True, kw_only=True)
class Material:
    """Files of one job; each call of a method decodes from the beginning, frame by frame.

    The files may be missing or broken: whoever takes frames of them raises what `videos.pictures` does.
    """

    output_path: Path
    sources: Mapping[str, Path]
    """What it was made from, by role: `input`, and the controls `depth`, `seg`, …"""
    facts: Mapping[str, Any]

    def output(self) -> Iterator["Frame"]:
        """The frames of the video."""
        return videos.pictures(self.output_path)

    def source(self, role: str) -> Iterator["Frame"]:
        """The frames of an input or control."""
        return videos.pictures(self.sources[role])

    def matched(self) -> Iterator[tuple["Frame", "Frame"]]:
        """Output and input frame by frame, at the input's size."""
        # OpenCV takes longer to import than most commands to run.
        from cosmosq.measures.matching import pairs

        return pairs(self.output(), self.source("input"))
