"""What comes home: the video, prompt, spec and log of an attempt."""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from cosmosq.errors import HostFailed, InvalidInput
from cosmosq.files import sha256_of, sync_folder, write_whole, writing
from cosmosq.hosts import Host

log = logging.getLogger(__name__)

HOME_NAMES = {
    "output.mp4": ("video", "output.mp4"),
    "output.txt": ("prompt", "prompt.txt"),
    "spec.json": ("spec", "spec.json"),
    "log.txt": ("log", "log.txt"),
}
"""Name on the host → kind and name at home; nothing else is fetched, whatever the host offers."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

LARGEST_BYTES = {"video": 16 << 30, "prompt": 16 << 20, "spec": 16 << 20, "log": 64 << 20}
"""What is larger is none of ours, whatever its hash: the box must not fill the disk here."""
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
        if (size := host.size(remote / name) or 0) > LARGEST_BYTES[kind]:
            raise BadOutput(f"{name} has {size} bytes, more than any {kind} of ours: look at it on the host")
        _fetch(host, remote / name, local, sha256)
        rows.append({"kind": kind, "path": str(local), "sha256": sha256, "bytes": local.stat().st_size})
    return rows


def _usable(offered: object) -> Iterator[tuple[str, str]]:
    """(name, sha256) of what is ours to fetch, each name once; the list comes from outside."""
    found: dict[str, str] = {}
    for item in offered if isinstance(offered, list) else []:
        name, sha256 = (item.get("name"), item.get("sha256")) if isinstance(item, dict) else (None, None)
        if isinstance(name, str) and name in HOME_NAMES and isinstance(sha256, str) and _SHA256.fullmatch(sha256):
            found[name] = sha256
    yield from found.items()


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


def promote(rows: list[dict[str, Any]], arrivals: Path, folder: Path) -> None:
    """Move files that are in order from where they arrived into the job's folder."""
    with writing(folder):
        for row in rows:
            arrived = Path(row["path"])
            row["path"] = str(arrived.replace(folder / arrived.name))
        sync_folder(folder)
    with contextlib.suppress(OSError):
        arrivals.rmdir()


def fetch_logs(host: Host, remote: PurePosixPath, session_log: PurePosixPath, folder: Path) -> list[dict[str, Any]]:
    """The end of the attempt's log, or of its session's, when no event names its hash any more."""
    for source in (remote / "log.txt", session_log):
        start = max(0, (host.size(source) or 0) - TAIL_BYTES)
        if data := host.read(source, offset=start, limit=TAIL_BYTES):
            local = folder / "log.txt"
            write_whole(local, data)
            return [{"kind": "log", "path": str(local), "sha256": sha256_of(local), "bytes": len(data)}]
    return []
