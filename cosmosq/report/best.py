"""Which jobs, or which groups of them, are the best by a measure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, and_, func, select
from sqlalchemy.orm import Session

from cosmosq.errors import InvalidInput
from cosmosq.models import Job, Measurement
from cosmosq.report.again import enqueue_lines
from cosmosq.report.aggregate import samples
from cosmosq.report.keys import Key, keys
from cosmosq.report.measures import Measure
from cosmosq.report.query import Filter
from cosmosq.status import Status


@dataclass(frozen=True, kw_only=True)
class Best:
    """One of the best, with the job to look at."""

    values: tuple[Any, ...]
    """Of the keys; empty where jobs were ranked."""
    n: int
    """Jobs with the measure: those of the group, or those that are the same."""
    mean: float
    job: int
    """The best job among them."""
    value: float
    """Its own."""
    command: str
    """Queues that job once more."""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The best by a measure, in order."""

    keys: tuple[Key, ...]
    measure: Measure
    highest: bool
    """Which end is the better one."""
    best: tuple[Best, ...]


def best(
    session: Session,
    which: Filter,
    measure: Measure,
    count: int,
    by: Sequence[str] = (),
    *,
    bins: int | None = None,
    highest: bool | None = None,
) -> Ranking:
    """The first `count` by the mean of a measure.

    Args:
        by: rank groups of jobs; without, each job together with those that are the same.
        highest: which end is the better one; None where the measure says it.

    Raises:
        InvalidInput: no such key, neither the caller nor the measure says which end is the better one, or costs are in
            several currencies.
    """
    found = keys(session, tuple(by), which, bins=bins)
    grouped = {f"key{n}": key.grouped for n, key in enumerate(found)} or {"key0": Job.digest}
    base = samples(session, which, grouped)
    if measure.column == "cost":
        _refuse_several_currencies(session, base)
    rows = _values(base, measure, list(grouped))
    highest = direction(measure, highest)
    statement = _ranked(rows, [rows.c[name] for name in grouped], highest).limit(count)
    winners = session.execute(statement).all()
    commands = enqueue_lines(session, [row.id for row in winners])
    told = (
        Best(
            values=tuple(key.shown(row[n]) for n, key in enumerate(found)),
            n=row.n,
            mean=row.mean,
            job=row.id,
            value=row.value,
            command=commands[row.id],
        )
        for row in winners
    )
    return Ranking(keys=found, measure=measure, highest=highest, best=tuple(told))


def _values(base: Subquery, measure: Measure, names: Sequence[str]) -> Subquery:
    """Keys, `id` and `value` of the jobs with a video that have the measure: failing is cheap, and no merit."""
    columns = [base.c.id, *(base.c[name] for name in names)]
    if measure.quantity:
        value = base.c[measure.column]
        return (
            select(*columns, value.label("value"))
            .where(value.is_not(None), base.c.status == Status.SUCCEEDED)
            .subquery()
        )
    its = and_(Measurement.artifact_id == base.c.artifact_id, Measurement.name == measure.measurement)
    return select(*columns, Measurement.value.label("value")).join_from(base, Measurement, its).subquery()


def _refuse_several_currencies(session: Session, base: Subquery) -> None:
    there = session.scalars(select(base.c.currency).where(base.c.currency.is_not(None)).distinct().order_by("currency"))
    if len(currencies := there.all()) > 1:
        raise InvalidInput(f"costs in {' and '.join(currencies)} are not comparable: choose the jobs of one --host")


def _ranked(rows: Subquery, within: Sequence[Any], highest: bool) -> Select[Any]:
    """The best job of each group with number and mean of the group, best group first."""
    value = rows.c.value
    better = value.desc() if highest else value.asc()
    placed = select(
        *within,
        rows.c.id,
        value,
        func.count().over(partition_by=within).label("n"),
        func.avg(value).over(partition_by=within).label("mean"),
        func.row_number().over(partition_by=within, order_by=(better, rows.c.id)).label("place"),
    ).subquery()
    mean = placed.c.mean.desc() if highest else placed.c.mean.asc()
    return select(placed).where(placed.c.place == 1).order_by(mean, placed.c.id)


def direction(measure: Measure, highest: bool | None) -> bool:
    """Whether more of it is better.

    Raises:
        InvalidInput: nobody says so.
    """
    known = measure.highest if highest is None else highest
    if known is None:
        raise InvalidInput(f"is more of {measure.title} better, or less? give --highest or --lowest")
    return known
