"""Files that were on their way home when something ended."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from cosmosq.models import Attempt, Job
from cosmosq.recovery.scene import Case, Finding, Scene
from cosmosq.status import Status

_FOLDERS = re.compile(r"(?P<job>\d{1,15})-[^/]*/attempt-(?P<number>\d{1,9})")


def find(scene: Scene) -> Iterator[Finding]:
    """Halves of files of attempts that have ended; what no job of this ledger names is left alone."""
    halves: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(scene.workspace.outputs_path.glob("*/*/attempt-*/*.part")):
        if named := _FOLDERS.fullmatch(f"{path.parent.parent.name}/{path.parent.name}"):
            halves.setdefault((int(named["job"]), int(named["number"])), []).append(path)
    for (job_id, number), paths in halves.items():
        if (host := _ended_on(scene, job_id, number)) is not None:
            for path in paths:
                yield Finding(what=f"{scene.workspace.relative(path)} is half a file", host=host, key=path)


def _ended_on(scene: Scene, job_id: int, number: int) -> str | None:
    """The host of the job, if it is one of these and nothing more comes of this attempt."""
    with scene.ledger.read() as session:
        host = session.scalar(select(Job.host).where(Job.id == job_id, Job.host.in_(scene.hosts)))
        ours = (Attempt.job_id == job_id, Attempt.number == number, Attempt.status == Status.RUNNING)
        return host if session.scalar(select(Attempt.id).where(*ours)) is None else None


def delete(_: Scene, finding: Finding) -> None:
    path: Path = finding.key
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


HALF_FILE = Case(name="half_file", find=find, mend=delete, remedy="deleted", is_slow=True)
