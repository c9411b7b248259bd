"""Jobs that failed, sorted by what went wrong: messages that differ in numbers, paths and ids alone are the same."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.models import Job
from cosmosq.report.query import Filter
from cosmosq.status import Status

_LONGEST = 1000
"""Characters of a message that are looked at."""
_PARTS = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<url>"),
    (re.compile(r"'[^'\n]*[/\\][^'\n]*'"), "'<path>'"),
    (re.compile(r'"[^"\n]*[/\\][^"\n]*"'), '"<path>"'),
    (re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[\w.~@+-]*(?:[/\\][\w.~@+=,-]+)+[/\\]?"), "<path>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?:0x[0-9a-f]+|ps_[0-9a-f]+|(?=[a-f]*[0-9])[0-9a-f]{7,})\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\bs-\d{8}T\d{6}-\w+"), "<id>"),
    (re.compile(r"[-+]?\d+(?:[.,:]\d+)*"), "<n>"),
)
"""What differs from one failure to the next of the same kind, and what stands for it."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Jobs that failed in the same way."""

    error: str
    """The error's class."""
    pattern: str
    """Their message, with words for what differs."""
    jobs: int
    example: int
    """The newest of them."""
    message: str
    """Its message, whole."""
    retry: str
    """Queues all of them again."""
    ids: tuple[tuple[int, int], ...] = field(repr=False)
    """All of them, as ranges with both ends."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


WENT_WRONG = (Status.FAILED, Status.BLOCKED)


def failures(session: Session, which: Filter, statuses: Collection[Status] = WENT_WRONG) -> list[Failure]:
    """Jobs that ended in one of these ways by signature, the most frequent first."""
    statement = (
        select(Job.id, Job.status, Job.error, Job.message)
        .where(which.condition, Job.status.in_(statuses))
        .order_by(Job.id)
    )
    found: dict[tuple[str, str], list[int]] = {}
    newest: dict[tuple[str, str], str] = {}
    for job_id, status, error, message in session.execute(statement, execution_options={"yield_per": 500}):
        signature = (error or status, normalised(message or ""))
        found.setdefault(signature, []).append(job_id)
        newest[signature] = message or ""
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[1][0]))
    return [_failure(signature, ids, newest[signature]) for signature, ids in ordered]


@lru_cache(maxsize=4096)
def normalised(message: str) -> str:
    """The message on one line, with `<n>`, `<path>`, `<id>` or `<url>` for what differs."""
    text = message[:_LONGEST]
    for part, word in _PARTS:
        text = part.sub(word, text)
    return " ".join(text.split())


def ranges(ids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending ids as ranges with both ends: no other job lies in them."""
    first = last = None
    for job_id in ids:
        if first is None or last is None:
            first = last = job_id
        elif job_id == last + 1:
            last = job_id
        else:
            yield first, last
            first = last = job_id
    if first is not None and last is not None:
        yield first, last


def named(spans: Sequence[tuple[int, int]]) -> str:
    """Ranges as commands take them: `3 7-9`."""
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _failure(signature: tuple[str, str], ids: Sequence[int], message: str) -> Failure:
    error, pattern = signature
    spans = tuple(ranges(ids))
    return Failure(
        error=error,
        pattern=pattern,
        jobs=len(ids),
        example=ids[-1],
        message=message,
        retry=f"cosmosq retry {named(spans)}",
        ids=spans,
    )
