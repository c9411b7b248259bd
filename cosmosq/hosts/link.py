"""One SSH connection, verified, watched and opened again; the only importer of Fabric."""

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
    BadHostKeyException,
    NoValidConnectionsError,
    SSHException,
)

from cosmosq.errors import Unreachable
from cosmosq.hosts.keys import HostKeyChanged, HostKeyUnknown, Keyring
from cosmosq.hosts.ssh_transport import ANSWER_S, WATCH_S, keep_up, make_transport, watch

log = logging.getLogger(__name__)

# Paramiko logs the tracebacks of what it raises as well.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

T = TypeVar("T")

CONNECT_S = 15.0
CHANNEL_S = 20.0
LONGEST_PAUSE_S = 60.0
DEFAULT_KEYS = ("~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519")
_NETWORK_ERRORS = frozenset(
    getattr(errno, name)
    for name in ("ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "EPIPE", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH")
)


class LoginRefused(Unreachable):
    """The host is there but does not let us in."""


class KeyLocked(LoginRefused):
    """The key has a passphrase that nobody told: load it with `ssh-add`, or be at a terminal."""

    def __init__(self, host: str, names: list[str]) -> None:
        self.names = names
        super().__init__(f"the key for {host} is locked: load it with `ssh-add`, cosmosq stores no passphrase")


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
        self,
        address: Address,
        *,
        known_hosts: Path,
        patience_s: float,
        give_up: threading.Event | None = None,
        keyring: Keyring | None = None,
        watch_s: float | None = None,
        answer_s: float | None = None,
    ) -> None:
        """
        Args:
            known_hosts: the workspace's own, beside the user's.
            patience_s: how long a lost link is opened again before `Unreachable` is raised.
            give_up: set to stop that at once.
            keyring: asks for the passphrases of keys; None if there is nobody to ask.
            watch_s: seconds between two looks at whether the peer is alive; WATCH_S by default.
            answer_s: seconds that it may take to answer; ANSWER_S by default.
        """
        self.address = address
        self._known_hosts = known_hosts
        self._patience_s = patience_s
        self._give_up = give_up or threading.Event()
        self._keyring = keyring
        self._watch_s, self._answer_s = watch_s or WATCH_S, answer_s or ANSWER_S
        self._lock = threading.Lock()
        self._connection: fabric.Connection | None = None

    def do(self, work: Callable[[Any], T]) -> T:
        """Do something that may be repeated with the open connection, as often as the link is lost meanwhile.

        Raises:
            HostKeyUnknown, HostKeyChanged: at any hop; nothing was sent.
            LoginRefused: no key or password was accepted.
            Unreachable: the link stayed lost for as long as our patience lasts.
        """
        pauses, deadline = growing_pauses(), None
        while True:
            began = time.monotonic()
            connection = None
            try:
                connection = self.connection()
                return work(connection)
            except Exception as error:
                if not self._is_loss(error):
                    raise
                self._drop(connection)
                now = time.monotonic()
                # What lasted so long was work on a link that was well: the patience begins anew.
                if deadline is None or now - began > LONGEST_PAUSE_S:
                    pauses, deadline = growing_pauses(), now + self._patience_s
                pause = min(next(pauses), max(0.0, deadline - now))
                if pause == 0.0 or self._give_up.is_set():
                    raise self._unreachable(error) from error
                log.warning("link lost: %s: again in %.0f s", error, pause, extra={"host": self.address.host})
                if self._give_up.wait(pause):
                    raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        # Paramiko's own has no number and says so: [Errno None].
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Unreachable(f"{self.address.host} cannot be reached ({reason}): is it up?")

    def connection(self) -> Any:
        """The open connection."""
        with self._lock:
            if self._connection is None or not self._connection.is_connected:
                self._close(self._connection)
                self._connection = None
                self._connection = self._open()
            return self._connection

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        self._drop(self._connection)

    def _drop(self, connection: Any) -> None:
        """Close this one, and not the one that another thread has opened in its place meanwhile."""
        with self._lock:
            if connection is not None and connection is self._connection:
                self._connection = None
                self._close(connection)

    def _close(self, connection: Any) -> None:
        for hop in _hops(connection):
            # The transport first: closing a file or channel politely would wait for a peer that may be dead.
            hop.client.close()
        for hop in _hops(connection):
            hop.close()

    def unlock(self) -> None:
        """Have a passphrase that is needed asked for now, even if the host cannot be reached.

        Raises:
            KeyLocked: nobody knew it.
        """
        locked = [name for hop in _hops(self._prepared()) for name in self._locked(hop)]
        if not locked:
            return
        try:
            # An agent may have the key, and then nobody need be asked.
            self.connection()
        except Exception as error:
            if not self._is_loss(error):
                raise
            if not all(self._ask(name) for name in locked):
                raise KeyLocked(self.address.host, locked) from error
        finally:
            self.close()

    def _open(self) -> fabric.Connection:
        while True:
            try:
                return self._open_once()
            except KeyLocked as locked:
                # One after the other, until one lets us in.
                if not any(self._ask(name) for name in locked.names):
                    raise

    def _ask(self, name: str) -> bool:
        return self._keyring is not None and self._keyring.unlock(name, _load)

    def _locked(self, hop: fabric.Connection) -> list[str]:
        return [name for name in _keys_of(hop) if self._unlocked(name) is None and _is_locked(name)]

    def _unlocked(self, name: str) -> Any:
        return self._keyring.get(name) if self._keyring else None

    def _prepared(self) -> fabric.Connection:
        connection = fabric.Connection(
            self.address.host,
            user=self.address.user,
            port=self.address.port,
            connect_timeout=CONNECT_S,
            connect_kwargs={"key_filename": self._identity()} if self.address.identity else {},
        )
        for hop in _hops(connection):
            _prepare(hop, self._known_hosts)
            if unlocked := [key for name in _keys_of(hop) if (key := self._unlocked(name)) is not None]:
                # Those before it were refused.
                hop.connect_kwargs["pkey"] = unlocked[-1]
        return connection

    def _open_once(self) -> fabric.Connection:
        connection = self._prepared()
        try:
            connection.open()
        except BaseException as error:
            refused = self._refusal(connection, error)
            self._close(connection)
            if refused is not None:
                raise refused from error
            raise
        for hop in _hops(connection):
            keep_up(hop.transport)
        watch(connection.transport, self._watch_s, self._answer_s)
        return connection

    def _identity(self) -> list[str]:
        path = Path(self.address.identity or "").expanduser()
        if not path.is_file():
            raise LoginRefused(f"the key {path} for {self.address.host} is missing: check identity in cosmosq.toml")
        return [str(path)]

    def _refusal(self, connection: fabric.Connection, error: BaseException) -> Unreachable | None:
        """What an error of opening means when it is an answer of the peer, not a loss of the link."""
        if isinstance(error, BadHostKeyException):
            return HostKeyChanged(error.hostname, error.key.get_name(), error.key.asbytes())
        if not isinstance(error, SSHException) or str(error) == "Authentication timeout.":
            return None
        for hop in _hops(connection):
            transport = hop.client.get_transport()
            # Whatever Paramiko says: it says about an RSA key that was refused that it is no EC key.
            if transport is None or not transport.is_active() or not transport.initial_kex_done:
                continue
            if not transport.is_authenticated():
                if locked := self._locked(hop):
                    return KeyLocked(hop.host, locked)
                return LoginRefused(
                    f"{hop.host} refused the login of {hop.user}: check user and identity in cosmosq.toml or "
                    "~/.ssh/config, and authorized_keys on the box"
                )
        return None

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


def _hops(connection: fabric.Connection | None) -> Iterator[fabric.Connection]:
    """The connection and the ones that it goes through, the last hop first."""
    while isinstance(connection, fabric.Connection):
        yield connection
        connection = connection.gateway


def _prepare(hop: fabric.Connection, known_hosts: Path) -> None:
    """What Fabric leaves out, at every hop: host keys, timeouts, and keys that are not there."""
    client = hop.client
    client.load_system_host_keys()
    if known_hosts.is_file():
        client.load_host_keys(str(known_hosts))
    client.set_missing_host_key_policy(_Refuse())
    if hop.connect_timeout is None:
        hop.connect_timeout = int(CONNECT_S)
    hop.connect_kwargs.update(
        banner_timeout=CONNECT_S,
        auth_timeout=CONNECT_S,
        channel_timeout=CHANNEL_S,
        transport_factory=make_transport,
        # OpenSSH passes over an IdentityFile that is missing; Paramiko stumbles.
        key_filename=[name for name in _keys_of(hop) if Path(name).is_file()],
    )


def _keys_of(hop: fabric.Connection) -> list[str]:
    """Files of the keys that are meant for a hop, or else those that everybody has, in ssh's order."""
    named = hop.connect_kwargs.get("key_filename") or DEFAULT_KEYS
    return [str(Path(name).expanduser()) for name in named]


def _load(name: str, passphrase: bytes | None) -> paramiko.PKey | None:
    """The key of a file; None if that is not its passphrase."""
    try:
        return paramiko.PKey.from_path(name, passphrase)  # type: ignore[arg-type]
    except (SSHException, OSError, ValueError):
        return None


def _is_locked(name: str) -> bool:
    try:
        _load(name, None)
    except TypeError:
        # What the cryptography library says when it misses a password.
        return True
    return False
