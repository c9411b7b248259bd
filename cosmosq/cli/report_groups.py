"""`cosmosq report --by`, `--pivot` and `--best`: groups of jobs as tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.options import F, with_options
from cosmosq.errors import InvalidInput
from cosmosq.report.durations import duration

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cosmosq.report.aggregate import Group, Grouping
    from cosmosq.report.best import Ranking
    from cosmosq.report.keys import Key
    from cosmosq.report.measures import Measure, Summary
    from cosmosq.report.query import Filter
    from cosmosq.report.tables import Pivot, Rows


MOST_BINS = 100


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked about groups of jobs."""

    by: tuple[str, ...]
    measures: tuple[str, ...]
    bins: int | None
    sort: str | None
    pivot: bool
    best: int | None
    highest: bool | None

    @property
    def is_asked(self) -> bool:
        """Whether anything was."""
        return bool(self.by or self.measures or self.best)

    def check(self) -> None:
        """Refuse what does not go together.

        Raises:
            InvalidInput: says what is missing.
        """
        if self.pivot and (len(self.by) != 2 or len(self.measures) != 1 or self.best):
            raise InvalidInput("--pivot takes two keys and one measure: --by edge.weight,guidance --measure canny_f1")
        if self.best and len(self.measures) != 1:
            raise InvalidInput("--best takes one measure: give --measure, e.g. --measure canny_f1")
        if not self.by and (self.bins or self.sort):
            raise InvalidInput("--bins and --sort belong to --by: say what to group by, e.g. --by edge.weight")
        if self.sort and (self.pivot or self.best):
            raise InvalidInput("--sort orders groups: a matrix and the best have an order of their own")
        if self.highest is not None and not (self.best or self.sort):
            raise InvalidInput("--highest and --lowest belong to --best or --sort: give one of them")


def question_options(command: F) -> F:
    """Add --by and what belongs to it; the command receives `question`."""

    def wrapper(*args: Any, by: str | None, measures: tuple[str, ...], **rest: Any) -> Any:
        names = tuple(word.strip() for word in (by or "").split(",") if word.strip())
        told = {name: rest.pop(name) for name in ("bins", "sort", "pivot", "best", "highest")}
        question = Question(by=names, measures=measures, **told)
        return command(*args, question=question, **rest)

    options = (
        click.option(
            "--by",
            metavar="KEY[,KEY…]",
            shell_complete=suggest.keys,
            help="Group the jobs by parameters, prompt, clip, host, day and more, as said above.",
        ),
        click.option(
            "--measure",
            "measures",
            multiple=True,
            metavar="NAME",
            shell_complete=suggest.quantities,
            help="Tell of this measure, with its spread; may be repeated.",
        ),
        click.option(
            "--bins", type=click.IntRange(1, MOST_BINS), metavar="N", help="Put numbers into N ranges of equal width."
        ),
        click.option("--sort", metavar="NAME", help="Order groups by a key, a count or a measure."),
        click.option("--pivot", is_flag=True, help="One measure by two keys, as a matrix."),
        click.option("--best", type=click.IntRange(1), metavar="N", help="The N best by a measure."),
        click.option("--highest/--lowest", default=None, help="Which end is the better one; known for most measures."),
    )
    return with_options(command, wrapper, options)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The same table for people, for spreadsheets and for programs."""

    empty: bool
    show: Callable[[], None]
    csv: "Callable[[], Rows]"
    json: Callable[[], dict[str, Any]]


def answer(session: "Session", which: "Filter", question: Question) -> Answer:
    """Look up what was asked.

    Raises:
        InvalidInput: no such key or measure.
    """
    from cosmosq.report import best, tables

    measures = _measures(session, which, question.measures)
    if question.best:
        ranking = best.best(
            session,
            which,
            measures[0],
            question.best,
            question.by,
            bins=question.bins,
            highest=question.highest,
        )
        return Answer(
            empty=not ranking.best,
            show=lambda: _show_best(ranking),
            csv=lambda: tables.csv_of_best(ranking),
            json=lambda: tables.json_of_best(ranking),
        )
    grouping = _grouping(session, which, question, measures)
    if question.pivot:
        matrix = tables.pivot(grouping, measures[0])
        return Answer(
            empty=not grouping.groups,
            show=lambda: _show_pivot(matrix),
            csv=lambda: tables.csv_of_pivot(matrix),
            json=lambda: tables.json_of_pivot(matrix),
        )
    return Answer(
        empty=not grouping.groups,
        show=lambda: _show_groups(grouping, in_full=bool(measures)),
        csv=lambda: tables.csv_of_groups(grouping),
        json=lambda: tables.json_of_groups(grouping),
    )


def _measures(session: "Session", which: "Filter", names: Sequence[str]) -> "list[Measure]":
    from cosmosq.report import query
    from cosmosq.report.measures import MEASURED, measure
    from cosmosq.report.rows import measurement_names

    measured = measurement_names(session, which) if names else []
    # Where there are no jobs, no name is a wrong one.
    known = measured if measured or query.counts(session, which) else [name.removeprefix(MEASURED) for name in names]
    return [measure(name, known) for name in names]


def _grouping(session: "Session", which: "Filter", question: Question, measures: "list[Measure]") -> "Grouping":
    from cosmosq.report import aggregate, tables

    found = aggregate.group(session, which, question.by, bins=question.bins, measures=measures or None)
    return tables.in_order(found, question.sort, question.highest) if question.sort else found


def write_csv(told: "Rows", path: Path, stdout: bool) -> None:
    """Write a table to a file, or to stdout."""
    from cosmosq.report import csv_file

    columns, rows = told
    if stdout:
        for line in csv_file.lines(rows, columns):
            output.emit_raw(line)
    else:
        csv_file.save(path, rows, columns)
        output.say(f"wrote {path}")


def _show_groups(grouping: "Grouping", *, in_full: bool) -> None:
    if not in_full:
        grouping = _without_constants(grouping)
    headers = [key.name for key in grouping.keys] + ["jobs", "succeeded"]
    for measure in grouping.measures:
        headers += [measure.title, "sd", "95 %", "n"] if in_full else [_title(measure)]
    told = _in_full if in_full else _in_short
    rows = [
        [
            *(_value(key, value) for key, value in zip(grouping.keys, group.values, strict=True)),
            group.jobs,
            _success(group),
            *(cell for m in grouping.measures for cell in told(m, group.summaries.get(m.column), group.currency)),
        ]
        for group in grouping.groups
    ]
    output.emit_table(headers, rows)


def _without_constants(grouping: "Grouping") -> "Grouping":
    """The groups without measurements that are the same in all of them, which are said and need no column each."""
    same: dict[str, str] = {}
    for measure in grouping.measures:
        found = {_in_short(measure, group.summaries.get(measure.column))[0] for group in grouping.groups}
        if measure.quantity is None and len(grouping.groups) > 1 and len(found) == 1:
            same[measure.column] = f"{measure.title} {found.pop()}"
    if same:
        output.say(f"the same in all groups: {', '.join(same.values())}")
    return replace(grouping, measures=tuple(m for m in grouping.measures if m.column not in same))


def _success(group: "Group") -> str:
    rate = group.success_rate
    return "" if rate is None else f"{group.succeeded} ({rate:.0%})"


_SUMS = ("gpu_s", "cost")
"""Of these the sum is told where one number must do."""


def _title(measure: "Measure") -> str:
    return f"{measure.title}, all" if measure.column in _SUMS else measure.title


def _in_short(measure: "Measure", found: "Summary | None", currency: str | None = None) -> list[str]:
    if found is None:
        return [""]
    if measure.column in _SUMS:
        return [_number(measure, found.total, currency)]
    # How much seconds vary is of less interest than room for the rest.
    half = None if _is_seconds(measure) else found.half
    return [_number(measure, found.mean) + (f" ±{half:.2g}" if half else "")]


def _in_full(measure: "Measure", found: "Summary | None", currency: str | None = None) -> list[str]:
    if found is None:
        return [""] * 4
    between = "" if found.low is None else f"{_number(measure, found.low)} to {_number(measure, found.high)}"
    return [_number(measure, found.mean, currency), _number(measure, found.sd), between, str(found.n)]


def _number(measure: "Measure", value: float | None, currency: str | None = None) -> str:
    from cosmosq.report.spending import money

    if value is None:
        return ""
    if _is_seconds(measure):
        return duration(value)
    if measure.column == "cost":
        return f"{money(value)} {currency}" if currency else money(value)
    return f"{value:.4g}"


def _is_seconds(measure: "Measure") -> bool:
    return measure.quantity is not None and measure.column.endswith("_s")


def _value(key: "Key", value: Any) -> str:
    """A key's value: `–` where there is none, and `none` for an empty text, which a person would not see."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    return output.one_line(str(value), 40) or "none"


def _show_pivot(told: "Pivot") -> None:
    first, second = told.keys
    headers = [f"{first.name} \\ {second.name}", *(_value(second, value) for value in told.columns)]
    rows = [
        [_value(first, value), *(_in_short(told.measure, cell)[0] for cell in cells)]
        for value, cells in zip(told.rows, told.cells, strict=True)
    ]
    output.emit_table(headers, rows)


def _show_best(told: "Ranking") -> None:
    several = any(one.n > 1 for one in told.best)
    headers = ["", *(key.name for key in told.keys), told.measure.title, "n", "job", *(["its own"] if several else [])]
    rows = [
        [
            place,
            *(_value(key, value) for key, value in zip(told.keys, one.values, strict=True)),
            _number(told.measure, one.mean),
            one.n,
            one.job,
            *([_number(told.measure, one.value)] if several else []),
        ]
        for place, one in enumerate(told.best, start=1)
    ]
    output.emit_table(headers, rows)
    output.emit("")
    for place, one in enumerate(told.best, start=1):
        output.emit(f"{place}  {one.command}")
