"""Meeting a host for the first time: each key that nobody knows is shown and agreed to, or nothing is kept."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from cosmosq.config import HostConfig
from cosmosq.hosts import Keyring, open_host
from cosmosq.hosts.keys import HostKeyUnknown, accept
from cosmosq.paths import Workspace


def introduce(
    config: HostConfig,
    workspace: Workspace,
    agree: Callable[[HostKeyUnknown], bool],
    keyring: Keyring | None = None,
) -> list[HostKeyUnknown]:
    """Log in to a host, and return the keys that were agreed to on the way, one a hop.

    Nothing is written in the workspace; `keys.accept` records what is returned.

    Raises:
        HostKeyUnknown: not agreed to.
        Unreachable: the host is not there, shows another key than the known one, or refuses the login.
    """
    with tempfile.TemporaryDirectory(prefix="cosmosq-") as folder:
        rehearsal = Workspace(root=Path(folder))
        rehearsal.folder.mkdir()
        if workspace.known_hosts_path.is_file():
            shutil.copyfile(workspace.known_hosts_path, rehearsal.known_hosts_path)
        agreed: list[HostKeyUnknown] = []
        while (unknown := _meet(config, rehearsal, keyring)) is not None:
            # A host that shows another key each time would never end.
            if unknown.host in {known.host for known in agreed} or not agree(unknown):
                raise unknown
            accept(rehearsal.known_hosts_path, unknown)
            agreed.append(unknown)
        return agreed


def _meet(config: HostConfig, workspace: Workspace, keyring: Keyring | None) -> HostKeyUnknown | None:
    """Log in; the key that stands in the way."""
    host = open_host(config, workspace, patience_s=0.0, keyring=keyring)
    try:
        host.run(["true"])
    except HostKeyUnknown as unknown:
        return unknown
    finally:
        host.close()
    return None
