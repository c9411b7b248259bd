"""One host's line of work: what an earlier worker left, then job after job, in one thread at a time."""

import logging
import threading
from collections.abc import Callable, Sequence

from cosmosq import claims, pauses
from cosmosq.claims import Claim
from cosmosq.errors import HostFailed
from cosmosq.session.remote import RemoteSession, record_end, unended
from cosmosq.session.site import Site
from cosmosq.session.slot import Slot
from cosmosq.worker.feeder import Feeder
from cosmosq.worker.gate import Gate, Refusal
from cosmosq.worker.lineup import Lineup

log = logging.getLogger(__name__)


class Line:
    """Serves the jobs of one host in whichever thread rings first."""

    def __init__(
        self,
        site: Site,
        owner: str,
        *,
        stopping: Callable[[], bool],
        linger: bool,
        only: Sequence[int] | None,
        gate: Gate,
    ) -> None:
        """
        Args:
            stopping: whether to end after the current job.
            linger: keep an open session for `idle_close` seconds in case a job comes.
            only: the jobs to serve; None for all.
            gate: what may keep them from starting.
        """
        self.site = site
        self.slot = Slot(site)
        self._owner = owner
        self._stopping, self._lineup = stopping, Lineup(site, gate, only)
        self._feeder = Feeder(site, self.slot, owner, stopping=stopping, linger=linger, lineup=self._lineup)
        self._adopted: list[Claim] = []
        self._busy = threading.Lock()

    def adopt(self) -> None:
        """Take over the running jobs that an earlier worker left, and be busy until `reconcile` has been called."""
        self._busy.acquire()
        self._adopted = claims.adopt(self.site.ledger, self.site.host.name, self._owner, now=self.site.now())

    def adopt_again(self) -> None:
        """Take over running jobs that nobody follows; if this line is busy, it is too early to say so of any."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            if not self._adopted:
                host, now = self.site.host.name, self.site.now()
                self._adopted = claims.adopt(self.site.ledger, host, self._owner, now=now)
        finally:
            self._busy.release()

    def reconcile(self) -> None:
        """Find the sessions that an earlier worker left: keep one that lives, end the others, record what is gone."""
        try:
            self._find_sessions()
            if not self._adopted and self._lineup.shut():
                # Nobody would come who closes it.
                self.slot.close()
        finally:
            self._busy.release()

    def _find_sessions(self) -> None:
        needed = {claim.session_id for claim in self._adopted}
        # Those with attempts first: the one that is kept must not be an idle one.
        for session in sorted(unended(self.site), key=lambda session: session.id not in needed):
            try:
                self._keep_or_end(session, is_needed=session.id in needed)
            except HostFailed as error:
                log.warning("session not reconciled: %s", error, extra={"session": session.id})

    def _keep_or_end(self, session: RemoteSession, *, is_needed: bool) -> None:
        state = self.slot.adopt(session)
        if state != "running":
            record_end(self.site, session, state)
        elif not is_needed and (self.slot.current is None or self.slot.current.id != session.id):
            self.slot.discard(session)

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
        following = self._lineup.next()
        if following is None or pauses.why_not(self.site.ledger, self.site.host.name, self.site.now()) is not None:
            return None
        return following.id

    def standstill(self) -> Refusal | None:
        """Why none of the jobs that wait may start; None if one may, or if none waits."""
        return None if self._adopted else self._lineup.standstill()

    def is_empty(self) -> bool:
        """Whether nothing is left that could start, now or when it is due, as the gate stands."""
        return not self._adopted and self._lineup.is_empty()

    def serve_all(self) -> None:
        """Serve jobs until there is none; return at once if another thread does that already."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            adopted, self._adopted = self._adopted, []
            for claim in adopted:
                if claim.session_id is None:
                    # The host has never heard of it: it gets back into the line.
                    claims.give_back(self.site.ledger, claim, "its worker was gone", self.site.now())
            self._feeder.work([claim for claim in adopted if claim.session_id is not None])
            if not self._stopping():
                self.slot.close()
        finally:
            self._busy.release()
