"""A worker's limits held against the ledger: what it has begun and spent, and whether one job more is allowed."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.config import Config
from cosmosq.db import Ledger
from cosmosq.models import Attempt, Job
from cosmosq.policy import Waiting
from cosmosq.report import outlook, spending
from cosmosq.report.outlook import Rules
from cosmosq.report.spending import Spent
from cosmosq.report.tempo import Tempo, tempo_of
from cosmosq.status import ENDED, Status
from cosmosq.worker.gate import Gate, Refusal
from cosmosq.worker.limits import Limits, Tally, closed, overdue, too_late

SPENT_S = 1.0
"""For so long, what has been spent is not added up anew."""
TEMPO_S = 10.0
"""For so long, the pace of a host is taken to be the same; it is a median of many videos."""


class Account:
    """Shared by all hosts of a worker and their threads."""

    def __init__(self, ledger: Ledger, config: Config, hosts: Sequence[str], limits: Limits, since: datetime) -> None:
        """`since`: from when on the jobs begun, hours and costs count."""
        self.limits, self.since = limits, since
        self._ledger, self._config, self._hosts = ledger, config, tuple(hosts)
        self._lock = threading.RLock()
        self._tempos: dict[str, tuple[float, Tempo]] = {}
        self._spent: tuple[float, Spent] | None = None
        self._granted: dict[str, int] = {}

    def reached(self, now: datetime) -> Refusal | None:
        """Why this worker starts nothing more."""
        with self._lock, self._ledger.read() as session:
            return self.limits.reached(self._tally(session, now), now)

    def refuse(self, host: str, job: Waiting, now: datetime) -> Refusal | None:
        """Why a job may not be begun on a host now."""
        with self._lock, self._ledger.read() as session:
            # What another host was granted and has not begun counts as begun: the hosts ask side by side.
            granted = [job_id for name, job_id in self._granted.items() if name != host]
            tally = self._with_running(session, self._tally(session, now, granted), now)
            refusal = self.limits.exceeded_by_number(job.id, tally) or self._too_long(session, host, job, tally, now)
            if refusal is None:
                self._granted[host] = job.id
            return refusal

    def overdue(self, host: str, job_ids: Collection[int], now: datetime) -> Mapping[int, Refusal]:
        """Which of these, that were let pass, would by now end after the window: what runs before them is slow."""
        with self._lock, self._ledger.read() as session:
            ends = outlook.running_ends(session, host, self._tempo(session, host), now)
        rules = self._rules(host)
        late = {job_id: overdue(job_id, ends[job_id], rules, now) for job_id in job_ids if job_id in ends}
        return {job_id: refusal for job_id, refusal in late.items() if refusal is not None}

    def _rules(self, host: str) -> Rules:
        return Rules(
            windows=self.limits.windows_of(host), grace=timedelta(seconds=self._config.host(host).window_grace)
        )

    def _too_long(self, session: Session, host: str, job: Waiting, tally: Tally, now: datetime) -> Refusal | None:
        would = outlook.prospect(session, host, job.id, self._tempo(session, host), now)
        if would is None:
            return None
        price = self._config.host(host).price_per_hour
        late = too_late(job.id, would, self._rules(host), now)
        return late or self.limits.exceeded_by(job.id, would, tally, price)

    def _tally(self, session: Session, now: datetime, granted: Sequence[int] = ()) -> Tally:
        limits = self.limits
        begun, unended = self._begun(session, granted) if limits.max_jobs is not None else (frozenset[int](), 0)
        if limits.max_gpu_hours is None and limits.budget is None:
            return Tally(begun=begun, unended=unended)
        spent = self._spent_by(session, now)
        cost = spent.costs.get(limits.currency, 0.0)
        return Tally(begun=begun, unended=unended, held_s=spent.held_s, cost=cost)

    def _with_running(self, session: Session, tally: Tally, now: datetime) -> Tally:
        if self.limits.max_gpu_hours is None and self.limits.budget is None:
            return tally
        left = {name: outlook.running_s(session, name, self._tempo(session, name), now) for name in self._hosts}
        cost = sum(s / 3600 * self._config.host(name).price_per_hour for name, s in left.items())
        return replace(tally, running_s=sum(left.values()), running_cost=cost)

    def _begun(self, session: Session, granted: Sequence[int]) -> tuple[frozenset[int], int]:
        attempted = select(Attempt.job_id).where(Attempt.host.in_(self._hosts), Attempt.started_at >= self.since)
        statement = select(Job.id, Job.status).where(
            Job.id.in_(attempted) | (Job.id.in_(granted) & (Job.status == Status.QUEUED))
        )
        found = dict(session.execute(statement).all())
        return frozenset(found), sum(status not in ENDED for status in found.values())

    def _spent_by(self, session: Session, now: datetime) -> Spent:
        if self._spent is None or time.monotonic() - self._spent[0] > SPENT_S:
            self._spent = time.monotonic(), spending.spent(session, self._hosts, now, self.since)
        return self._spent[1]

    def _tempo(self, session: Session, host: str) -> Tempo:
        known = self._tempos.get(host)
        if known is None or time.monotonic() - known[0] > TEMPO_S:
            known = self._tempos[host] = time.monotonic(), tempo_of(session, host)
        return known[1]


class LimitGate(Gate):
    """The limits of a worker before one host."""

    def __init__(self, account: Account, host: str, now: Callable[[], datetime]) -> None:
        self._account, self._host, self._now = account, host, now
        self._windows = account.limits.windows_of(host)
        self._has_limits = account.limits.counts or account.limits.until is not None

    def shut(self) -> Refusal | None:
        reached = self._account.reached(self._now()) if self._has_limits else None
        return reached or closed(self._windows, self._now())

    def refuse(self, job: Waiting) -> Refusal | None:
        if not self._has_limits and not self._windows.each:
            return None
        return self._account.refuse(self._host, job, self._now())

    def overdue(self, job_ids: Collection[int]) -> Mapping[int, Refusal]:
        return self._account.overdue(self._host, job_ids, self._now()) if self._windows.each else {}
