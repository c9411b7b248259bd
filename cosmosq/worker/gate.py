"""What may keep jobs from starting on a host: windows and limits. Pauses, which somebody lifts, are the feeder's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement

from cosmosq.policy import Waiting


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a job does not start now."""

    reason: str
    """For people, in a line, such as `outside the window until 22:00`."""
    is_final: bool = False
    """Whether it holds for as long as this worker lives: with nothing else to do, it ends."""
    until_at: datetime | None = None
    """When it is over by itself, if that is known."""
    others: ColumnElement[bool] | None = field(default=None, compare=False)
    """Condition on Job of those that may start before it; None: all behind it wait too."""


class Gate:
    """Open as it stands; what a gate knows against that, it says in one of these."""

    def shut(self) -> Refusal | None:
        """Why no job starts now: what waits in the inbox is taken back, what runs is finished, the GPU is freed."""
        return None

    def refuse(self, job: Waiting) -> Refusal | None:
        """Why this job does not start now, though others may."""
        return None

    def overdue(self, job_ids: Collection[int]) -> Mapping[int, Refusal]:
        """Which of these, that were let pass and only wait in the inbox, must not begin any more."""
        return {}
