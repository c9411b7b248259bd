"""Out of memory: which jobs need a session that offloads all models, by what a host has shown so far.

Such a session has another key, so that it is opened, kept and counted as one with another model would be.
"""

import json

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from cosmosq.engines.engine import encode_key, key_digest, mode_in_key, offloaded_key
from cosmosq.models import EngineSession, Event, Job
from cosmosq.status import ENDED


def move_on(session: Session, job_id: int, session_id: str) -> bool:
    """Have a job that ran out of memory in a session served by one that offloads.

    If no video of the kind was ever made on the host without, so are all jobs of the kind that wait there.

    Returns:
        False if there is nothing left to offload: the session did already, or is one that sees to it itself.
    """
    ended = session.get_one(EngineSession, session_id)
    key, mode = mode_in_key(json.loads(ended.key))
    if mode != "warm" or key.get("offloaded"):
        return False
    same_kind = (Job.host == ended.host, Job.session_key == key_digest(key), Job.status.not_in(ENDED))
    which = (Job.id == job_id,) if _has_worked(session, ended.host, ended.key) else same_kind
    moved = update(Job).where(*which).values(session_key=key_digest(offloaded_key(key)))
    session.execute(moved, execution_options={"synchronize_session": "evaluate"})
    return True


def needed(session: Session, host: str) -> dict[str, str]:
    """Keys of sessions that are to offload on a host, by the keys that jobs have of themselves; all as digests."""
    tried = select(EngineSession.key).where(EngineSession.host == host, EngineSession.key.contains('"offloaded": true'))
    found: dict[str, str] = {}
    for encoded in session.scalars(tried.distinct()):
        offloaded = json.loads(encoded)
        key = {name: value for name, value in offloaded.items() if name != "offloaded"}
        if not _has_worked(session, host, encode_key(key)):
            found[key_digest(key)] = key_digest(offloaded)
    return found


def _has_worked(session: Session, host: str, encoded: str) -> bool:
    # What its sessions said: a video that was made may still be on its way home.
    made = exists().where(
        Event.session_id == EngineSession.id,
        Event.event == "done",
        EngineSession.host == host,
        EngineSession.key == encoded,
    )
    return bool(session.scalar(select(made)))
