"""A warm session: loads the engine once and serves the attempts in its folder's inbox until told to stop.

    python3 session.py <session folder>

Exit codes: 0 stopped as asked or idle for too long, 1 the engine can serve no more, 143 terminated.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import videos
from attempt import Attempt, replacing
from cancellation import Cancellation
from engine_output import EngineOutput
from events import Events
from failures import Failure, failure_of
from inbox import Inbox, Rejected
from order import Order
from outcome import Blocked, Done, Outcome, report
from start import Start

if TYPE_CHECKING:
    from warm_pipeline import WarmPipeline

POLL_S = 0.05
TERMINATED = 128 + signal.SIGTERM


def main(folder: Path) -> int:
    events = Events(folder / "events.jsonl")
    output = EngineOutput(folder)
    terminate_on_sigterm(events, output)
    try:
        events.write("starting", pid=os.getpid())
        start = Start.read(folder)
        pipeline = load(start, events)
        return 1 if pipeline is None else Session(folder, start, pipeline, events, output).serve()
    finally:
        output.close()


def load(start: Start, events: Events) -> WarmPipeline | None:
    events.write("loading")
    began = time.monotonic()
    try:
        from warm_pipeline import WarmPipeline

        pipeline = WarmPipeline(start)
    except BaseException as error:
        traceback.print_exc()
        failure = failure_of(error)
        events.write("failed", attempt=None, error=failure.error, message=failure.message, fatal=True)
        return None
    events.write("ready", load_s=round(time.monotonic() - began, 3), engine_version=pipeline.version)
    return pipeline


class Session:
    """The life of a loaded session."""

    def __init__(
        self, folder: Path, start: Start, pipeline: WarmPipeline, events: Events, output: EngineOutput
    ) -> None:
        self._folder = folder
        self._start = start
        self._pipeline = pipeline
        self._events = events
        self._output = output
        self._inbox = Inbox(folder)
        self._cancellation = Cancellation()

    def serve(self) -> int:
        worked_at = time.monotonic()
        is_idle = False
        while not (self._folder / "stop").exists():
            taken = self._inbox.take()
            if taken is None:
                if not is_idle:
                    self._events.write("idle")
                    is_idle = True
                if time.monotonic() - worked_at > self._start.idle_exit_s:
                    return self._stop("idle")
                time.sleep(POLL_S)
                continue
            if not self._answer(taken):
                return 1
            worked_at, is_idle = time.monotonic(), False
        return self._stop("asked")

    def _stop(self, reason: str) -> int:
        self._events.write("stopping", reason=reason)
        return 0

    def _answer(self, taken: Attempt | Rejected) -> bool:
        """False when the process can serve no further attempt."""
        if isinstance(taken, Rejected):
            failure = Failure("invalid_spec", taken.message, fatal=False)
            self._events.write("failed", attempt=taken.attempt, **asdict(failure), artifacts=[])
            return True
        self._events.write("accepted", attempt=taken.name)
        with self._output.attempt(taken.name, taken.log):
            outcome = self._attempt(taken)
        report(self._events, taken, outcome)
        return not (isinstance(outcome, Failure) and outcome.fatal)

    def _attempt(self, attempt: Attempt) -> Outcome:
        try:
            with self._cancellation.of(attempt.cancel):
                return self._produce(attempt)
        except BaseException as error:  # Even SystemExit: the engine does not decide when the session ends.
            traceback.print_exc()
            # A cancellation may come when the video has just been saved.
            attempt.video.unlink(missing_ok=True)
            outcome = failure_of(error)
        self._pipeline.free_memory()
        return outcome

    def _produce(self, attempt: Attempt) -> Done | Blocked:
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


def terminate_on_sigterm(events: Events, output: EngineOutput) -> None:
    def terminate(number: int, frame: FrameType | None) -> None:
        try:
            events.write("stopping", reason="terminated")
            output.drain(wait_s=1)
        finally:
            # No clean-up of the engine: it may take longer than the one who terminates us will wait.
            os._exit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)


if __name__ == "__main__":
    exit_code = main(Path(sys.argv[1]).absolute())
    # Threads and exit handlers of the engine must not keep the GPU of a session that has ended.
    os._exit(exit_code)
