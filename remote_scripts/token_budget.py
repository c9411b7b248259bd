"""How large frames may be beside a prompt. Pure: numbers in, numbers out.

The box sizes its frames with it, and `cosmosq prompt upsample --dry-run` tells with it what the box will do. It imports
nothing of either.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_MODEL_LEN = 4096
OUTPUT_TOKENS = 300
WRAPPING_TOKENS = 9
MOST_FRAMES = 2
PATCH = 16
# The upsampler shrinks what is larger before it cuts it into patches.
LONGEST_SIDE = 1024
# What is smaller shows nothing that a text could be made of.
SMALLEST_SIDE = 128


class PromptTooLong(Exception):
    """Beside this prompt no frame fits; make it shorter."""


@dataclass(frozen=True)
class Size:
    """Pixels of a frame."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def image_tokens(size: Size) -> int:
    """What one image costs: its patches, and one token more at the end of each row."""
    longest = max(size.width, size.height)
    width, height = size.width, size.height
    if longest > LONGEST_SIDE:
        width, height = (ceil_div(side * LONGEST_SIDE, longest) for side in (width, height))
    return (ceil_div(width, PATCH) + 1) * ceil_div(height, PATCH)


def total_tokens(size: Size, frames: int, prompt_tokens: int = 0) -> int:
    """What the model is given, without the room for its answer."""
    return frames * image_tokens(size) + WRAPPING_TOKENS + prompt_tokens


def most_prompt_tokens(text: str) -> int:
    """No tokenizer of bytes makes more tokens than there are bytes. English has four bytes a token, so this is much."""
    return len(text.encode())


def room(frames: int, prompt_tokens: int) -> int:
    """Tokens that are left for each frame."""
    return (MAX_MODEL_LEN - OUTPUT_TOKENS - WRAPPING_TOKENS - prompt_tokens) // frames


def fit(source: Size, frames: int, prompt_tokens: int, most: Size | None = None) -> Size:
    """The largest size, in the source's aspect and no larger than it, with which everything fits.

    A source that fits is left as it is; any other is scaled to whole patches, since a part of one costs as much.

    Args:
        frames: how many of this size, at most MOST_FRAMES.
        most: bounds that the size stays within as well.

    Raises:
        PromptTooLong: not even frames with SMALLEST_SIDE pixels on their longer side fit.
        ValueError: no such number of frames, or bounds below SMALLEST_SIDE.
    """
    if not 1 <= frames <= MOST_FRAMES:
        raise ValueError(f"{frames} frames: the upsampler takes 1 to {MOST_FRAMES}")
    if most and min(most.width, most.height) < SMALLEST_SIDE:
        raise ValueError(f"{most} is too small for a frame: give at least {SMALLEST_SIDE}x{SMALLEST_SIDE}")
    left = room(frames, prompt_tokens)
    bounds = Size(min(source.width, most.width), min(source.height, most.height)) if most else source
    if bounds == source and max(source.width, source.height) <= LONGEST_SIDE and image_tokens(source) <= left:
        return source
    for patches in range(LONGEST_SIDE // PATCH, SMALLEST_SIDE // PATCH - 1, -1):
        size = scaled(source, patches * PATCH)
        # A side of less than a patch costs a whole one.
        if size.width > max(PATCH, bounds.width) or size.height > max(PATCH, bounds.height):
            continue
        if image_tokens(size) <= left:
            return size
    raise PromptTooLong(
        f"the prompt takes up to {prompt_tokens} of {MAX_MODEL_LEN} tokens, which leaves no room for "
        f"{frames} frame{'s' * (frames > 1)}: shorten it"
    )


def scaled(source: Size, longest: int) -> Size:
    """In whole patches, the aspect as near to the source's as these allow."""
    ratio = longest / max(source.width, source.height)
    width, height = (max(PATCH, round(side * ratio / PATCH) * PATCH) for side in (source.width, source.height))
    return Size(width, height)


def ceil_div(number: int, divisor: int) -> int:
    return -(-number // divisor)
