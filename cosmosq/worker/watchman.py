"""What a worker keeps an eye on beside its lines: why they stand still, ends of windows, the end by a limit."""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from cosmosq.alarms import Occasion, sound
from cosmosq.db import Ledger
from cosmosq.models import Alarm, Attempt, Job
from cosmosq.moments import clock
from cosmosq.report import spending
from cosmosq.report.durations import duration
from cosmosq.status import ENDED, Status
from cosmosq.windows import Spell
from cosmosq.worker import registry
from cosmosq.worker.gate import Refusal
from cosmosq.worker.limits import Limits
from cosmosq.worker.line import Line

log = logging.getLogger(__name__)

QUIET = timedelta(seconds=10)
"""For so long, other numbers in the same reason are nothing new."""


class Watchman:
    """Looks at the lines of one worker, round by round."""

    def __init__(
        self,
        ledger: Ledger,
        lines: Mapping[str, Line],
        limits: Limits,
        *,
        heirs: Collection[str] = (),
        announce: Callable[[str], None] = log.info,
    ) -> None:
        """
        Args:
            heirs: hosts whose last worker was killed: what it could not tell is made up for.
            announce: takes words for the person at the terminal.
        """
        self._ledger, self._lines, self._limits = ledger, lines, limits
        self._heirs, self._announce = frozenset(heirs), announce
        self._reasons: dict[str, Refusal | None] = {}
        self._noted: dict[str, Refusal | None] = {}
        self._quiet_until: dict[str, datetime] = {}
        self._closing: dict[str, Spell] = {}
        self._told: dict[str, datetime] = {}

    def look(self, now: datetime) -> None:
        """One round: what changed is written into the ledger."""
        for host, line in self._lines.items():
            self._look_for_reason(host, line.standstill(), now)
            self._look_for_window_end(host, line, now)

    def _look_for_reason(self, host: str, refusal: Refusal | None, now: datetime) -> None:
        before = self._reasons.get(host)
        self._reasons[host] = refusal
        if refusal == self._noted.get(host) or (_is_same_kind(before, refusal) and now < self._quiet_until[host]):
            return
        self._noted[host], self._quiet_until[host] = refusal, now + QUIET
        registry.tell(self._ledger, host, refusal, now)
        # Of a final one it is said when the worker ends for it.
        tell = log.info if refusal and refusal.is_final else self._announce
        tell(f"{host}: nothing starts: {refusal.reason}" if refusal else f"{host}: jobs may start")

    def reason_to_stop(self) -> Refusal | None:
        """The limit for which none of the hosts has anything left to do."""
        # In this order: a line that is found idle after nothing could start cannot have begun anything.
        if not self.is_at_limit or any(line.next_id() is not None or line.is_busy for line in self._lines.values()):
            return None
        return next(refusal for refusal in self._reasons.values() if refusal is not None and refusal.is_final)

    @property
    def is_at_limit(self) -> bool:
        """Whether a limit keeps jobs from starting for as long as this worker lives."""
        return any(refusal is not None and refusal.is_final for refusal in self._reasons.values())

    def _look_for_window_end(self, host: str, line: Line, now: datetime) -> None:
        windows = self._limits.windows_of(host)
        if (spell := windows.current(now)) is not None:
            self._closing[host] = spell
            return
        spell = windows.latest(now)
        if spell is None or line.is_busy or self._told.get(host) == spell.closes_at:
            return
        self._told[host] = spell.closes_at
        is_ours = self._closing.get(host) == spell
        with self._ledger.write() as session:
            is_inherited = host in self._heirs and _has_begun(session, host, spell)
            if (is_ours or is_inherited) and not _is_told(session, host, spell):
                _sound_end(session, host, spell, now)


def _is_same_kind(one: Refusal | None, other: Refusal | None) -> bool:
    """Whether at most the numbers in the reason differ, which do at every look."""
    if one is None or other is None:
        return one is other
    return (one.is_final, one.until_at) == (other.is_final, other.until_at)


def _is_told(session: Session, host: str, spell: Spell) -> bool:
    told = (Alarm.occasion == Occasion.WINDOW_ENDED, Alarm.host == host, Alarm.at >= spell.closes_at)
    return bool(session.scalar(select(exists().where(*told))))


def _has_begun(session: Session, host: str, spell: Spell) -> bool:
    """Whether anything was begun in it."""
    begun = (Attempt.host == host, Attempt.started_at >= spell.opens_at, Attempt.started_at < spell.closes_at)
    return bool(session.scalar(select(exists().where(*begun))))


def _sound_end(session: Session, host: str, spell: Spell, now: datetime) -> None:
    ended = _counts(session, Job.host == host, Job.status.in_(ENDED), Job.ended_at >= spell.opens_at)
    queued = _counts(session, Job.host == host, Job.status == Status.QUEUED).get(Status.QUEUED, 0)
    spent = spending.spent(session, [host], now, spell.opens_at)
    numbers = [f"{count} {status}" for status, count in ended.items()] or ["no job ended"]
    words = [*numbers, f"{queued} still queued", f"GPU time {duration(spent.held_s)}", spending.told(spent.costs)]
    sound(
        session,
        Occasion.WINDOW_ENDED,
        f"the window of {host} ended at {clock(spell.closes_at, now)}: {', '.join(filter(None, words))}",
        now,
        host=host,
        opened_at=spell.opens_at.isoformat(),
        closed_at=spell.closes_at.isoformat(),
        ended=ended,
        queued=queued,
        gpu_h=spent.held_s / 3600,
        costs=dict(spent.costs),
    )


def _counts(session: Session, *conditions: ColumnElement[bool]) -> dict[str, int]:
    statement = select(Job.status, func.count()).where(*conditions).group_by(Job.status)
    found = dict(session.execute(statement).all())
    return {status.value: found[status] for status in Status if status in found}
