"""A GPU box over SSH."""

import hashlib
import io
import os
import shlex
import stat
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from cosmosq.errors import HostFailed
from cosmosq.files import part_of, publish, writing
from cosmosq.hosts import receive
from cosmosq.hosts.host import Completed
from cosmosq.hosts.link import Link
from cosmosq.hosts.ssh_transport import Arrivals, end_input

T = TypeVar("T")

OUTPUT_BYTES = 16 << 20
"""More than any program of ours prints; what prints more is not ours."""
READ_BYTES = 1 << 15
BLOCK_BYTES = 1 << 20
RECEIVE_BYTES = 1 << 18
"""At once: fewer make the threads wait for each other, more do not stay in the processor's cache."""
SEND_BYTES = (1 << 15) - 64
"""What Paramiko puts into one packet to OpenSSH; of a longer block it copies the rest for each packet."""
SYNC_BYTES = 1 << 23
"""So often the disk is told to keep what arrived, beside the transfer instead of after it."""
SFTP_CLIENTS = 2
"""Of the ten channels that a server allows a connection: who follows a session must not keep the others waiting."""
STALL_S = 300.0
"""A transfer that does not move for so long on a link that lives: the disk of the box hangs."""
UNTAR = """\
[ -e "$1" ] || new=1
mkdir -p -- "$1" && tar -x -m --no-same-owner -f - -C "$1" && exit
[ -z "$new" ] || rm -rf -- "$1"
exit 1
"""


class SSHHost:
    """Files and programs on another machine, through one link."""

    def __init__(self, *, name: str, link: Link, root: str, python: str, takes_files: str = "") -> None:
        """
        Args:
            root: folder on the host; relative to the login's home unless absolute.
            python: likewise if it begins with `~/`.
            takes_files: the Python that takes files, where `python` is one of a container; `python` by default.
        """
        self.name = name
        self._link, self._root, self._python, self._takes_files = link, root, python, takes_files
        self._turns = threading.BoundedSemaphore(SFTP_CLIENTS)
        self._idle: list[Any] = []

    @cached_property
    def root(self) -> PurePosixPath:
        """Absolute, told by the host itself the first time."""
        return self._at_home(self._root)

    @cached_property
    def python(self) -> str:
        # No shell will see the tilde.
        return str(self._at_home(self._python)) if self._python.startswith("~/") else self._python

    def _at_home(self, path: str) -> PurePosixPath:
        if path.startswith("/"):
            return PurePosixPath(path)
        home = self._look(lambda sftp: sftp.normalize("."))
        return PurePosixPath(home) / path.removeprefix("~").removeprefix("/")

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0) -> Completed:
        return self._link.do(lambda connection: self._run(connection, argv, timeout_s))

    def _run(self, connection: Any, argv: Sequence[str], timeout_s: float, data: bytes = b"") -> Completed:
        deadline = time.monotonic() + timeout_s
        # Closing the channel would leave the program running: it is ended there, a little after we gave up here.
        with _session(connection, ["timeout", "-s", "KILL", f"{timeout_s + 5:.0f}", *argv]) as channel:
            try:
                channel.settimeout(max(0.01, timeout_s))
                _send(channel, [data] if data else [])
                output = self._drain(channel.recv, channel, argv, deadline)
                errors = self._drain(channel.recv_stderr, channel, argv, deadline)
                if not channel.status_event.wait(max(0.0, deadline - time.monotonic())):
                    raise self._late(argv)
            except TimeoutError as error:
                raise self._late(argv) from error
            exit_code = self._exit_code(connection, channel, argv)
        return Completed(
            exit_code=exit_code, output=output.decode(errors="replace"), errors=errors.decode(errors="replace")
        )

    def _exit_code(self, connection: Any, channel: Any, argv: Sequence[str]) -> int:
        """Raises: EOFError: the link was lost, and what we run may be run again."""
        exit_code: int = channel.recv_exit_status()
        if exit_code == -1:
            # A lost link ends its channels first: a moment tells it from a program that the box killed.
            connection.transport.join(1.0)
            if connection.transport.is_active():
                raise HostFailed(f"{self.name}: {argv[0]} was killed")
            raise EOFError("the link was lost")
        return exit_code

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
        self._link.do(lambda connection: self._upload(connection, local, remote, sha256))

    def _upload(self, connection: Any, local: Path, remote: PurePosixPath, sha256: str) -> None:
        size = local.stat().st_size
        try:
            there = self._sftp(connection, lambda sftp: _size(sftp, str(part_of_remote(remote)))) or 0
        except PermissionError:
            there = 0
        with local.open("rb") as source:
            for offset in (there, 0) if 0 < there <= size else (0,):
                if self._send_file(connection, source, remote, size, sha256, offset):
                    return

    def write(self, remote: PurePosixPath, data: bytes) -> None:
        sha256 = hashlib.sha256(data).hexdigest()
        self._link.do(lambda connection: self._send_file(connection, io.BytesIO(data), remote, len(data), sha256, 0))

    def _send_file(
        self, connection: Any, source: IO[bytes], remote: PurePosixPath, size: int, sha256: str, offset: int
    ) -> bool:
        """False if the first `offset` bytes on the host are not those of the file.

        Not by SFTP: it has no answer to a full disk, no sync and no hash, and costs a round trip for each.
        """
        source.seek(0)
        before = _hash_of_first(source, offset).hexdigest()
        told = [str(remote), str(size), sha256, str(offset), before]
        python = self._takes_files or self.python
        with _session(connection, [python, "-I", "-S", "-c", _receiver(), *told]) as channel:
            channel.settimeout(STALL_S)
            try:
                _send(channel, iter(lambda: source.read(SEND_BYTES), b""))
                errors = channel.makefile_stderr("rb").read(READ_BYTES).decode(errors="replace").strip()[-300:]
                exit_code = self._exit_code(connection, channel, [python])
            except TimeoutError as error:
                raise HostFailed(f"{self.name}: {remote} did not move for {STALL_S:g} s") from error
        match exit_code:
            case 0:
                return True
            case receive.OLD_PART if offset:
                return False
            case receive.OTHER_BYTES:
                raise HostFailed(f"{self.name}: {remote} did not arrive as {sha256[:12]} names it")
            case receive.NO_SPACE:
                raise HostFailed(f"{self.name}: the disk of {remote} is full: free some space there and repeat")
            case _:
                raise HostFailed(
                    f"{self.name}: {remote} cannot be written ({errors or exit_code}): "
                    f"check its rights, and that {python} is a Python 3"
                )

    def download(self, remote: PurePosixPath, local: Path, *, sha256: str) -> None:
        part = part_of(local)
        with writing(local):
            local.parent.mkdir(parents=True, exist_ok=True)
            is_resumed = part.exists()
            arrived = self._link.do(lambda connection: self._download(connection, remote, part))
            if arrived != sha256 and is_resumed:
                part.unlink()
                arrived = self._link.do(lambda connection: self._download(connection, remote, part))
            if arrived != sha256:
                part.unlink()
                raise HostFailed(f"{self.name}: {remote} did not arrive as {sha256[:12]} names it")
            publish(part, local)

    def _download(self, connection: Any, remote: PurePosixPath, part: Path) -> str:
        """Append what is missing; returns the hash of the whole."""
        try:
            size = self._sftp(connection, lambda sftp: _size(sftp, str(remote)))
        except PermissionError as error:
            raise self._unreadable(remote, error) from error
        if size is None:
            raise HostFailed(f"{self.name}: {remote} is missing")
        have = part.stat().st_size if part.exists() else 0
        with part.open("r+b" if 0 < have <= size else "w+b") as target, _syncing(target) as sync:
            have = have if have <= size else 0
            digest = _hash_of_first(target, have)
            # `tail` takes twice the time of `cat` for the same bytes.
            sender = ["tail", "-c", f"+{have + 1}"] if have else ["cat"]
            with _session(connection, [*sender, "--", str(remote)]) as channel:
                channel.settimeout(STALL_S)
                try:
                    # No more than it had: a file that grows without end must not fill the disk here.
                    while have < size and (block := channel.recv(RECEIVE_BYTES)[: size - have]):
                        digest.update(block)
                        target.write(block)
                        have += len(block)
                        sync(have)
                    if have < size:
                        errors = channel.makefile_stderr("rb").read(READ_BYTES).decode(errors="replace").strip()
                        self._exit_code(connection, channel, sender)
                        raise HostFailed(f"{self.name}: {remote} cannot be read ({errors[-300:] or 'it shrank'})")
                except TimeoutError as error:
                    raise HostFailed(f"{self.name}: {remote} did not move for {STALL_S:g} s") from error
        return digest.hexdigest()

    def write_many(self, folder: PurePosixPath, files: Mapping[str, bytes]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(data), 0o755 if name.endswith(".sh") else 0o644
                archive.addfile(entry, io.BytesIO(data))
        unpack = ["sh", "-c", UNTAR, "sh", str(folder)]
        done = self._link.do(lambda connection: self._run(connection, unpack, STALL_S, packed.getvalue()))
        if done.exit_code:
            raise HostFailed(
                f"{self.name}: {folder} cannot be written ({done.errors.strip()[:300]}): is its disk full?"
            )

    def read(self, remote: PurePosixPath, *, offset: int = 0, limit: int = 1 << 20) -> bytes:
        try:
            return self._look(lambda sftp: _read(sftp, str(remote), offset, limit))
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._unreadable(remote, error) from error

    def exists(self, remote: PurePosixPath) -> bool:
        try:
            self._look(lambda sftp: sftp.stat(str(remote)))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._unreadable(remote, error) from error
        return True

    def _unreadable(self, remote: PurePosixPath, error: OSError) -> HostFailed:
        return HostFailed(f"{self.name}: {remote} cannot be read ({error.strerror or error}): check its rights")

    def _look(self, work: Callable[[Any], T]) -> T:
        """Ask SFTP something small."""
        return self._link.do(lambda connection: self._sftp(connection, work))

    def _sftp(self, connection: Any, work: Callable[[Any], T]) -> T:
        # Paramiko's SFTP client drops the answer to one thread when another reads it: each has one user at a time.
        with self._turns:
            client = self._idle_client(connection) or connection.transport.open_sftp_client()
            try:
                result = work(client)
            except (FileNotFoundError, PermissionError):
                self._idle.append(client)
                raise
            except BaseException:
                client.close()
                raise
            self._idle.append(client)
            return result

    def _idle_client(self, connection: Any) -> Any:
        """One of this very connection, if there is one; those of lost ones are let go."""
        with suppress(IndexError):  # not asked before: another thread may take the last one in between
            while client := self._idle.pop():
                if client.get_channel().get_transport() is connection.transport:
                    return client
        return None

    def size(self, remote: PurePosixPath) -> int | None:
        try:
            return self._look(lambda sftp: _size(sftp, str(remote)))
        except OSError as error:
            raise self._unreadable(remote, error) from error

    def close(self) -> None:
        self._link.close()


def part_of_remote(remote: PurePosixPath) -> PurePosixPath:
    """The name under which a file is written on the host before it is whole."""
    return remote.with_name(remote.name + ".part")


@cache
def _receiver() -> str:
    return files("cosmosq.hosts").joinpath("receive.py").read_text(encoding="utf-8")


@contextmanager
def _session(connection: Any, argv: Sequence[str]) -> Iterator[Any]:
    """A running program; not by Fabric, which would open a lost connection again by itself, unwatched."""
    channel = connection.transport.open_session()
    channel.in_buffer = Arrivals()
    try:
        channel.exec_command(shlex.join(argv))
        yield channel
    finally:
        channel.close()


def _send(channel: Any, blocks: Iterable[bytes]) -> None:
    """All of the blocks, unless the program ends before it has read them: its exit code tells why."""
    try:
        for block in blocks:
            channel.sendall(block)
        end_input(channel)
    except TimeoutError:
        raise
    except OSError:
        if not channel.closed:
            raise


@contextmanager
def _syncing(target: IO[bytes]) -> Iterator[Callable[[int], None]]:
    """Yields what to call with the number of bytes written; raises what the disk answers."""
    with ThreadPoolExecutor(1) as thread:
        pending: Future[None] | None = None
        synced = 0

        def sync(written: int) -> None:
            nonlocal pending, synced
            if written - synced >= SYNC_BYTES and (pending is None or pending.done()):
                if pending is not None:
                    pending.result()
                pending, synced = thread.submit(os.fsync, target.fileno()), written

        yield sync
        if pending is not None:
            pending.result()


def _hash_of_first(source: IO[bytes], count: int) -> "hashlib._Hash":
    """The hash of the first bytes; the source stands behind them then."""
    digest = hashlib.sha256()
    while count and (block := source.read(min(BLOCK_BYTES, count))):
        digest.update(block)
        count -= len(block)
    return digest


def _size(sftp: Any, path: str) -> int | None:
    """Of a regular file; None if there is no such thing."""
    try:
        found = sftp.stat(path)
    except FileNotFoundError:
        return None
    return int(found.st_size) if stat.S_ISREG(found.st_mode) else None


def _read(sftp: Any, path: str, offset: int, limit: int) -> bytes:
    # Asked first: mostly there is nothing new, and opening and closing cost a round trip each.
    count = min(limit, sftp.stat(path).st_size - offset)
    if count <= 0:
        return b""
    with sftp.open(path, "rb") as stream:
        # All requests at once: one after the other, each would wait for a round trip.
        return b"".join(stream.readv([(offset, count)]))
