"""Takes a file from stdin: hashed as it comes, synced, and only then given its name. SSHHost runs it on the box.

    receive.py TARGET SIZE SHA256 OFFSET SHA256_BEFORE

OFFSET bytes, with the hash SHA256_BEFORE, lie in TARGET.part from an earlier time; the rest comes.
Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

BLOCK_BYTES = 1 << 20
SYNC_BYTES = 1 << 23
"""So often the disk is told to keep what arrived, beside the transfer instead of after it."""
OLD_PART = 3
"""Exit code: the bytes of the earlier time are not those that were meant; they are gone now."""
OTHER_BYTES = 4
"""Exit code: what came is not what was meant; it is gone now."""
REFUSED = 5
"""Exit code: the system refused; stderr says why."""
NO_SPACE = 6
"""Exit code: the disk is full."""


def main(arguments: Sequence[str]) -> int:
    target, size, sha256, offset, sha256_before = arguments
    path = Path(target)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return receive(part, path, int(size), sha256, int(offset), sha256_before)
    except OSError as error:
        print(f"{error.strerror}: {error.filename or part}", file=sys.stderr)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return REFUSED
        # The box needs its last bytes more than we need to spare ourselves a repetition.
        part.unlink(missing_ok=True)
        return NO_SPACE


def receive(part: Path, path: Path, size: int, sha256: str, offset: int, sha256_before: str) -> int:
    """Not by appending: a receiver of a lost connection may still write the same bytes to the same places."""
    digest = hashlib.sha256()
    part.touch()
    with part.open("r+b", buffering=0) as file:
        if read(file.fileno(), digest, offset) != offset or (offset and digest.hexdigest() != sha256_before):
            file.truncate(0)
            return OLD_PART
        have = synced = offset
        sync = Sync(file.fileno())
        widen(0)
        block = memoryview(bytearray(BLOCK_BYTES))
        with open(0, "rb", buffering=0, closefd=False) as source:
            while have < size and (count := source.readinto(block[: size - have])):
                digest.update(block[:count])
                written = 0
                while written < count:
                    written += file.write(block[written:count])
                have += count
                if have - synced >= SYNC_BYTES and not sync.is_alive():
                    sync.finish()
                    sync, synced = Sync(file.fileno()), have
                    sync.start()
        sync.finish()
        if have < size:
            return REFUSED
        file.truncate(size)
        os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        part.unlink(missing_ok=True)
        return OTHER_BYTES
    part.replace(path)
    sync_folder(path.parent)
    return 0


class Sync(threading.Thread):
    """Tells the disk to keep what a file has by now."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self.descriptor = descriptor
        self.error: OSError | None = None

    def run(self) -> None:
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            self.error = error

    def finish(self) -> None:
        """Wait for it, if it was begun; the disk tells of an error only once."""
        if self.ident is not None:
            self.join()
        if self.error is not None:
            raise self.error


def widen(pipe: int) -> None:
    """Let the SSH server write on while we hash; smaller ones do as well, but slower."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, BLOCK_BYTES)


def read(descriptor: int, digest: hashlib._Hash, count: int) -> int:
    """Hash the first bytes; returns how many there were."""
    done = 0
    while done < count and (block := os.read(descriptor, min(BLOCK_BYTES, count - done))):
        digest.update(block)
        done += len(block)
    return done


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
