"""Going from job to job on a host in thought: when each will have ended, and how often the model is loaded."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from cosmosq.models import EngineSession
from cosmosq.status import BEFORE_GENERATING, Phase
from cosmosq.windows import Windows

HORIZON = 100
"""So many windows are looked at; a queue that is longer has no end that anybody waits for."""


class Course:
    """One host from now on; `at` is when all that it was told of will have ended."""

    def __init__(
        self, *, pace: float | None, load_s: float | None, now: datetime, windows: Windows, grace: timedelta
    ) -> None:
        """
        Args:
            pace: seconds of a step of a clip.
            windows: queued jobs are begun in these alone, if they end before the window or in its grace.
        """
        self.at, self.loads = now, 0
        self.busy_s = 0.0
        """Seconds in which the GPU generates or loads."""
        self.key: str | None = None
        """Of the session that is open then."""
        self.ends: dict[int, datetime] = {}
        self._pace, self._load_s = pace or 0.0, load_s or 0.0
        self._windows, self._grace = windows, grace
        self._closes_at: datetime | None = None
        self._is_whole = False
        """Whether nothing has been begun in the window that was waited for before it opened."""

    def find(self, key: str, session: EngineSession, now: datetime) -> None:
        """An open session; if it loads, what is left of that."""
        self.key = key
        if session.load_s is None:
            self.loads += 1
            left = self._load_s - (now - session.started_at).total_seconds()
            self._work(max(0.0, left))

    def run(self, row: Row[Any]) -> None:
        """A running job: what is left of its generation."""
        if row.phase not in (*BEFORE_GENERATING, Phase.GENERATING):
            self.ends[row.id] = self.at
            return
        done = steps_done(row) if row.phase == Phase.GENERATING else 0
        self._spend(row, max(0, row.work - done))

    def queue(self, rows: Sequence[Any]) -> None:
        """Queued jobs in their order, window by window: what is not due yet or too long for the rest of one waits for
        a later one, and what no window has room for gets no end.

        Args:
            rows: `id`, `work` in steps times clips, `session_key` and `due_at` of each.
        """
        self._wait_for_window(self.at)
        for _ in range(HORIZON):
            later = self._fill_window(rows)
            if not later or self._closes_at is None:
                return
            moment = self._closes_at
            if len(later) == len(rows) and self._is_whole:
                # None fits into a whole window: only one that is not due yet may be another's.
                due = [row.due_at for row in later if row.due_at is not None and row.due_at >= moment]
                if not due:
                    return
                moment = min(due)
            self._wait_for_window(moment)
            rows = later

    def _wait_for_window(self, moment: datetime) -> None:
        opens_at = self._windows.opens_at(moment)
        self._closes_at = self._windows.closes_at(opens_at)
        self._is_whole = opens_at > moment
        if opens_at > self.at:
            # The session is closed when a window ends.
            self.at, self.key = opens_at, None

    def _fill_window(self, rows: Sequence[Any]) -> list[Any]:
        """Begin all that fits into what is left of the window; returns the others."""
        shortest = min([row.work for row in rows], default=0) * self._pace
        later: list[Any] = []
        for number, row in enumerate(rows):
            if not self._has_room(self.at, shortest):
                # Spares a look at each of thousands in each of many nights.
                return [*later, *rows[number:]]
            begin = self.at if row.due_at is None else max(self.at, row.due_at)
            if self._has_room(begin, self.needed_s(row)):
                self.at = begin
                self._spend(row, row.work)
            else:
                later.append(row)
        return later

    def _has_room(self, begin: datetime, seconds: float) -> bool:
        if self._closes_at is None:
            return True
        return begin < self._closes_at and begin + timedelta(seconds=seconds) <= self._closes_at + self._grace

    def needed_s(self, row: Any) -> float:
        """Seconds that a job takes if it is begun at `at`, with the load that it needs."""
        load_s = self._load_s if row.session_key != self.key else 0.0
        return load_s + self._pace * float(row.work)

    def _spend(self, row: Any, steps: int) -> None:
        if row.session_key != self.key:
            self.key = row.session_key
            self.loads += 1
            self._work(self._load_s)
        self._work(self._pace * steps)
        self.ends[row.id] = self.at

    def _work(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.busy_s += seconds


def steps_done(row: Row[Any]) -> int:
    """Steps of the clips that are finished, and of the one under way."""
    return (max(row.clip or 1, 1) - 1) * (row.steps or 0) + (row.step or 0)
