"""`cosmosq host add`: where a host is, and which key it shows."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.host_view import as_object
from cosmosq.cli.options import OBJECT
from cosmosq.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from cosmosq.hosts.keys import HostKeyUnknown


@click.command()
@click.argument("name")
@click.argument("target", metavar="USER@ADDRESS[:PORT]")
@click.option("--identity", metavar="FILE", shell_complete=suggest.files, help="The private key to log in with.")
@click.option(
    "--engine",
    metavar="ENGINE",
    shell_complete=suggest.engines,
    help="simulated or cosmos_transfer1; by default the latter where --checkout is given.",
)
@click.option("--checkout", metavar="PATH", help="The cosmos-transfer1 checkout on the host.")
@click.option("--root", metavar="PATH", help="The folder on the host for everything of cosmosq; by default ~/cosmosq.")
@click.option("--python", metavar="PATH", help="The Python on the host that has the engine's packages.")
@click.option("--container", metavar="PROGRAM", help="docker, podman or the like; by default none.")
@click.option("--image", metavar="IMAGE", help="The container's image.")
@click.option("--accept-key", is_flag=True, help="Agree to unknown host keys without being asked.")
@OBJECT
@click.pass_obj
def add(
    app: App,
    name: str,
    target: str,
    identity: str | None,
    engine: str | None,
    checkout: str | None,
    root: str | None,
    python: str | None,
    container: str | None,
    image: str | None,
    accept_key: bool,
    as_json: bool,
) -> None:
    """Add host NAME over SSH to cosmosq.toml.

    The host is logged in to at once. A host key that nobody knows yet is shown, also that of a host on the way, and
    recorded in the workspace if you agree. If anything fails or is refused, nothing is written.
    """
    from cosmosq import hostfile
    from cosmosq.hosts.keys import accept
    from cosmosq.introduction import introduce

    user, address, port = parse_target(target)
    values = {
        "transport": "ssh",
        "address": address,
        "user": user,
        "port": port,
        "identity": _identity(identity),
        "engine": engine or ("cosmos_transfer1" if checkout else "simulated"),
        "checkout": checkout,
        "root": root,
        "python": python,
        "container": container,
        "image": image,
    }
    told = {key: value for key, value in values.items() if value is not None}
    edit = hostfile.adding(app.workspace.config_path, name, told)
    config = edit.config.host(name)
    for unknown in introduce(config, app.workspace, _agreement(accept_key), app.keyring):
        accept(app.workspace.known_hosts_path, unknown)
    edit.write()
    output.say(f"host {name} is in {edit.path}: next, `cosmosq host check {name}`")
    if as_json:
        output.emit_json(as_object(edit.config, config))


def parse_target(target: str) -> tuple[str | None, str, int | None]:
    """User, address and port of `user@address:port`; an IPv6 address with a port stands in brackets.

    Raises:
        InvalidInput: it is written otherwise.
    """
    user, at, place = target.rpartition("@")
    bracketed = re.fullmatch(r"\[([^\[\]]+)\](?::(\d+))?", place)
    if bracketed or place.count(":") > 1:
        address, port = bracketed.groups() if bracketed else (place, None)
    else:
        address, _, after = place.partition(":")
        port = after if place != address else None
    wrong = not address or (at and not user) or not (user + address).isprintable() or " " in user + address
    if wrong or address.startswith("-") or user.startswith("-"):
        raise InvalidInput(f"{target!r} is no place: write user@address or user@address:port")
    if port is not None and not (port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise InvalidInput(f"{port or 'nothing'} is no port: give 1 to 65535 behind the colon")
    return user or None, address, None if port is None else int(port)


def _identity(path: str | None) -> str | None:
    """Absolute, since cosmosq is called from other folders too."""
    if path is None:
        return None
    found = Path(path).expanduser().absolute()
    if not found.is_file():
        raise NotFound(f"no such file: {path}")
    return os.fspath(found)


def _agreement(accept_key: bool) -> "Callable[[HostKeyUnknown], bool]":
    from cosmosq.hosts.keys import fingerprint

    def agree(unknown: "HostKeyUnknown") -> bool:
        if not accept_key and not output.has_terminal():
            return False
        output.say(f"{unknown.host} has the {unknown.kind} key {fingerprint(unknown.key)}, which is not known here.")
        return accept_key or output.agrees("Is it the one that the box itself shows? Record it")

    return agree
