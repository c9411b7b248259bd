"""Which machine is at the other end: host keys, known and refused."""

import base64
import hashlib
from pathlib import Path

from cosmosq.errors import Unreachable
from cosmosq.files import writing


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
