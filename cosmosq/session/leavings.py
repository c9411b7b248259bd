"""What this workspace left on a host and nobody needs any more: session folders, inputs, controls."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath

from sqlalchemy import and_, exists, select, update
from sqlalchemy.orm import Session

from cosmosq.errors import HostFailed
from cosmosq.models import Artifact, Attempt, Dependency, EngineSession, Event, Job, JobInput
from cosmosq.pruning import Leaving, needed_videos
from cosmosq.session import census
from cosmosq.session.container import leftovers, sweep
from cosmosq.session.folder import control_folder, video_path
from cosmosq.session.site import Site
from cosmosq.status import Need, Status

_CONTROL = re.compile(r"[0-9a-f]{64}\.mp4")
_REMOVE_S = 600.0


def prune(site: Site, *, before: datetime, dry_run: bool = False) -> list[Leaving]:
    """Remove what was last used before then, as far as this ledger names it; containers that ended go as well.

    Raises:
        HostFailed: the host refused.
        Unreachable: it does not answer.
    """
    if not dry_run:
        sweep(site)
    containers = set() if dry_run else {each.session for each in leftovers(site)}
    found = [_sized(site, each) for each in _sessions(site, before) if PurePosixPath(each.path).name not in containers]
    if not dry_run:
        for each in found:
            _remove_session(site, each)
    return [*found, *_inputs_and_controls(site, before, dry_run)]


# Sessions


def _sessions(site: Site, before: datetime) -> Iterator[Leaving]:
    newest = and_(Job.id == Attempt.job_id, Job.attempt == Attempt.number)
    busy = exists().where(Attempt.session_id == EngineSession.id, newest, Job.status == Status.RUNNING)
    statement = (
        select(EngineSession.id, EngineSession.remote_path)
        .where(EngineSession.host == site.host.name, EngineSession.pruned_at.is_(None), ~busy)
        .where(EngineSession.end.is_not(None), EngineSession.end != "running", EngineSession.ended_at < before)
        .order_by(EngineSession.started_at)
    )
    with site.ledger.read() as session:
        rows = session.execute(statement).all()
    for session_id, path in rows:
        # Of another root, or named by nobody of ours: not to be touched.
        if census.NAME.fullmatch(session_id) and path == str(site.host.root / "sessions" / session_id):
            yield Leaving(place=site.host.name, kind="session", path=path)


def _remove_session(site: Site, each: Leaving) -> None:
    _must(site, "rm", "-rf", "--one-file-system", "--", each.path)
    ended = update(EngineSession).where(EngineSession.id == PurePosixPath(each.path).name)
    with site.ledger.write() as session:
        session.execute(ended.values(pruned_at=site.now()))


# Inputs and controls

_Behind = dict[str, set[str]]
"""By path, the hashes of the videos that are or are behind the file there: who needs one of these needs the file."""


def _inputs_and_controls(site: Site, before: datetime, dry_run: bool) -> list[Leaving]:
    with site.ledger.read() as session:
        needed = needed_videos(session)
        inputs, controls = _inputs(session, site, before), _controls(session, site, before)
    known = [
        Leaving(place=site.host.name, kind=kind, path=path)
        for kind, found in (("input", inputs), ("control", controls))
        for path, behind in found.items()
        if not behind & needed
    ]
    if not dry_run:
        for some in _some(known):
            # Of a prune that broke off.
            _must(site, "rm", "-f", "--", *(_aside(each) for each in some))
    there = [replace(each, bytes=size) for each, size in _there(site, known)]
    if there and any(resident.workspace != "this" for resident in census.take(site)):
        # They may be using the same ones: what is named by its contents has no owner.
        return [replace(each, kept="a session of somebody else lives there") for each in there]
    return there if dry_run else [_remove_file(site, each, (inputs | controls)[each.path]) for each in there]


def _inputs(session: Session, site: Site, before: datetime) -> _Behind:
    """The videos that this workspace sent there and no job has needed since."""
    pinned = select(JobInput.sha256, Job.host, Job.ended_at).join(Job, Job.id == JobInput.job_id)
    made = (
        select(Artifact.sha256, Job.host, Job.ended_at)
        .join(Attempt, Attempt.id == Artifact.attempt_id)
        .join(Dependency, and_(Dependency.depends_on_id == Attempt.job_id, Dependency.need == Need.RESULT))
        .join(Job, Job.id == Dependency.job_id)
        .where(Artifact.kind == "video")
    )
    rows = [*session.execute(pinned), *session.execute(made)]
    sent = {sha256 for sha256, host, _ in rows if host == site.host.name}
    fresh = {sha256 for sha256, _, ended_at in rows if ended_at is not None and ended_at >= before}
    return {str(video_path(site.host.root, sha256)): {sha256} for sha256 in sorted(sent - fresh)}


def _controls(session: Session, site: Site, before: datetime) -> _Behind:
    """The controls of which sessions said long ago for the last time that they made or found them."""
    statement = (
        select(Event.at, JobInput.sha256, Event.data)
        .join(EngineSession, EngineSession.id == Event.session_id)
        .join(JobInput, and_(JobInput.job_id == Event.job_id, JobInput.role == "input"))
        .where(EngineSession.host == site.host.name, Event.event == "done")
    )
    found: _Behind = {}
    fresh = set()
    for at, sha256, data in session.execute(statement):
        told = data.get("controls")
        for made in told.values() if isinstance(told, dict) else ():
            path = PurePosixPath(str(made.get("path") if isinstance(made, dict) else ""))
            if path.parent == control_folder(site.host.root) and _CONTROL.fullmatch(path.name):
                found.setdefault(str(path), set()).add(sha256)
                if at >= before:
                    fresh.add(str(path))
    return {path: found[path] for path in sorted(set(found) - fresh)}


def _there(site: Site, wanted: Sequence[Leaving]) -> Iterator[tuple[Leaving, int]]:
    """Those that are on the host, with their sizes."""
    for some in _some(wanted):
        told = site.host.run(["stat", "-c", "%F/%s%n", "--", *(each.path for each in some)]).output
        sizes = {}
        for line in told.splitlines():
            kind, _, rest = line.partition("/")
            size, slash, path = rest.partition("/")
            if kind.startswith("regular") and size.isdigit():
                sizes[slash + path] = int(size)
        yield from ((each, sizes[each.path]) for each in some if each.path in sizes)


def _remove_file(site: Site, each: Leaving, behind: set[str]) -> Leaving:
    """Put it aside, look again whether somebody came for it meanwhile, and only then remove it.

    Who looks for the file after that does not find it, and sends or makes it anew.
    """
    _must(site, "mv", "-T", "--", each.path, _aside(each))
    with site.ledger.read() as session:
        is_needed = bool(behind & needed_videos(session))
    if is_needed:
        _must(site, "mv", "-nT", "--", _aside(each), each.path)
        each = replace(each, kept="a job came for it just now")
    _must(site, "rm", "-f", "--", _aside(each))
    return each


def _aside(each: Leaving) -> str:
    return f"{each.path}.pruned"


def _sized(site: Site, each: Leaving) -> Leaving:
    told = site.host.run(["du", "-sk", "--", each.path]).output.partition("\t")[0]
    return replace(each, bytes=int(told) * 1024 if told.isdigit() else 0)


def _some(wanted: Sequence[Leaving]) -> Iterator[Sequence[Leaving]]:
    return (wanted[start : start + census.AT_ONCE] for start in range(0, len(wanted), census.AT_ONCE))


def _must(site: Site, *argv: str) -> None:
    done = site.host.run(argv, timeout_s=_REMOVE_S)
    if done.exit_code != 0:
        said = (done.errors or done.output).strip()[-300:]
        raise HostFailed(f"{site.host.name}: {argv[0]} failed ({said}): look at {argv[-1]} yourself")
