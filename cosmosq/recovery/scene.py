"""What whoever looks for remains is shown, and what is found."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cosmosq.db import Ledger
from cosmosq.paths import Workspace
from cosmosq.queue import Queue


@dataclass(frozen=True, kw_only=True)
class Presence:
    """A process that is entered as the worker of a host."""

    host: str
    owner: str
    machine: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A session without a recorded end, as its host answers for it."""

    id: str
    host: str
    state: str
    """`running`, or how it ended."""
    is_needed: bool
    """Whether a running job is bound to it."""
    end: Callable[[], None]
    """Closes it if it lives, and records its end."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A workspace at one moment."""

    workspace: Workspace
    ledger: Ledger
    queue: Queue
    hosts: Sequence[str]
    now: datetime
    living: Mapping[str, Presence] = field(default_factory=dict)
    """Workers whose process lives, by host."""
    gone: Sequence[Presence] = ()
    """Workers whose process does not."""
    sessions: Sequence[Seen] = ()
    """Empty if the hosts were not asked."""
    adopt: Callable[[str], None] | None = None
    """Has the worker that looks take over the running jobs of a host; None if it is none."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    what: str
    """For a person: what it is, with its name."""
    host: str | None
    """Whose worker sees to it; None if any does."""
    key: Any = None
    """For the remedy: which row or file."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A kind of finding: how it is looked for, and its remedy."""

    name: str
    find: Callable[[Scene], Iterable[Finding]]
    mend: Callable[[Scene, Finding], None]
    """Changes nothing if it is no longer as it was found."""
    remedy: str
    """What `mend` does, in a few words."""
    is_slow: bool = False
    """Looks at more than the ledger: not every minute."""
