"""This machine as a host: the workspace is on the GPU box, or there is no box."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cosmosq.errors import HostFailed
from cosmosq.files import part_of, publish, sha256_of, write_whole, writing
from cosmosq.hosts.host import Completed


@dataclass(frozen=True, kw_only=True)
class LocalHost:
    """A folder on this machine and its processes."""

    name: str
    root: PurePosixPath
    python: str

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> Completed:
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise HostFailed(f"{self.name}: {argv[0]} did not end within {timeout_s:g} s") from error
        except OSError as error:
            # As a shell says it, so that every host says the same.
            code = 127 if isinstance(error, FileNotFoundError) else 126
            return Completed(exit_code=code, output="", errors=f"{argv[0]}: {error.strerror}")
        if done.returncode < 0:
            raise HostFailed(f"{self.name}: {argv[0]} was killed")
        return Completed(
            exit_code=done.returncode,
            output=done.stdout.decode(errors="replace"),
            errors=done.stderr.decode(errors="replace"),
        )

    def upload(self, local: Path, remote: PurePosixPath, *, sha256: str) -> None:
        self._copy(local, Path(remote), sha256)

    def download(self, remote: PurePosixPath, local: Path, *, sha256: str) -> None:
        if not Path(remote).is_file():
            raise HostFailed(f"{self.name}: {remote} is missing")
        self._copy(Path(remote), local, sha256)

    def _copy(self, source: Path, target: Path, sha256: str) -> None:
        part = part_of(target)
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(source, part)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            if sha256_of(part) != sha256:
                part.unlink()
                raise HostFailed(f"{self.name}: the copy of {source} to {target} is not what {sha256[:12]} names")
            publish(part, target)

    def write(self, remote: PurePosixPath, data: bytes) -> None:
        write_whole(Path(remote), data)

    def write_many(self, folder: PurePosixPath, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            write_whole(Path(folder) / name, data)

    def read(self, remote: PurePosixPath, *, offset: int = 0, limit: int = 1 << 20) -> bytes:
        try:
            with Path(remote).open("rb") as stream:
                stream.seek(offset)
                return stream.read(limit)
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            raise HostFailed(f"{self.name}: {remote} cannot be read ({error.strerror}): check its rights") from error

    def exists(self, remote: PurePosixPath) -> bool:
        try:
            return Path(remote).exists()
        except OSError as error:
            raise HostFailed(f"{self.name}: {remote} cannot be read ({error.strerror}): check its rights") from error

    def size(self, remote: PurePosixPath) -> int | None:
        try:
            return Path(remote).stat().st_size if Path(remote).is_file() else None
        except OSError as error:
            raise HostFailed(f"{self.name}: {remote} cannot be read ({error.strerror}): check its rights") from error

    def close(self) -> None:
        """Nothing is open."""
