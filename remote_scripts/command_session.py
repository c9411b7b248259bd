"""A session that runs NVIDIA's command line: what lies in the inbox and may share a process is made by one.

    python3 command_session.py <session folder>

The folder protocol and exit codes are those of session.py.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

import batches
import strays
from attempt import Attempt
from events import Events
from failures import Failure, failure_of
from fits import Fit, Fits
from inbox import Inbox, Rejected
from invocation import CANCELLED, Invocation
from log_keeper import open_log
from outcome import report
from pending import Pending, ordered, prepare
from start import Start
from verdicts import Again, Trace, judge

POLL_S = 0.05
# Orders that are sent together arrive one after another, and one load may serve them all.
GATHER_S = 0.2
LOADS = 2
TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Choice:
    """What the next process makes: attempts that were taken before, and orders that lie in the inbox."""

    taken: tuple[Pending, ...]
    orders: tuple[Path, ...]
    batch_size: int
    offload: bool


def main(folder: Path) -> int:
    log = open_log(folder / "log.txt")
    os.dup2(log, 1)
    os.dup2(log, 2)
    events = Events(folder / "events.jsonl")
    terminate_on_sigterm(events)
    strays.adopt_orphans()
    events.write("starting", pid=os.getpid())
    session = CommandSession(folder, Start.read(folder), events)
    # Each process loads the model for itself.
    events.write("ready", load_s=0.0, engine_version=None)
    return session.serve()


class CommandSession:
    """Its life. `_returned` are attempts that were accepted and wait for another process."""

    def __init__(self, folder: Path, start: Start, events: Events) -> None:
        self._folder = folder
        self._start = start
        self._events = events
        self._inbox = Inbox(folder)
        self._fits = Fits(start)
        self._returned: list[Pending] = []
        self._accepted: set[str] = set()
        self._invocations = 0
        self._dead_loads = 0

    def serve(self) -> int:
        worked_at = time.monotonic()
        is_idle = False
        while True:
            members, choice = self._next()
            if members:
                if not self._make(members, choice):
                    return 1
                worked_at, is_idle = time.monotonic(), False
            elif not self._returned:
                if self._is_stopped:
                    return self._stop("asked")
                if not is_idle:
                    self._events.write("idle")
                    is_idle = True
                if time.monotonic() - worked_at > self._start.idle_exit_s:
                    return self._stop("idle")
                time.sleep(POLL_S)

    @property
    def _is_stopped(self) -> bool:
        return (self._folder / "stop").exists()

    def _stop(self, reason: str) -> int:
        self._events.write("stopping", reason=reason)
        return 0

    def _next(self) -> tuple[list[Pending], Choice]:
        """What goes into one process, oldest first; of the inbox only that is taken."""
        self._drop_cancelled()
        orders = [] if self._is_stopped else self._gathered()
        choice = self._choose(orders)
        self._returned = [pending for pending in self._returned if pending not in choice.taken]
        taken = [self._take(path, choice.offload) for path in choice.orders]
        return [*choice.taken, *(pending for pending in taken if pending is not None)], choice

    def _drop_cancelled(self) -> None:
        for pending in [pending for pending in self._returned if pending.is_cancelled]:
            self._returned.remove(pending)
            report(self._events, pending.attempt, CANCELLED)

    def _gathered(self) -> list[Path]:
        """The orders in the inbox, after none has come for a moment."""
        found = self._inbox.paths()
        grew_at = time.monotonic()
        while found and not self._returned and time.monotonic() - grew_at < GATHER_S:
            time.sleep(POLL_S)
            if len(now := self._inbox.paths()) != len(found):
                found, grew_at = now, time.monotonic()
        return found

    def _choose(self, orders: Sequence[Path]) -> Choice:
        fit = self._fits.of(self._start.hints, self._start.pipeline)
        specs = {path: spec for path in orders if (spec := self._spec(path)) is not None}
        first = self._returned[0] if self._returned else None
        offload = fit.offload or (first is not None and first.offload)
        if first is not None and first.alone:
            return Choice((first,), (), 1, offload)
        taken = [
            pending for pending in self._returned if (pending.offload or fit.offload) == offload and not pending.alone
        ]
        paths = list(specs) if offload == fit.offload else []
        candidates: list[Pending | Path] = [*taken, *paths]
        if not candidates:
            return Choice((), (), 1, offload)
        all_specs = [each.order.spec if isinstance(each, Pending) else specs[each] for each in candidates]
        group = batches.plan(all_specs, fit.batch_size)[0]
        chosen = [candidates[number] for number in group.members]
        pendings = tuple(each for each in chosen if isinstance(each, Pending))
        cap = min([group.batch_size, *(pending.cap for pending in pendings)])
        return Choice(pendings, tuple(each for each in chosen if isinstance(each, Path)), cap, offload)

    def _spec(self, path: Path) -> batches.Spec | None:
        """None for what cannot be made, which is told right away."""
        if (spec := ordered(path, self._start)) is None:
            self._take(path, offload=False)
        return spec

    def _take(self, path: Path, offload: bool) -> Pending | None:
        taken = self._inbox.take_one(path)
        if isinstance(taken, Rejected):
            failure = Failure("invalid_spec", taken.message, fatal=False)
            self._events.write("failed", attempt=taken.attempt, **asdict(failure), artifacts=[])
        if not isinstance(taken, Attempt):
            return None
        if taken.cancel.exists():
            self._accept(taken)
            report(self._events, taken, CANCELLED)
            return None
        try:
            return replace(prepare(taken, self._start), offload=offload)
        except Exception as error:
            self._accept(taken)
            taken.log.write_text(traceback.format_exc())
            report(self._events, taken, failure_of(error))
            return None

    def _accept(self, attempt: Attempt) -> None:
        """Told once, and not when it is taken: what only waits for its turn has no part in what happens meanwhile."""
        if attempt.name not in self._accepted:
            self._accepted.add(attempt.name)
            self._events.write("accepted", attempt=attempt.name)

    def _make(self, members: Sequence[Pending], choice: Choice) -> bool:
        """False when this session can serve no further attempt."""
        batch_size = max(1, min(choice.batch_size, len(members)))
        self._invocations += 1
        folder = self._folder / "invocations" / f"{self._invocations}"
        hints, pipeline = self._start.hints, self._start.pipeline
        invocation = Invocation(
            folder,
            members,
            batch_size,
            choice.offload,
            self._start,
            self._events,
            accept=self._accept,
            on_batch=lambda size: self._fits.worked(hints, pipeline, Fit(size, choice.offload)),
        )
        self._events.write("loading")
        trace = invocation.run()
        if trace.failure is not None and trace.failure.error == "out_of_memory":
            self._fits.failed(hints, pipeline, Fit(batch_size, choice.offload))
        return self._conclude(members, trace)

    def _conclude(self, members: Sequence[Pending], trace: Trace) -> bool:
        verdicts = judge(trace)
        died_loading = trace.reached == 0 and trace.failure is not None and not trace.ended_by_us
        self._dead_loads = self._dead_loads + 1 if died_loading else 0
        if died_loading and trace.failure is not None and trace.failure.error in ("crashed", "engine_error"):
            if self._dead_loads >= LOADS:
                failure = replace(trace.failure, fatal=True)
                self._events.write("failed", attempt=None, **asdict(failure))
                return False
            verdicts = dict.fromkeys(verdicts, Again())
        suspected: list[Pending] = []
        innocent: list[Pending] = []
        for item, verdict in verdicts.items():
            if not isinstance(verdict, Again):
                report(self._events, members[item].attempt, verdict)
                continue
            again = after(members[item], verdict)
            (suspected if verdict.offload or verdict.alone or verdict.cap else innocent).append(again)
        if any(pending.offload for pending in suspected) and not self._has_worked():
            # Whether offloading helps is worth knowing before the others fail one by one for the same reason.
            self._returned = [*suspected, *innocent, *self._returned]
        else:
            # Those that nothing is held against come first, whatever the others do to the process.
            self._returned = [*innocent, *self._returned, *suspected]
        return True

    def _has_worked(self) -> bool:
        return self._fits.has_worked(self._start.hints, self._start.pipeline)


def after(pending: Pending, verdict: Again) -> Pending:
    cap = pending.cap if verdict.cap is None else min(pending.cap, verdict.cap)
    return replace(pending, cap=cap, offload=pending.offload or verdict.offload, alone=pending.alone or verdict.alone)


def terminate_on_sigterm(events: Events) -> None:
    def terminate(number: int, frame: FrameType | None) -> None:
        try:
            events.write("stopping", reason="terminated")
            strays.end_descendants(0.0)
        finally:
            os._exit(TERMINATED)

    signal.signal(signal.SIGTERM, terminate)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
