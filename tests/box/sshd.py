"""Debian's OpenSSH server for one test: own port, keys and configuration, in the foreground, ended by its pid."""

import contextlib
import functools
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import psutil

from cosmosq.hosts.link import Address, Link
from cosmosq.hosts.ssh import SSHHost
from tests.night import wait_for

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server")
RUN_FOLDER = Path("/run/sshd")

CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/authorized_keys"
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxSessions 100
MaxStartups 200:30:400
LogLevel VERBOSE
SetEnv HOME={folder}/home
Subsystem sftp {sftp}
{more}
"""


@functools.cache
def can_start() -> str | None:
    """Why no server can be started here; None if one can."""
    if SSHD is None:
        return "there is no sshd: install openssh-server"
    if shutil.which("ssh-keygen") is None:
        return "there is no ssh-keygen: install openssh-client"
    if os.getuid() == 0:
        try:
            RUN_FOLDER.mkdir(mode=0o755, exist_ok=True)
        except OSError as error:
            return f"{RUN_FOLDER} cannot be made: {error.strerror}"
    return None


def skip_reason() -> str | None:
    """Why tests with a server are left out here; in CI none is, and what is missing fails them."""
    return None if os.environ.get("CI") else can_start()


@dataclass
class Server:
    """An SSH server on 127.0.0.1 that lets `identity` in as the user who runs the tests."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def identity(self) -> Path:
        """The private key that it lets in."""
        return self.folder / "identity"

    @property
    def known_hosts(self) -> Path:
        """A file that knows its host key."""
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        """All that the server said."""
        return (self.folder / "log").read_text(errors="replace")

    @property
    def fingerprint(self) -> str:
        """Of its host key, as `ssh-keygen -l` prints it."""
        command = ["ssh-keygen", "-l", "-f", str(self.folder / "host_key.pub")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]

    @property
    def logins(self) -> int:
        """How often somebody was let in."""
        return self.log.count("Accepted publickey")

    def start(self) -> None:
        """Start it, once more after `stop`."""
        assert SSHD is not None
        with (self.folder / "log").open("ab") as log:
            command = [SSHD, "-D", "-e", "-f", str(self.folder / "config")]
            # A session of its own, so that an interrupt at the terminal ends the test first.
            self.processes.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True
                )
            )
        wait_for(lambda: is_open(self.port) or self.processes[-1].poll() is not None, "the SSH server")
        assert self.processes[-1].poll() is None, self.log

    def stop(self) -> None:
        """End it and its connections; what was detached from them lives on."""
        for process in self.processes:
            if process.poll() is None:
                # The listener first: it must not accept anybody meanwhile.
                connected = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                process.wait()
                for child in connected:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
        self.processes.clear()

    def freeze(self) -> None:
        """Stop answering, without a word: its connections stay as they are."""
        self._signal_connections(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        self._signal_connections(signal.SIGCONT)

    def _signal_connections(self, number: signal.Signals) -> None:
        for process in self.processes:
            for child in psutil.Process(process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.send_signal(number)

    def make_host_key(self) -> None:
        """Another host key, as a machine that was set up anew has; the known_hosts file is left as it is."""
        (self.folder / "host_key").unlink(missing_ok=True)
        make_key(self.folder / "host_key")

    def address(self, **other: object) -> Address:
        """Where it is, and how to log in."""
        known = {"host": "127.0.0.1", "port": self.port, "user": getpass.getuser(), "identity": str(self.identity)}
        return Address(**{**known, **other})  # type: ignore[arg-type]

    def link(self, *, patience_s: float = 20.0, **other: object) -> Link:
        """A connection to it."""
        return Link(self.address(**other), known_hosts=self.known_hosts, patience_s=patience_s)

    def host(self, root: Path, **other: object) -> SSHHost:
        """It as a host of cosmosq."""
        return SSHHost(name="box", link=self.link(**other), root=str(PurePosixPath(root)), python="python3")  # type: ignore[arg-type]

    def command(self, program: str, *more: str) -> list[str]:
        """OpenSSH's own `ssh` or `sftp` to it, without anything of the user's."""
        known = {"UserKnownHostsFile": self.known_hosts, "GlobalKnownHostsFile": "/dev/null"}
        options = {**known, "IdentityFile": self.identity, "IdentitiesOnly": "yes", "BatchMode": "yes"}
        told = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return [program, "-F", "none", "-P" if program == "sftp" else "-p", str(self.port), *told, *more]


def make_server(folder: Path, *, more: str = "") -> Server:
    """A started server, whose files lie in `folder`.

    Args:
        more: further lines of its configuration.
    """
    assert can_start() is None, can_start()
    # A home of its own: what lies in the user's, such as a slow .bashrc, is not ours to test.
    (folder / "home").mkdir(parents=True)
    server = Server(folder=folder, port=free_port())
    make_key(folder / "identity")
    server.make_host_key()
    shutil.copyfile(folder / "identity.pub", folder / "authorized_keys")
    public = " ".join((folder / "host_key.pub").read_text().split()[:2])
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public}\n")
    sftp = next((path for path in SFTP_SERVERS if Path(path).exists()), "internal-sftp")
    if knows("PerSourcePenalties=no"):
        # Later versions shut out an address that failed to log in, as our tests do on purpose.
        more += "\nPerSourcePenalties no"
    (folder / "config").write_text(CONFIG.format(port=server.port, folder=folder, sftp=sftp, more=more))
    server.start()
    return server


@functools.cache
def knows(setting: str) -> bool:
    """Whether this version of the server has a setting."""
    command = [str(SSHD), "-T", "-f", "/dev/null", "-o", setting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "Bad configuration option" not in done.stderr


def make_key(path: Path, *, passphrase: str = "") -> Path:
    """A new private key, and its public half beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def settings_of(server: Server, root: Path, port: int | None = None) -> dict[str, object]:
    """The `[hosts.NAME]` settings for a host on this server; `port` is that of a proxy before it."""
    at = server.address()
    return {
        "transport": "ssh",
        "address": at.host,
        "port": port or at.port,
        "user": at.user,
        "identity": at.identity,
        "root": str(root),
        "python": sys.executable,
    }
