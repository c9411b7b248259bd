"""GPU machines: one contract, real implementations."""

import threading
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cosmosq.config import HostConfig
from cosmosq.hosts.host import Completed, Host
from cosmosq.hosts.keys import Keyring
from cosmosq.paths import Workspace

if TYPE_CHECKING:
    from cosmosq.hosts.link import Link

__all__ = ["Completed", "Host", "Keyring", "open_host", "unlock"]

PATIENCE_S = 7 * 24 * 3600.0
"""A worker waits for a lost link for days; what runs on the box does not need us."""


def open_host(
    config: HostConfig,
    workspace: Workspace,
    *,
    patience_s: float = 20.0,
    give_up: threading.Event | None = None,
    keyring: Keyring | None = None,
) -> Host:
    """The host that the configuration describes; nothing is contacted yet.

    Args:
        config: its `[hosts.NAME]` table.
        patience_s: how long a lost link is opened again.
        give_up: set to stop that at once.
        keyring: asks for passphrases; None if there is nobody to ask.
    """
    if config.transport == "ssh":
        # Fabric takes longer to import than most commands to run.
        from cosmosq.hosts.ssh import SSHHost

        link = _link(config, workspace, patience_s=patience_s, give_up=give_up, keyring=keyring)
        # The configured one may be the image's.
        plain = "python3" if config.container_command else ""
        root = config.root or "cosmosq"
        return SSHHost(name=config.name, link=link, root=root, python=config.python, takes_files=plain)
    from cosmosq.hosts.local import LocalHost

    folder = Path(config.root).expanduser().absolute() if config.root else workspace.host_path(config.name)
    return LocalHost(name=config.name, root=PurePosixPath(folder.as_posix()), python=config.python)


def unlock(config: HostConfig, workspace: Workspace, keyring: Keyring) -> None:
    """Have the passphrases that a host needs asked for now, before the person turns to something else.

    Raises:
        Unreachable: they are not known, or the host refuses us.
    """
    if config.transport == "ssh":
        _link(config, workspace, patience_s=0.0, give_up=None, keyring=keyring).unlock()


def _link(
    config: HostConfig,
    workspace: Workspace,
    *,
    patience_s: float,
    give_up: threading.Event | None,
    keyring: Keyring | None,
) -> "Link":
    from cosmosq.hosts.link import Address, Link

    address = Address(
        host=config.address, user=config.user or None, port=config.port or None, identity=config.identity or None
    )
    return Link(
        address, known_hosts=workspace.known_hosts_path, patience_s=patience_s, give_up=give_up, keyring=keyring
    )
