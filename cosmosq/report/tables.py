"""Groups of jobs as tables for programs: sorted, turned into a matrix, as CSV rows and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cosmosq.errors import InvalidInput
from cosmosq.report.aggregate import COUNTED, Group, Grouping
from cosmosq.report.best import Ranking
from cosmosq.report.keys import Bin, Key
from cosmosq.report.measures import MEASURED, SUMMARY, Measure, Summary
from cosmosq.spelling import nearest

BEST = ("n", "mean", "job", "value", "command")
COUNTS = ("jobs", *COUNTED, "success_rate")


def in_order(grouping: Grouping, name: str, highest: bool | None = None) -> Grouping:
    """The groups sorted by a key, a count or the mean of a measure; those without it come last.

    Args:
        highest: whether the largest is first; None for the better end of a measure, and the larger of a count.

    Raises:
        InvalidInput: there is no such column.
    """
    ranks: list[Any]
    names = [key.name for key in grouping.keys]
    columns = {m.column: m for m in grouping.measures}
    column = name if name in columns else MEASURED + name
    if name in names:
        values = [group.values[names.index(name)] for group in grouping.groups]
        key = grouping.keys[names.index(name)]
        ranks = [None if value is None else key.rank(value) for value in values]
        first = bool(highest)
    elif name in COUNTS:
        ranks, first = [getattr(group, name) for group in grouping.groups], highest is not False
    elif column in columns:
        summaries = [group.summaries.get(column) for group in grouping.groups]
        ranks = [None if found is None else found.mean for found in summaries]
        known = columns[column].highest if highest is None else highest
        first = known is not False
    else:
        there = [*names, *COUNTS, *(m.column.removeprefix(MEASURED) for m in grouping.measures)]
        raise InvalidInput(f"{name} is no column to sort by{nearest(name, there)}: there are {', '.join(there)}")
    pairs: list[tuple[Any, Group]] = list(zip(ranks, grouping.groups, strict=True))
    ranked = sorted((p for p in pairs if p[0] is not None), key=lambda p: p[0], reverse=first)
    ordered = [group for _, group in ranked] + [group for rank, group in pairs if rank is None]
    return replace(grouping, groups=tuple(ordered))


@dataclass(frozen=True, kw_only=True)
class Pivot:
    """One measure by two keys: a cell for each pair of their values."""

    keys: tuple[Key, Key]
    """Of the rows, of the columns."""
    measure: Measure
    rows: tuple[Any, ...]
    columns: tuple[Any, ...]
    cells: tuple[tuple[Summary | None, ...], ...]
    """None where no job has the measure."""


def pivot(grouping: Grouping, measure: Measure) -> Pivot:
    """The groups of two keys as a matrix."""
    first, second = grouping.keys
    found = {group.values: group.summaries.get(measure.column) for group in grouping.groups}
    rows = sorted({values[0] for values in found}, key=first.rank)
    columns = sorted({values[1] for values in found}, key=second.rank)
    return Pivot(
        keys=(first, second),
        measure=measure,
        rows=tuple(rows),
        columns=tuple(columns),
        cells=tuple(tuple(found.get((row, column)) for column in columns) for row in rows),
    )


Rows = tuple[list[str], list[dict[str, Any]]]
"""Names of columns, and rows by these names."""


def csv_of_groups(grouping: Grouping) -> Rows:
    """A row for each group: keys, counts, then everything that is told of each measure."""
    rows = [
        {
            **_keys(grouping.keys, group.values),
            **{name: getattr(group, name) for name in COUNTS},
            "currency": group.currency,
            **{
                f"{m.column}_{name}": getattr(group.summaries.get(m.column), name, None)
                for m in grouping.measures
                for name in SUMMARY
            },
        }
        for group in grouping.groups
    ]
    names = [name for key in grouping.keys for name in _names(key)]
    told = [f"{m.column}_{name}" for m in grouping.measures for name in SUMMARY]
    return [*names, *COUNTS, "currency", *told], rows


def csv_of_pivot(told: Pivot) -> Rows:
    """A row for each value of the first key, with the means."""
    first, second = told.keys
    names = [f"{second.column}={_plain(value)}" for value in told.columns]
    rows = [
        {**_keys([first], [value]), **{n: c and c.mean for n, c in zip(names, cells, strict=True)}}
        for value, cells in zip(told.rows, told.cells, strict=True)
    ]
    return [*_names(first), *names], rows


def csv_of_best(told: Ranking) -> Rows:
    """A row for each of the best, with the command that makes it again."""
    rows = [{**_keys(told.keys, one.values), **{name: getattr(one, name) for name in BEST}} for one in told.best]
    return [*(name for key in told.keys for name in _names(key)), *BEST], rows


def json_of_groups(grouping: Grouping) -> dict[str, Any]:
    """Keys by the names that people type, counts, and measures by column."""
    groups = [
        {
            **{k.name: _json(v) for k, v in zip(grouping.keys, group.values, strict=True)},
            **{name: getattr(group, name) for name in COUNTS},
            "currency": group.currency,
            "measures": {column: found.as_json() for column, found in group.summaries.items()},
        }
        for group in grouping.groups
    ]
    return {"by": [key.name for key in grouping.keys], "groups": groups}


def json_of_pivot(told: Pivot) -> dict[str, Any]:
    """The values of both keys, and the cells row by row."""
    return {
        "by": [key.name for key in told.keys],
        "measure": told.measure.column,
        "rows": [_json(value) for value in told.rows],
        "columns": [_json(value) for value in told.columns],
        "cells": [[cell and cell.as_json() for cell in cells] for cells in told.cells],
    }


def json_of_best(told: Ranking) -> dict[str, Any]:
    """The best in order."""
    best = [
        {
            **{k.name: _json(v) for k, v in zip(told.keys, one.values, strict=True)},
            **{name: getattr(one, name) for name in BEST},
        }
        for one in told.best
    ]
    return {"by": [key.name for key in told.keys], "measure": told.measure.column, "best": best}


def _names(key: Key) -> list[str]:
    return [f"{key.column}_from", f"{key.column}_to"] if key.bins else [key.column]


def _keys(keys: Sequence[Key], values: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in zip(keys, values, strict=True):
        ends = (value.low, value.high) if isinstance(value, Bin) else (value, value)
        found.update(zip(_names(key), ends, strict=False))
    return found


def _json(value: Any) -> Any:
    return {"from": value.low, "to": value.high} if isinstance(value, Bin) else value


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
