"""GPU machines: one contract, real implementations."""

from pathlib import Path, PurePosixPath

from cosmosq.config import HostConfig
from cosmosq.hosts.host import Completed, Host
from cosmosq.hosts.local import LocalHost

__all__ = ["Completed", "Host", "open_host"]


def open_host(config: HostConfig, default_root: Path) -> Host:
    """The host that the configuration describes; nothing is contacted yet.

    Args:
        config: its `[hosts.NAME]` table.
        default_root: where a local host works when it names no root of its own.
    """
    root = Path(config.root).expanduser().absolute() if config.root else default_root
    return LocalHost(name=config.name, root=PurePosixPath(root.as_posix()), python=config.python)
