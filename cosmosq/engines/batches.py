"""Which jobs share a process in command mode: the rule itself runs on the host too, so it lives in `remote_scripts`."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Jobs that one process of the engine makes."""

    members: tuple[int, ...]
    """Their places in what was given, in order."""
    batch_size: int
    """How many are generated at once."""
    reason: str
    """Why they are not in an earlier batch; empty for the first."""


def plan(specs: Sequence[Mapping[str, Any]], batch_size: int) -> list[Batch]:
    """The batches that the host would make of these controlnet specs, in the order in which it would make them.

    Args:
        specs: of the jobs, in the order in which they are sent.
        batch_size: as in `cosmosq.toml`.
    """
    # By name: the scripts are data to ship, laid out for the host, and no package that the layers know.
    rule = importlib.import_module("cosmosq.remote_scripts.batches")
    groups = rule.plan([dict(spec) for spec in specs], batch_size)
    return [Batch(members=group.members, batch_size=group.batch_size, reason=group.reason) for group in groups]
