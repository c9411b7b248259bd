"""Telling that nothing is left to do, once after each time that something was done."""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cosmosq.alarms import Occasion, sound
from cosmosq.db import Ledger
from cosmosq.models import Event, Job
from cosmosq.status import Status

log = logging.getLogger(__name__)

_WORKED = (Status.SUCCEEDED, Status.FAILED, Status.BLOCKED)


class Emptiness:
    """What a worker has to say when its hosts' queues are empty."""

    def __init__(self, ledger: Ledger, hosts: Sequence[str]) -> None:
        self.has_stirred = False
        """Whether a job may have been served since the last look."""
        self._ledger, self._hosts = ledger, hosts
        self._seen: int | None = None

    def stir(self) -> None:
        """Call it before a job is served."""
        if self._seen is None:
            with self._ledger.read() as session:
                self._seen = _newest(session)
        self.has_stirred = True

    def tell(self, now: datetime) -> None:
        """Sound an alarm if jobs have ended since the last one; call it when the queues are empty."""
        if not self.has_stirred:
            return
        self.has_stirred = False
        try:
            self._tell(now)
        except Exception:
            # Whether anybody is told must not keep a worker from its end.
            log.exception("nobody will be told that the queue is empty")

    def _tell(self, now: datetime) -> None:
        with self._ledger.write() as session:
            ended = self._ended(session)
            self._seen = _newest(session)
            if ended:
                told = ", ".join(f"{count} {status}" for status, count in ended.items())
                text = f"the queue of {', '.join(self._hosts)} is empty: {told}: see `cosmosq report`"
                host = self._hosts[0] if len(self._hosts) == 1 else None
                sound(session, Occasion.QUEUE_EMPTY, text, now, host=host, hosts=list(self._hosts), jobs=ended)

    def _ended(self, session: Session) -> dict[str, int]:
        """How many jobs ended since then, by status."""
        statement = (
            select(Event.event, func.count())
            .join(Job, Job.id == Event.job_id)
            .where(Event.id > self._seen, Event.event.in_(_WORKED), Job.host.in_(self._hosts))
            .group_by(Event.event)
        )
        found = dict(session.execute(statement).all())
        return {str(status): found[status] for status in _WORKED if status in found}


def _newest(session: Session) -> int:
    return session.scalar(select(func.max(Event.id))) or 0
