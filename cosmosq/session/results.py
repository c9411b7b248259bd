"""What comes home: the video, prompt, spec and log of an attempt."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from cosmosq.errors import HostFailed, InvalidInput
from cosmosq.files import sha256_of, write_whole
from cosmosq.hosts import Host

log = logging.getLogger(__name__)

HOME_NAMES = {
    "output.mp4": ("video", "output.mp4"),
    "output.txt": ("prompt", "prompt.txt"),
    "spec.json": ("spec", "spec.json"),
    "log.txt": ("log", "log.txt"),
}
"""Name on the host → kind and name at home; nothing else is fetched, whatever the host offers."""

TAIL_BYTES = 1 << 20
DOWNLOADS = 3


class BadOutput(InvalidInput):
    """The attempt's video is missing, truncated or unreadable."""


def fetch_all(host: Host, remote: PurePosixPath, offered: object, folder: Path) -> list[dict[str, Any]]:
    """Bring the offered files home and return a row for each, without attempt and workspace.

    Args:
        remote: the attempt's folder on the host.
        offered: the `artifacts` of its last event.
        folder: where they go.

    Raises:
        HostFailed: a file does not arrive as its hash says.
    """
    rows = []
    for name, sha256 in _usable(offered):
        kind, home_name = HOME_NAMES[name]
        local = folder / home_name
        _fetch(host, remote / name, local, sha256)
        rows.append({"kind": kind, "path": str(local), "sha256": sha256, "bytes": local.stat().st_size})
    return rows


def _usable(offered: object) -> Iterator[tuple[str, str]]:
    for item in offered if isinstance(offered, list) else []:
        if isinstance(item, dict) and item.get("name") in HOME_NAMES and isinstance(item.get("sha256"), str):
            yield item["name"], item["sha256"]


def _fetch(host: Host, remote: PurePosixPath, local: Path, sha256: str) -> None:
    if local.is_file() and sha256_of(local) == sha256:
        return
    for left in reversed(range(DOWNLOADS)):
        try:
            host.download(remote, local, sha256=sha256)
            return
        except HostFailed:
            if not left:
                raise


def check_video(rows: list[dict[str, Any]]) -> None:
    """Decode the video that came home and add its size, rate and length to its row.

    Raises:
        BadOutput: there is none, or it is not whole.
    """
    # PyAV takes a tenth of a second to import; a worker needs it, other commands do not.
    from cosmosq import videos

    row = next((row for row in rows if row["kind"] == "video"), None)
    if row is None:
        raise BadOutput("the session reported success but no video: see the log")
    try:
        info = videos.verify(Path(row["path"]))
    except InvalidInput as error:
        raise BadOutput(str(error)) from error
    row.update(width=info.width, height=info.height, fps=info.fps, frames=info.frames, duration_s=info.duration_s)


def promote(rows: list[dict[str, Any]], folder: Path) -> None:
    """Move files that are in order from where they arrived into the job's folder."""
    for row in rows:
        arrived = Path(row["path"])
        row["path"] = str(arrived.replace(folder / arrived.name))
    if rows:
        with contextlib.suppress(OSError):
            arrived.parent.rmdir()


def fetch_logs(host: Host, remote: PurePosixPath, session_log: PurePosixPath, folder: Path) -> list[dict[str, Any]]:
    """The end of the attempt's log, or of its session's, when no event names its hash any more."""
    for source in (remote / "log.txt", session_log):
        if data := host.read(source, limit=TAIL_BYTES):
            local = folder / "log.txt"
            write_whole(local, data)
            return [{"kind": "log", "path": str(local), "sha256": sha256_of(local), "bytes": len(data)}]
    return []
