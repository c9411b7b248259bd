"""GPU machines: one contract, real implementations."""

import threading
from pathlib import Path, PurePosixPath

from cosmosq.config import HostConfig
from cosmosq.hosts.host import Completed, Host
from cosmosq.paths import Workspace

__all__ = ["Completed", "Host", "open_host"]

PATIENCE_S = 7 * 24 * 3600.0
"""A worker waits for a lost link for days; what runs on the box does not need us."""


def open_host(
    config: HostConfig,
    workspace: Workspace,
    *,
    patience_s: float = 20.0,
    give_up: threading.Event | None = None,
) -> Host:
    """The host that the configuration describes; nothing is contacted yet.

    Args:
        config: its `[hosts.NAME]` table.
        patience_s: how long a lost link is opened again.
        give_up: set to stop that at once.
    """
    if config.transport == "ssh":
        # Fabric takes longer to import than most commands to run.
        from cosmosq.hosts.link import Address, Link
        from cosmosq.hosts.ssh import SSHHost

        address = Address(
            host=config.address, user=config.user or None, port=config.port or None, identity=config.identity or None
        )
        link = Link(address, known_hosts=workspace.known_hosts_path, patience_s=patience_s, give_up=give_up)
        return SSHHost(name=config.name, link=link, root=config.root or "cosmosq", python=config.python)
    from cosmosq.hosts.local import LocalHost

    root = Path(config.root).expanduser().absolute() if config.root else workspace.host_path(config.name)
    return LocalHost(name=config.name, root=PurePosixPath(root.as_posix()), python=config.python)
