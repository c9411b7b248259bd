"""Generations that take longer than they may."""

import time

from cosmosq.models import Attempt
from cosmosq.report.durations import duration
from cosmosq.report.timeouts import Timeout, timeout_of
from cosmosq.session.flight import Flight, Stopped
from cosmosq.session.site import Site
from cosmosq.status import Phase

TIMED_OUT = "timed_out"


class Overtime:
    """Knows since when each attempt of a session is generated, by a clock that nobody sets."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[int, tuple[float, Timeout | None]] = {}

    def look(self, flight: Flight) -> Stopped | None:
        """Why to stop an attempt that its session has accepted; None while it may go on."""
        now, attempt_id = time.monotonic(), flight.claim.attempt_id
        if attempt_id not in self._known:
            self._known[attempt_id] = self._begin(flight, now)
        began, limit = self._known[attempt_id]
        if limit is None or now - began <= limit.seconds:
            return None
        spent, allowed = duration(now - began), duration(limit.seconds)
        return Stopped(TIMED_OUT, f"generated for {spent}, and {allowed} is the limit ({limit.source})")

    def _begin(self, flight: Flight, now: float) -> tuple[float, Timeout | None]:
        claim, site = flight.claim, self._site
        with site.ledger.read() as session:
            limit = timeout_of(session, site.config, claim.job_id)
            attempt = session.get_one(Attempt, claim.attempt_id)
        spent_s = 0.0
        if claim.session_id is not None and attempt.phase == Phase.GENERATING:
            # An earlier worker saw it begin, and its clock is gone.
            spent_s = max(0.0, (site.now() - attempt.phase_at).total_seconds())
        return now - spent_s, limit
