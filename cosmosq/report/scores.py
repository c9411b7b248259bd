"""From comparisons of two videos to a score for each: the Bradley–Terry model."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Float, FromClause, Integer, cast, func, select, union
from sqlalchemy.orm import Session

from cosmosq.models import Comparison, Job, Measurement, Rating
from cosmosq.report.query import Filter

PRIOR_VARIANCE = 1.0
"""How far scores lie apart before anything was compared; a finite one gives every job a score, also one that always won
and one that was never compared with the others."""


_COMPARED = union(select(Comparison.better_id.label("id")), select(Comparison.worse_id)).subquery()


@dataclass(frozen=True, kw_only=True)
class Score:
    """One job among those that were compared."""

    job: int
    score: float
    """Log odds: of two jobs whose scores differ by d, the higher one is the better one with 1 / (1 + exp(-d))."""
    better: int
    """How often it was the better one."""
    worse: int


def scores(session: Session) -> dict[int, float]:
    """The score of every job that was ever compared; they are around 0."""
    rows = session.execute(select(Comparison.better_id, Comparison.worse_id)).all()
    return fit((better, worse) for better, worse in rows)


def ranking(session: Session, which: Filter) -> list[Score]:
    """The compared jobs of a filter, best first, scored by all comparisons there are."""
    pairs = session.execute(select(Comparison.better_id, Comparison.worse_id)).all()
    if not pairs:
        return []
    better, worse = Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
    found = fit((first, second) for first, second in pairs)
    kept = session.scalars(select(Job.id).where(which.condition, Job.id.in_(select(_COMPARED.c.id))))
    ordered = sorted(kept, key=lambda job: (-found[job], job))
    return [Score(job=job, score=found[job], better=better[job], worse=worse[job]) for job in ordered]


def fit(pairs: Iterable[tuple[int, int]]) -> dict[int, float]:
    """Scores by id from (better, worse) pairs: the most likely ones, given that they are normally distributed."""
    told = list(pairs)
    if not told:
        return {}
    # It imports most of SciPy, which nobody should wait for who compared nothing.
    import choix

    ids = sorted({job for pair in told for job in pair})
    index = {job: number for number, job in enumerate(ids)}
    data = [(index[better], index[worse]) for better, worse in told]
    # Its penalty is alpha times the sum of squares.
    found = choix.opt_pairwise(len(ids), data, alpha=1 / (2 * PRIOR_VARIANCE), tol=1e-9)
    return dict(zip(ids, map(float, found), strict=True))


def relation(found: Mapping[int, float]) -> FromClause:
    """The scores as a table of `job_id` and `score`."""
    each = func.json_each(json.dumps(list(found.items()))).table_valued("value")
    pair = [func.json_extract(each.c.value, f"$[{place}]") for place in (0, 1)]
    return select(cast(pair[0], Integer).label("job_id"), cast(pair[1], Float).label("score")).subquery("scores")


def judgements(session: Session) -> tuple[object, ...]:
    """How many measurements, ratings and comparisons there are, and when the newest came."""
    counted = ((Measurement, "created_at"), (Rating, "rated_at"), (Comparison, "compared_at"))
    told: list[object] = []
    for table, at in counted:
        told += session.execute(select(func.count(), func.max(getattr(table, at))).select_from(table)).one()
    return tuple(told)
