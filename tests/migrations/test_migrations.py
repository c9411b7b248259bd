"""Upgrades: empty becomes what the models say, old files keep every row, and a broken upgrade changes nothing."""

import shutil
import sqlite3
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, insert, select
from sqlalchemy.types import JSON, Boolean, DateTime, Float, Integer

from cosmosq import migrate
from cosmosq.db import open_ledger
from cosmosq.engines.assignment import from_columns
from cosmosq.engines.engine import key_digest, session_key
from cosmosq.engines.parameters import HINTS
from cosmosq.errors import InvalidLedger
from cosmosq.models import REVISION, Job, ParameterSet
from cosmosq.revision import revision_of
from tests.acceptance.command_line import rows
from tests.ledger_rows import NOW


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _revisions() -> list[str]:
    """All revisions, oldest first."""
    with as_file(files("cosmosq.migrations")) as folder:
        found = ScriptDirectory.from_config(_config(Path(folder))).walk_revisions()
        return [script.revision for script in found][::-1]


REVISIONS = _revisions()


def _make(path: Path, revision: str) -> None:
    """An empty ledger of an older version."""
    path.touch()
    engine = create_engine(f"sqlite:///{path}")
    with as_file(files("cosmosq.migrations")) as folder, engine.begin() as connection:
        config = _config(Path(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def _fill(path: Path) -> None:
    """Two rows in every table, whatever its columns are, each referring to rows of its parents."""
    engine = create_engine(f"sqlite:///{path}")
    metadata = MetaData()
    metadata.reflect(engine)
    made: dict[str, list[dict[str, Any]]] = {}
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        for table in metadata.sorted_tables:
            if table.name != "alembic_version":
                made[table.name] = [_row(table, number, made) for number in (1, 2)]
                connection.execute(insert(table), made[table.name])
    engine.dispose()


def _row(table: Table, number: int, made: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        key = next(iter(column.foreign_keys), None)
        if key is not None:
            parents = made.get(key.column.table.name)
            row[column.name] = parents[number - 1][key.column.name] if parents else None
            continue
        kind = column.type
        value: Any = f"{column.name} {number} 🎬"
        if isinstance(kind, Boolean):
            value = number == 1
        elif isinstance(kind, Integer):
            value = number
        elif isinstance(kind, Float):
            value = number + 0.5
        elif isinstance(kind, DateTime):
            value = NOW.replace(tzinfo=None)
        elif isinstance(kind, JSON):
            value = {"n": number}
        row[column.name] = value
    return row


@pytest.fixture(params=REVISIONS)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A ledger of each version there was, with rows in every table."""
    path = tmp_path / "ledger.db"
    _make(path, request.param)
    _fill(path)
    return path


def test_the_newest_revision_is_the_one_that_the_models_equal() -> None:
    assert REVISIONS[-1] == REVISION
    assert len(set(REVISIONS)) == len(REVISIONS)


def test_upgrading_from_empty_equals_the_models(tmp_path: Path) -> None:
    migrate.create(tmp_path / "ledger.db")
    assert migrate.differences(tmp_path / "ledger.db") == []


def test_an_old_ledger_with_rows_loses_none(old: Path) -> None:
    revision, before = revision_of(old), rows(old)
    assert all(before.values()), "every table holds rows"
    open_ledger(old).close()
    after = rows(old)
    assert after.pop("alembic_version") == [(REVISION,)]
    assert migrate.problems(old) == []
    for name, found in before.items():
        if name in after:
            assert len(after[name]) == len(found), name
    if revision == REVISION:
        assert after == {name: found for name, found in before.items() if name != "alembic_version"}
    else:
        (backup,) = old.with_name("backups").iterdir()
        assert rows(backup) == before


def test_ids_and_the_order_of_an_index_outlive_every_upgrade(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE sqlite_sequence SET seq = 70 WHERE name = 'jobs'")
    open_ledger(old).close()
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").fetchall() == [(70,)]
        (index,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'ix_jobs_host_status_priority_position'"
        )
    assert "priority DESC" in index[0]


def test_the_jobs_of_an_old_ledger_get_the_key_that_new_ones_have(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    _make(path, "0002")
    _fill(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        plain = [*(f"{hint}_weight = 0" for hint in HINTS), *(f"{hint}_checkpoint = ''" for hint in HINTS)]
        connection.execute(f"UPDATE parameter_sets SET {', '.join(plain)}")  # noqa: S608
        sets = {1: "edge_weight = 0.5, vis_weight = 0.2", 2: "depth_weight = 1, depth_checkpoint = 'd.pt'"}
        for number, settings in sets.items():
            connection.execute(f"UPDATE parameter_sets SET {settings} WHERE id = {number}")  # noqa: S608
    ledger = open_ledger(path)
    with ledger.read() as session:
        for job in session.scalars(select(Job)):
            stored = session.get_one(ParameterSet, job.parameter_set_id)
            values = from_columns({c.name: getattr(stored, c.name) for c in ParameterSet.__table__.columns})
            assert job.session_key == key_digest(session_key(job.engine, values))
    ledger.close()


# A revision of the future, to see what an upgrade does to a ledger with rows

FUTURE = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{head}", None, None


def upgrade() -> None:
    with op.batch_alter_table("clips", recreate="always") as batch_op:
        batch_op.add_column(sa.Column("mood", sa.Text(), nullable=True))
    {then}
"""


@pytest.fixture
def future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A newer cosmosq: its migrations have one more revision; the test writes what it does at its end."""
    folder = tmp_path / "migrations"
    with as_file(files("cosmosq.migrations")) as shipped:
        shutil.copytree(shipped, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "files", lambda _name: folder)
    monkeypatch.setattr(migrate, "REVISION", "9999")
    return folder / "versions" / "9999_future.py"


def test_a_table_is_rebuilt_without_losing_its_children_after_a_backup(tmp_path: Path, future: Path) -> None:
    future.write_text(FUTURE.format(head=REVISION, then="pass"))
    path = tmp_path / "ledger.db"
    _make(path, REVISION)
    _fill(path)
    before = rows(path)
    backup = migrate.upgrade(path, backups=tmp_path / "backups")
    assert backup is not None
    assert rows(backup) == before
    after = rows(path)
    assert after.pop("alembic_version") == [("9999",)]
    assert [row[:-1] for row in after.pop("clips")] == before["clips"]
    assert after == {name: found for name, found in before.items() if name not in ("alembic_version", "clips")}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_an_upgrade_that_raises_leaves_the_ledger_as_it_was(tmp_path: Path, future: Path) -> None:
    future.write_text(FUTURE.format(head=REVISION, then='raise ZeroDivisionError("half way")'))
    path = tmp_path / "ledger.db"
    _make(path, REVISION)
    _fill(path)
    before, schema = rows(path), _schema(path)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(path, backups=tmp_path / "backups")
    assert (rows(path), _schema(path)) == (before, schema)


def test_an_upgrade_that_would_lose_references_is_refused_and_taken_back(tmp_path: Path, future: Path) -> None:
    future.write_text(FUTURE.format(head=REVISION, then='op.execute("DELETE FROM clips")'))
    path = tmp_path / "ledger.db"
    _make(path, REVISION)
    _fill(path)
    before = rows(path)
    with pytest.raises(InvalidLedger, match=r"would break \d+ references"):
        migrate.upgrade(path, backups=tmp_path / "backups")
    assert rows(path) == before


def test_a_ledger_that_is_up_to_date_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    _make(path, REVISION)
    before = path.read_bytes()
    assert migrate.upgrade(path, backups=tmp_path / "backups") is None
    assert path.read_bytes() == before
    assert not (tmp_path / "backups").exists()


def _schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
