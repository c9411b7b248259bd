"""The worker: Huey's consumer in the main thread, a line of work per host, and a clock beside them."""

import contextlib
import logging
import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import select

from cosmosq import pauses
from cosmosq.config import Config
from cosmosq.db import Ledger
from cosmosq.errors import CosmosqError, HostFailed, InternalError, StaleClaim, StorageFailed
from cosmosq.hosts import PATIENCE_S, Keyring, open_host
from cosmosq.models import Job
from cosmosq.moments import clock
from cosmosq.paths import Workspace
from cosmosq.queue import Queue
from cosmosq.recovery import tickets
from cosmosq.recovery.scene import Case, Presence, Scene
from cosmosq.recovery.table import CASES, look
from cosmosq.session.flight import Abandoned
from cosmosq.session.site import Site
from cosmosq.worker import registry
from cosmosq.worker.account import Account, LimitGate
from cosmosq.worker.courier import delivering
from cosmosq.worker.emptiness import Emptiness
from cosmosq.worker.limits import Limits
from cosmosq.worker.line import Line
from cosmosq.worker.measuring import Measuring
from cosmosq.worker.rounds import Round
from cosmosq.worker.timetable import Timetable
from cosmosq.worker.watchman import Watchman

log = logging.getLogger(__name__)

CLOCK_S = 0.3
WATCH_S = 1.0
"""How often it is looked why nothing starts, and whether a limit ends the work."""
RECOVER_S = 60.0
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
ABANDON_S = 10.0
"""How long threads get to notice that they must leave at once."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """What a worker is told; `run` does it."""

    workspace: Workspace
    config: Config
    ledger: Ledger
    hosts: tuple[str, ...]
    poll_s: float = 0.2
    until_empty: bool = False
    """Stop when no job can start and none runs."""
    limits: Limits = field(default_factory=Limits)
    only: Sequence[int] | None = None
    """Serve these jobs alone."""
    announce: Callable[[str], None] = log.info
    """Takes words for the person at the terminal."""
    keyring: Keyring | None = None
    """Keys that this person has unlocked."""

    def run(self) -> bool:
        """Work until stopped; call it in the main thread.

        Returns:
            False if it was stopped at once and left work running on a host.

        Raises:
            WorkerBusy: a host has a worker already.
            StorageFailed: this machine cannot store results any more.
        """
        owner = registry.new_owner()
        now, limits = datetime.now(UTC), self.limits.as_json()
        found = registry.register(self.ledger, self.hosts, owner, silent_s=self.config.lease_s, now=now, limits=limits)
        if found.counts_since < now and self.limits.counts:
            began = clock(found.counts_since, now)
            self.announce(f"goes on counting where the worker that was killed began, at {began}")
        measuring = Measuring(self.workspace, self.ledger) if self.config.measure else None
        is_done = is_at_limit = False
        try:
            with _signal_handlers_kept(), delivering(self.workspace, self.config, self.ledger, owner):
                shift = _Shift(self, owner, found, measuring)
                finished = shift.work()
            is_at_limit = shift.watchman.is_at_limit
            is_done = finished and self.until_empty
            return finished
        finally:
            if measuring is not None:
                measuring.end(leave=is_done)
            self._leave(owner, keep_reasons=is_at_limit)

    def _leave(self, owner: str, *, keep_reasons: bool) -> None:
        try:
            registry.unregister(self.ledger, owner, datetime.now(UTC), keep_reasons=keep_reasons)
        except Exception:
            # What ended the worker is what a person must hear of; the next worker takes the row over.
            log.exception("the worker could not take itself out of the ledger")


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Huey's consumer installs its own and leaves them behind."""
    kept = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


class _Shift:
    """One run of a worker: its threads and what they share."""

    def __init__(self, worker: Worker, owner: str, found: registry.Registration, measuring: Measuring | None) -> None:
        self.worker, self.owner, self.measuring = worker, owner, measuring
        self.abandoned = threading.Event()
        self.ended = threading.Event()
        self.is_hurried = False
        self._is_first_look = True
        self.failure: CosmosqError | None = None
        self._paused: dict[str, str | None] = {}
        self._ledger_inode = worker.workspace.ledger_path.stat().st_ino
        self.queue = Queue(worker.workspace.queue_path)
        self.consumer = self.queue.consumer(self._answer, threads=len(worker.hosts))
        self.consumer.on_patience = self._say_patience
        self._account = Account(worker.ledger, worker.config, worker.hosts, worker.limits, found.counts_since)
        self.lines = {name: self._line(name) for name in worker.hosts}
        self.watchman = Watchman(worker.ledger, self.lines, worker.limits, heirs=found.heirs, announce=worker.announce)
        self.timetable = Timetable(
            worker.workspace, worker.ledger, stopping=self.consumer.stop_flag.is_set, announce=worker.announce
        )
        self.emptiness = Emptiness(worker.ledger, worker.hosts)

    def _line(self, name: str) -> Line:
        worker = self.worker
        config = worker.config.host(name)
        site = Site(
            workspace=worker.workspace,
            ledger=worker.ledger,
            host=open_host(
                config, worker.workspace, patience_s=PATIENCE_S, give_up=self.abandoned, keyring=worker.keyring
            ),
            config=config,
            settings=worker.config,
            poll_s=worker.poll_s,
            abandoned=self.abandoned,
        )
        return Line(
            site,
            self.owner,
            stopping=self.consumer.stop_flag.is_set,
            linger=not worker.until_empty,
            only=worker.only,
            gate=LimitGate(self._account, site.host.name, site.now),
        )

    def work(self) -> bool:
        """From reconciling to the last thread's end; False if work was left running."""
        for line in self.lines.values():
            line.adopt()
            # Each in a thread of its own: a host that cannot be reached must not keep the others waiting.
            threading.Thread(target=self._guarded, args=(line.reconcile,), daemon=True).start()
        clock = threading.Thread(target=self._clock, name="clock", daemon=True)
        clock.start()
        try:
            self.consumer.run()
            self._end_threads()
        finally:
            self.abandoned.set()
            self.ended.set()
            clock.join()
            self._drop_stale_tickets()
            self.queue.close()
        if self.failure is not None:
            raise self.failure
        return not self.is_hurried

    def _drop_stale_tickets(self) -> None:
        """Those of jobs that were served without them; whoever comes next would only find that out again."""
        with contextlib.suppress(Exception):
            self._recover([tickets.STALE])

    def _say_patience(self) -> None:
        if any(line.is_busy for line in self.lines.values()):
            self.worker.announce("finishing the current job: interrupt again to stop at once and leave it running")

    def _end_threads(self) -> None:
        # The consumer's handler would only note a signal that nobody looks at any more.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # After a first SIGINT the consumer waited for the lines; one that is busy now was not waited for.
        self.is_hurried = self.consumer.was_told_to_stop and any(line.is_busy for line in self.lines.values())
        if self.is_hurried:
            self.abandoned.set()
        for line in self.lines.values():
            # Not by joining threads: Python 3.11 takes a thread for ended once joining it was interrupted.
            line.wait_idle(ABANDON_S if self.is_hurried else None)
            if not self.is_hurried:
                line.slot.close()

    def _answer(self, job_id: int) -> None:
        """A ticket was rung: let the job's host work, whichever job is next there."""
        with self.worker.ledger.read() as session:
            host = session.scalar(select(Job.host).where(Job.id == job_id))
        if host in self.lines:
            self.emptiness.stir()
            self._guarded(self.lines[host].serve_all)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do some work; what no job is to blame for stops the worker, and its jobs are adopted later."""
        try:
            work()
        except (Abandoned, StaleClaim, HostFailed) as error:
            log.warning("%s: %s", type(error).__name__, error)
        except CosmosqError as error:
            self._stop_for(error)
        except Exception as error:
            log.exception("the worker stops for a mistake of its own")
            self._stop_for(InternalError(f"internal error: {type(error).__name__}: {error}: see the worker's log"))

    def _stop_for(self, error: CosmosqError) -> None:
        if not self.abandoned.is_set():
            self.failure = error
            self.consumer.stop_flag.set()

    def _clock(self) -> None:
        """Heartbeat, doorbell and the end of the work, several times a second."""
        rounds = [
            Round(self._beat, self.worker.config.lease_s / 3),
            Round(self._look_for_workspace),
            *([Round(self.timetable.look)] if self.worker.only is None else []),
            Round(self._tell_pauses),
            Round(self._ring_idle_lines),
            Round(self._watch, WATCH_S),
            *([Round(self.measuring.look)] if self.measuring is not None else []),
            Round(self._look_whether_empty),
            Round(self._recover_in_turn, RECOVER_S),
        ]
        while not self.ended.wait(CLOCK_S):
            try:
                for each in rounds:
                    each.go()
            except Exception:
                # A full disk must not end the heartbeat for good.
                log.exception("the clock missed a beat")

    def _watch(self) -> None:
        self.watchman.look(datetime.now(UTC))
        if not self.consumer.stop_flag.is_set() and (refusal := self.watchman.reason_to_stop()):
            self.worker.announce(f"{refusal.reason}: the worker ends")
            self.consumer.stop_flag.set()

    def _end_with_reasons(self) -> None:
        if not self.consumer.stop_flag.is_set():
            # It says why nothing more starts, if that is so.
            self.watchman.look(datetime.now(UTC))
        self.consumer.stop_flag.set()

    def _beat(self) -> None:
        registry.beat(self.worker.ledger, self.owner, datetime.now(UTC))

    def _recover_in_turn(self) -> None:
        """All cases at first, then those that are quickly looked at."""
        cases = [case for case in CASES if self._is_first_look or not case.is_slow]
        self._is_first_look = False
        self._recover(cases)

    def _recover(self, cases: Sequence[Case]) -> None:
        """Mend what an end without a word has left behind."""
        scene = self._scene()
        for case, finding in look(scene, cases):
            log.warning("%s: %s", finding.what, case.remedy, extra={"host": finding.host})
            case.mend(scene, finding)

    def _scene(self) -> Scene:
        owner, machine, pid = self.owner, platform.node(), os.getpid()
        return Scene(
            workspace=self.worker.workspace,
            ledger=self.worker.ledger,
            queue=self.queue,
            hosts=list(self.lines),
            now=datetime.now(UTC),
            living={name: Presence(host=name, owner=owner, machine=machine, pid=pid) for name in self.lines},
            adopt=lambda name: self.lines[name].adopt_again(),
        )

    def _look_for_workspace(self) -> None:
        """Whoever deletes the folder or puts another ledger in its place wants no more of this one."""
        path = self.worker.workspace.ledger_path
        if not path.exists() or path.stat().st_ino != self._ledger_inode:
            self._stop_for(StorageFailed(f"the ledger {path} is gone: the worker has nothing to work on"))

    def _tell_pauses(self) -> None:
        """Whoever looks on must not wonder why nothing happens."""
        for name in self.lines:
            with self.worker.ledger.read() as session:
                why = next(map(pauses.words, pauses.in_force(session, name)), None)
            if why != self._paused.get(name):
                self._paused[name] = why
                self.worker.announce(f"{name} is {why or 'no longer paused'}")

    def _ring_idle_lines(self) -> None:
        """Huey may have lost a ticket, or a thread may have looked away just when it rang."""
        idle = [line for line in self.lines.values() if not line.is_busy]
        waiting = [job_id for line in idle if (job_id := line.next_id()) is not None]
        if waiting and not self.queue.waiting():
            self.queue.ring(waiting)

    def _look_whether_empty(self) -> None:
        is_asked = self.worker.until_empty or self.emptiness.has_stirred
        if not is_asked or self.timetable.is_busy or not self._is_empty():
            return
        if self.worker.only is None:
            self.emptiness.tell(datetime.now(UTC))
        if self.worker.until_empty:
            self._end_with_reasons()

    def _is_empty(self) -> bool:
        if any(line.is_busy for line in self.lines.values()):
            # Spares the ledger several looks a second for all of the night.
            return False
        # In this order: a line that is found idle after there was nothing to do cannot have begun anything.
        return all(line.is_empty() and not line.is_busy for line in self.lines.values())
