"""How long a generation may take before it counts as hung, from what was made on the host before."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.config import HostConfig
from cosmosq.config_keys import AUTO
from cosmosq.models import Attempt, Job, ParameterSet
from cosmosq.report.tempo import sizes
from cosmosq.status import Status

FACTOR = 4
"""So many times as long as it took before."""
FEWEST = 3
"""Before so many of a kind were made there is no timeout: the first may have been odd."""
NEWEST = 50
LEAST_S = 60.0
"""No timeout is shorter: the engine's own start of a job takes longer than some jobs."""


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """The longest that a generation may take, and where that comes from."""

    seconds: float
    source: str


def timeout_of(session: Session, host: HostConfig, job_id: int) -> Timeout | None:
    """The timeout of a job on a host; None for none."""
    if host.timeout_s != AUTO:
        seconds = float(host.timeout_s)
        return Timeout(seconds=seconds, source=f"timeout_s of host {host.name}") if seconds else None
    wanted = session.execute(_works().where(Job.id == job_id)).one()
    made = session.execute(
        _works()
        .join(Attempt, Attempt.job_id == Job.id)
        .add_columns(Attempt.generating_s)
        .where(Attempt.host == host.name, Attempt.status == Status.SUCCEEDED, Job.kind == wanted.kind)
        .order_by(Attempt.id.desc())
        .limit(NEWEST)
    ).all()
    if len(made) < FEWEST:
        return None
    seconds = max(LEAST_S, FACTOR * expected_s(wanted.work, [(row.work, row.generating_s) for row in made]))
    return Timeout(seconds=seconds, source=f"{FACTOR} × what {len(made)} like it lead one to expect on {host.name}")


def _works() -> Any:
    steps, clips = sizes()
    return select(Job.kind, (steps * clips).label("work")).join(ParameterSet, ParameterSet.id == Job.parameter_set_id)


def expected_s(work: float, made: Sequence[tuple[float, float]]) -> float:
    """What a generation of so many steps and clips takes, from (work, seconds) of others.

    In proportion to the work, by the median: an attempt that was followed on a day later looks long. Never less than
    the shortest of all, for some of the time is the same for any work.
    """
    paces = [seconds / its_work for its_work, seconds in made if its_work]
    proportional = median(paces) * work if paces else median(seconds for _, seconds in made)
    return max(proportional, min(seconds for _, seconds in made))
