"""Everything that working on one host needs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cosmosq.config import Config, HostConfig
from cosmosq.db import Ledger
from cosmosq.hosts import Host
from cosmosq.moments import utc_now
from cosmosq.paths import Workspace

LANDINGS = 2
"""Attempts that bring their results home at once: one alone spends most of its time on the way, not on bytes."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One host as a worker sees it."""

    workspace: Workspace
    ledger: Ledger
    host: Host
    config: HostConfig
    settings: Config
    """Those of the whole workspace."""
    poll_s: float
    """Seconds between two looks at a running session."""
    abandoned: threading.Event
    """Set when the worker must stop at once and leave the remote work running."""
    sending: threading.Lock = field(default_factory=threading.Lock)
    """Held while an input goes to the host: attempts share inputs, and each is sent once."""
    landing: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(LANDINGS))
    """Held while the results of an attempt come home; the link has more to carry."""
    now: Callable[[], datetime] = utc_now
