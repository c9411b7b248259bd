"""Pruning, backups, exports and imports as a person types them."""

import re
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cosmosq.db import open_ledger
from cosmosq.files import sha256_of
from cosmosq.paths import Workspace
from tests.acceptance.command_line import COSMOSQ, Shell
from tests.ledger_rows import make_ended_job, make_session

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def old(shell: Shell, workspace: Workspace) -> Path:
    """The video of job 1, which ended long ago."""
    path = workspace.outputs_path / "2026-11-22" / "1-kitchen" / "output.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a video")
    ledger = open_ledger(workspace.ledger_path)
    with ledger.write() as session:
        told = {"path": workspace.relative(path), "sha256": sha256_of(path), "bytes": 1_500_000}
        make_ended_job(session, artifact=told, started_at=LONG_AGO, ended_at=LONG_AGO)
    ledger.close()
    return path


def test_prune_says_what_goes_and_show_and_report_say_that_it_went(
    shell: Shell, workspace: Workspace, old: Path
) -> None:
    assert shell.ok("prune", "--older-than", "99999d").err == "nothing is old enough and no more needed\n"
    answer = shell.ok("prune", "--older-than", "30d", "--dry-run")
    assert answer.out.splitlines()[-1].split() == ["outputs", "video", "1", "1.5", "MB"]
    assert "to go" in answer.out
    assert old.exists()
    (told,) = shell.ok("prune", "--older-than", "30d", "--no-hosts", "--json").json
    assert told == {
        "place": "outputs",
        "kind": "video",
        "path": workspace.relative(old),
        "job_id": 1,
        "bytes": 1_500_000,
        "kept": None,
    }
    assert not workspace.outputs_path.joinpath("2026-11-22").exists()
    shown = shell.ok("show", "1").out
    assert "pruned 20" in shown
    shell.ok("report", "--html", "page")
    assert re.search(r'"pruned_at":"20', (workspace.root / "page" / "data.js").read_text())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "--older-than"),
        (("--older-than", "soon"), 2, "is no length of time"),
        (("--older-than", "999999999d"), 2, "before all times"),
        (("--older-than", "1d", "--host", "nowhere"), 3, "nowhere"),
        (("--older-than", "1d", "--host", "sim", "--no-hosts"), 2, "do not go together"),
    ],
)
def test_prune_wants_to_know_what(shell: Shell, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in shell.refused(code, "prune", *words)


def test_a_host_that_does_not_answer_is_told_after_the_others(shell: Shell, workspace: Workspace, old: Path) -> None:
    with workspace.config_path.open("a") as stream:
        stream.write('\n[hosts.box]\ntransport = "ssh"\naddress = "127.0.0.1"\nport = 9\nengine = "simulated"\n')
    assert shell.ok("prune", "--older-than", "30d", "--dry-run").out, "where nothing was left, nobody is asked"
    ledger = open_ledger(workspace.ledger_path)
    with ledger.write() as session:
        make_session(session, id="s-1", host="box", end="exited 0", ended_at=LONG_AGO, remote_path="/r/sessions/s-1")
    ledger.close()
    answer = shell.run("prune", "--older-than", "30d")
    assert answer.code == 4
    assert answer.err.startswith("cosmosq: ")
    assert "outputs" in answer.out
    assert not old.exists()


def test_a_backup_goes_where_it_is_told_while_others_write_and_never_over_a_file(
    shell: Shell, workspace: Workspace, tmp_path: Path
) -> None:
    command = [*COSMOSQ, "enqueue", "kitchen", "-p", "seed=range(1,400)"]
    writer = subprocess.Popen(command, cwd=workspace.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    copies = [tmp_path / f"copy {number}.db" for number in range(5)]
    for copy in copies:
        assert shell.ok("db", "backup", copy).out == f"{copy}\n"
    assert writer.wait(60) == 0
    last = tmp_path / "last.db"
    shell.ok("db", "backup", last)
    for copy in (*copies, last):
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            jobs = connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
            assert jobs in (0, 399)
    assert jobs == 399
    before = last.read_bytes()
    assert "is there already" in shell.refused(2, "db", "backup", last)
    assert last.read_bytes() == before
    assert "cannot be made" in shell.refused(2, "db", "backup", last / "below")
    assert sorted(path.name for path in tmp_path.glob("*.db*")) == sorted(path.name for path in (*copies, last))


def test_exports_and_imports_are_asked_for_by_jobs_and_folders(shell: Shell, tmp_path: Path) -> None:
    shell.ok("enqueue", "kitchen", "-s", "num_steps=1")
    assert "job 1 is queued and has no video" in shell.refused(2, "export", "1", "--to", tmp_path / "to")
    assert "99 is no job" in shell.refused(3, "export", "99", "--to", tmp_path / "to")
    shell.ok("worker", "--until-empty")
    (folder,) = shell.ok("export", "1", "--to", tmp_path / "to").out.splitlines()
    assert Path(folder) == tmp_path / "to" / "1-kitchen"
    Shell(tmp_path).ok("init", "there")
    there = Shell(tmp_path / "there")
    assert there.ok("import", folder).err == "1 imported, 0 skipped\n"
    assert there.ok("import", tmp_path / "to", "--json").json == [{"folder": folder, "id": 1, "new": False}]
    assert "holds no manifest.json" in there.refused(3, "import", tmp_path)
    shown = there.ok("show", "1").out
    assert "imported (simulated)" in shown
    assert there.ok("status", "--host", "imported", "--json").ids == [1]
    assert there.ok("cancel", "--all", "--host", "imported").err == "0 cancelled\n"
    assert "imported is no host: cosmosq.toml has sim" in there.refused(3, "worker", "--host", "imported")
    assert "is the same and succeeded already" in there.ok("enqueue", "kitchen", "-s", "num_steps=1").out
    again = there.ok("enqueue", "kitchen", "-s", "num_steps=1", "--again", "--json").json
    assert (again[0]["id"], again[0]["new"]) == (2, True)
