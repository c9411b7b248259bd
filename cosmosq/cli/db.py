"""`cosmosq db`: the ledger's schema and backups."""

from pathlib import Path

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import OBJECT
from cosmosq.cli.parsing import CommandGroup


@click.group(cls=CommandGroup)
def db() -> None:
    """Look after the ledger."""


@db.command()
@OBJECT
@click.pass_obj
def upgrade(app: App, as_json: bool) -> None:
    """Bring the ledger to this version's schema, after a backup if it holds rows."""
    from cosmosq import migrate

    backup = migrate.upgrade(app.workspace.ledger_path, backups=app.workspace.backups_path)
    if as_json:
        output.emit_json({"path": str(app.workspace.ledger_path), "backup": str(backup) if backup else None})
        return
    if backup is not None:
        output.say(f"backup: {backup}")
    output.say("the ledger is up to date")


@db.command()
@OBJECT
@click.pass_obj
def check(app: App, as_json: bool) -> None:
    """Check the ledger: SQLite's own check, references, and the schema against the models."""
    from cosmosq import migrate
    from cosmosq.errors import InvalidLedger

    problems = migrate.problems(app.ledger.path)
    if as_json:
        output.emit_json({"path": str(app.ledger.path), "ok": not problems, "problems": problems})
    if problems:
        raise InvalidLedger(f"{app.ledger.path}: {problems[0]}: restore a copy from .cosmosq/backups")
    if not as_json:
        output.say("the ledger is in order")


@db.command()
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@OBJECT
@click.pass_obj
def backup(app: App, file: Path | None, as_json: bool) -> None:
    """Copy the ledger to FILE, also while a worker writes.

    By default to a new file in `.cosmosq/backups`. The copy is checked before it is there; no file is overwritten.
    """
    from cosmosq import migrate

    if file is None:
        path = migrate.back_up(app.ledger.path, app.workspace.backups_path)
    else:
        path = file.absolute()
        migrate.copy_to(app.ledger.path, path)
    if as_json:
        output.emit_json({"path": str(path)})
    else:
        output.emit(str(path))
