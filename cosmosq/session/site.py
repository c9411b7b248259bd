"""Everything that working on one host needs."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cosmosq.config import HostConfig
from cosmosq.db import Ledger
from cosmosq.hosts import Host
from cosmosq.paths import Workspace


def utc_now() -> datetime:
    """The present, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    """One host as a worker sees it."""

    workspace: Workspace
    ledger: Ledger
    host: Host
    config: HostConfig
    retries: int
    poll_s: float
    """Seconds between two looks at a running session."""
    abandoned: threading.Event
    """Set when the worker must stop at once and leave the remote work running."""
    now: Callable[[], datetime] = utc_now
