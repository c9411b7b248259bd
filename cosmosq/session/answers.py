"""The longer prompt that a session reports: read from what came home, and believed only as far as it makes sense."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cosmosq import prompts
from cosmosq.errors import InvalidInput
from cosmosq.session import events
from cosmosq.session.events import Ending
from cosmosq.session.results import BadOutput
from cosmosq.upsampling import Answer

LONGEST = 20_000
"""Characters; 300 tokens are a tenth of that."""
_LARGEST = 10**6
_MOST_FRAMES = 2


def read(rows: Sequence[Mapping[str, Any]], ending: Ending) -> Answer:
    """The answer of an upsampling that is done.

    Args:
        rows: of the files that came home.

    Raises:
        BadOutput: there is no text, or one that can be no prompt, or nothing about how it was made.
    """
    path = next((Path(row["path"]) for row in rows if row["kind"] == "prompt"), None)
    if path is None:
        raise BadOutput("the session reported success but no prompt: see the log")
    told = ending.data.get("upsampling")
    if not isinstance(told, dict):
        raise BadOutput("the session does not say how it made the prompt: see the log")
    frames = told.get("frames")
    if not isinstance(frames, list) or not 1 <= len(frames) <= _MOST_FRAMES:
        raise BadOutput("the session does not say which frames it showed to the upsampler: see the log")
    return Answer(
        text=_text(path),
        model=str(told.get("model", "")).replace("\x00", "")[:100],
        frames=tuple(_number(frame) for frame in frames),
        width=_number(told.get("width")),
        height=_number(told.get("height")),
        tokens=_number(told.get("tokens")),
        upsample_s=events.seconds(ending.data.get("generate_s")) or 0.0,
    )


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode().strip()
        prompts.check_text("the text", text)
    except (UnicodeDecodeError, InvalidInput) as error:
        raise BadOutput(f"what the upsampler wrote is no prompt: {error}") from error
    if len(text) > LONGEST:
        raise BadOutput(f"what the upsampler wrote has {len(text)} characters and is no prompt: see the log")
    return text


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise BadOutput(f"the session says {str(value)[:40]!r} about how it made the prompt: see the log")
    return value
