"""Sessions on the host: started once, found again, closed."""

import json
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import select, update

from cosmosq.config_keys import OFFLOADABLE
from cosmosq.engines.engine import encode_key, get_engine, key_in_mode, mode_in_key, text_digest
from cosmosq.errors import CosmosqError
from cosmosq.models import EngineSession
from cosmosq.session import events, scripts
from cosmosq.session.folder import SessionFolder
from cosmosq.session.launcher import Launcher, launcher_of, session_argv
from cosmosq.session.site import Site

log = logging.getLogger(__name__)

CLOSE_S = 60.0
"""How long a session may take to end after it was asked to."""
IDLE_EXIT_S = 1800.0
"""A session that hears nothing from anybody for so long frees its GPU by itself."""


@dataclass(frozen=True, kw_only=True)
class RemoteSession:
    """One session that we started, now or in an earlier life."""

    id: str
    key: str
    folder: SessionFolder
    scripts_digest: str
    is_of_mode: bool = True
    """Whether its host is still configured for the mode that it was started in."""

    @property
    def key_digest(self) -> str:
        """The key as jobs have it."""
        return text_digest(self.key)

    def serves(self, key: Mapping[str, Any]) -> bool:
        return self.is_of_mode and self.key == encode_key(key)


def start(site: Site, key: Mapping[str, Any]) -> RemoteSession:
    """Start a session for jobs with this key; it loads the model while we go on.

    Raises:
        HostFailed: the host could not start it.
    """
    now = site.now()
    folder_of_scripts = scripts.ship(site.host)
    session_id = f"s-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
    folder = SessionFolder(path=site.host.root / "sessions" / session_id)
    engine = get_engine(site.config.engine)
    # Recorded first: if the reply to the start is lost, the next life of the worker still finds the session.
    with site.ledger.write() as session:
        session.add(
            EngineSession(
                id=session_id,
                host=site.host.name,
                engine=engine.name,
                simulated=engine.simulated,
                key=encode_key(key_in_mode(key, site.config.mode)),
                scripts_digest=scripts.digest(),
                remote_path=str(folder.path),
                started_at=now,
                price_per_hour=site.config.price_per_hour or None,
                currency=site.config.currency if site.config.price_per_hour else None,
            )
        )
    order = _start_order(site, session_id, key, folder, folder_of_scripts)
    site.host.write(folder.start, json.dumps(order).encode())
    started = RemoteSession(id=session_id, key=encode_key(key), folder=folder, scripts_digest=scripts.digest())
    _launcher(site, started).start(folder, order)
    log.info("session started", extra={"session": session_id})
    return started


def _start_order(
    site: Site, session_id: str, key: Mapping[str, Any], folder: SessionFolder, own: PurePosixPath
) -> dict[str, Any]:
    engine = get_engine(site.config.engine)
    checkout = PurePosixPath(site.config.checkout or str(own))
    return {
        "session": session_id,
        "root": str(site.host.root),
        "container": list(site.config.container_command),
        "argv": session_argv(site, own, folder, key),
        "env": {
            "PYTHONPATH": str(engine.python_path(own, checkout)),
            "PYTHONUNBUFFERED": "1",
            **engine.environment({"ledger": str(site.host.root / "generations.jsonl"), **site.config.simulator}),
        },
        "key": dict(key),
        "checkpoint_dir": site.config.checkpoint_dir,
        "offload": list(OFFLOADABLE if key.get("offloaded") else site.config.offload),
        "batch_size": site.config.batch_size,
        "num_gpus": site.config.num_gpus,
        "idle_exit_s": IDLE_EXIT_S,
        "cwd": str(checkout),
    }


def state_of(site: Site, session: RemoteSession) -> str:
    """`running`, or how it ended: `exited N`, `lost: rebooted`, `lost: killed`, `lost: absent`."""
    state = _launcher(site, session).state(session.folder)
    # An end is recorded before its container is taken away: what another thread recorded is better than "absent".
    return state if state == "running" else _recorded_end(site, session) or state


def _recorded_end(site: Site, session: RemoteSession) -> str | None:
    with site.ledger.read() as reading:
        return reading.scalar(select(EngineSession.end).where(EngineSession.id == session.id))


def is_over(site: Site, session: RemoteSession) -> bool:
    """Cheap look whether it has ended; a session that was killed is only seen by `state_of`."""
    return _launcher(site, session).is_over(session.folder)


def close(site: Site, session: RemoteSession) -> None:
    """Ask the session to end after its current attempt, wait for it, and record how it ended."""
    site.host.write(session.folder.stop, b"")
    deadline = time.monotonic() + CLOSE_S
    while (state := state_of(site, session)) == "running" and time.monotonic() < deadline:
        if site.abandoned.wait(site.poll_s):
            return
    if state == "running":
        _launcher(site, session).kill(session.folder)
        state = state_of(site, session)
    record_end(site, session, state)


def kill(site: Site, session: RemoteSession) -> None:
    """End a session that does not answer any more."""
    _launcher(site, session).kill(session.folder)
    record_end(site, session, state_of(site, session))


def record_end(site: Site, session: RemoteSession, end: str) -> None:
    """Record the last events and how the session ended; only then is it taken away."""
    while events.record_new(site.ledger, site.host, session.id, session.folder, site.now()):
        pass
    with site.ledger.write() as writing:
        ended = update(EngineSession).where(EngineSession.id == session.id, EngineSession.end.is_(None))
        writing.execute(ended.values(end=end[:40], ended_at=site.now()))
    try:
        _launcher(site, session).remove(session.folder)
    except CosmosqError as error:
        # It has ended all the same; what is left is swept another time.
        log.warning("%s", error, extra={"session": session.id})
    log.info("session ended: %s", end, extra={"session": session.id})


def find(site: Site, session_id: str) -> RemoteSession:
    """A session of the ledger."""
    with site.ledger.read() as session:
        return _from_row(site, session.get_one(EngineSession, session_id))


def unended(site: Site) -> list[RemoteSession]:
    """Sessions of this host of which no end is recorded, newest first."""
    statement = (
        select(EngineSession)
        .where(EngineSession.host == site.host.name, EngineSession.end.is_(None))
        .order_by(EngineSession.started_at.desc())
    )
    with site.ledger.read() as session:
        return [_from_row(site, row) for row in session.scalars(statement)]


def _from_row(site: Site, row: EngineSession) -> RemoteSession:
    folder = SessionFolder(path=PurePosixPath(row.remote_path))
    key, mode = mode_in_key(json.loads(row.key))
    return RemoteSession(
        id=row.id,
        key=encode_key(key),
        folder=folder,
        scripts_digest=row.scripts_digest,
        is_of_mode=mode == site.config.mode,
    )


def _launcher(site: Site, session: RemoteSession) -> Launcher:
    return launcher_of(site, session.folder, session.scripts_digest)
