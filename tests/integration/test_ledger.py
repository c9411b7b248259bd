"""The ledger's file: its pragmas, its transactions, and what is refused to be one."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from cosmosq import migrate
from cosmosq.cli.init import create as create_workspace
from cosmosq.db import BUSY_TIMEOUT_MS, Ledger, insert_rows, open_ledger
from cosmosq.errors import InvalidInput, InvalidLedger, NotFound, StorageFailed
from cosmosq.models import REVISION, Clip, Job, Prompt
from cosmosq.revision import revision_of
from tests.acceptance.command_line import rows
from tests.ledger_rows import NOW, make_clip, make_job, make_prompt


def _clips(ledger: Ledger) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(Clip.name).order_by(Clip.id)))


def test_every_connection_has_the_pragmas(ledger: Ledger) -> None:
    pragmas = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": BUSY_TIMEOUT_MS}
    with ledger.read() as first, ledger.read() as second:
        for session in (first, second):
            assert {name: session.scalar(text(f"PRAGMA {name}")) for name in pragmas} == pragmas


def test_a_write_is_kept_whole(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_clip(session, "a")
        make_clip(session, "b")
    assert _clips(ledger) == ["a", "b"]


def test_a_write_that_raises_is_rolled_back_whole(ledger: Ledger) -> None:
    before = rows(ledger.path)
    with pytest.raises(ZeroDivisionError), ledger.write() as session:
        make_job(session, priority=1 // (make_job(session).id - 1))
    assert rows(ledger.path) == before


def test_a_change_made_while_reading_is_not_kept(ledger: Ledger) -> None:
    with ledger.read() as session:
        make_clip(session)
    assert _clips(ledger) == []


def test_a_read_sees_one_moment(ledger: Ledger) -> None:
    with ledger.read() as reading:
        assert reading.scalars(select(Clip.name)).all() == []
        with ledger.write() as writing:
            make_clip(writing, "new")
        assert reading.scalars(select(Clip.name)).all() == []
    assert _clips(ledger) == ["new"]


def test_writers_that_read_first_wait_for_one_another_and_lose_nothing(ledger: Ledger) -> None:
    with ledger.write() as session:
        job_id = make_job(session, priority=0).id

    def count_up() -> None:
        for _ in range(10):
            with ledger.write() as session:
                job = session.get_one(Job, job_id)
                job.priority += 1

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.read() as session:
        assert session.get_one(Job, job_id).priority == 40


def test_a_reference_to_nothing_is_refused(ledger: Ledger) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), ledger.write() as session:
        make_prompt(session, clip_id=99)


def test_what_is_referred_to_cannot_be_deleted(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_prompt(session)
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), ledger.write() as session:
        session.delete(session.scalars(select(Clip)).one())


def test_times_come_back_as_they_went_in_and_need_a_zone(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_clip(session)
    with ledger.read() as session:
        assert session.scalars(select(Clip.created_at)).one() == NOW
    with pytest.raises(StatementError, match="a time without a zone"), ledger.write() as session:
        session.add(Clip(name="b", created_at=datetime(2026, 1, 1)))


def test_rows_that_are_inserted_at_once_are_stored_like_any_other(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_clip(session, "a")
        insert_rows(session, Clip, [{"name": "b", "created_at": NOW}])
    with ledger.read() as session:
        one, other = session.scalars(text("SELECT created_at FROM clips"))
        assert one == other == f"{NOW:%Y-%m-%d %H:%M:%S}.000000"


def test_text_that_is_no_utf_8_is_refused_in_words(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="is not valid UTF-8"), ledger.read() as session:
        session.scalars(select(Prompt.id).where(Prompt.name == "a\udcff")).all()


# The file


def test_a_new_ledger_is_private_empty_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    migrate.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert migrate.problems(path) == []
    assert revision_of(path) == REVISION
    found = rows(path)
    assert found.pop("alembic_version") == [(REVISION,)]
    assert not any(found.values())
    assert not (tmp_path / "backups").exists(), "there was nothing to back up"


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%20b", "100%", "it's", 'qu"ote', "ünï 視", "a&b=c", "-x", "a;b"])
def test_a_ledger_lies_where_its_path_says_whatever_its_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    create_workspace(folder)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    ledger = open_ledger(folder / ".cosmosq" / "ledger.db")
    with ledger.write() as session:
        make_clip(session, "here")
    ledger.close()
    assert [row[1] for row in rows(folder / ".cosmosq" / "ledger.db")["clips"]] == ["here"]
    assert migrate.problems(folder / ".cosmosq" / "ledger.db") == []
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_ledger_that_is_not_there_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="create the workspace with `cosmosq init`"):
        open_ledger(tmp_path / "ledger.db")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").touch()
    open_ledger(tmp_path / "ledger.db").close()
    assert migrate.problems(tmp_path / "ledger.db") == []


def _no_ledgers(ledger: Ledger) -> dict[str, bytes]:
    with ledger.write() as session:
        make_job(session)
    ledger.close()
    whole = ledger.path.read_bytes()
    other = ledger.path.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    return {
        "text": b"not a database\n" * 100,
        "another database": other.read_bytes(),
        "cut in its header": whole[:60],
        "cut in its first page": whole[:2000],
        "another head": b"x" * 100 + whole[100:],
    }


KINDS = ("text", "another database", "cut in its header", "cut in its first page", "another head")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_no_ledger_is_refused_and_left_as_it_is(ledger: Ledger, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ledger.db"
    data = _no_ledgers(ledger)[kind]
    path.write_bytes(data)
    with pytest.raises(InvalidLedger) as refused:
        open_ledger(path)
    assert str(path) in str(refused.value)
    assert "restore" in str(refused.value)
    assert path.read_bytes() == data


def _read_all(path: Path) -> None:
    opened = open_ledger(path)
    try:
        with opened.read() as session:
            session.scalars(select(Job)).all()
            session.scalars(select(Prompt)).all()
    finally:
        opened.close()


def test_a_ledger_that_is_cut_is_refused_when_it_is_read(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.write() as session:
        make_job(session)
    ledger.close()
    data = ledger.path.read_bytes()
    path = tmp_path / "ledger.db"
    path.write_bytes(data[: len(data) // 3])
    with pytest.raises(InvalidLedger, match="restore"):
        _read_all(path)
    assert path.read_bytes() == data[: len(data) // 3]


def test_a_ledger_of_a_newer_version_is_refused_and_left_as_it_is(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_job(session)
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ledger.close()
    before = ledger.path.read_bytes()
    with pytest.raises(InvalidLedger, match=r"is from a newer cosmosq \(revision 9999\): upgrade cosmosq and repeat"):
        open_ledger(ledger.path)
    assert ledger.path.read_bytes() == before
    assert not ledger.path.with_name("backups").exists()


# Damage, refusals, backups


def test_a_check_finds_broken_references_and_a_changed_schema(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_prompt(session)
    ledger.close()
    with closing(sqlite3.connect(ledger.path)) as connection:
        connection.execute("DELETE FROM clips")
        connection.execute("ALTER TABLE videos ADD COLUMN extra TEXT")
        connection.commit()
    problems = migrate.problems(ledger.path)
    assert problems[0] == "broken reference in prompts"
    assert any("extra" in problem for problem in problems[1:])


def test_a_backup_is_a_whole_ledger_also_while_a_worker_writes(ledger: Ledger, tmp_path: Path) -> None:
    with ledger.write() as session:
        make_clip(session, "kept")
    with ledger.write() as session:
        make_clip(session, "not yet")
        session.flush()
        path = migrate.back_up(ledger.path, tmp_path / "backups")
    assert [row[1] for row in rows(path)["clips"]] == ["kept"]
    assert migrate.problems(path) == []
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


UNDER_A_LIMIT = """
import resource, sys
from pathlib import Path
from cosmosq import migrate
from cosmosq.errors import StorageFailed
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    migrate.create(Path(sys.argv[1]))
except StorageFailed as error:
    print(error)
"""


def test_an_upgrade_that_breaks_off_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for limit in (4_096, 20_000, 100_000):
        done = subprocess.run(
            [sys.executable, "-c", UNDER_A_LIMIT, str(path), str(limit)], capture_output=True, text=True, check=True
        )
        assert f"{path} cannot be written" in done.stdout or "is full" in done.stdout, done
        assert rows(path) == {}
    open_ledger(path).close()
    assert migrate.problems(path) == []


def test_processes_that_upgrade_at_once_both_find_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    program = "import sys, pathlib; from cosmosq.db import open_ledger; open_ledger(pathlib.Path(sys.argv[1])).close()"
    processes = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert migrate.problems(path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the acceptance tests use a read-only mount")
def test_a_ledger_that_may_not_be_written_says_so(ledger: Ledger) -> None:
    ledger.close()
    ledger.path.chmod(0o400)
    ledger.path.parent.chmod(0o500)
    with pytest.raises(StorageFailed, match="cannot be written"), ledger.write() as session:
        make_clip(session)
