"""What the prompt upsampler is asked, and what the host will make of it: the rules run there, so they live in
`remote_scripts`.
"""

import importlib
import re
from dataclasses import asdict, dataclass
from typing import Any

from cosmosq.errors import InvalidInput

AUTO = "auto"
MOST_VARIANTS = 100


@dataclass(frozen=True, kw_only=True)
class Request:
    """One longer prompt that is asked for; the same one again is the same job."""

    frames: str = "first"
    """Which frames of the clip's input video are shown."""
    max_size: str = AUTO
    """The size that they stay within, or `auto`."""
    variant: int = 1
    """The model answers differently each time: counts the answers that are wanted on purpose."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What the host will do, as far as it can be told without the model's tokenizer: never more tokens than that."""

    frames: tuple[int, ...]
    """Indices, as far as the video's length is known."""
    width: int
    height: int
    tokens: int
    prompt_tokens: int


def request(frames: str = "first", max_size: str = AUTO, variant: int = 1) -> Request:
    """A request in one spelling.

    Raises:
        InvalidInput: no such frames, or no size.
    """
    # By name: the scripts are data to ship, laid out for the host, and no package that the layers know.
    choices = importlib.import_module("cosmosq.remote_scripts.frame_choice")
    try:
        choice = choices.Choice.read(frames)
    except choices.NoChoice as error:
        raise InvalidInput(f"--frames {error}") from error
    _size(max_size)
    return Request(frames=str(choice), max_size=max_size, variant=variant)


def _size(text: str) -> Any:
    """The bounds as the host's rule has them; None for `auto`."""
    if text == AUTO:
        return None
    budget = importlib.import_module("cosmosq.remote_scripts.token_budget")
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    smallest = budget.SMALLEST_SIDE
    if found is None or min(int(found[1]), int(found[2])) < smallest:
        raise InvalidInput(
            f"--max-size {text[:40]!r} is no size: use auto or one such as 848x480, from {smallest}x{smallest}"
        )
    return budget.Size(int(found[1]), int(found[2]))


def preview(text: str, asked: Request, *, width: int, height: int, length: int) -> Preview:
    """What is sent for a prompt beside a video of this size and length.

    Tokens of the prompt are taken to be as many as it has bytes of UTF-8: no tokenizer of bytes makes more. The host
    asks the model's own, where that can be reached, and then shows larger frames.

    Raises:
        InvalidInput: the prompt is too long for any frame, or the video has no such frame.
    """
    choices = importlib.import_module("cosmosq.remote_scripts.frame_choice")
    budget = importlib.import_module("cosmosq.remote_scripts.token_budget")
    frames = choices.Choice.read(asked.frames).of(length)
    if missing := [index for index in frames if index >= length]:
        raise InvalidInput(
            f"the clip's input video has {length} frames and none with index {missing[0]}: choose others"
        )
    prompt_tokens = budget.most_prompt_tokens(text)
    try:
        size = budget.fit(budget.Size(width, height), len(frames), prompt_tokens, _size(asked.max_size))
    except budget.PromptTooLong as error:
        raise InvalidInput(str(error)) from error
    tokens = budget.total_tokens(size, len(frames), prompt_tokens)
    return Preview(frames=frames, width=size.width, height=size.height, tokens=tokens, prompt_tokens=prompt_tokens)
