"""Which frames of a video the upsampler sees. Pure; the client checks with it what the box will understand."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST = 2
WORDS = ("first", "first-last", "spread")
WRITTEN = re.compile(r"(first|first-last|spread)(?::([12]))?|([0-9]{1,9})(?:,([0-9]{1,9}))?")


class NoChoice(ValueError):
    """What was written names no frames."""


@dataclass(frozen=True)
class Choice:
    """`how` is one of WORDS, or empty where the frames are named by their indices, which count from 0."""

    how: str
    count: int
    named: tuple[int, ...] = ()

    @classmethod
    def read(cls, text: str) -> Choice:
        """`first`, `first-last`, `spread`, the same with `:1` behind it, or one or two indices as in `0,60`."""
        found = WRITTEN.fullmatch(text.strip())
        if found is None:
            raise NoChoice(
                f"{text[:40]!r} names no frames: use first, first-last, spread, these with :1, or indices as 0,60"
            )
        how, count, *named = found.groups()
        if how:
            return cls(how, int(count or MOST))
        indices = tuple(sorted({int(index) for index in named if index is not None}))
        return cls("", len(indices), indices)

    def __str__(self) -> str:
        if not self.how:
            return ",".join(map(str, self.named))
        return self.how if self.count == MOST else f"{self.how}:{self.count}"

    @property
    def needs_length(self) -> bool:
        """Whether it must be known how many frames there are."""
        return self.how in ("first-last", "spread")

    def of(self, frames: int) -> tuple[int, ...]:
        """Indices in a video of so many frames, in order, each once; those that are named may lie beyond its end."""
        if not self.how:
            return self.named
        if frames < 1:
            return ()
        if self.how == "first":
            return tuple(range(min(self.count, frames)))
        if self.how == "first-last":
            return tuple(sorted({0, frames - 1}))[: self.count]
        return tuple(sorted({frames * (2 * part + 1) // (2 * self.count) for part in range(self.count)}))
