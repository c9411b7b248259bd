"""`remote_scripts` on the host, by digest, so that a running session keeps the version it began with."""

import hashlib
import secrets
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path, PurePosixPath

from cosmosq.errors import HostFailed
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
    """Make sure the host has this version, and return its folder there.

    Raises:
        HostFailed: what arrived is not what was sent.
    """
    folder = scripts_path(host.root, digest())
    if not host.exists(folder):
        part = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}.part")
        host.write_many(part, contents())
        _verify(host, part)
        # Without -T a folder that another worker finished meanwhile would swallow ours.
        moved = host.run(["mv", "-T", "--", str(part), str(folder)])
        if moved.exit_code != 0 and not host.exists(folder):
            raise HostFailed(f"{host.name}: {folder} cannot be made: {moved.errors.strip()[:300]}")
    return folder


def _verify(host: Host, folder: PurePosixPath) -> None:
    names = list(contents())
    done = host.run(["sha256sum", "-b", "--", *(str(folder / name) for name in names)])
    found = [line.lstrip("\\")[:64] for line in done.output.splitlines()]
    if found != [hashlib.sha256(contents()[name]).hexdigest() for name in names]:
        raise HostFailed(f"{host.name}: the scripts in {folder} are not what was sent: is its disk full?")
