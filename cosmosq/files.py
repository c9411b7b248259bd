"""Files written whole or not at all, and their hashes."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cosmosq.errors import StorageFailed

CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Hex sha256 of the file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def part_of(path: Path) -> Path:
    """The name under which `path` is written before it is whole."""
    return path.with_name(path.name + ".part")


def publish(part: Path, path: Path) -> None:
    """Put a finished `.part` file in its place so that a power cut leaves either none or all of it."""
    with part.open("rb+") as stream:
        os.fsync(stream.fileno())
    part.replace(path)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a `.part` file."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        part.write_bytes(data)
        publish(part, path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing `path` into one line with a remedy.

    Raises:
        StorageFailed: disk full, read-only file system, or no permission.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFailed(f"the disk of {path} is full: free some space and repeat") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageFailed(f"{path} cannot be written ({error.strerror}): check its permissions") from error
        raise
