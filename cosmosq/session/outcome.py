"""How an attempt ended, from what the session said or from what went wrong here."""

import logging

from cosmosq.claims import Outcome
from cosmosq.config import Config
from cosmosq.errors import CosmosqError, HostFailed, InvalidInput
from cosmosq.job_inputs import InputChanged
from cosmosq.session.events import Ending
from cosmosq.session.flight import JobCancelled, Stopped
from cosmosq.session.results import BadOutput
from cosmosq.status import Status

log = logging.getLogger(__name__)

PAUSED = "paused"


class SessionLost(CosmosqError):
    """The session ended without a word about the attempt: `lost` with the box or its process, or `crashed`."""

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__(f"session {session_id} ended ({state}) without a word about the attempt")
        self.error = "crashed" if state.startswith("exited") else "lost"


class Stalled(CosmosqError):
    """The session is alive but silent for too long."""


ERRORS: dict[type[Exception], str] = {
    InputChanged: "input_changed",
    BadOutput: "bad_output",
    Stalled: "stalled",
    HostFailed: "host_failed",
    InvalidInput: "invalid_spec",
}


def refused(ending: Ending, settings: Config, stop: Stopped | None = None) -> Outcome:
    """Outcome of an ending that is no success.

    Args:
        stop: our own order to stop it, if there was one.
    """
    if ending.event == "blocked":
        reason = str(ending.data.get("reason", "guardrail"))[:2000]
        return Outcome(status=Status.BLOCKED, error="blocked", message=reason)
    error = str(ending.data.get("error", "engine_error"))[:30]
    message = str(ending.data.get("message", ""))[:2000]
    if error == "cancelled" and stop is not None:
        return stopped(stop, settings)
    if error == "cancelled":
        return Outcome(status=Status.CANCELLED, error=error, message="cancelled while it was generated")
    return Outcome(status=Status.FAILED, error=error, message=message, repeat=settings.repeat_of(error))


def stopped(reason: Stopped, settings: Config) -> Outcome:
    """Outcome of an attempt that had begun and that we stopped: a pause is no failure."""
    status = Status.CANCELLED if reason.name == PAUSED else Status.FAILED
    return Outcome(status=status, error=reason.name, message=str(reason), repeat=settings.repeat_of(reason.name))


def failed(error: Exception, settings: Config) -> Outcome:
    """Outcome of an exception on our side."""
    if isinstance(error, Stopped):
        return stopped(error, settings)
    if isinstance(error, JobCancelled):
        return Outcome(status=Status.CANCELLED, error="cancelled", message=str(error))
    if isinstance(error, SessionLost):
        name = error.error
    else:
        name = next((name for kind, name in ERRORS.items() if isinstance(error, kind)), "internal_error")
    if name == "internal_error":
        log.error("attempt failed for a reason of our own", exc_info=error)
    return Outcome(status=Status.FAILED, error=name, message=str(error)[:2000], repeat=settings.repeat_of(name))
