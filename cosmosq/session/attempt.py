"""The life of one attempt, top to bottom; taking an attempt over means going through it again."""

import json
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosmosq import claims
from cosmosq.claims import Claim, Outcome
from cosmosq.errors import CosmosqError, HostFailed, InvalidInput, StaleClaim, StorageFailed, Unreachable
from cosmosq.session import events, remote, results
from cosmosq.session.events import Ending
from cosmosq.session.folder import video_path
from cosmosq.session.order import InputChanged, Order, load_order
from cosmosq.session.remote import RemoteSession
from cosmosq.session.results import BadOutput
from cosmosq.session.site import Site
from cosmosq.session.slot import Slot
from cosmosq.status import Phase, Status

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""Seconds without an event after which the host is asked whether the session is alive."""

REPEATABLE = frozenset({"lost", "crashed", "stalled", "out_of_memory", "engine_error", "bad_output", "host_failed"})
"""Errors that another attempt, in a fresh session or with luck, may not meet again."""


class Abandoned(Exception):
    """The worker must stop at once; the remote work goes on and is adopted later."""


class SessionLost(CosmosqError):
    """The session ended without a word about the attempt: `lost` with the box or its process, or `crashed`."""

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__(f"session {session_id} ended ({state}) without a word about the attempt")
        self.error = "crashed" if state.startswith("exited") else "lost"


class JobCancelled(CosmosqError):
    """A person cancelled the job before its session had it."""


class Stalled(CosmosqError):
    """The session is alive but silent for too long."""


def serve(site: Site, slot: Slot, claim: Claim) -> Status:
    """Take a claimed job to its end and return the job's status.

    Raises:
        Abandoned: the worker was told to stop at once; the job stays running.
        StaleClaim: the job is no longer ours.
        StorageFailed: this machine cannot store the result; the job stays running.
        Unreachable: the host cannot be reached for as long as the worker waits; the job stays running.
    """
    order = load_order(site.ledger, site.workspace, claim)
    folder = site.workspace.job_folder(order.created_at.astimezone(), claim.job_id, order.title)
    try:
        ending = _generate(site, slot, claim, order)
        outcome = _bring_home(site, slot, claim, ending, folder)
    except (Abandoned, StaleClaim, StorageFailed, Unreachable):
        raise
    except Exception as error:
        outcome = _failed(error)
        outcome = _with_logs(site, claim, outcome, folder)
    claims.enter(site.ledger, claim, Phase.RECORDING, site.now())
    status = claims.finish(site.ledger, claim, outcome, retries=site.retries, now=site.now())
    log.info("attempt ended: %s", outcome.status, extra={"job": claim.job_id, "attempt": claim.number})
    return status


def _generate(site: Site, slot: Slot, claim: Claim, order: Order) -> Ending:
    """Everything on the host; what an earlier life has done is found and not done again."""
    if claim.session_id is not None:
        session = remote.find(site, claim.session_id)
        state = slot.adopt(session)
        _catch_up(site, session)
        if ending := events.ending_of(site.ledger, claim.attempt_id):
            return ending
        if state != "running":
            return _ending_without_word(site, session, claim, state)
    else:
        _verify(site, claim, order)
        session = slot.open(order.key)
        claims.bind(site.ledger, claim, session.id)
    if not site.host.exists(session.folder.accepted(claim.name)):
        _upload(site, claim, order)
        _submit(site, session, claim, order)
    return _follow(site, slot, session, claim)


def _verify(site: Site, claim: Claim, order: Order) -> None:
    if claims.cancel_requested(site.ledger, claim):
        raise JobCancelled("cancelled before it was sent")
    for needed in order.inputs:
        needed.verify()


def _upload(site: Site, claim: Claim, order: Order) -> None:
    claims.enter(site.ledger, claim, Phase.UPLOADING, site.now())
    for needed in order.inputs:
        target = video_path(site.host.root, needed.sha256)
        if not site.host.exists(target):
            needed.verify()
            site.host.upload(needed.path, target, sha256=needed.sha256)


def _submit(site: Site, session: RemoteSession, claim: Claim, order: Order) -> None:
    claims.enter(site.ledger, claim, Phase.WAITING, site.now())
    message = {"attempt": claim.name, "spec": order.spec(site.host)}
    site.host.write(session.folder.inbox(claim.attempt_id, claim.name), json.dumps(message).encode())


def _follow(site: Site, slot: Slot, session: RemoteSession, claim: Claim) -> Ending:
    """Record events as they come until one ends the attempt."""
    generating, cancelling, heard = False, False, True
    heard_at = looked_at = time.monotonic()
    while True:
        heard = bool(events.record_new(site.ledger, site.host, session.id, session.folder, site.now())) or heard
        if heard and not generating and events.was_accepted(site.ledger, claim.attempt_id):
            claims.enter(site.ledger, claim, Phase.GENERATING, site.now())
            generating = True
        if heard and (ending := events.ending_of(site.ledger, claim.attempt_id)):
            return ending
        if not cancelling and claims.cancel_requested(site.ledger, claim):
            site.host.write(session.folder.cancel(claim.name), b"")
            cancelling = True
        now = time.monotonic()
        if heard:
            heard, heard_at, looked_at = False, now, now
            slot.confirm()
        elif now - heard_at > site.config.stall_s:
            slot.discard(session)
            raise Stalled(f"session {session.id} said nothing for {site.config.stall_s:g} s and was ended")
        elif now - looked_at > LOOK_S:
            looked_at = now
            if (state := remote.state_of(site, session)) != "running":
                _catch_up(site, session)
                return _ending_without_word(site, session, claim, state)
        if site.abandoned.wait(site.poll_s):
            raise Abandoned


def _catch_up(site: Site, session: RemoteSession) -> None:
    while events.record_new(site.ledger, site.host, session.id, session.folder, site.now()):
        pass


def _ending_without_word(site: Site, session: RemoteSession, claim: Claim, state: str) -> Ending:
    """The session is gone: what its last events prove about the attempt."""
    remote.record_end(site, session, state)
    if ending := events.ending_of(site.ledger, claim.attempt_id):
        return ending
    if failure := events.failure_of(site.ledger, session.id):
        return failure
    raise SessionLost(session.id, state)


def _bring_home(site: Site, slot: Slot, claim: Claim, ending: Ending, folder: Path) -> Outcome:
    """Everything arrives in the attempt's own folder; only a whole video and its papers leave it."""
    claims.enter(site.ledger, claim, Phase.DOWNLOADING, site.now())
    session = _session_of(site, claim)
    if session is None or ending.event != "done":
        if session is not None and ending.data.get("fatal"):
            slot.discard(session)
        return _with_logs(site, claim, _refused(ending), folder)
    source = session.folder.attempt(claim.name)
    rows = results.fetch_all(site.host, source, ending.data.get("artifacts"), _arrivals(claim, folder))
    results.check_video(rows)
    results.promote(rows, _arrivals(claim, folder), folder)
    generate_s = events.seconds(ending.data.get("generate_s"))
    return Outcome(status=Status.SUCCEEDED, generate_s=generate_s, artifacts=_relative(site, rows))


def _arrivals(claim: Claim, folder: Path) -> Path:
    return folder / f"attempt-{claim.number}"


def _session_of(site: Site, claim: Claim) -> RemoteSession | None:
    session_id = claims.session_of(site.ledger, claim)
    return remote.find(site, session_id) if session_id else None


def _refused(ending: Ending) -> Outcome:
    """Outcome of an ending that is no success."""
    if ending.event == "blocked":
        reason = str(ending.data.get("reason", "guardrail"))[:2000]
        return Outcome(status=Status.BLOCKED, error="blocked", message=reason)
    error = str(ending.data.get("error", "engine_error"))[:30]
    message = str(ending.data.get("message", ""))[:2000]
    if error == "cancelled":
        return Outcome(status=Status.CANCELLED, error=error, message="cancelled while it was generated")
    return Outcome(status=Status.FAILED, error=error, message=message, repeatable=error in REPEATABLE)


_ERRORS: dict[type[Exception], str] = {
    InputChanged: "input_changed",
    BadOutput: "bad_output",
    Stalled: "stalled",
    HostFailed: "host_failed",
    InvalidInput: "invalid_spec",
}


def _failed(error: Exception) -> Outcome:
    """Outcome of an exception on our side."""
    if isinstance(error, JobCancelled):
        return Outcome(status=Status.CANCELLED, error="cancelled", message=str(error))
    if isinstance(error, SessionLost):
        name = error.error
    else:
        name = next((name for kind, name in _ERRORS.items() if isinstance(error, kind)), "internal_error")
    if name == "internal_error":
        log.exception("attempt failed for a reason of our own")
    return Outcome(status=Status.FAILED, error=name, message=str(error)[:2000], repeatable=name in REPEATABLE)


def _with_logs(site: Site, claim: Claim, outcome: Outcome, folder: Path) -> Outcome:
    """Add the log of an attempt that made no video; its loss must not hide how the attempt ended."""
    try:
        if (session := _session_of(site, claim)) is None:
            return outcome
        source = session.folder.attempt(claim.name)
        rows = results.fetch_logs(site.host, source, session.folder.log, _arrivals(claim, folder))
    except (CosmosqError, OSError) as error:
        log.warning("no log came home: %s", error, extra={"job": claim.job_id})
        return outcome
    return replace(outcome, artifacts=_relative(site, rows))


def _relative(site: Site, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple({**row, "path": site.workspace.relative(Path(row["path"]))} for row in rows)
