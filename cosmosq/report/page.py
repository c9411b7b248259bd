"""The report as a page: `index.html` and the videos next to it, for any browser, without a network."""

import base64
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from cosmosq.engines.assignment import differences, from_columns
from cosmosq.engines.parameter import Value
from cosmosq.files import part_of, publish, whole_text, writing
from cosmosq.report.durations import duration
from cosmosq.report.rows import Row
from cosmosq.report.totals import Totals


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One job as the page shows it."""

    row: Row
    changed: dict[str, Value]
    """Parameters that differ from the default."""
    video: str | None
    """Path of the video from the page; None where the file is missing or was never made."""


def write(folder: Path, root: Path, totals: Totals, rows: Iterable[Row], *, title: str, now: datetime) -> Path:
    """Write the page and bring the videos to it; returns the page's path.

    Args:
        folder: where it goes; what an earlier report left there is replaced.
        root: the workspace, to which the rows' output paths are relative.
        title: the page's heading.
        now: the time of the report.

    Raises:
        StorageFailed: the folder cannot be written.
    """
    page = folder / "index.html"
    with whole_text(page) as stream:
        entries = _entries(rows, root, folder)
        stream.writelines(_template().generate(title=title, now=now, totals=totals, entries=entries))
    return page


def _entries(rows: Iterable[Row], root: Path, folder: Path) -> Iterator[Entry]:
    """Each job, its video brought to the folder just before."""
    for row in rows:
        name = f"videos/{row['id']}.mp4"
        output = row["output_path"]
        there = output is not None and bring_video(root / output, folder / name)
        yield Entry(row=row, changed=differences(from_columns(row)), video=name if there else None)


def bring_video(source: Path, target: Path) -> bool:
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


def _is_there(source: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    old, new = target.stat(), source.stat()
    return os.path.samestat(old, new) or (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)


def _template() -> Template:
    # Everything that is shown comes from outside: prompts, names, messages.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(csp=csp_source, duration=lambda seconds: duration(seconds) or "–")
    return environment.from_string(files("cosmosq.report").joinpath("page.html").read_text(encoding="utf-8"))


def csp_source(text: str) -> str:
    """What a Content-Security-Policy calls an inline script or style of exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
