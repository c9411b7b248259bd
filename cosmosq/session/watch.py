"""Following one session: the one place that reads its events and says what they mean for the attempts in it."""

import contextlib
import logging
import time
from collections.abc import Sequence

from cosmosq import pauses
from cosmosq.errors import HostFailed, Unreachable
from cosmosq.session import events, remote
from cosmosq.session.flight import Accepted, Flight, Recall, Returned
from cosmosq.session.outcome import SessionLost, Stalled
from cosmosq.session.overtime import Overtime
from cosmosq.session.remote import RemoteSession
from cosmosq.session.site import Site
from cosmosq.session.slot import Slot

log = logging.getLogger(__name__)

STOP_S = 60.0
"""How long a session may take to stop an attempt before it is ended with all that is in it."""
LOOK_S = 2.0
"""Seconds without an event after which the host is asked whether the session is alive."""
PUZZLED_S = 60.0
"""How long a host may answer nonsense before its session is given up."""


class Watch:
    """Looks at a session for those who are in it; every look is one of the feeder's rounds."""

    def __init__(self, site: Site, slot: Slot, session: RemoteSession) -> None:
        self.session = session
        self._site, self._slot = site, slot
        self._heard_at = self._looked_at = time.monotonic()
        self._overtime = Overtime(site)
        self._is_first = True
        self._aboard: set[int] = set()
        self._puzzled_at: float | None = None

    def look(self, flights: Sequence[Flight]) -> None:
        """Record what is new, tell the attempts, and end the session if it is over or of no more use.

        Raises:
            Unreachable: the host cannot be reached for as long as the worker waits.
        """
        try:
            self._look(flights)
            self._puzzled_at = None
        except Unreachable:
            raise
        except HostFailed as error:
            self._wonder(flights, error)

    def _look(self, flights: Sequence[Flight]) -> None:
        site, session, now = self._site, self.session, time.monotonic()
        read = events.record_new(site.ledger, site.host, session.id, session.folder, site.now())
        heard, aboard = read > 0 or self._is_first, {flight.claim.attempt_id for flight in flights}
        if heard:
            self._heard_at = self._looked_at = now
            if self._is_first and any(flight.claim.session_id for flight in flights):
                # Of a session that was taken over nobody knows how long it has been dead.
                self._looked_at = -LOOK_S
            self._is_first = False
            self._slot.confirm()
        # Of one that has just come aboard, all may have been said before, and nothing more will be.
        if (heard or aboard - self._aboard) and self._tell(flights):
            self._slot.discard(session)
            self._tell(flights)
            self._blame(flights, SessionLost(session.id, "exited 1"), only_accepted=True)
        self._aboard = aboard
        if not any(flight.is_sent for flight in flights):
            # It has nothing to say while it waits for the first order.
            self._heard_at = now
        elif now - self._heard_at > site.config.stall_s:
            self._slot.discard(session)
            stalled = Stalled(f"session {session.id} said nothing for {site.config.stall_s:g} s and was ended")
            self._blame(flights, stalled)
        if read < events.CHUNK_BYTES:
            # What the session has said by now is known: whoever seems to be late may just have been done.
            self._stop_late_ones(flights)
        if deaf := [f for f in _aloft(flights) if f.stopped is not None and now - f.stopped_at > STOP_S]:
            self._slot.discard(session)
            self._tell(flights)
            self._stop(flights, deaf)
            return
        if now - self._looked_at > LOOK_S:
            self._looked_at = now
            if (state := remote.state_of(site, session)) != "running":
                self._slot.forget(session, state)
                self._end(flights, state)

    def _tell(self, flights: Sequence[Flight]) -> bool:
        """Pass on what the ledger knows; True if the session can serve no more after it."""
        fatal = False
        told = events.told(self._site.ledger, [flight.claim.attempt_id for flight in flights])
        for flight in _aloft(flights):
            news = told.get(flight.claim.attempt_id)
            if news is None:
                continue
            if not flight.is_accepted:
                flight.is_accepted = True
                flight.tell(Accepted())
            if news.ending is not None:
                flight.has_landed, flight.has_failed = True, news.ending.event == "failed"
                flight.tell(news.ending)
                fatal = fatal or bool(news.ending.data.get("fatal"))
        return fatal

    def _end(self, flights: Sequence[Flight], state: str) -> None:
        """The session is gone: what its last events prove, and who must answer for it."""
        self._tell(flights)
        failure = events.failure_of(self._site.ledger, self.session.id)
        if state.startswith("lost") and not any(flight.is_accepted for flight in _aloft(flights)):
            self._note_loss()
        # Who was bound to it a moment before one attempt was the end of it has no part in that.
        by_another = events.ended_by_an_attempt(self._site.ledger, self.session.id)
        if failure is not None:
            self._blame(flights, failure)
        elif by_another or state == "exited 0" or not state.startswith("exited"):
            self._blame(flights, SessionLost(self.session.id, state), only_accepted=True)
        else:
            self._blame(flights, SessionLost(self.session.id, state))

    def _note_loss(self) -> None:
        """It was lost before it had begun with anything: no attempt will tell that, and without end it might be so."""
        site = self._site
        with site.ledger.write() as session:
            rule = site.settings.breaker
            pauses.note_failure(session, site.host.name, "lost", rule, site.now(), job=self.session.id)

    def _blame(
        self, flights: Sequence[Flight], news: events.Ending | Exception, *, only_accepted: bool = False
    ) -> None:
        """Tell whoever was being generated, else the first in line; the others are given back."""
        aloft = sorted(_aloft(flights), key=lambda flight: flight.claim.attempt_id)
        blamed = [flight for flight in aloft if flight.is_accepted]
        if not blamed and not only_accepted:
            blamed = [flight for flight in aloft if flight.is_sent][:1]
        for flight in aloft:
            flight.has_landed, flight.has_failed = True, flight in blamed
            flight.tell(news if flight in blamed else Returned(f"session {self.session.id} ended before it began"))

    def _stop_late_ones(self, flights: Sequence[Flight]) -> None:
        for flight in _aloft(flights):
            if flight.is_accepted and flight.stopped is None and (reason := self._overtime.look(flight)):
                log.warning("%s", reason, extra={"job": flight.claim.job_id, "session": self.session.id})
                flight.tell(Recall(reason))

    def _stop(self, flights: Sequence[Flight], deaf: Sequence[Flight]) -> None:
        """The session did not stop these, and had to be ended for it: the others in it are given back."""
        for flight in _aloft(flights):
            flight.has_landed, flight.has_failed = True, flight in deaf
            reason = flight.stopped if flight in deaf else None
            flight.tell(reason or Returned(f"session {self.session.id} did not stop job {deaf[0].claim.job_id}"))

    def _wonder(self, flights: Sequence[Flight], error: HostFailed) -> None:
        """What makes no sense may do so in a moment: an attempt that is given up too early is generated twice."""
        now = time.monotonic()
        if self._puzzled_at is None:
            self._puzzled_at = now
            log.warning("%s", error, extra={"session": self.session.id})
        elif now - self._puzzled_at > PUZZLED_S:
            with contextlib.suppress(HostFailed):
                self._slot.discard(self.session)
            self._slot.drop(self.session)
            self._blame(flights, error)


def _aloft(flights: Sequence[Flight]) -> list[Flight]:
    return [flight for flight in flights if not flight.has_landed]
