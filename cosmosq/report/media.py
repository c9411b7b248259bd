"""The files that the page shows: linked or copied next to it."""

import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path

from cosmosq.files import part_of, publish, writing

_OURS = re.compile(r"videos/\d+\.mp4|posters/(\d+|input-[0-9a-f]{16})\.jpg|inputs/[0-9a-f]{16}\.\w+")
"""Names that a page's files have; whatever else lies in its folder is somebody's."""


def bring(source: Path, target: Path) -> bool:
    """Link `source` to `target`, or copy it where links cannot be made; False if there is no such file."""
    if not source.is_file():
        return False
    with writing(target):
        if not _is_there(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = part_of(target)
            part.unlink(missing_ok=True)
            try:
                os.link(source.resolve(), part)
                part.replace(target)
            except OSError:
                shutil.copy2(source, part)
                publish(part, target)
    return True


def leave(folder: Path, names: Collection[str | None]) -> None:
    """Take away what an earlier page brought to `folder` and this one does not show: it would be mailed with it."""
    for path in folder.glob("*/*"):
        name = path.relative_to(folder).as_posix()
        if _OURS.fullmatch(name) and name not in names:
            with writing(path):
                path.unlink()


def _is_there(source: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    old, new = target.stat(), source.stat()
    return os.path.samestat(old, new) or (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)
