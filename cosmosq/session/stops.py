"""Why a session is told to stop an attempt that no person has cancelled; a later worker must know it as well."""

from datetime import datetime

from sqlalchemy import select

from cosmosq.claims import Claim
from cosmosq.db import Ledger
from cosmosq.models import Event
from cosmosq.moves import record
from cosmosq.session.flight import Stopped

EVENT = "stop_requested"


def note(ledger: Ledger, claim: Claim, reason: Stopped, now: datetime) -> None:
    """Record it, before the session is told."""
    ids = {"job_id": claim.job_id, "attempt_id": claim.attempt_id}
    with ledger.write() as session:
        record(session, EVENT, now, **ids, error=reason.name, message=str(reason))


def of(ledger: Ledger, claim: Claim) -> Stopped | None:
    """What was recorded of the attempt, by whatever worker."""
    noted = select(Event.data).where(Event.attempt_id == claim.attempt_id, Event.event == EVENT)
    with ledger.read() as session:
        data = session.scalar(noted.order_by(Event.id.desc()).limit(1))
    return Stopped(str(data["error"]), str(data["message"])) if data else None
