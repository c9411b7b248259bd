"""Measuring what jobs made: each measure of each video, recorded as soon as it is known."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cosmosq import measurements
from cosmosq.db import Ledger
from cosmosq.errors import CosmosqError, InvalidInput, NotFound
from cosmosq.files import sha256_of
from cosmosq.measurements import Pinned, Subject, Todo
from cosmosq.measures.catalogue import DIVERSITY, Measure
from cosmosq.measures.material import Material
from cosmosq.measures.undefined import Undefined
from cosmosq.paths import Workspace
from cosmosq.posters import posters_of

if TYPE_CHECKING:
    from cosmosq.measures.similarity import Thumbnails

REMEMBERED = 64
"""Videos whose thumbnails are kept, half a megabyte each: those of many seeds are compared with one another."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A measure that was made, or could not be."""

    todo: Todo
    reason: str | None
    failed: bool
    """Whether something is wrong that a person can mend; else there is nothing to measure."""


def measure_all(
    ledger: Ledger,
    workspace: Workspace,
    measures: Sequence[Measure],
    clock: Callable[[], datetime],
    *,
    ids: Collection[int] | None = None,
    again: bool = False,
    retry: bool = True,
    goes_on: Callable[[], bool] = lambda: True,
) -> Iterator[Done]:
    """Measure what is pending; look again for what is more urgent whenever a video came meanwhile.

    Args:
        ids, again, retry: as of `measurements.pending`.
        goes_on: asked before each measure.
    """
    tried: set[tuple[int, str]] = set()
    while True:
        with ledger.read() as session:
            newest = measurements.newest(session)
            todos = measurements.pending(session, measures, ids=ids, again=again, retry=retry)
        todos = [todo for todo in todos if (todo.artifact_id, todo.measure.name) not in tried]
        if not todos:
            return
        for todo in todos:
            if not goes_on():
                return
            tried.add((todo.artifact_id, todo.measure.name))
            yield measure(ledger, workspace, todo, clock)
            with ledger.read() as session:
                if measurements.newest(session) != newest:
                    break


def measure(ledger: Ledger, workspace: Workspace, todo: Todo, clock: Callable[[], datetime]) -> Done:
    """Make one measure of one video and record it; the video has its poster then, too."""
    # What comes while it is measured is not in it.
    begun_at = clock()
    with ledger.read() as session:
        found = measurements.subject(session, todo.artifact_id)
    posters_of([workspace.root / found.video.path], workspace.posters_path)
    values: dict[str, float] = {}
    reason, failed = None, False
    try:
        values = (
            _diversity(ledger, workspace, todo) if todo.measure.name == DIVERSITY else _made(workspace, todo, found)
        )
    except Undefined as lacking:
        reason = str(lacking)
    except CosmosqError as error:
        reason, failed = str(error), True
    with ledger.write() as session:
        told = measurements.record(session, todo, values, reason, begun_at)
    return Done(todo=todo, reason=told, failed=failed or told != reason)


def _made(workspace: Workspace, todo: Todo, found: Subject) -> dict[str, float]:
    needs = todo.measure.needs
    if needs is not None and needs not in found.sources:
        raise Undefined(measurements.NO_SOURCE.format(role=needs))
    assert todo.measure.run is not None
    # A measure of another package may look at any of them.
    roles = found.sources if not todo.measure.values else [needs] if needs else []
    return todo.measure.run(_material(workspace, found, roles))


def _material(workspace: Workspace, found: Subject, roles: Collection[str]) -> Material:
    """The files, each looked at: a video that was exchanged would give numbers of something else."""
    return Material(
        output_path=_checked(workspace.root, found.video, "the video"),
        sources={role: _checked(workspace.root, found.sources[role], f"the {role} video") for role in roles},
        facts=found.facts,
    )


def _checked(root: Path, pinned: Pinned, what: str) -> Path:
    path = root / pinned.path
    try:
        stat = path.stat()
    except OSError as error:
        raise NotFound(f"{what} {path} is missing: put it back, then `cosmosq measure` again") from error
    if _sha256_at(os.fspath(path), stat.st_size, stat.st_mtime_ns) != pinned.sha256:
        raise InvalidInput(f"{what} {path} is not the file that was recorded: put that one back, then measure again")
    return path


@lru_cache(maxsize=256)
def _sha256_at(path: str, size: int, changed_ns: int) -> str:
    """Of a file as it is now: the input of a sweep is read once, not once a job."""
    return sha256_of(Path(path))


# Seeds


def _diversity(ledger: Ledger, workspace: Workspace, todo: Todo) -> dict[str, float]:
    """Mean distance of the job's video to those of the other seeds."""
    from cosmosq.measures.similarity import distance

    with ledger.read() as session:
        alike = measurements.siblings(session, todo.job_id)
        others = [artifact_id for artifact_id, job_id in alike.values() if job_id != todo.job_id]
        subjects = {number: measurements.subject(session, number) for number in (todo.artifact_id, *others)}
    own_seed = subjects[todo.artifact_id].facts["parameters"]["seed"]
    others = [number for number in others if subjects[number].facts["parameters"]["seed"] != own_seed]
    own = _thumbnails_of(workspace, subjects[todo.artifact_id])
    distances = []
    for number in others:
        try:
            distances.append(distance(own, _thumbnails_of(workspace, subjects[number])))
        except (InvalidInput, NotFound):
            # That one's own measures tell what is wrong with it.
            continue
    if not distances:
        raise Undefined("there is no video of another seed")
    return {"diversity_ssim": sum(distances) / len(distances)}


def _thumbnails_of(workspace: Workspace, found: Subject) -> "Thumbnails":
    path = _checked(workspace.root, found.video, "the video")
    return _thumbnails(os.fspath(path), found.video.sha256, found.facts["frames"] or 1)


@lru_cache(maxsize=REMEMBERED)
def _thumbnails(path: str, sha256: str, frames: int) -> "Thumbnails":
    from cosmosq import videos
    from cosmosq.measures.similarity import thumbnails

    return thumbnails(videos.pictures(Path(path)), frames)
