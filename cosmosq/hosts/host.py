"""The contract of a host: a folder on some machine, files in it, and programs run there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ended."""

    exit_code: int
    output: str
    errors: str


class Host(Protocol):
    """What cosmosq needs of a GPU machine; every method may raise `Unreachable`."""

    @property
    def name(self) -> str: ...

    @property
    def root(self) -> PurePosixPath:
        """Absolute folder on the host under which cosmosq keeps everything."""

    @property
    def python(self) -> str:
        """The Python on the host that has the engine's packages."""

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> Completed:
        """Run a program to its end; arguments reach it as they are. It must bear to be run twice.

        Exit codes are a shell's: 127 says that there is no such program.

        Raises:
            HostFailed: it was killed, by us if it did not end in time.
        """

    def upload(self, local: Path, remote: PurePosixPath, *, sha256: str) -> None:
        """Copy a file to the host: `.part`, size and hash checked there, renamed; parents are made.

        Raises:
            HostFailed: what arrived is not what was sent.
        """

    def download(self, remote: PurePosixPath, local: Path, *, sha256: str) -> None:
        """Copy a file from the host likewise.

        Raises:
            HostFailed: what arrived does not have that hash, or there is no such file.
        """

    def write(self, remote: PurePosixPath, data: bytes) -> None:
        """Write a small file whole: `.part`, then renamed; parents are made."""

    def write_many(self, folder: PurePosixPath, files: Mapping[str, bytes]) -> None:
        """Write many small files below a folder in one go; not atomic, so name a folder that is not in use yet."""

    def read(self, remote: PurePosixPath, *, offset: int = 0, limit: int = 1 << 20) -> bytes:
        """At most `limit` bytes of a file from `offset` on; empty when there is no such file."""

    def exists(self, remote: PurePosixPath) -> bool:
        """Whether a file or folder is there."""

    def size(self, remote: PurePosixPath) -> int | None:
        """Bytes of a file; None when there is no such file."""

    def close(self) -> None:
        """Give up what is open; the next use opens it again."""
