"""SHA-256 of files, read in blocks."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def known_sha256_of(path: Path) -> str:
    """The same for a file that many attempts use: read again only when it has changed."""
    return _sha256_at(path, stamp_of(path))


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Another one when the file's contents are."""
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _sha256_at(path: Path, stamp: tuple[int, int, int]) -> str:
    return sha256_of(path)
