"""The one session that a host's GPU has room for."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from cosmosq.session import remote
from cosmosq.session.remote import RemoteSession
from cosmosq.session.site import Site

TRUSTED_S = 2.0
"""A session that was alive so recently is taken to be alive still; following it will tell."""


class Slot:
    """Opens, reuses and closes the host's session, so that at most one holds the GPU; threads may share it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.current: RemoteSession | None = None
        self._alive_at = 0.0
        self._lock = threading.RLock()

    def open(self, key: Mapping[str, Any]) -> RemoteSession:
        """The open session if it can serve this key, else a new one in its place."""
        with self._lock:
            if self.current is not None and self.current.serves(key) and self._is_alive(self.current):
                return self.current
            self.close()
            self.current = remote.start(self.site, key)
            self.confirm()
            return self.current

    def _is_alive(self, session: RemoteSession) -> bool:
        if remote.is_over(self.site, session):
            return False
        return time.monotonic() - self._alive_at < TRUSTED_S or remote.state_of(self.site, session) == "running"

    def confirm(self) -> None:
        """The current session has just been heard of."""
        self._alive_at = time.monotonic()

    def adopt(self, session: RemoteSession) -> str:
        """Take a session of an earlier life over if it lives and there is no other; returns its state."""
        with self._lock:
            state = remote.state_of(self.site, session)
            if state == "running" and self.current is None:
                self.current = session
                self.confirm()
            return state

    def discard(self, session: RemoteSession) -> None:
        """End a session that is of no more use, by force if need be."""
        with self._lock:
            remote.kill(self.site, session)
            self.drop(session)

    def forget(self, session: RemoteSession, state: str) -> None:
        """Record that a session has ended by itself, or was lost."""
        with self._lock:
            remote.record_end(self.site, session, state)
            self.drop(session)

    def drop(self, session: RemoteSession) -> None:
        """Think no more of a session, whatever becomes of it."""
        with self._lock:
            if self.current is not None and self.current.id == session.id:
                self.current = None

    def close(self) -> None:
        """Close the open session, if any, and free the GPU."""
        with self._lock:
            if self.current is not None:
                remote.close(self.site, self.current)
                self.current = None
