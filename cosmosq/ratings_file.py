"""What the report's page exports: ratings and comparisons as JSON. It comes from outside: nothing in it is trusted."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cosmosq.errors import InvalidInput

T = TypeVar("T")

FORMAT, VERSION = "cosmosq-ratings", 1
MOST_BYTES = 64 << 20
MOST_NOTE = 10_000
"""Characters of a note."""
VERDICTS = ("pick", "reject")
_LARGEST_ID = 2**63 - 1
_CLOCKS = timedelta(days=1)
"""By how much the clock of whoever rated may be ahead: a rating of the next century would never be replaced."""


@dataclass(frozen=True, kw_only=True)
class GivenRating:
    """What a person thinks of the video of one job."""

    job: int
    digest: str
    """Of the job: tells whether that number is still the same job."""
    stars: int | None
    verdict: str | None
    note: str | None
    rated_at: datetime


@dataclass(frozen=True, kw_only=True)
class GivenComparison:
    """Which of two videos was found better."""

    better: int
    worse: int
    compared_at: datetime


@dataclass(frozen=True, kw_only=True)
class RatingsFile:
    """A whole file, checked."""

    workspace: str
    ratings: tuple[GivenRating, ...]
    comparisons: tuple[GivenComparison, ...]


def read(text: str, now: datetime) -> RatingsFile:
    """The contents of a ratings file.

    Raises:
        InvalidInput: it is none, or anything in it is not as it should be; says where.
    """
    if len(text) > MOST_BYTES:
        raise InvalidInput(f"it is larger than {MOST_BYTES >> 20} MB: no page writes that much")
    whole = _object(_parsed(text), "the file")
    if whole.get("format") != FORMAT:
        raise InvalidInput(f"it is no ratings file: its format is {_shown(whole.get('format'))}, not {FORMAT!r}")
    version = whole.get("version")
    if version != VERSION or isinstance(version, bool):
        raise InvalidInput(f"version {_shown(version)} is unknown, {VERSION} is read: upgrade cosmosq")
    return RatingsFile(
        workspace=_text(whole, "workspace", "the file") or "",
        ratings=_each(whole, "ratings", lambda item, where: _rating(item, where, now)),
        comparisons=_each(whole, "comparisons", lambda item, where: _comparison(item, where, now)),
    )


def checked_note(note: str, where: str = "the note") -> str:
    """The note if it can be stored.

    Raises:
        InvalidInput: it is too long, or no text.
    """
    if len(note) > MOST_NOTE:
        raise InvalidInput(f"{where} has {len(note):,} characters: write at most {MOST_NOTE:,}")
    if "\x00" in note or any("\ud800" <= character <= "\udfff" for character in note):
        raise InvalidInput(f"{where} is no text: remove NUL bytes and lone surrogates")
    return note


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise InvalidInput(f"it is no JSON: {reason[:200]}") from error


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _each(whole: Mapping[str, Any], name: str, convert: Callable[[Any, str], T]) -> tuple[T, ...]:
    items = whole.get(name)
    if not isinstance(items, list):
        raise InvalidInput(f"{name} is {_shown(items)}: a list is expected")
    return tuple(convert(item, f"{name}[{number}]") for number, item in enumerate(items))


def _rating(item: Any, where: str, now: datetime) -> GivenRating:
    told = _object(item, where)
    stars, verdict, note = told.get("stars"), _text(told, "verdict", where), _text(told, "note", where)
    if stars is not None and not (_is_integer(stars) and 1 <= stars <= 5):
        raise InvalidInput(f"{where}.stars is {_shown(stars)}: 1 to 5 or null is expected")
    if verdict is not None and verdict not in VERDICTS:
        raise InvalidInput(f"{where}.verdict is {_shown(verdict)}: pick, reject or null is expected")
    return GivenRating(
        job=_id(told, "job", where),
        digest=_text(told, "digest", where) or "",
        stars=stars,
        verdict=verdict,
        note=None if note is None else checked_note(note, f"{where}.note") or None,
        rated_at=_moment(told, "rated_at", where, now),
    )


def _comparison(item: Any, where: str, now: datetime) -> GivenComparison:
    told = _object(item, where)
    better, worse = _id(told, "better", where), _id(told, "worse", where)
    if better == worse:
        raise InvalidInput(f"{where} compares job {better} with itself")
    return GivenComparison(better=better, worse=worse, compared_at=_moment(told, "compared_at", where, now))


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{where} is {_shown(value)}: an object is expected")
    return value


def _id(told: Mapping[str, Any], name: str, where: str) -> int:
    value = told.get(name)
    if not (isinstance(value, int) and _is_integer(value) and 0 < value <= _LARGEST_ID):
        raise InvalidInput(f"{where}.{name} is {_shown(value)}: the number of a job is expected")
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(told: Mapping[str, Any], name: str, where: str) -> str | None:
    value = told.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{where}.{name} is {_shown(value)}: a text is expected")
    return value


def _moment(told: Mapping[str, Any], name: str, where: str, now: datetime) -> datetime:
    value = told.get(name)
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{where}.{name} is {_shown(value)}: a time in ISO 8601 is expected") from error
    if moment > now + _CLOCKS:
        raise InvalidInput(f"{where}.{name} is {_shown(value)}, which is yet to come: check that machine's clock")
    return moment


def _shown(value: Any) -> str:
    # A hostile value may be long, deep or both.
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a number of very many digits"
    return "missing" if value is None else ascii(value)[:60]
