"""Which schema a ledger file has, told without importing what would read it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from cosmosq.errors import InvalidLedger, NotFound
from cosmosq.files import refusal

REVISION = "0013"
"""The Alembic revision that the models equal; a ledger of another one is upgraded or refused."""


def revision_of(path: Path) -> str | None:
    """The schema revision of the ledger at `path`; None for an empty file.

    Raises:
        NotFound: there is no file.
        InvalidLedger: the file is not a ledger, or is damaged.
    """
    if not path.is_file():
        raise NotFound(f"no ledger at {path}: create the workspace with `cosmosq init`")
    try:
        with closing(sqlite3.connect(path)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if not tables:
                return None
            if "alembic_version" not in tables:
                raise InvalidLedger(f"{path} is a database but no ledger: move it away or restore a backup")
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
    except sqlite3.DatabaseError as error:
        if refused := refusal(path, str(error)):
            raise refused from error
        raise InvalidLedger(f"{path} is no ledger ({error}): restore one from .cosmosq/backups") from error
