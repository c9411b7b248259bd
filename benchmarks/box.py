"""How fast a box over SSH is, beside OpenSSH's own tools on the same server."""

import hashlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from benchmarks.ratio import Missing, Ratio, Row, compare, process
from cosmosq.hosts.ssh import SSHHost
from tests.box import sshd
from tests.night import wait_for

BIG_BYTES = 200_000_000
SMALL_FILES = 1_000
SMALL_BYTES = 2_000
SLOWEST_TRANSFER = 1 / 0.9


def measure() -> Sequence[Row]:
    """Setting up a connection, commands, large files and many small ones; nothing where no server can be started."""
    if reason := sshd.can_start():
        return [Missing(name="SSH", reason=reason)]
    with tempfile.TemporaryDirectory() as folder:
        server = sshd.make_server(Path(folder) / "server")
        try:
            return _measure(server, Path(folder))
        finally:
            server.stop()


def _measure(server: sshd.Server, folder: Path) -> list[Ratio]:
    host = server.host(folder / "root")
    # OpenSSH's side keeps its connection open too.
    shared = ("-o", f"ControlPath={folder}/control")
    master = subprocess.Popen(server.command("ssh", *shared, "-o", "ControlMaster=yes", "-N", "127.0.0.1"))
    try:
        wait_for((folder / "control").exists, "OpenSSH's control socket")
        return [
            compare(
                "SSH: connection and a command : ssh",
                _connect_and_run(host),
                process(*server.command("ssh", "127.0.0.1", "true")),
                limit=1.0,
            ),
            compare(
                "SSH: a command : ssh over ControlMaster",
                lambda: host.run(["true"]),
                process(*server.command("ssh", *shared, "127.0.0.1", "true")),
                limit=1.0,
            ),
            *_large_files(server, host, folder, shared),
            _small_files(server, host, folder, shared),
        ]
    finally:
        host.close()
        master.terminate()
        master.wait()


def _connect_and_run(host: SSHHost) -> Callable[[], object]:
    def work() -> None:
        host.close()
        host.run(["true"])

    return work


def _large_files(server: sshd.Server, host: SSHHost, folder: Path, shared: tuple[str, ...]) -> list[Ratio]:
    big, theirs, back = folder / "big", folder / "theirs", folder / "back"
    big.write_bytes(os.urandom(BIG_BYTES))
    sha256 = hashlib.sha256(big.read_bytes()).hexdigest()
    remote = host.root / "big"

    def sftp(line: str) -> Callable[[], object]:
        command = server.command("sftp", "-q", *shared, "-b", "-", "127.0.0.1")
        return lambda: subprocess.run(command, input=line.encode(), check=True, stdout=subprocess.DEVNULL)

    # What sftp leaves to be written later would otherwise be written in our turn.
    return [
        compare(
            f"SSH: upload of {BIG_BYTES // 10**6} MB, hashed and synced : sftp put",
            lambda: host.upload(big, remote, sha256=sha256),
            sftp(f"put {big} {theirs}\n"),
            limit=SLOWEST_TRANSFER,
            before=os.sync,
        ),
        compare(
            f"SSH: download of {BIG_BYTES // 10**6} MB, hashed and synced : sftp get",
            lambda: host.download(PurePosixPath(big), back, sha256=sha256),
            sftp(f"get {big} {theirs}\n"),
            limit=SLOWEST_TRANSFER,
            before=os.sync,
        ),
    ]


def _small_files(server: sshd.Server, host: SSHHost, folder: Path, shared: tuple[str, ...]) -> Ratio:
    files = {f"{number % 20}/{number}": os.urandom(SMALL_BYTES) for number in range(SMALL_FILES)}
    source = folder / "small"
    for name, data in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(data)
    unpack = server.command("ssh", *shared, "127.0.0.1", f"mkdir -p {folder}/many && tar -x -C {folder}/many")

    def tar() -> None:
        with subprocess.Popen(["tar", "-c", "-C", str(source), "."], stdout=subprocess.PIPE) as packing:
            subprocess.run(unpack, stdin=packing.stdout, check=True)

    return compare(
        f"SSH: {SMALL_FILES:,} small files : tar | ssh tar",
        lambda: host.write_many(host.root / secrets.token_hex(4), files),
        tar,
        limit=1.5,
    )
