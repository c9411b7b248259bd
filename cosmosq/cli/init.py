"""`cosmosq init`."""

from pathlib import Path

import click

from cosmosq.cli import output
from cosmosq.cli.options import OBJECT
from cosmosq.errors import InvalidInput
from cosmosq.paths import Workspace


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]", default=".")
@OBJECT
def init(directory: Path, as_json: bool) -> None:
    """Make a workspace.

    DIR (by default the current one) gets `cosmosq.toml` and `.cosmosq/`. The settings it writes have a host
    `sim`: the simulated engine on this machine.
    """
    workspace = create(directory)
    if as_json:
        output.emit_json({"workspace": str(workspace.root)})
        return
    output.say(f"workspace {workspace.root}: next, `cosmosq clip add`, `prompt add`, `enqueue` and `worker`")


def create(directory: Path, settings: str | None = None) -> Workspace:
    """Make a workspace; nothing that is there already is touched.

    Raises:
        InvalidInput: it is one already.
        StorageFailed: it cannot be written.
    """
    from cosmosq import migrate
    from cosmosq.files import write_whole, writing
    from cosmosq.queue import Queue
    from cosmosq.template import TEMPLATE

    workspace = Workspace(root=directory.absolute())
    if workspace.config_path.exists():
        raise InvalidInput(f"{workspace.root} is a workspace already: edit its cosmosq.toml")
    with writing(workspace.root):
        workspace.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        workspace.folder.chmod(0o700)
    if not workspace.ledger_path.exists():
        migrate.create(workspace.ledger_path)
    Queue(workspace.queue_path).close()
    # Last: a folder without its settings is no workspace yet.
    write_whole(workspace.config_path, (settings or TEMPLATE).encode())
    return workspace
