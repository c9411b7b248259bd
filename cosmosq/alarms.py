"""What a person may want to be woken for: noted in the ledger beside its cause, delivered later."""

from datetime import datetime

from sqlalchemy.orm import Session

from cosmosq.models import Alarm
from cosmosq.occasions import Occasion

__all__ = ["Occasion", "sound"]


def sound(
    session: Session,
    occasion: Occasion,
    text: str,
    now: datetime,
    *,
    host: str | None = None,
    job_id: int | None = None,
    **data: object,
) -> None:
    """Note an alarm in the transaction of what it tells of: both are there, or neither.

    Args:
        text: one line for a person: what, where, what to do.
        data: more of it, for programs; JSON.
    """
    session.add(Alarm(at=now, occasion=occasion, text=text, host=host, job_id=job_id, data=data))


def sound_failure(
    session: Session, job_id: int, host: str, status: str, error: str | None, message: str | None, now: datetime
) -> None:
    """A job has failed for good, or is blocked."""
    why = ": ".join(word for word in (error, message) if word and word != status)
    text = f"job {job_id} {status}{': ' if why else ''}{why[:500]}: `cosmosq show {job_id}` says more"
    told = {"status": status, "error": error, "message": message}
    sound(session, Occasion.JOB_FAILED, " ".join(text.split()), now, host=host, job_id=job_id, **told)
