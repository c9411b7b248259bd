"""What a worker is allowed: when it may start jobs, how many, and for how much time and money. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cosmosq.models import Job
from cosmosq.moments import clock
from cosmosq.report.durations import duration
from cosmosq.report.outlook import Prospect, Rules, fits
from cosmosq.report.spending import money
from cosmosq.windows import Windows
from cosmosq.worker.gate import Refusal


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a worker has begun and spent since it counts; only what its limits ask for is filled in."""

    begun: frozenset[int] = frozenset()
    """Ids of the jobs that it began."""
    unended: int = 0
    """How many of those are still to be ended."""
    held_s: float = 0.0
    """Seconds in which its sessions held a GPU."""
    cost: float = 0.0
    running_s: float = 0.0
    """Seconds that the GPUs of all its hosts will work for what runs."""
    running_cost: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a person allows a worker; nothing at all is everything."""

    windows: Mapping[str, Windows] = field(default_factory=dict)
    """By host."""
    until: datetime | None = None
    max_jobs: int | None = None
    max_gpu_hours: float | None = None
    budget: float | None = None
    currency: str = ""
    """Of the budget."""

    def windows_of(self, host: str) -> Windows:
        """When jobs may start there."""
        return self.windows.get(host, Windows())

    @property
    def counts(self) -> bool:
        """Whether anything is counted against them."""
        return any(limit is not None for limit in (self.max_jobs, self.max_gpu_hours, self.budget))

    def as_json(self) -> dict[str, Any]:
        """What is limited, for the ledger; the windows also where there is none, so that they are known to be that."""
        told: dict[str, Any] = {
            "until": self.until.isoformat() if self.until else None,
            "max_jobs": self.max_jobs,
            "max_gpu_hours": self.max_gpu_hours,
            "budget": self.budget,
            "currency": self.currency or None,
        }
        given = {name: value for name, value in told.items() if value is not None}
        return {**given, "windows": {host: str(windows) for host, windows in self.windows.items()}}

    def reached(self, tally: Tally, now: datetime) -> Refusal | None:
        """Why this worker starts nothing more, ever."""
        if self.until is not None and now >= self.until:
            return _final(f"--until {clock(self.until, now)} is past")
        if self.max_jobs is not None and len(tally.begun) >= self.max_jobs and not tally.unended:
            return _final(f"--max-jobs {self.max_jobs} is reached")
        if self.max_gpu_hours is not None and tally.held_s >= self.max_gpu_hours * 3600:
            return _final(f"--max-gpu-hours {self.max_gpu_hours:g} are used up")
        if self.budget is not None and tally.cost >= self.budget:
            return _final(f"budget of {self._budget} spent")
        return None

    def exceeded_by_number(self, job_id: int, tally: Tally) -> Refusal | None:
        """Why one job more is too many; one that was begun before may be begun again."""
        if self.max_jobs is None or job_id in tally.begun or len(tally.begun) < self.max_jobs:
            return None
        reason = f"--max-jobs {self.max_jobs} is reached"
        # Those that were begun may yet have to be repeated.
        return Refusal(reason=reason, is_final=not tally.unended, others=Job.id.in_(tally.begun))

    def exceeded_by(self, job_id: int, would: Prospect, tally: Tally, price_per_hour: float) -> Refusal | None:
        """Why this job is too long or dear, by what it would take."""
        if self.max_gpu_hours is not None:
            left_s = self.max_gpu_hours * 3600 - tally.held_s - tally.running_s
            if would.job_s > left_s:
                return _too_much(
                    f"job {job_id} takes about {would.job_s / 3600:.2f} GPU hours, "
                    f"{max(0.0, left_s) / 3600:.2f} of --max-gpu-hours {self.max_gpu_hours:g} are left",
                    would,
                    left_s,
                )
        if self.budget is not None and price_per_hour:
            left = self.budget - tally.cost - tally.running_cost
            cost = would.job_s / 3600 * price_per_hour
            if cost > left:
                return _too_much(
                    f"job {job_id} costs about {money(cost)} {self.currency}, "
                    f"{money(max(0.0, left))} of the budget of {self._budget} are left",
                    would,
                    left / price_per_hour * 3600,
                )
        return None

    @property
    def _budget(self) -> str:
        return f"{self.budget:g} {self.currency}"


def closed(windows: Windows, now: datetime) -> Refusal | None:
    """Why nothing starts outside the windows."""
    if windows.is_open(now):
        return None
    opens_at = windows.opens_at(now)
    return Refusal(reason=f"outside the window until {clock(opens_at, now)}", until_at=opens_at)


def too_late(job_id: int, would: Prospect, rules: Rules, now: datetime) -> Refusal | None:
    """Why a job is too long for what is left of the window."""
    closes_at = rules.windows.closes_at(now)
    if closes_at is None or would.ends_at <= closes_at + rules.grace:
        return None
    left_s = (closes_at + rules.grace - would.ends_at).total_seconds() + would.job_s
    # Not when it would end: that is another time at every look.
    reason = f"job {job_id} takes about {duration(would.job_s)} and would end after the window, {_end(closes_at, now)}"
    return Refusal(reason=reason, until_at=closes_at, others=_shorter(would, left_s))


def overdue(job_id: int, ends_at: datetime, rules: Rules, now: datetime) -> Refusal | None:
    """Why a job that was let pass, and has not begun, will end too late for the window."""
    closes_at = rules.windows.closes_at(now)
    if closes_at is None or ends_at <= closes_at + rules.grace:
        return None
    return Refusal(reason=f"job {job_id} would end after the window, {_end(closes_at, now)}", until_at=closes_at)


def _end(closes_at: datetime, now: datetime) -> str:
    return f"which ends at {clock(closes_at, now)}"


def _final(reason: str) -> Refusal:
    return Refusal(reason=reason, is_final=True)


def _too_much(reason: str, would: Prospect, left_s: float) -> Refusal:
    return Refusal(reason=reason, is_final=True, others=_shorter(would, left_s))


def _shorter(would: Prospect, left_s: float) -> Any:
    """Condition on Job of those that may be tried in its place; without one that fits, the search must come to an end,
    so they are shorter in any case."""
    seconds = min(left_s, would.generate_s * 0.999)
    return fits(would.pace, seconds) if seconds > 0 else None
