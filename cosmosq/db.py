"""The ledger: a SQLite file, its connections and its transactions."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    URL,
    Boolean,
    ColumnElement,
    Connection,
    Engine,
    Table,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from cosmosq.errors import InvalidInput, InvalidLedger
from cosmosq.files import refusal
from cosmosq.models import REVISION, Base
from cosmosq.models.base import UtcDateTime
from cosmosq.revision import revision_of

BUSY_TIMEOUT_MS = 30_000


class Ledger:
    """Reads and writes in transactions of their own; a write takes the file's one write lock at its start."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = create_ledger_engine(path)
        self._writer = self.engine.execution_options(write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; changes made in it are not kept."""
        with storage_errors(self.path), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """All or nothing: committed at the end of the block, rolled back when it raises."""
        with (
            storage_errors(self.path),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def close(self) -> None:
        self.engine.dispose()


def insert_rows(session: Session, model: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert many rows with the same columns at once.

    The values go to the driver as they are stored: SQLAlchemy would look at each of them anew, for longer than SQLite
    takes to write them.
    """
    listed = list(rows)
    if not listed:
        return
    table = cast(Table, model.__table__)
    defaults = {c.name: c.default.arg for c in table.c if isinstance(c.default, ScalarElementColumnDefault)}
    names = list(dict.fromkeys((*defaults, *listed[0])))
    connection = session.connection()
    dialect = connection.dialect
    statement = insert(table).compile(dialect=dialect, column_keys=names)
    types = {name: table.c[name].type.dialect_impl(dialect) for name in names}
    stored = {
        # Of times and of yes and no there are few among rows that are made at once.
        name: lru_cache(process) if isinstance(type_, (UtcDateTime, Boolean)) else process
        for name, type_ in types.items()
        if (process := type_.bind_processor(dialect))
    }
    in_order = itemgetter(*(statement.positiontup or names))

    def as_stored(row: Mapping[str, Any]) -> Any:
        whole = {**defaults, **row}
        for name, process in stored.items():
            whole[name] = process(whole[name])
        return in_order(whole)

    session.flush()
    connection.exec_driver_sql(str(statement), list(map(as_stored, listed)))


def among(column: InstrumentedAttribute[str], texts: Iterable[str]) -> ColumnElement[bool]:
    """Whether a column has one of so many texts, as one parameter: one each takes longer than the search."""
    each = func.json_each(json.dumps(list(texts))).table_valued("value")
    return column.in_(select(each.c.value))


def add_rows(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Likewise, and return the ids that they got, in order.

    The transaction holds the file's write lock, so that the rows behind the newest one are these.
    """
    key = cast(Table, model.__table__).c.id
    newest = session.scalar(select(func.max(key))) or 0
    insert_rows(session, model, rows)
    return list(session.scalars(select(key).where(key > newest).order_by(key)))


def open_ledger(path: Path) -> Ledger:
    """The ledger at `path`, upgraded first if it is older than this version.

    Raises:
        NotFound: there is none.
        InvalidLedger: the file is not a ledger, is damaged, or is from a newer cosmosq.
    """
    revision = revision_of(path)
    if revision != REVISION:
        # Alembic takes longer to import than most commands to run.
        from cosmosq.migrate import upgrade

        upgrade(path, backups=path.parent / "backups")
    return Ledger(path)


def create_ledger_engine(path: Path) -> Engine:
    """An engine whose connections carry the pragmas and begin their transactions explicitly."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    # pysqlite's own transaction handling begins late and deferred: a read that
    # turns into a write would fail at once with "database is locked".
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # Each thread has a connection of its own: half of SQLite's own 2 MB is enough.
    connection.execute("PRAGMA cache_size = -1000")


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's refusals into one line with a remedy."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{error.object[:200]!a} is not valid UTF-8: write it as UTF-8") from error
    except OperationalError as error:
        if refused := refusal(path, str(error.orig)):
            raise refused from error
        raise
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise InvalidLedger(f"{path} is damaged ({error.orig}): restore one from .cosmosq/backups") from error
        raise
