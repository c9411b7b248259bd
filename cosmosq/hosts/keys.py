"""Which machine is at the other end, and who we are: host keys, known and refused, and our own, unlocked."""

import base64
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cosmosq.errors import Unreachable
from cosmosq.files import writing

PASSPHRASES = 3
"""How often a passphrase may be wrong; as many as ssh allows."""


class HostKeyUnknown(Unreachable):
    """The host's key is in no known_hosts file: compare the fingerprint out of band, then accept it."""

    def __init__(self, host: str, kind: str, key: bytes) -> None:
        self.host, self.kind, self.key = host, kind, key
        super().__init__(
            f"the host key of {host} is unknown ({kind} {fingerprint(key)}): compare it with the box, "
            "then accept it with `cosmosq host add … --accept-key`"
        )

    @property
    def line(self) -> str:
        """The line of a known_hosts file that would make it known."""
        return f"{self.host} {self.kind} {base64.b64encode(self.key).decode()}"


class HostKeyChanged(Unreachable):
    """The host's key is not the one that is known: another machine, or someone in between."""

    def __init__(self, host: str, kind: str, key: bytes) -> None:
        super().__init__(
            f"the host key of {host} has CHANGED (now {kind} {fingerprint(key)}): ask why; if it is meant to be, "
            "remove the old line from ~/.ssh/known_hosts or .cosmosq/known_hosts"
        )


def fingerprint(key: bytes) -> str:
    """As `ssh-keygen -l` prints it: `SHA256:…`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def accept(known_hosts: Path, unknown: HostKeyUnknown) -> None:
    """Make a key known from now on."""
    with writing(known_hosts):
        known_hosts.parent.mkdir(parents=True, exist_ok=True)
        with known_hosts.open("a", encoding="ascii") as stream:
            stream.write(unknown.line + "\n")


class Keyring:
    """Private keys that a person has unlocked, for this process alone; their passphrases are not kept."""

    def __init__(self, ask: Callable[[str], str]) -> None:
        """
        Args:
            ask: asks a person for the passphrase of the key in a file; empty if they have none to give.
        """
        self._ask: Callable[[str], str] | None = ask
        self._keys: dict[str, Any] = {}
        # Two questions at once could not be told apart.
        self._asking = threading.Lock()

    def get(self, path: str) -> Any:
        """The unlocked key; None if it has not been unlocked."""
        return self._keys.get(path)

    def unlock(self, path: str, load: Callable[[str, bytes], Any]) -> bool:
        """Ask for the passphrase of a key; returns whether the key is unlocked now.

        Args:
            load: the key of a file and a passphrase; None if that is wrong.
        """
        with self._asking:
            for _ in range(PASSPHRASES):
                if path in self._keys or self._ask is None or not (told := self._ask(path)):
                    break
                if (key := load(path, told.encode())) is not None:
                    self._keys[path] = key
            return path in self._keys

    def ask_no_more(self) -> None:
        """From now on nobody is there to answer."""
        self._ask = None
