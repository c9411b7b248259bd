"""`cosmosq host`: the machines that make the videos."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.host_add import add
from cosmosq.cli.host_shell import shell
from cosmosq.cli.host_view import as_object, place_of, show_finding
from cosmosq.cli.options import ARRAY, OBJECT, name_argument
from cosmosq.cli.parsing import CommandGroup
from cosmosq.errors import HostFailed, InvalidInput, Unreachable

if TYPE_CHECKING:
    from cosmosq.session.site import Site


@click.group(cls=CommandGroup)
def host() -> None:
    """Look after the machines that work.

    Each is a [hosts.NAME] table of cosmosq.toml. Where NAME may be left out, it is the default host.
    """


host.add_command(add)


@host.command(name="list")
@ARRAY
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """List the hosts."""
    config = app.config
    if as_json:
        output.emit_json([as_object(config, each) for each in config.hosts.values()])
        return
    default = config.host()
    rows = [
        [each.name, place_of(each), each.engine, each.root, "default" if each is default else ""]
        for each in config.hosts.values()
    ]
    output.emit_table(["host", "where", "engine", "root", ""], rows)


@host.command()
@name_argument(suggest.hosts, required=False)
@OBJECT
@click.pass_obj
def show(app: App, name: str | None, as_json: bool) -> None:
    """Show the settings of host NAME, defaults included."""
    config = app.config.host(name)
    if as_json:
        output.emit_json(as_object(app.config, config))
    else:
        output.emit_fields(as_object(app.config, config))


@host.command()
@name_argument(suggest.hosts, required=False)
@OBJECT
@click.pass_obj
def check(app: App, name: str | None, as_json: bool) -> None:
    """Look whether host NAME can work, and say what helps where it cannot.

    Is it reachable, is its key known, does the login work; has it room, a GPU, the container, the engine's checkout
    and checkpoints, a Python with the packages; does its clock agree, and how fast is the way there.
    """
    from cosmosq.checks import ACCESS, examine
    from cosmosq.hosts import open_host

    config = app.config.host(name)
    opened = open_host(config, app.workspace, patience_s=0.0, keyring=app.keyring)
    findings = []
    try:
        for finding in examine(opened, config):
            findings.append(finding)
            if not as_json:
                show_finding(finding)
    finally:
        opened.close()
    wrong = [finding for finding in findings if finding.ok is False]
    if as_json:
        output.emit_json({"host": config.name, "ok": not wrong, "checks": [asdict(finding) for finding in findings]})
    if wrong:
        kind = Unreachable if wrong[0].check in ACCESS else HostFailed
        raise kind(f"{config.name} cannot work yet: {wrong[0].check}: {wrong[0].remedy}")


@host.command()
@name_argument(suggest.hosts)
@OBJECT
@click.pass_obj
def remove(app: App, name: str, as_json: bool) -> None:
    """Take host NAME out of cosmosq.toml.

    No job may wait for it or run there, and no session may be open. What lies on the host stays, and so does its key.
    """
    from cosmosq import hostfile

    edit = hostfile.removing(app.workspace.config_path, name)
    removed = as_object(app.config, app.config.host(name))
    _refuse_in_use(app, name)
    edit.write()
    if as_json:
        output.emit_json(removed)
    else:
        output.say(f"host {name} is removed from {app.workspace.config_path}")


def _refuse_in_use(app: App, name: str) -> None:
    from sqlalchemy import select

    from cosmosq.models import EngineSession
    from cosmosq.report import query
    from cosmosq.status import Status

    with app.ledger.read() as session:
        waiting = query.Filter(host=name, statuses=(Status.HELD, Status.QUEUED, Status.RUNNING))
        jobs = query.matching_ids(session, waiting)
        opened = select(EngineSession.id).where(EngineSession.host == name, EngineSession.end.is_(None))
        living = session.scalars(opened).first()
    if jobs:
        raise InvalidInput(f"job {jobs[0]} is for {name}: cancel or remove such jobs first")
    if living:
        raise InvalidInput(f"session {living} on {name} has no recorded end: run `cosmosq worker` there once more")


@host.command()
@name_argument(suggest.hosts, required=False)
@click.option("--all", "ended", is_flag=True, help="Also those that have ended.")
@ARRAY
@click.pass_obj
def sessions(app: App, name: str | None, ended: bool, as_json: bool) -> None:
    """List the sessions that live on host NAME, and whose they are."""
    from cosmosq.session import census

    with open_site(app, name) as site:
        residents = census.take(site, ended=ended)
    if as_json:
        output.emit_json([asdict(resident) for resident in residents])
        return
    rows = [[r.id, r.state, r.workspace, r.login, r.engine, " ".join(r.hints), r.started_at[:19]] for r in residents]
    output.emit_table(["session", "state", "workspace", "login", "engine", "hints", "started (UTC)"], rows)


@host.command()
@name_argument(suggest.hosts, required=False)
@ARRAY
@click.pass_obj
def clean(app: App, name: str | None, as_json: bool) -> None:
    """Remove this workspace's containers on host NAME whose session has ended.

    Those of other workspaces and of other people are never touched, nor are folders.
    """
    from cosmosq.session.container import sweep

    with open_site(app, name) as site:
        swept = sweep(site)
    if as_json:
        output.emit_json([asdict(each) for each in swept])
    else:
        output.say(f"{len(swept)} containers removed" + "".join(f"\n{each.container}" for each in swept))


host.add_command(shell)


@contextmanager
def open_site(app: App, name: str | None, *, patience_s: float = 20.0) -> "Iterator[Site]":
    """A host with all that its sessions need, for as long as a command looks at them."""
    from cosmosq.hosts import open_host
    from cosmosq.session.site import Site

    config = app.config.host(name)
    opened = open_host(config, app.workspace, patience_s=patience_s, keyring=app.keyring)
    try:
        yield Site(
            workspace=app.workspace,
            ledger=app.ledger,
            host=opened,
            config=config,
            settings=app.config,
            poll_s=1.0,
            abandoned=threading.Event(),
        )
    finally:
        opened.close()
