"""`cosmosq report` on real ledgers: rows, totals and CSV."""

import csv
import io
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from cosmosq.cli import main
from cosmosq.db import Ledger
from cosmosq.errors import StorageFailed
from cosmosq.paths import Workspace
from cosmosq.report import csv_file, rows
from cosmosq.report.query import Filter
from cosmosq.report.totals import Totals, totals
from cosmosq.status import Status
from tests.ledger_rows import (
    NOW,
    make_artifact,
    make_attempt,
    make_ended_job,
    make_job,
    make_prompt,
    make_session,
    make_workspace,
)

ALL = Filter()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = Ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


def report(workspace: Workspace, *arguments: str | Path) -> int:
    return main(["-w", str(workspace.root), "report", *map(str, arguments)])


def all_rows(ledger: Ledger, which: Filter = ALL) -> list[rows.Row]:
    with ledger.read() as session:
        return list(rows.stream(session, which))


def sums(ledger: Ledger, which: Filter = ALL) -> Totals:
    with ledger.read() as session:
        return totals(session, which, NOW)


def test_a_row_has_the_stable_columns_in_order(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session)
    (row,) = all_rows(ledger)
    assert tuple(row) == rows.COLUMNS
    assert len(set(rows.COLUMNS)) == len(rows.COLUMNS)


def test_a_job_without_attempts_has_a_row_without_results(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_job(session, parameters={"guidance": 7.5})
    (row,) = all_rows(ledger)
    assert (row["status"], row["attempts"], row["guidance"], row["clip"]) == ("queued", 0, 7.5, "kitchen")
    assert {row[name] for name in ("simulated", "total_s", "generate_s", "load_s", "output_path", "ended_at")} == {None}


def test_a_row_tells_of_the_newest_attempt(ledger: Ledger) -> None:
    with ledger.write() as session:
        job = make_job(session, status=Status.RUNNING)
        make_attempt(session, job, status=Status.FAILED, generating_s=99.0, generate_s=90.0)
        newest = make_session(session, load_s=33.0)
        make_attempt(session, job, waiting_s=1.0, generating_s=2.5, session_id=newest.id)
    (row,) = all_rows(ledger)
    assert (row["attempts"], row["generating_s"], row["total_s"], row["load_s"]) == (2, 2.5, 3.5, 33.0)
    assert row["generate_s"] is None


def test_only_a_video_of_a_succeeded_attempt_is_an_output(ledger: Ledger) -> None:
    with ledger.write() as session:
        good = make_ended_job(session, artifact={"path": "outputs/good.mp4", "fps": 30.0})
        bad = make_ended_job(session, Status.FAILED, error="bad_output")
        attempt = make_attempt(session, bad, status=Status.FAILED)
        make_artifact(session, attempt, path="outputs/bad.mp4")
        make_artifact(session, attempt, path="outputs/log.txt", kind="log")
        expected = {good.id: "outputs/good.mp4", bad.id: None}
    found = all_rows(ledger)
    assert {row["id"]: row["output_path"] for row in found} == expected
    assert (found[0]["fps"], found[0]["video_fps"]) == (24, 30.0)


def test_labels_are_joined_by_key(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_job(session, labels={"try": "b", "night": "1", "a": "x=y"})
    assert all_rows(ledger)[0]["labels"] == "a=x=y; night=1; try=b"


def test_all_rows_come_from_one_statement(ledger: Ledger) -> None:
    with ledger.write() as session:
        for number in range(40):
            make_ended_job(session, labels={"n": str(number)})
    seen: list[str] = []
    event.listen(ledger.engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    assert len(all_rows(ledger)) == 40
    assert len([statement for statement in seen if statement.startswith("SELECT")]) == 1


def test_a_filter_narrows_rows_and_totals_alike(ledger: Ledger) -> None:
    with ledger.write() as session:
        other = make_prompt(session)
        make_ended_job(session, prompt=other, labels={"night": "1"}, attempt={"generate_s": 5.0})
        make_ended_job(session, prompt=make_prompt(session), labels={"night": "1"})
        make_job(session, prompt=other)
        which = Filter(prompt_id=other.id, labels={"night": "1"})
    assert [row["id"] for row in all_rows(ledger, which)] == [1]
    assert (sums(ledger, which).jobs, sums(ledger, which).generate_s) == (1, 5.0)


def test_a_job_belongs_to_the_moment_when_it_ended_else_started_else_was_enqueued(ledger: Ledger) -> None:
    hour = timedelta(hours=1)
    with ledger.write() as session:
        make_ended_job(session, created_at=NOW - 9 * hour, started_at=NOW - hour, ended_at=NOW)
        make_job(session, status=Status.RUNNING, created_at=NOW - 9 * hour, started_at=NOW - hour)
        make_job(session, created_at=NOW - 9 * hour)
    found = [
        [row["id"] for row in all_rows(ledger, Filter(since=since, until=until))]
        for since, until in [(NOW, None), (NOW - hour, None), (None, NOW), (None, NOW - hour), (NOW - hour, NOW)]
    ]
    assert found == [[1], [1, 2], [2, 3], [3], [2]]


def test_the_time_range_is_asked_for_on_the_command_line(
    workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    with ledger.write() as session:
        for hours in (1, 30):
            make_ended_job(session, ended_at=now - timedelta(hours=hours))
    counted = []
    for words in (("--since", "2h"), ("--until", "2h"), ("--since", "40h", "--until", "10m"), ("--since", "10m")):
        assert report(workspace, "--json", *words) == 0
        counted.append(json.loads(capsys.readouterr().out)["jobs"])
    assert counted == [1, 1, 2, 0]
    assert report(workspace, "--since", "+2h") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_gpu_seconds_count_every_attempt_and_every_load_once(ledger: Ledger) -> None:
    with ledger.write() as session:
        first, second = make_session(session, load_s=40.0), make_session(session, load_s=60.0)
        make_session(session, load_s=1000.0)
        for _ in range(3):
            make_ended_job(session, attempt={"session_id": first.id, "generate_s": 100.0})
        job = make_job(session, status=Status.FAILED)
        for _ in range(2):
            make_attempt(session, job, status=Status.FAILED, session_id=second.id, generate_s=10.0)
    found = sums(ledger)
    assert (found.generate_s, found.loads, found.load_s, found.gpu_s) == (320.0, 2, 100.0, 420.0)


def test_prompts_are_summed_one_by_one(ledger: Ledger) -> None:
    with ledger.write() as session:
        day, night = make_prompt(session, name="day"), make_prompt(session, name="night")
        for seconds in (10.0, 30.0):
            make_ended_job(session, prompt=day, attempt={"generate_s": seconds})
        make_ended_job(session, Status.FAILED, prompt=day, attempt={"generate_s": 7.0})
        make_ended_job(session, Status.BLOCKED, prompt=night, attempt={"generate_s": None, "generating_s": 4.0})
    first, second = sums(ledger).prompts
    assert (first.prompt_name, first.jobs, first.succeeded, first.failed, first.blocked) == ("day", 3, 2, 1, 0)
    assert (first.generate_s, first.mean_s) == (47.0, 20.0)
    assert (second.prompt_name, second.blocked, second.generate_s, second.mean_s) == ("night", 1, 4.0, None)


def test_one_simulated_attempt_marks_the_totals(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, engine="cosmos_transfer1")
    assert not sums(ledger).simulated
    with ledger.write() as session:
        make_ended_job(session, engine="simulated")
    assert sums(ledger).simulated


def test_an_empty_ledger_sums_to_nothing(ledger: Ledger) -> None:
    found = sums(ledger)
    assert (found.jobs, found.by_status, found.gpu_s, found.loads, found.prompts) == (0, {}, 0.0, 0, ())


def _fill(ledger: Ledger) -> None:
    with ledger.write() as session:
        nasty = make_prompt(session, name="nasty", text='=HYPERLINK("x"), "so"\r\nand\nمطبخ 🎬')
        load = make_session(session, load_s=1 / 3)
        make_ended_job(session, prompt=nasty, attempt={"session_id": load.id, "generate_s": 0.1 + 0.2})
        make_ended_job(session, Status.FAILED, priority=-3, error="crashed", message="-x\n\tat y", labels={"a": "b"})
        make_job(session, parameters={"negative_prompt": "@home", "use_distilled": True})


def test_the_csv_holds_what_the_ledger_holds(workspace: Workspace, ledger: Ledger, tmp_path: Path) -> None:
    _fill(ledger)
    target = tmp_path / "new" / "jobs.csv"
    assert report(workspace, "--csv", target) == 0
    found = list(csv.DictReader(io.StringIO(target.read_bytes().decode(), newline=""), strict=True))
    with sqlite3.connect(workspace.ledger_path) as connection:
        connection.row_factory = sqlite3.Row
        stored = connection.execute(
            "SELECT j.*, t.text AS prompt, p.* , j.id AS id FROM jobs j JOIN prompts t ON t.id = j.prompt_id"
            " JOIN parameter_sets p ON p.id = j.parameter_set_id ORDER BY j.id"
        ).fetchall()
    connection.close()
    assert len(found) == len(stored) == 3
    same = ("id", "status", "priority", "prompt", "error", "message", "guidance", "negative_prompt", "edge_weight")
    for told, held in zip(found, stored, strict=True):
        assert {name: _undone(told[name]) for name in same} == {name: _shown(held[name]) for name in same}
    assert float(found[0]["generate_s"]) == 0.1 + 0.2
    assert float(found[0]["load_s"]) == 1 / 3
    assert (found[2]["use_distilled"], found[1]["priority"], found[1]["labels"]) == ("true", "-3", "a=b")


def _undone(text: str) -> str:
    return text[1:] if text[:2] in ("'=", "'-", "'@") else text


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def test_csv_on_stdout_is_the_file_and_nothing_else(
    workspace: Workspace, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _fill(ledger)
    report(workspace, "--csv", tmp_path / "jobs.csv")
    capsys.readouterr()
    assert report(workspace, "--csv", "-") == 0
    written = (tmp_path / "jobs.csv").read_bytes()
    assert capsys.readouterr() == (written.decode(), "")
    assert not written.startswith(b"\xef\xbb\xbf")


def test_a_csv_that_breaks_off_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "jobs.csv"
    target.write_text("old")

    def broken() -> Iterator[rows.Row]:
        yield dict.fromkeys(rows.COLUMNS)
        raise RuntimeError("the ledger went away")

    with pytest.raises(RuntimeError):
        csv_file.save(target, broken())
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.csv"]
    assert target.read_text() == "old"


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(StorageFailed, match="no regular file"):
        csv_file.save(pipe, [])
    assert pipe.is_fifo()


@pytest.mark.parametrize("option", ["--csv", "--html"])
def test_an_unwritable_target_is_one_line(
    option: str, workspace: Workspace, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert report(workspace, option, tmp_path / "file" / "x") == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "cannot be made" in told.err


def test_the_report_shows_totals_and_says_where_more_is(
    workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    with ledger.write() as session:
        load = make_session(session, load_s=80.0)
        make_ended_job(session, attempt={"session_id": load.id, "generate_s": 100.0})
        make_ended_job(session, Status.FAILED, error="crashed", attempt={"generate_s": None, "generating_s": 20.0})
    assert report(workspace) == 0
    told = capsys.readouterr()
    assert "GPU time   3:20 (generating 2:00, 1 model load 1:20)" in told.out
    assert "SIMULATED" in told.out
    assert ["prompt-1", "2", "1", "1", "0", "2:00", "1:40"] in [line.split() for line in told.out.splitlines()]
    assert "--html DIR" in told.err


def test_json_holds_the_totals(workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    _fill(ledger)
    assert report(workspace, "--json", "--status", "failed") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["jobs"], found["by_status"], found["prompts"][0]["failed"]) == (1, {"failed": 1}, 1)
    assert found["gpu_s"] == found["generate_s"] + found["load_s"]


def test_csv_and_json_do_not_share_stdout(workspace: Workspace, ledger: Ledger) -> None:
    assert report(workspace, "--json", "--csv", "-") == 2


def test_a_report_of_nothing_says_so(workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(workspace) == 0
    told = capsys.readouterr()
    assert (told.out, "no jobs" in told.err) == ("", True)
