"""The life of one attempt, top to bottom; taking an attempt over means going through it again."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from cosmosq import claims
from cosmosq.claims import Claim, Outcome
from cosmosq.config_keys import OFFLOADABLE
from cosmosq.errors import CosmosqError, HostFailed, StaleClaim, StorageFailed, Unreachable
from cosmosq.retries import Repeat
from cosmosq.session import answers, events, outcome, remote, results, stops
from cosmosq.session.events import Ending
from cosmosq.session.flight import Abandoned, Accepted, Flight, Recall, Returned, Stopped
from cosmosq.session.folder import video_path
from cosmosq.session.order import Order, load_order
from cosmosq.session.remote import RemoteSession
from cosmosq.session.site import Site
from cosmosq.session.slot import Slot
from cosmosq.status import Phase, Status

log = logging.getLogger(__name__)


def serve(site: Site, slot: Slot, flight: Flight) -> Status:
    """Take a claimed job to its end and return the job's status; `queued` if it was given back.

    Raises:
        Abandoned: the worker was told to stop at once; the job stays running.
        StaleClaim: the job is no longer ours.
        StorageFailed: this machine cannot store the result; the job stays running.
        Unreachable: the host cannot be reached for as long as the worker waits; the job stays running.
    """
    claim = flight.claim
    order = load_order(site.ledger, site.workspace, claim)
    folder = site.workspace.job_folder(order.created_at.astimezone(), claim.job_id, order.title)
    try:
        ending = _generate(site, slot, flight, order)
        flight.has_landed = True
        ended = _bring_home(site, claim, order, ending, folder)
    except (Abandoned, StaleClaim, StorageFailed, Unreachable):
        raise
    except Returned as reason:
        log.info("given back: %s", reason, extra={"job": claim.job_id, "attempt": claim.number})
        return claims.give_back(site.ledger, claim, str(reason), site.now())
    except Exception as error:
        flight.has_landed = flight.has_failed = True
        ended = _with_logs(site, claim, outcome.failed(error, site.settings), folder)
    claims.enter(site.ledger, claim, Phase.RECORDING, site.now())
    retries, backoff_s, rule = site.settings.retries, site.settings.backoff_s, site.settings.breaker
    status = claims.finish(site.ledger, claim, ended, retries=retries, backoff_s=backoff_s, rule=rule, now=site.now())
    log.info("attempt ended: %s", ended.status, extra={"job": claim.job_id, "attempt": claim.number})
    return status


def _generate(site: Site, slot: Slot, flight: Flight, order: Order) -> Ending:
    """Everything on the host; what an earlier life has done is found and not done again."""
    claim = flight.claim
    if claim.session_id is not None:
        session = remote.find(site, claim.session_id)
        if ending := events.ending_of(site.ledger, claim.attempt_id):
            return ending
        is_alive = slot.adopt(session) == "running"
    else:
        _verify(order)
        flight.heed()
        session = slot.open(order.key)
        claims.bind(site.ledger, claim, session.id)
        is_alive = True
    flight.session = session
    if is_alive and not site.host.exists(session.folder.accepted(claim.name)):
        _upload(site, flight, order)
        _submit(site, session, flight, order)
    flight.sent()
    return _await_ending(site, session, flight)


def _verify(order: Order) -> None:
    for needed in order.inputs:
        needed.verify()


def _upload(site: Site, flight: Flight, order: Order) -> None:
    claims.enter(site.ledger, flight.claim, Phase.UPLOADING, site.now())
    for needed in order.inputs:
        target = video_path(site.host.root, needed.sha256)
        with site.sending:
            # Whatever the news is, it is about an attempt that needs no upload any more.
            if not flight.has_news() and not site.host.exists(target):
                needed.verify()
                site.host.upload(needed.path, target, sha256=needed.sha256)


def _submit(site: Site, session: RemoteSession, flight: Flight, order: Order) -> None:
    claim = flight.claim
    claims.enter(site.ledger, claim, Phase.WAITING, site.now())
    if flight.has_news():
        return
    message = {"attempt": claim.name, "spec": order.spec(site.host)}
    try:
        site.host.write(session.folder.inbox(claim.attempt_id, claim.name), json.dumps(message).encode())
    except HostFailed:
        # It may be there all the same, and then it will be done.
        if _recall(site, session, flight, Recall(Returned("not sent"))):
            raise


def _await_ending(site: Site, session: RemoteSession, flight: Flight) -> Ending:
    """Do as the feeder tells until the session has ended the attempt."""
    claim = flight.claim
    while True:
        match flight.listen():
            case Ending() as ending:
                return ending
            case Accepted():
                claims.enter(site.ledger, claim, Phase.GENERATING, site.now())
            case Recall() as recall:
                if _recall(site, session, flight, recall):
                    raise recall.end
            case Exception() as error:
                raise error


def _recall(site: Site, session: RemoteSession, flight: Flight, recall: Recall) -> bool:
    """Take the attempt back, or have the session stop it; whether it is taken back."""
    try:
        if _take_back(site, session, flight.claim):
            return True
        if isinstance(recall.error, Stopped):
            # Recorded first: whoever hears that the session has stopped it must know that no person cancelled the job.
            stops.note(site.ledger, flight.claim, recall.error, site.now())
        if not isinstance(recall.error, Returned):
            site.host.write(session.folder.cancel(flight.claim.name), b"")
    except HostFailed as error:
        # What may be under way must not be given up for that: it would be done twice.
        log.warning("not recalled: %s", error, extra={"job": flight.claim.job_id})
        flight.may_be_recalled_again()
    return False


def _take_back(site: Site, session: RemoteSession, claim: Claim) -> bool:
    """Take the order out of the inbox, unless the session was faster; True if it is sure not to be done."""
    order = session.folder.inbox(claim.attempt_id, claim.name)
    # One rename against the session's own: one of the two finds the order, however often ours is repeated.
    site.host.run(["mv", "-T", "--", str(order), f"{order}.returned"])
    return not site.host.exists(order) and not site.host.exists(session.folder.accepted(claim.name))


def _bring_home(site: Site, claim: Claim, order: Order, ending: Ending, folder: Path) -> Outcome:
    """Everything arrives in the attempt's own folder; only a whole video or prompt and its papers leave it."""
    claims.enter(site.ledger, claim, Phase.DOWNLOADING, site.now())
    session = _session_of(site, claim)
    if session is None or ending.event != "done":
        return _with_logs(site, claim, _refused(site, claim, ending), folder)
    source = session.folder.attempt(claim.name)
    with site.landing:
        if site.abandoned.is_set():
            raise Abandoned
        rows = results.fetch_all(site.host, source, ending.data.get("artifacts"), _arrivals(claim, folder))
        answer = None
        if order.upsample:
            answer = answers.read(rows, ending)
        else:
            results.check_video(rows)
        results.promote(rows, _arrivals(claim, folder), folder)
    generate_s = events.seconds(ending.data.get("generate_s"))
    return Outcome(status=Status.SUCCEEDED, generate_s=generate_s, artifacts=_relative(site, rows), answer=answer)


def _refused(site: Site, claim: Claim, ending: Ending) -> Outcome:
    ended = outcome.refused(ending, site.settings, stops.of(site.ledger, claim))
    is_hopeless = ended.error == "out_of_memory" and set(OFFLOADABLE) <= set(site.config.offload)
    return replace(ended, repeat=Repeat.NEVER) if is_hopeless else ended


def _arrivals(claim: Claim, folder: Path) -> Path:
    return folder / f"attempt-{claim.number}"


def _session_of(site: Site, claim: Claim) -> RemoteSession | None:
    session_id = claims.session_of(site.ledger, claim)
    return remote.find(site, session_id) if session_id else None


def _with_logs(site: Site, claim: Claim, ended: Outcome, folder: Path) -> Outcome:
    """Add the log of an attempt that made no video; its loss must not hide how the attempt ended."""
    try:
        if (session := _session_of(site, claim)) is None:
            return ended
        source = session.folder.attempt(claim.name)
        rows = results.fetch_logs(site.host, source, session.folder.log, _arrivals(claim, folder))
    except (CosmosqError, OSError) as error:
        log.warning("no log came home: %s", error, extra={"job": claim.job_id})
        return ended
    return replace(ended, artifacts=_relative(site, rows))


def _relative(site: Site, rows: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple({**row, "path": site.workspace.relative(Path(row["path"]))} for row in rows)
