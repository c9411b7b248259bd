"""One host's line of work: job after job on one session."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from cosmosq import claims
from cosmosq.claims import Claim
from cosmosq.engines.engine import get_engine
from cosmosq.errors import HostFailed
from cosmosq.session.attempt import serve
from cosmosq.session.remote import RemoteSession, record_end, unended
from cosmosq.session.site import Site
from cosmosq.session.slot import Slot

log = logging.getLogger(__name__)


class Line:
    """Serves the jobs of one host, one after another, in whichever thread rings first."""

    def __init__(
        self,
        site: Site,
        owner: str,
        *,
        lease_s: float,
        stopping: Callable[[], bool],
        linger: bool,
        only: Sequence[int] | None,
    ) -> None:
        """
        Args:
            stopping: whether to end after the current job.
            linger: keep an open session for `idle_close` seconds in case a job comes.
            only: the jobs to serve; None for all.
        """
        self.site = site
        self.slot = Slot(site)
        self._owner, self._lease_s = owner, lease_s
        self._stopping, self._linger, self._only = stopping, linger, only
        self._adopted: list[Claim] = []
        self._busy = threading.Lock()

    def adopt(self) -> None:
        """Take over the running jobs that an earlier worker left, and be busy until `reconcile` has been called."""
        self._busy.acquire()
        self._adopted = claims.adopt(
            self.site.ledger, self.site.host.name, self._owner, lease_s=self._lease_s, now=self.site.now()
        )

    def reconcile(self) -> None:
        """Find the sessions that an earlier worker left: keep one that lives, end the others, record what is gone."""
        try:
            self._find_sessions()
        finally:
            self._busy.release()

    def _find_sessions(self) -> None:
        for session in unended(self.site):
            if any(claim.session_id == session.id for claim in self._adopted):
                continue
            try:
                self._take_or_end(session)
            except HostFailed as error:
                log.warning("session not reconciled: %s", error, extra={"session": session.id})

    def _take_or_end(self, session: RemoteSession) -> None:
        if self.slot.current is not None:
            self.slot.discard(session)
        elif (state := self.slot.adopt(session)) != "running":
            record_end(self.site, session, state)

    @property
    def is_busy(self) -> bool:
        return self._busy.locked()

    def wait_idle(self, timeout_s: float | None) -> None:
        """Wait until no job is served, at most so long."""
        if self._busy.acquire(timeout=-1 if timeout_s is None else timeout_s):
            self._busy.release()

    def next_id(self) -> int | None:
        """Id of the job that could start now."""
        if self._adopted:
            return self._adopted[0].job_id
        return claims.next_id(self.site.ledger, self.site.host.name, self._only)

    def serve_all(self) -> None:
        """Serve jobs until there is none; return at once if another thread does that already."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            while not self._stopping() and (claim := self._next()) is not None:
                log.info("attempt begins", extra={"job": claim.job_id, "attempt": claim.number})
                serve(self.site, self.slot, claim)
            if not self._stopping():
                self.slot.close()
        finally:
            self._busy.release()

    def _next(self) -> Claim | None:
        """The next job; with an open session, one that comes within its `idle_close` seconds."""
        deadline = time.monotonic() + (self.site.config.idle_close if self._linger and self.slot.current else 0)
        while True:
            if self._adopted:
                return self._adopted.pop(0)
            claim = claims.claim(
                self.site.ledger,
                self.site.host.name,
                self._owner,
                lease_s=self._lease_s,
                simulated=get_engine(self.site.config.engine).simulated,
                now=self.site.now(),
                only=self._only,
            )
            if claim is not None or time.monotonic() >= deadline or self._stopping():
                return claim
            self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        # Reading is free of the write lock that a claim takes.
        while time.monotonic() < deadline and not self._stopping() and self.next_id() is None:
            self.site.abandoned.wait(self.site.poll_s)
