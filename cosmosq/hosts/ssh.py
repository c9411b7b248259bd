"""A GPU box over SSH."""

import contextlib
import io
import shlex
import stat
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from cosmosq.errors import HostFailed, Unreachable
from cosmosq.files import CHUNK_BYTES, part_of, publish, sha256_of, writing
from cosmosq.hosts.host import Completed
from cosmosq.hosts.link import Link

OUTPUT_BYTES = 16 << 20
"""More than any program of ours prints; what prints more is not ours."""
READ_BYTES = 1 << 15


class SSHHost:
    """Files and programs on another machine, through one link."""

    def __init__(self, *, name: str, link: Link, root: str, python: str) -> None:
        """
        Args:
            root: folder on the host; relative to the login's home unless absolute.
        """
        self.name, self.python = name, python
        self._link, self._root = link, root

    @cached_property
    def root(self) -> PurePosixPath:
        """Absolute, told by the host itself the first time."""
        relative = self._root.removeprefix("~/")
        home = self._link.do(lambda connection: connection.sftp().normalize("."))
        return PurePosixPath(home) / relative

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> Completed:
        return self._link.do(lambda connection: self._run(connection, argv, timeout_s))

    def _run(self, connection: Any, argv: Sequence[str], timeout_s: float, data: bytes = b"") -> Completed:
        deadline = time.monotonic() + timeout_s
        channel = connection.create_session()
        try:
            channel.exec_command(shlex.join(argv))
            channel.sendall(data)
            channel.shutdown_write()
            output = self._drain(channel.recv, channel, argv, deadline)
            errors = self._drain(channel.recv_stderr, channel, argv, deadline)
            if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
                raise self._late(argv)
            exit_code = channel.recv_exit_status()
        except TimeoutError as error:
            raise self._late(argv) from error
        finally:
            channel.close()
        if exit_code == -1:
            # Killed by a signal or a lost link look the same; what we run may be run again.
            raise EOFError(f"{argv[0]} ended without an exit code")
        return Completed(
            exit_code=exit_code, output=output.decode(errors="replace"), errors=errors.decode(errors="replace")
        )

    def _drain(self, receive: Callable[[int], bytes], channel: Any, argv: Sequence[str], deadline: float) -> bytes:
        data = bytearray()
        while True:
            channel.settimeout(max(0.01, deadline - time.monotonic()))
            chunk = receive(READ_BYTES)
            if not chunk:
                return bytes(data)
            data += chunk
            if len(data) > OUTPUT_BYTES:
                raise HostFailed(f"{self.name}: {argv[0]} prints without end")

    def _late(self, argv: Sequence[str]) -> HostFailed:
        return HostFailed(f"{self.name}: {argv[0]} did not end in time")

    def upload(self, local: Path, remote: PurePosixPath, *, sha256: str) -> None:
        with self._file_errors(remote):
            self._link.do(lambda connection: self._upload(connection, local, remote, sha256))

    def _upload(self, connection: Any, local: Path, remote: PurePosixPath, sha256: str) -> None:
        sftp = connection.sftp()
        _make_parents(sftp, remote)
        part = str(part_of_remote(remote))
        size = local.stat().st_size
        there = _size(sftp, part)
        with local.open("rb") as source, sftp.open(part, "ab" if there <= size else "wb") as target:
            source.seek(there if there <= size else 0)
            target.set_pipelined(True)
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)
        if _size(sftp, part) != size or self._sha256(connection, part) != sha256:
            sftp.remove(part)
            raise HostFailed(f"{self.name}: {remote} did not arrive as it was sent: it is sent again the next time")
        sftp.posix_rename(part, str(remote))

    def _sha256(self, connection: Any, path: str) -> str:
        done = self._run(connection, ["sha256sum", "-b", "--", path], 600.0)
        # A backslash in front says that the name was escaped.
        return done.output.lstrip("\\")[:64]

    def download(self, remote: PurePosixPath, local: Path, *, sha256: str) -> None:
        part = part_of(local)
        with writing(local):
            local.parent.mkdir(parents=True, exist_ok=True)
            self._link.do(lambda connection: self._download(connection, remote, part))
            if sha256_of(part) != sha256:
                part.unlink()
                raise HostFailed(f"{self.name}: {remote} did not arrive as {sha256[:12]} names it")
            publish(part, local)

    def _download(self, connection: Any, remote: PurePosixPath, part: Path) -> None:
        sftp = connection.sftp()
        try:
            size, source = sftp.stat(str(remote)).st_size, sftp.open(str(remote), "rb")
        except (FileNotFoundError, PermissionError) as error:
            raise HostFailed(f"{self.name}: {remote} cannot be read ({error.strerror})") from error
        have = part.stat().st_size if part.exists() else 0
        with source, part.open("ab" if have <= size else "wb") as target:
            source.seek(have if have <= size else 0)
            source.prefetch(size)
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)

    def write(self, remote: PurePosixPath, data: bytes) -> None:
        with self._file_errors(remote):
            self._link.do(lambda connection: self._write(connection, remote, data))

    def _write(self, connection: Any, remote: PurePosixPath, data: bytes) -> None:
        sftp = connection.sftp()
        part = str(part_of_remote(remote))
        try:
            stream = sftp.open(part, "wb")
        except FileNotFoundError:
            _make_parents(sftp, remote)
            stream = sftp.open(part, "wb")
        with stream:
            stream.write(data)
        sftp.posix_rename(part, str(remote))

    def write_many(self, folder: PurePosixPath, files: Mapping[str, bytes]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
                archive.addfile(entry, io.BytesIO(data))
        made = self.run(["mkdir", "-p", "--", str(folder)])
        unpack = ["tar", "-x", "-m", "-f", "-", "-C", str(folder)]
        done = self._link.do(lambda connection: self._run(connection, unpack, 120.0, packed.getvalue()))
        if made.exit_code or done.exit_code:
            raise HostFailed(f"{self.name}: {folder} cannot be written: {(made.errors or done.errors).strip()[:300]}")

    def read(self, remote: PurePosixPath, *, offset: int = 0, limit: int = 1 << 20) -> bytes:
        return self._link.do(lambda connection: _read(connection.sftp(), str(remote), offset, limit))

    def exists(self, remote: PurePosixPath) -> bool:
        return self._link.do(lambda connection: _size(connection.sftp(), str(remote), missing=None)) is not None

    def close(self) -> None:
        self._link.close()

    @contextlib.contextmanager
    def _file_errors(self, remote: PurePosixPath) -> Any:
        try:
            yield
        except (HostFailed, Unreachable):
            raise
        except OSError as error:
            raise HostFailed(f"{self.name}: {remote} cannot be written ({error}): check its disk and rights") from error


def part_of_remote(remote: PurePosixPath) -> PurePosixPath:
    """The name under which a file is written on the host before it is whole."""
    return remote.with_name(remote.name + ".part")


def _size(sftp: Any, path: str, missing: int | None = 0) -> Any:
    try:
        found = sftp.stat(path)
    except FileNotFoundError:
        return missing
    return found.st_size


def _read(sftp: Any, path: str, offset: int, limit: int) -> bytes:
    try:
        with sftp.open(path, "rb") as stream:
            stream.seek(offset)
            data: bytes = stream.read(limit)
            return data
    except FileNotFoundError:
        return b""


def _make_parents(sftp: Any, remote: PurePosixPath) -> None:
    missing = []
    for folder in remote.parents:
        try:
            if stat.S_ISDIR(sftp.stat(str(folder)).st_mode):
                break
        except FileNotFoundError:
            missing.append(folder)
    for folder in reversed(missing):
        with contextlib.suppress(OSError):
            sftp.mkdir(str(folder))
