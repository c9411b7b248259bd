"""The life of a session that keeps a model loaded, whatever it makes with it.

It reports its life in `events.jsonl`, takes one attempt after another from its inbox, and ends when told to or idle
for too long. Exit codes: 0 stopped as asked or idle for too long, 1 the engine can serve no more, 143 terminated.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Protocol

from attempt import Attempt
from cancellation import Cancellation
from engine_output import EngineOutput
from events import Events
from failures import Failure, failure_of
from inbox import Inbox, Rejected
from outcome import Outcome, report
from start import Start

POLL_S = 0.05
TERMINATED = 128 + signal.SIGTERM


class Craft(Protocol):
    """A loaded model and what is made with it."""

    @property
    def version(self) -> str | None: ...

    def make(self, attempt: Attempt) -> Outcome:
        """Carries one order out; whatever it raises ends the attempt."""

    def result(self, attempt: Attempt) -> Path:
        """The file that only an attempt which is done may leave behind."""


Load = Callable[[Start, EngineOutput], Craft]


def run(folder: Path, load: Load) -> int:
    events = Events(folder / "events.jsonl")
    output = EngineOutput(folder)
    terminate_on_sigterm(events, output)
    try:
        events.write("starting", pid=os.getpid())
        start = Start.read(folder)
        craft = loaded(lambda: load(start, output), events)
        return 1 if craft is None else Session(folder, start, craft, events, output).serve()
    finally:
        output.close()


def loaded(load: Callable[[], Craft], events: Events) -> Craft | None:
    events.write("loading")
    began = time.monotonic()
    try:
        craft = load()
    except BaseException as error:
        traceback.print_exc()
        failure = failure_of(error)
        events.write("failed", attempt=None, error=failure.error, message=failure.message, fatal=True)
        return None
    events.write("ready", load_s=round(time.monotonic() - began, 3), engine_version=craft.version)
    return craft


class Session:
    """The life of a loaded session."""

    def __init__(self, folder: Path, start: Start, craft: Craft, events: Events, output: EngineOutput) -> None:
        self._folder = folder
        self._start = start
        self._craft = craft
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
                return self._craft.make(attempt)
        except BaseException as error:  # Even SystemExit: the engine does not decide when the session ends.
            traceback.print_exc()
            # A cancellation may come when the result has just been saved.
            self._craft.result(attempt).unlink(missing_ok=True)
            outcome = failure_of(error)
        free_memory()
        return outcome


def free_memory() -> None:
    """After a failure, so that the next attempt does not pay for the last one."""
    gc.collect()
    if torch := sys.modules.get("torch"):
        torch.cuda.empty_cache()


def terminate_on_sigterm(events: Events, output: EngineOutput) -> None:
    def terminate(number: int, frame: FrameType | None) -> None:
        try:
            events.write("stopping", reason="terminated")
            output.drain(wait_s=1)
        finally:
            # No clean-up of the engine: it may take longer than the one who terminates us will wait.
            os._exit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
