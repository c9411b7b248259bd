"""A session that makes prompts longer: loads the upsampler once and takes one prompt after another from its inbox.

    python3 upsample_prompts.py <session folder>

Its life, and its exit codes, are those of serving.py. An order's spec is
`{"prompt": text, "video": path, "frames": "first", "max_size": "auto"}`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import serving
import stills
from attempt import Attempt, replacing
from engine_output import EngineOutput
from failures import InvalidSpec, NoAnswer
from frame_choice import Choice, NoChoice
from outcome import Upsampled
from start import Start
from token_budget import Size, fit, total_tokens

if TYPE_CHECKING:
    from prompt_upsampler import PromptUpsampler

AUTO = "auto"
WRITTEN_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


@dataclass(frozen=True)
class Wish:
    """One order: a prompt, and what is shown of which video beside it."""

    prompt: str
    video: Path
    choice: Choice
    most: Size | None

    @classmethod
    def read(cls, spec: dict[str, Any]) -> Wish:
        for name in ("prompt", "video", "frames", "max_size"):
            if not isinstance(spec.get(name), str) or not spec[name].strip():
                raise InvalidSpec(f"{name} is {spec.get(name)!r}, not a text")
        try:
            choice = Choice.read(spec["frames"])
        except NoChoice as error:
            raise InvalidSpec(str(error)) from error
        return cls(spec["prompt"], Path(spec["video"]), choice, read_size(spec["max_size"]))


def read_size(text: str) -> Size | None:
    if text == AUTO:
        return None
    if (found := WRITTEN_SIZE.fullmatch(text)) is None:
        raise InvalidSpec(f"max_size is {text[:40]!r}, not auto or a size such as 848x480")
    return Size(int(found[1]), int(found[2]))


class Upsampling:
    """Longer prompts, one after another, with one model."""

    def __init__(self, upsampler: PromptUpsampler, output: EngineOutput) -> None:
        self._upsampler = upsampler
        self._enter = output.enter

    @property
    def version(self) -> str | None:
        return self._upsampler.version

    def result(self, attempt: Attempt) -> Path:
        return attempt.text

    def make(self, attempt: Attempt) -> Upsampled:
        from prompt_upsampler import MODEL

        self._enter("frames")
        wish = Wish.read(attempt.ordered_spec())
        taken = stills.take(wish.video, wish.choice)
        count = self._upsampler.count(wish.prompt)
        size = fitting(taken[0].size, len(taken), count.tokens, wish.most)
        told = {
            "model": MODEL,
            "frames": [still.index for still in taken],
            "width": size.width,
            "height": size.height,
            "tokens": total_tokens(size, len(taken), count.tokens),
            "is_exact": count.is_exact,
        }
        with replacing(attempt.spec) as part:
            part.write_text(json.dumps({**attempt.ordered_spec(), **told}, indent=2, ensure_ascii=False) + "\n")
        with stills.written(taken, size, attempt.folder) as pictures:
            self._enter("upsampling")
            text, seconds = self._upsampler.upsample(wish.prompt, pictures)
        if not text:
            raise NoAnswer("the upsampler answered with nothing")
        with replacing(attempt.text) as part:
            part.write_text(text)
        return Upsampled(seconds, told)


def fitting(source: Size, frames: int, tokens: int, most: Size | None) -> Size:
    try:
        return fit(source, frames, tokens, most)
    except ValueError as error:
        raise InvalidSpec(str(error)) from error


def load(start: Start, output: EngineOutput) -> Upsampling:
    from prompt_upsampler import PromptUpsampler

    return Upsampling(PromptUpsampler(start), output)


if __name__ == "__main__":
    exit_code = serving.run(Path(sys.argv[1]).absolute(), load)
    # Threads and child processes of vLLM must not keep the GPU of a session that has ended.
    os._exit(exit_code)
