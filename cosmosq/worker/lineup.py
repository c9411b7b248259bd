"""Who is next on a host, and whether it may start."""

import time
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement

from cosmosq import waiting
from cosmosq.policy import Waiting
from cosmosq.session.site import Site
from cosmosq.worker.gate import Gate, Refusal

LOOKS = 4
"""So often at most another one is looked for in place of a job that may not start."""

OVERDUE_S = 2.0
"""How often it is asked about those that were let pass already."""


class Lineup:
    """The queued jobs of a host behind its gate; threads may share it."""

    def __init__(self, site: Site, gate: Gate, only: Sequence[int] | None) -> None:
        """`only`: the jobs to serve; None for all."""
        self._site, self._gate, self._only = site, gate, only
        self._overdue_at = 0.0

    def shut(self) -> Refusal | None:
        """Why no job starts now."""
        return self._gate.shut()

    def overdue(self, job_ids: Collection[int]) -> Mapping[int, Refusal]:
        """Which of these, that only wait in the inbox, must not begin any more."""
        if not job_ids or time.monotonic() < self._overdue_at:
            return {}
        self._overdue_at = time.monotonic() + OVERDUE_S
        return self._gate.overdue(job_ids)

    def first(self, open_key: str | None = None, among: ColumnElement[bool] | None = None) -> Waiting | None:
        """The job whose turn it is, whether it may start or not.

        Args:
            open_key: key of the open session, None for none.
            among: a condition on Job.
        """
        return waiting.next_in_line(
            self._site.ledger,
            self._site.host.name,
            now=self._site.now(),
            only=self._only,
            open_key=open_key,
            max_overtake=self._site.settings.max_overtake,
            among=among,
        )

    def next(self, open_key: str | None = None) -> Waiting | None:
        """The job to start now."""
        return self._look(open_key)[0]

    def standstill(self, open_key: str | None = None) -> Refusal | None:
        """Why none of the jobs that wait may start; None if one may, or if none waits."""
        return self._look(open_key)[1]

    def is_empty(self) -> bool:
        """Whether no job will start, now or when it is due, unless somebody or time opens the gate."""
        return self.standstill() is not None or waiting.is_empty(self._site.ledger, self._site.host.name, self._only)

    def _look(self, open_key: str | None) -> tuple[Waiting | None, Refusal | None]:
        if (refusal := self._gate.shut()) is not None:
            return None, refusal
        among, reason = None, None
        for _ in range(LOOKS):
            job = self.first(open_key, among)
            if job is None or (refusal := self._gate.refuse(job)) is None:
                return job, None if job else reason
            reason = reason or refusal
            if refusal.others is None:
                break
            among = refusal.others
        return None, reason
