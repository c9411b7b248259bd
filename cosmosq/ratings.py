"""What people think of videos: recorded one by one, as comparisons of two, or from a file of the report's page."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.models import Comparison, Job, Rating
from cosmosq.ratings_file import GivenComparison, GivenRating, RatingsFile, checked_note
from cosmosq.status import Kind, Status

FIELDS = ("job_id", "stars", "verdict", "note", "rated_at")


def rate(
    ledger: Ledger,
    ids: Sequence[int],
    *,
    now: datetime,
    stars: int | None = None,
    verdict: str | None = None,
    note: str | None = None,
) -> list[dict[str, Any]]:
    """Rate the videos of jobs, all or none; what is None stays as it was, an empty note is taken away.

    Raises:
        NotFound: no such job.
        InvalidInput: a job has no video, or the note is too long.
    """
    given: dict[str, Any] = {"stars": stars, "verdict": verdict}
    given = {name: value for name, value in given.items() if value is not None}
    if note is not None:
        given["note"] = checked_note(note).strip() or None
    with ledger.write() as session:
        return [_put(session, _with_video(session, job_id), given, now) for job_id in ids]


def clear(ledger: Ledger, ids: Sequence[int], now: datetime) -> list[dict[str, Any]]:
    """Take ratings away.

    The row stays, empty and with its time, so that an older file does not bring them back.
    """
    nothing = {"stars": None, "verdict": None, "note": None}
    with ledger.write() as session:
        rated = session.scalars(select(Rating.job_id).where(Rating.job_id.in_(ids))).all()
        return [_put(session, job_id, nothing, now) for job_id in ids if job_id in rated]


def compare(ledger: Ledger, better: int, worse: int, now: datetime) -> None:
    """Record that one job's video is better than another's.

    Raises:
        NotFound: no such job.
        InvalidInput: a job has no video, or it is the same job.
    """
    if better == worse:
        raise InvalidInput(f"job {better} is neither better nor worse than itself: name two jobs")
    with ledger.write() as session:
        pair = {"better_id": _with_video(session, better), "worse_id": _with_video(session, worse)}
        session.add(Comparison(**pair, compared_at=now))


Jobs = Mapping[int, tuple[str, str]]
"""Digest of each job, and what speaks against rating it, or nothing."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What became of a file."""

    ratings: int
    """Ratings that are new or replaced an older one."""
    comparisons: int
    """Comparisons that are new."""
    unchanged: int
    """What was there already, or newer."""
    refused: tuple[str, ...]
    """Why some of it was left out, a line each."""

    def as_json(self) -> dict[str, Any]:
        """Fields by name."""
        return asdict(self)


def import_file(ledger: Ledger, told: RatingsFile, *, workspace: str) -> Imported:
    """Take over the ratings and comparisons of a file; twice is as good as once.

    Args:
        workspace: name of this one. Comparisons carry no digest: where the file is of another workspace, both jobs must
            be among its ratings with the digests that they have here.
    """
    refused: list[str] = []
    with ledger.write() as session:
        jobs = _jobs(session, told)
        ratings = _take_ratings(session, told, jobs, refused)
        comparisons = _take_comparisons(session, told, jobs, refused, is_ours=told.workspace == workspace)
    unchanged = len(told.ratings) + len(told.comparisons) - ratings - comparisons - len(refused)
    return Imported(ratings=ratings, comparisons=comparisons, unchanged=unchanged, refused=tuple(refused))


def _take_ratings(session: Session, told: RatingsFile, jobs: Jobs, refused: list[str]) -> int:
    """Store what is newer, and return how many are."""
    stored = {rating.job_id: rating for rating in session.scalars(select(Rating))}
    taken = 0
    for given in told.ratings:
        old = stored.get(given.job)
        if reason := _objection(given, jobs):
            refused.append(reason)
        elif old is None or old.rated_at < given.rated_at:
            stored[given.job] = _store(session, old, given)
            taken += 1
    return taken


def _take_comparisons(session: Session, told: RatingsFile, jobs: Jobs, refused: list[str], *, is_ours: bool) -> int:
    """Store what is new, and return how many are."""
    rows = session.execute(select(Comparison.better_id, Comparison.worse_id, Comparison.compared_at))
    there = {(better, worse, at) for better, worse, at in rows}
    same = {given.job for given in told.ratings if given.job in jobs and jobs[given.job][0] == given.digest}
    others = {given.job for given in told.ratings} - same
    taken = 0
    for given in told.comparisons:
        fields = (given.better, given.worse, given.compared_at)
        if reason := _objection_to(given, jobs, others, None if is_ours else same):
            refused.append(reason)
        elif fields not in there:
            there.add(fields)
            session.add(Comparison(better_id=given.better, worse_id=given.worse, compared_at=given.compared_at))
            taken += 1
    return taken


def _jobs(session: Session, told: RatingsFile) -> Jobs:
    """All jobs that may be meant."""
    largest = max((r.job for r in told.ratings), default=0)
    largest = max(largest, *(max(c.better, c.worse) for c in told.comparisons), 0)
    rows = session.execute(select(Job.id, Job.digest, Job.status, Job.kind).where(Job.id <= largest))
    return {job_id: (digest, _without_video(job_id, status, kind)) for job_id, digest, status, kind in rows}


def _objection(rating: GivenRating, jobs: Jobs) -> str:
    if rating.job not in jobs:
        return f"job {rating.job} is not here"
    digest, reason = jobs[rating.job]
    return reason if digest == rating.digest else f"job {rating.job} is another one here than the one that was rated"


def _objection_to(given: GivenComparison, jobs: Jobs, strangers: set[int], known: set[int] | None) -> str:
    pair = f"{given.better} better than {given.worse}"
    for job_id in (given.better, given.worse):
        if job_id not in jobs:
            return f"{pair}: job {job_id} is not here"
        if job_id in strangers or (known is not None and job_id not in known):
            return f"{pair}: job {job_id} may be another one here"
        if jobs[job_id][1]:
            return f"{pair}: {jobs[job_id][1]}"
    return ""


def _store(session: Session, old: Rating | None, given: GivenRating) -> Rating:
    row = old or Rating(job_id=given.job)
    row.stars, row.verdict, row.note, row.rated_at = given.stars, given.verdict, given.note, given.rated_at
    session.add(row)
    return row


def _put(session: Session, job_id: int, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    row = session.get(Rating, job_id) or Rating(job_id=job_id)
    for name, value in values.items():
        setattr(row, name, value)
    row.rated_at = now
    session.add(row)
    return {name: getattr(row, name) for name in FIELDS}


def _with_video(session: Session, job_id: int) -> int:
    found = session.execute(select(Job.status, Job.kind).where(Job.id == job_id)).first()
    if found is None:
        raise NotFound(f"{job_id} is no job: `cosmosq status` shows them")
    if reason := _without_video(job_id, found.status, found.kind):
        raise InvalidInput(f"{reason}: rate jobs that succeeded")
    return job_id


def _without_video(job_id: int, status: str, kind: str) -> str:
    if kind == Kind.UPSAMPLE:
        return f"job {job_id} made a prompt and no video"
    return "" if status == Status.SUCCEEDED else f"job {job_id} is {status} and has no video"
