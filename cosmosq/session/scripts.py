"""`remote_scripts` on the host, by digest, so that a running session keeps the version it began with."""

import hashlib
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path, PurePosixPath

from cosmosq.hosts import Host
from cosmosq.session.folder import scripts_path

_SHIPPED = (".py", ".sh")


@cache
def contents() -> dict[str, bytes]:
    """The files of `remote_scripts` by relative path, with LF line ends."""
    with as_file(files("cosmosq.remote_scripts")) as folder:
        found = sorted(path for path in Path(folder).rglob("*") if path.suffix in _SHIPPED)
        return {path.relative_to(folder).as_posix(): path.read_bytes().replace(b"\r\n", b"\n") for path in found}


@cache
def digest() -> str:
    """Hex sha256 over the names and contents."""
    total = hashlib.sha256()
    for name, data in contents().items():
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    return total.hexdigest()


def ship(host: Host) -> PurePosixPath:
    """Make sure the host has this version, and return its folder there."""
    folder = scripts_path(host.root, digest())
    # Written last: without it a copy that broke off would pass for a whole one.
    whole = folder / "whole"
    if not host.exists(whole):
        for name, data in contents().items():
            host.write(folder / name, data)
        host.write(whole, digest().encode())
    return folder
