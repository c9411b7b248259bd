"""One SSH connection, verified, watched and opened again; the only importer of Fabric and Paramiko."""

import errno
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fabric
import paramiko
from paramiko.ssh_exception import (
    AuthenticationException,
    BadHostKeyException,
    NoValidConnectionsError,
    PasswordRequiredException,
    SSHException,
)

from cosmosq.errors import Unreachable
from cosmosq.hosts.keys import HostKeyChanged, HostKeyUnknown

log = logging.getLogger(__name__)

T = TypeVar("T")

CONNECT_S = 15.0
CHANNEL_S = 20.0
KEEPALIVE_S = 15
WATCH_S = 8.0
"""Between two looks of the watchdog; with CHANNEL_S a dead peer is noticed within 30 s."""
LONGEST_PAUSE_S = 60.0
WINDOW_BYTES = 1 << 24
PACKET_BYTES = 1 << 15

_NETWORK_ERRORS = frozenset(
    getattr(errno, name)
    for name in ("ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH")
)


class LoginRefused(Unreachable):
    """The host is there but does not let us in."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a host is; what is None comes from `~/.ssh/config` or SSH's defaults."""

    host: str
    """Name, address, or alias of `~/.ssh/config`."""
    user: str | None = None
    port: int | None = None
    identity: str | None = None
    """Path of a private key."""


class Link:
    """The connection to one host, for one process; opened lazily, opened again after a loss."""

    def __init__(
        self, address: Address, *, known_hosts: Path, patience_s: float, give_up: threading.Event | None = None
    ) -> None:
        """
        Args:
            known_hosts: the workspace's own, beside the user's.
            patience_s: how long a lost link is opened again before `Unreachable` is raised.
            give_up: set to stop that at once.
        """
        self.address = address
        self._known_hosts = known_hosts
        self._patience_s = patience_s
        self._give_up = give_up or threading.Event()
        self._lock = threading.Lock()
        self._connection: fabric.Connection | None = None

    def do(self, work: Callable[[Any], T]) -> T:
        """Do something that may be repeated with the open connection, as often as the link is lost meanwhile.

        Raises:
            HostKeyUnknown, HostKeyChanged: at any hop; nothing was sent.
            LoginRefused: no key or password was accepted.
            Unreachable: the link stayed lost for as long as our patience lasts.
        """
        deadline = time.monotonic() + self._patience_s
        pauses = growing_pauses()
        while True:
            try:
                return work(self.connection())
            except Exception as error:
                if not self._is_loss(error):
                    raise
                self.close()
                pause = min(next(pauses), max(0.0, deadline - time.monotonic()))
                log.warning("link lost: %s: again in %.0f s", error, pause, extra={"host": self.address.host})
                if pause == 0.0 or self._give_up.wait(pause):
                    raise Unreachable(f"{self.address.host} cannot be reached ({error}): is it up?") from error

    def connection(self) -> Any:
        """The open connection."""
        with self._lock:
            if self._connection is None or not self._connection.is_connected:
                self._connection = self._open()
            return self._connection

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> fabric.Connection:
        connection = fabric.Connection(
            self.address.host,
            user=self.address.user,
            port=self.address.port,
            connect_timeout=CONNECT_S,
            connect_kwargs={
                "banner_timeout": CONNECT_S,
                "auth_timeout": CONNECT_S,
                "channel_timeout": CHANNEL_S,
                "transport_factory": _make_transport,
                **({"key_filename": str(Path(self.address.identity).expanduser())} if self.address.identity else {}),
            },
        )
        _verify_keys(connection, self._known_hosts)
        try:
            connection.open()
        except BadHostKeyException as error:
            raise HostKeyChanged(error.hostname, error.key.get_name(), error.key.asbytes()) from error
        except PasswordRequiredException as error:
            raise LoginRefused(
                f"the key for {self.address.host} is locked: load it with `ssh-add`, cosmosq stores no passphrase"
            ) from error
        except AuthenticationException as error:
            raise LoginRefused(
                f"{self.address.host} refused the login ({error}): check user and identity with `cosmosq host show`"
            ) from error
        connection.transport.set_keepalive(KEEPALIVE_S)
        watchdog = threading.Thread(target=_watch, args=(connection.transport,), name="watchdog", daemon=True)
        watchdog.start()
        return connection

    def _is_loss(self, error: Exception) -> bool:
        if isinstance(error, Unreachable):
            return False
        if isinstance(error, SSHException | EOFError | ConnectionError | TimeoutError | NoValidConnectionsError):
            return True
        if not isinstance(error, OSError):
            return False
        if isinstance(error, socket.gaierror) or error.errno in _NETWORK_ERRORS:
            return True
        # Paramiko says "Socket is closed" without a number, but also a failure of the disk behind SFTP.
        return error.errno is None and "closed" in str(error)


def growing_pauses() -> Iterator[float]:
    """1, 2, 4, … seconds, at most a minute."""
    pause = 1.0
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE_S)


class _Refuse(paramiko.MissingHostKeyPolicy):
    """Fabric would add any key; here an unknown one ends the connection before anything is sent."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise HostKeyUnknown(hostname, key.get_name(), key.asbytes())


def _verify_keys(connection: fabric.Connection, known_hosts: Path) -> None:
    """At every hop."""
    client = connection.client
    client.load_system_host_keys()
    if known_hosts.is_file():
        client.load_host_keys(str(known_hosts))
    client.set_missing_host_key_policy(_Refuse())
    if isinstance(connection.gateway, fabric.Connection):
        _verify_keys(connection.gateway, known_hosts)


def _make_transport(sock: Any, **options: Any) -> paramiko.Transport:
    if isinstance(sock, socket.socket):
        # Without it each small request waits for the reply to the one before: 48 ms instead of 3.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return paramiko.Transport(sock, default_window_size=WINDOW_BYTES, default_max_packet_size=PACKET_BYTES, **options)


def _watch(transport: paramiko.Transport) -> None:
    """Close the transport of a peer that answers no more: Paramiko's keepalive sends but does not listen."""
    while transport.is_active():
        time.sleep(WATCH_S)
        try:
            transport.open_session(timeout=CHANNEL_S).close()
        except (SSHException, EOFError, OSError) as error:
            log.info("watchdog: %s", error)
            transport.close()
