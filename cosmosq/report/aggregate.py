"""Jobs in groups: how many, what came of them, and every number of them with its spread. The ledger does the counting.

Upsamplings are left out, for they make no video.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, select
from sqlalchemy.orm import Session

from cosmosq.models import Artifact, Attempt, EngineSession, Job, Measurement, Rating
from cosmosq.report import costs, scores
from cosmosq.report.keys import Key, keys
from cosmosq.report.measures import MEASURED, QUANTITIES, Measure, Summary
from cosmosq.report.query import Filter
from cosmosq.report.rows import joined
from cosmosq.status import Kind, Status

COUNTED = ("succeeded", "failed", "blocked", "cancelled")


@dataclass(frozen=True, kw_only=True)
class Group:
    """The jobs that agree in every key."""

    values: tuple[Any, ...]
    """Of the keys; None where it is not known, a Bin where it is a range."""
    jobs: int
    succeeded: int
    failed: int
    blocked: int
    cancelled: int
    currency: str | None
    """Of its cost; None where it has none, or where it would add up several."""
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    """By the column of the measure; of those that any of its jobs has."""

    @property
    def success_rate(self) -> float | None:
        """Share of those that ended by themselves; None before the first."""
        ended = self.succeeded + self.failed + self.blocked
        return self.succeeded / ended if ended else None


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """All groups of a question."""

    keys: tuple[Key, ...]
    measures: tuple[Measure, ...]
    """Those that were asked for, or all that any group has, quantities first."""
    groups: tuple[Group, ...]


def group(
    session: Session,
    which: Filter,
    by: Sequence[str] = (),
    *,
    bins: int | None = None,
    measures: Sequence[Measure] | None = None,
) -> Grouping:
    """The jobs by the values of these keys, ordered by them; without keys all of them as one group.

    Args:
        bins: put numeric keys with more values than that into so many ranges.
        measures: what to tell of each group; None for all there is.

    Raises:
        InvalidInput: there is no such key.
    """
    found = keys(session, tuple(by), which, bins=bins)
    base = samples(session, which, {f"key{n}": key.grouped for n, key in enumerate(found)})
    wanted = None if measures is None else {m.column for m in measures}
    names = [name for name in QUANTITIES if wanted is None or name in wanted]
    groups = _groups(session, base, found, names)
    if wanted is None or wanted - QUANTITIES.keys():
        chosen = None if wanted is None else [name.removeprefix(MEASURED) for name in wanted - QUANTITIES.keys()]
        _add_measurements(session, base, found, chosen, groups)
    there = {column for summaries in groups.values() for column in summaries[1]}
    ordered = sorted(groups, key=lambda values: [k.rank(k.shown(v)) for k, v in zip(found, values, strict=True)])
    columns = [m.column for m in measures] if measures is not None else [*QUANTITIES, *sorted(there - {*QUANTITIES})]
    return Grouping(
        keys=found,
        measures=tuple(Measure(column=column) for column in columns if measures is not None or column in there),
        groups=tuple(_group(found, values, *groups[values]) for values in ordered),
    )


def samples(session: Session, which: Filter, more: Mapping[str, ColumnElement[Any]]) -> Subquery:
    """A row for each job with `id`, `status`, `artifact_id` of its video, every quantity, `currency`, and `more`."""
    spent, loads, compared = costs.spent(), costs.served(), scores.relation(scores.scores(session))
    made = Attempt.status == Status.SUCCEEDED.value
    quantities: dict[str, Any] = {
        "generate_s": Attempt.generate_s,
        "load_share_s": EngineSession.load_s / loads.c.attempts,
        "uploading_s": Attempt.uploading_s,
        "downloading_s": Attempt.downloading_s,
    }
    # What a video took: of an attempt that made none, the phases are as long as chance would have it.
    quantities = {name: case((made, value)) for name, value in quantities.items()}
    quantities |= {
        "gpu_s": spent.c.gpu_s,
        "cost": spent.c.cost,
        "currency": spent.c.currency,
        "stars": Rating.stars,
        "comparison_score": compared.c.score,
    }
    tables = (
        joined()
        .outerjoin(spent, spent.c.job_id == Job.id)
        .outerjoin(loads, loads.c.session_id == Attempt.session_id)
        .outerjoin(compared, compared.c.job_id == Job.id)
    )
    columns = {"id": Job.id, "status": Job.status, "artifact_id": Artifact.id, **quantities, **more}
    statement = select(*(value.label(name) for name, value in columns.items())).select_from(tables)
    return statement.where(which.condition, Job.kind != Kind.UPSAMPLE.value).subquery("samples")


Found = dict[tuple[Any, ...], tuple[dict[str, Any], dict[str, Summary]]]


def _groups(session: Session, base: Subquery, found: Sequence[Key], names: Sequence[str]) -> Found:
    by = [base.c[f"key{n}"] for n in range(len(found))]
    means = {name: func.avg(base.c[name]).over(partition_by=by or None).label(f"{name}_mean") for name in names}
    inner = select(base, *means.values()).subquery()
    keyed = [inner.c[column.name] for column in by]
    counts = [func.sum(case((inner.c.status == status, 1), else_=0)) for status in COUNTED]
    spreads = [_spread(inner.c[name], inner.c[f"{name}_mean"]) for name in names]
    currencies = func.count(inner.c.currency.distinct()), func.max(inner.c.currency)
    statement = select(*keyed, *currencies, func.count(), *counts, *(part for spread in spreads for part in spread))
    groups: Found = {}
    for row in session.execute(statement.group_by(*keyed)):
        values, (different, currency, *rest) = tuple(row[: len(by)]), row[len(by) :]
        counted = dict(zip(("jobs", *COUNTED), rest[: 1 + len(COUNTED)], strict=True))
        told = rest[1 + len(COUNTED) :]
        # Sums of several currencies are none.
        parts = {name: told[3 * n : 3 * n + 3] for n, name in enumerate(names) if name != "cost" or different <= 1}
        counted["currency"] = currency if different == 1 else None
        # Without keys there is a row also of no jobs.
        if counted["jobs"]:
            groups[values] = counted, {name: Summary.of(*part) for name, part in parts.items() if part[0]}
    return groups


def _spread(value: Any, mean: Any) -> tuple[Any, Any, Any]:
    """Number, mean, and squares around the mean, which is known already: sums of squares alone would cancel out."""
    return func.count(value), func.avg(value), func.sum((value - mean) * (value - mean))


def _add_measurements(
    session: Session, base: Subquery, found: Sequence[Key], chosen: Sequence[str] | None, groups: Found
) -> None:
    by = [base.c[f"key{n}"] for n in range(len(found))]
    mean = func.avg(Measurement.value).over(partition_by=[*by, Measurement.name]).label("mean")
    statement = select(*by, Measurement.name.label("measured"), Measurement.value.label("value"), mean)
    statement = statement.join_from(base, Measurement, Measurement.artifact_id == base.c.artifact_id)
    if chosen is not None:
        statement = statement.where(Measurement.name.in_(chosen))
    inner = statement.subquery()
    keyed = [*(inner.c[column.name] for column in by), inner.c.measured]
    for row in session.execute(select(*keyed, *_spread(inner.c.value, inner.c.mean)).group_by(*keyed)):
        groups[tuple(row[: len(by)])][1][MEASURED + row[len(by)]] = Summary.of(*row[len(by) + 1 :])


def _group(found: Sequence[Key], values: Sequence[Any], counted: Any, summaries: Mapping[str, Summary]) -> Group:
    shown = tuple(key.shown(value) for key, value in zip(found, values, strict=True))
    return Group(values=shown, **counted, summaries=summaries)
