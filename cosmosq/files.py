"""Files written whole or not at all, and their hashes."""

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from cosmosq.errors import StorageFailed

CHUNK_BYTES = 1 << 20
_NO_SPACE_BYTES = 64 << 10


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
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power cut, where the system offers that."""
    with suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a `.part` file."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path)
        try:
            part.write_bytes(data)
            publish(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """A UTF-8 text that takes its place at `path` at the end of the block; nothing is left of it if that raises.

    Raises:
        StorageFailed: `path` cannot be written, or is something other than a file.
    """
    part = part_of(path)
    try:
        with writing(path):
            _refuse_special(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8", newline="") as stream:
                yield stream
            publish(part, path)
    finally:
        with suppress(OSError):
            part.unlink()


def _refuse_special(path: Path) -> None:
    if path.exists() and not path.is_file():
        # Renaming over /dev/null or a named pipe would replace it.
        raise StorageFailed(f"{path} is no regular file: name a file, or give - for stdout")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's and SQLite's refusals while writing `path` into one line with a remedy.

    Raises:
        StorageFailed: disk full, read-only file system, no permission, or a file where a folder must be.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if refused := refusal(path, str(error)):
            raise refused from error
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFailed(f"the disk of {path} is full: free some space and repeat") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageFailed(f"{path} cannot be written ({error.strerror}): check its permissions") from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG):
            raise StorageFailed(f"{path} cannot be made ({error.strerror}): choose another path") from error
        raise


def _is_full(folder: Path) -> bool:
    return folder.exists() and shutil.disk_usage(folder).free < _NO_SPACE_BYTES


def refusal(path: Path, reason: str) -> StorageFailed | None:
    """What SQLite's words about `path` mean when the disk was refused to it."""
    # SQLite says no more than "disk I/O error" where the full disk refuses the index of its log.
    if "is full" in reason or ("disk I/O" in reason and _is_full(path.parent)):
        return StorageFailed(f"the disk of {path} is full: free some space and repeat")
    if "is locked" in reason:
        return StorageFailed(f"{path} is locked by another program for too long: end that one and repeat")
    if "readonly" in reason or "unable to open" in reason or "disk I/O" in reason:
        return StorageFailed(f"{path} cannot be written ({reason}): check its permissions and its disk")
    return None
