"""`cosmosq host shell`: a person's own way to the host."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmosq.cli import suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import name_argument
from cosmosq.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from cosmosq.config import HostConfig


@click.command()
@name_argument(suggest.hosts, required=False)
@click.pass_obj
def shell(app: App, name: str | None) -> None:
    """Open a shell on host NAME with the system's ssh.

    Address, port, key and known host keys are those of cosmosq. An unknown host key is shown and asked about.
    """
    config = app.config.host(name)
    if config.transport == "local":
        raise InvalidInput(f"{config.name} is this machine: there is no way to it to open")
    program = shutil.which("ssh")
    if program is None:
        raise NotFound("there is no ssh on this machine: install OpenSSH's client")
    os.execv(program, ssh_command(config, app.workspace.known_hosts_path))


def ssh_command(config: "HostConfig", known_hosts: Path) -> list[str]:
    """The words of OpenSSH's client for a host."""
    # The workspace's file first: that is where ssh writes a key that a person says yes to.
    files = f"{_quoted(known_hosts)} ~/.ssh/known_hosts ~/.ssh/known_hosts2"
    argv = ["ssh", "-o", f"UserKnownHostsFile={files}", "-o", "StrictHostKeyChecking=ask"]
    if config.port:
        argv += ["-p", str(config.port)]
    if config.user:
        argv += ["-l", config.user]
    if config.identity:
        argv += ["-o", f"IdentityFile={_quoted(Path(config.identity).expanduser())}"]
    return [*argv, "--", config.address]


def _quoted(path: Path) -> str:
    """A path as ssh's settings have it: quotes around it, and no %-letters of theirs in it."""
    text = str(path).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
