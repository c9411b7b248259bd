"""A warm session: loads the engine once and serves the attempts in its folder's inbox until told to stop.

    python3 session.py <session folder>

Its life, and its exit codes, are those of serving.py.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import serving
import videos
from attempt import Attempt, replacing
from engine_output import EngineOutput
from order import Order
from outcome import Blocked, Done
from start import Start

if TYPE_CHECKING:
    from warm_pipeline import WarmPipeline


def load(start: Start, output: EngineOutput) -> Generation:
    from warm_pipeline import WarmPipeline

    return Generation(start, WarmPipeline(start), output)


class Generation:
    """Videos, one after another, with one pipeline."""

    def __init__(self, start: Start, pipeline: WarmPipeline, output: EngineOutput) -> None:
        self._start = start
        self._pipeline = pipeline
        self._output = output

    @property
    def version(self) -> str | None:
        return self._pipeline.version

    def result(self, attempt: Attempt) -> Path:
        return attempt.video

    def make(self, attempt: Attempt) -> Done | Blocked:
        import controls

        enter = self._output.enter
        order = Order.read(attempt.ordered_spec(), self._start.hints)
        self._pipeline.check(order)
        enter("controls")
        for video in order.videos():
            videos.check(video)
        order, made = controls.make_missing(order, self._start.root / "controls")
        with replacing(attempt.spec) as part:
            part.write_text(order.text())
        generated = self._pipeline.generate(order, attempt.spec, attempt.folder, enter)
        if generated is None:
            return Blocked(self._output.blocked_by() or "guardrail")
        enter("saving")
        with replacing(attempt.text) as part:
            part.write_text(generated.prompt)
        with replacing(attempt.video) as part:
            self._pipeline.save(generated, order["fps"], part)
        return Done(generated.generate_s, made)


if __name__ == "__main__":
    exit_code = serving.run(Path(sys.argv[1]).absolute(), load)
    # Threads and exit handlers of the engine must not keep the GPU of a session that has ended.
    os._exit(exit_code)
