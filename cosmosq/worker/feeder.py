"""What keeps one host's session fed: which attempts are in flight, and when one joins or leaves them."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from cosmosq import claims, pauses
from cosmosq.claims import Claim
from cosmosq.engines.engine import get_engine
from cosmosq.errors import StaleClaim
from cosmosq.models import Pause
from cosmosq.policy import Waiting
from cosmosq.session.attempt import serve
from cosmosq.session.flight import Abandoned, Flight, JobCancelled, Recall, Returned, Stopped
from cosmosq.session.outcome import PAUSED
from cosmosq.session.site import Site
from cosmosq.session.slot import Slot
from cosmosq.session.watch import Watch
from cosmosq.worker.lineup import Lineup

log = logging.getLogger(__name__)

ABANDON_S = 2.0
"""How long attempts get to notice that they are left as they are."""
LANDING = 8
"""So many attempts may be on their way home before the next is sent: the disk of the host is not endless."""


class Feeder:
    """One thread that looks after the host round by round, and one for the story of each attempt in flight."""

    def __init__(
        self,
        site: Site,
        slot: Slot,
        owner: str,
        *,
        stopping: Callable[[], bool],
        linger: bool,
        lineup: Lineup,
    ) -> None:
        """Args as of `Line`."""
        self._site, self._slot, self._owner = site, slot, owner
        self._stopping, self._linger, self._lineup = stopping, linger, lineup
        self._flights: list[Flight] = []
        self._watches: dict[str, Watch] = {}
        self._stirred = threading.Event()
        self._failures: list[Exception] = []
        self._idle_at: float | None = None

    def work(self, adopted: Sequence[Claim]) -> None:
        """Serve the adopted jobs and then all there are, until there is none for long enough.

        Raises:
            Abandoned, StorageFailed, Unreachable: all that is in flight stays running.
        """
        self._idle_at = None
        try:
            for claim in adopted:
                self._launch(claim)
            while not self._is_done():
                self._round()
                self._stirred.wait(self._site.poll_s)
                self._stirred.clear()
        except BaseException:
            self._abandon()
            raise

    def _abandon(self) -> None:
        deadline = time.monotonic() + ABANDON_S
        for flight in list(self._flights):
            flight.tell(Abandoned())
        while self._flights and time.monotonic() < deadline:
            self._stirred.wait(self._site.poll_s)
            self._stirred.clear()

    def _round(self) -> None:
        if self._site.abandoned.is_set():
            raise Abandoned
        if self._failures:
            raise self._failures[0]
        self._watch()
        self._pass_on_wishes()
        if self._stopping():
            self._finish_the_current_one()
            return
        if standing := self._pauses():
            self._stand_still(standing)
        elif refusal := self._lineup.shut():
            self._take_back(self._unaccepted(), refusal.reason)
        else:
            self._take_back_overdue()
            self._make_way()
        self._fill()

    def _is_done(self) -> bool:
        """Nothing in flight, and nothing came for `idle_close` seconds while a session was open."""
        if self._flights or self._failures:
            self._idle_at = None
            return False
        if self._stopping() or self._lineup.standstill(self._open_key()):
            # What waits may not start: the GPU is not held for that.
            return True
        if self._idle_at is None:
            self._idle_at = time.monotonic()
            # One round more: what is next has not been asked since the last one landed.
            return False
        if self._slot.current is not None and (self._linger or not self._lineup.is_empty()):
            return time.monotonic() - self._idle_at > self._site.config.idle_close
        return True

    # In flight

    def _launch(self, claim: Claim) -> None:
        log.info("attempt begins", extra={"job": claim.job_id, "attempt": claim.number})
        flight = Flight(claim, self._stirred.set)
        self._flights.append(flight)
        threading.Thread(target=self._live, args=(flight,), name=f"attempt {claim.name}", daemon=True).start()

    def _live(self, flight: Flight) -> None:
        try:
            serve(self._site, self._slot, flight)
        except Abandoned:
            pass
        except StaleClaim as error:
            log.warning("%s", error)
        except Exception as error:
            self._failures.append(error)
        finally:
            self._flights.remove(flight)
            self._stirred.set()

    def _aloft(self) -> list[Flight]:
        """Those that the session still has to do with, in the order of their claims."""
        return [flight for flight in list(self._flights) if not flight.has_landed]

    def _unaccepted(self) -> list[Flight]:
        """Those that can still be taken back."""
        return [flight for flight in self._aloft() if not flight.is_accepted]

    # The session

    def _watch(self) -> None:
        aboard: dict[str, list[Flight]] = {}
        for flight in self._aloft():
            if flight.session is not None:
                aboard.setdefault(flight.session.id, []).append(flight)
        for session_id, flights in aboard.items():
            session = flights[0].session
            assert session is not None
            self._watches.setdefault(session_id, Watch(self._site, self._slot, session)).look(flights)
        for session_id in set(self._watches) - set(aboard):
            del self._watches[session_id]

    def _pass_on_wishes(self) -> None:
        aloft = {flight.claim.job_id: flight for flight in self._aloft()}
        if not aloft:
            return
        for job_id, wish in claims.wanted_otherwise(self._site.ledger, list(aloft)).items():
            if wish == "cancel":
                aloft[job_id].tell(Recall(JobCancelled("cancelled before it began")))
            else:
                aloft[job_id].tell(Recall(Returned("to be held" if wish == "hold" else "the line was moved")))

    def _finish_the_current_one(self) -> None:
        aloft = self._aloft()
        current = [flight for flight in aloft if flight.is_accepted] or aloft[:1]
        self._take_back([flight for flight in aloft if flight not in current], "the worker stops")

    def _take_back_overdue(self) -> None:
        waiting = {flight.claim.job_id: flight for flight in self._unaccepted()}
        for job_id, refusal in self._lineup.overdue(waiting).items():
            self._take_back([waiting[job_id]], refusal.reason)

    def _take_back(self, flights: Sequence[Flight], reason: str) -> None:
        for flight in flights:
            flight.tell(Recall(Returned(reason)))

    # Pauses

    def _pauses(self) -> list[Pause]:
        with self._site.ledger.read() as session:
            return pauses.in_force(session, self._site.host.name)

    def _stand_still(self, standing: Sequence[Pause]) -> None:
        """What only waits in the inbox comes back, and what is generated as well if that was asked for."""
        spared = pauses.spared(standing)
        at_once = any(each.at_once for each in standing)
        for flight in self._aloft():
            if flight.claim.job_id == spared:
                continue
            if at_once:
                flight.tell(Recall(Stopped(PAUSED, "stopped by `cosmosq pause --now`")))
            elif not flight.is_accepted:
                flight.tell(Recall(Returned(pauses.words(standing[0]))))

    def _is_paused(self, following: Waiting) -> str | None:
        """Why this job may not start now."""
        if any(flight.has_failed for flight in list(self._flights)):
            # It may be one too many for the breaker, and say which session the next job needs.
            return "a failure is being recorded"
        return pauses.why_not(self._site.ledger, self._site.host.name, self._site.now())

    # Who comes next

    def _make_way(self) -> None:
        """What only waits in the inbox gives way to a job of higher priority."""
        waiting = self._unaccepted()
        lowest = min((flight.claim.priority for flight in waiting), default=None)
        first = self._lineup.first(self._open_key()) if waiting else None
        # The gate is only asked where something would come of it.
        if first is None or lowest is None or first.priority <= lowest:
            return
        if (job := self._lineup.next(self._open_key())) is not None:
            lesser = [flight for flight in waiting if flight.claim.priority < job.priority]
            self._take_back(lesser, f"job {job.id} goes first")

    def _fill(self) -> None:
        while (
            self._has_room()
            and (following := self._lineup.next(self._open_key())) is not None
            and self._fits(following)
            and self._is_paused(following) is None
        ):
            claim = claims.claim(
                self._site.ledger,
                self._site.host.name,
                self._owner,
                simulated=get_engine(self._site.config.engine).simulated,
                now=self._site.now(),
                only=[following.id],
                key=following.key,
            )
            if claim is None:
                return
            self._launch(claim)

    def _has_room(self) -> bool:
        """One at a time is on its way to the inbox, so that they arrive there in their order."""
        aloft, most = self._aloft(), self._site.config.ahead + 1
        return len(aloft) < most and len(self._flights) < most + LANDING and all(flight.is_sent for flight in aloft)

    def _fits(self, following: Waiting) -> bool:
        """Another model is only loaded once the session has nothing left to do."""
        return all(flight.claim.key == following.key for flight in self._aloft())

    def _open_key(self) -> str | None:
        current, aloft = self._slot.current, self._aloft()
        return aloft[0].claim.key if aloft else current.key_digest if current is not None else None
