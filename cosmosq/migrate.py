"""Bringing a ledger to this version's schema; the only importer of Alembic."""

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from cosmosq.errors import InvalidInput, InvalidLedger
from cosmosq.files import part_of, publish, refusal, writing
from cosmosq.models import REVISION, Base, load_all
from cosmosq.revision import revision_of


def upgrade(path: Path, *, backups: Path) -> Path | None:
    """Upgrade the ledger at `path`, after a backup if it holds rows; returns the backup's path.

    Raises:
        InvalidLedger: the ledger is from a newer cosmosq, or rows would lose their references.
    """
    revision = revision_of(path)
    if revision == REVISION:
        return None
    with as_file(files("cosmosq.migrations")) as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        _refuse_unknown(path, revision, config)
        backup = back_up(path, backups) if revision is not None else None
        engine = _create_engine(path)
        try:
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                    raise InvalidLedger(f"the upgrade of {path} would break {len(broken)} references: please report it")
        except OperationalError as error:
            raise refusal(path, str(error.orig)) or error from error
        finally:
            engine.dispose()
    return backup


def _create_engine(path: Path) -> Engine:
    # No foreign keys here: batch mode rebuilds tables, and dropping the old one would delete children.
    engine = create_engine(URL.create("sqlite", database=str(path)))
    # pysqlite begins no transaction before DDL by itself: an upgrade that broke off would stay half done.
    event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _refuse_unknown(path: Path, revision: str | None, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision is not None and revision not in known:
        raise InvalidLedger(f"{path} is from a newer cosmosq (revision {revision}): upgrade cosmosq and repeat")


def create(path: Path) -> None:
    """Make an empty ledger with the current schema."""
    with writing(path):
        path.touch(mode=0o600, exist_ok=True)
    upgrade(path, backups=path.parent / "backups")


def differences(path: Path) -> list[str]:
    """What tells the ledger's schema from the models; empty when they are equal."""
    load_all()
    engine = create_engine(URL.create("sqlite", database=str(path)))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        found = [repr(difference) for difference in compare_metadata(context, Base.metadata)]
    engine.dispose()
    return found


def problems(path: Path) -> list[str]:
    """What is wrong with the ledger: its pages, its references, its schema; empty when all is in order."""
    with closing(sqlite3.connect(path)) as connection:
        pages = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        references = [f"broken reference in {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")]
    return pages + references + differences(path)


def back_up(path: Path, backups: Path) -> Path:
    """Copy the ledger as it is now, writers or not, and return the copy's path."""
    with writing(backups):
        backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = backups / f"ledger-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.db"
    copy_to(path, target)
    return target


def copy_to(path: Path, target: Path) -> None:
    """Copy the ledger likewise to a file that is not there yet; it takes its place when it is whole and checked.

    Raises:
        InvalidInput: the file is there.
        InvalidLedger: the copy is damaged, as the ledger must be.
        StorageFailed: it cannot be written.
    """
    part = part_of(target)
    try:
        with writing(target):
            if target.exists() or target.is_symlink():
                raise InvalidInput(f"{target} is there already: name another file, or move that one away")
            part.unlink(missing_ok=True)
            part.touch(mode=0o600)
            with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
                source.backup(copy)
                if (found := copy.execute("PRAGMA integrity_check").fetchone()) != ("ok",):
                    raise InvalidLedger(f"{path} is damaged ({found[0]}): restore a copy from .cosmosq/backups")
            publish(part, target)
    finally:
        with suppress(OSError):
            part.unlink()
