"""`cosmosq rate` on real ledgers: what is recorded, what stays, and what a file may bring."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cosmosq import ratings
from cosmosq.cli import main
from cosmosq.db import Ledger
from cosmosq.models import Comparison, Rating
from cosmosq.paths import Workspace
from cosmosq.ratings_file import RatingsFile, read
from cosmosq.status import Kind, Status
from tests.ledger_rows import NOW, make_ended_job, make_job, make_workspace

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    """Jobs 1 to 4 with videos and digests 1…, 2…; 5 failed, 6 waits, 7 made a prompt."""
    ledger = Ledger(workspace.ledger_path)
    with ledger.write() as session:
        for number in range(1, 5):
            make_ended_job(session, digest=str(number) * 64)
        make_ended_job(session, Status.FAILED, digest="5" * 64)
        make_job(session)
        make_job(session, status=Status.SUCCEEDED, kind=Kind.UPSAMPLE)
    yield ledger
    ledger.close()


def rate(workspace: Workspace, *arguments: str | Path) -> int:
    return main(["-w", str(workspace.root), "rate", *map(str, arguments)])


def stored(ledger: Ledger) -> dict[int, tuple[Any, ...]]:
    with ledger.read() as session:
        return {r.job_id: (r.stars, r.verdict, r.note) for r in session.scalars(select(Rating))}


def compared(ledger: Ledger) -> list[tuple[int, int]]:
    with ledger.read() as session:
        return [(c.better_id, c.worse_id) for c in session.scalars(select(Comparison).order_by(Comparison.id))]


def told(*rated: dict[str, Any], compared: Any = (), workspace: str = "night") -> RatingsFile:
    whole = {"format": "cosmosq-ratings", "version": 1, "workspace": workspace, "ratings": rated}
    return read(json.dumps({**whole, "comparisons": compared}), LATER)


def rating(job: int, stars: int | None = 3, *, at: Any = NOW, **more: Any) -> dict[str, Any]:
    return {"job": job, "digest": str(job) * 64, "stars": stars, "rated_at": at.isoformat(), **more}


def comparison(better: int, worse: int, *, at: Any = NOW) -> dict[str, Any]:
    return {"better": better, "worse": worse, "compared_at": at.isoformat()}


# By hand


def test_what_is_not_given_stays(workspace: Workspace, ledger: Ledger) -> None:
    assert rate(workspace, "1", "3-4", "5", "--note", "fog") == 0
    assert rate(workspace, "3", "--pick") == 0
    assert rate(workspace, "3", "4", "-", "--note", "") == 0
    assert rate(workspace, "1", "2") == 0
    assert stored(ledger) == {1: (2, None, "fog"), 3: (5, "pick", None), 4: (5, None, None)}


def test_the_last_of_several_words_is_the_stars(workspace: Workspace, ledger: Ledger) -> None:
    assert rate(workspace, "2", "3", "4", "--reject") == 0
    assert stored(ledger) == {2: (4, "reject", None), 3: (4, "reject", None)}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "give jobs and stars, or --compare BETTER WORSE, or --import FILE"),
        (("1",), "how many stars? write 1 to 5 behind the jobs"),
        (("1", "6"), "6 is no number of stars"),
        (("1", "0"), "0 is no number of stars"),
        (("1", "-"), "- is no number of stars"),
        (("1", "2", "7", "--pick"), "7 is no number of stars"),
        (("--pick",), "how many stars?"),
        (("x", "3"), "x is no job"),
        (("1", "5", "3"), "job 5 is failed and has no video: rate jobs that succeeded"),
        (("6", "3"), "job 6 is queued and has no video"),
        (("7", "3"), "job 7 made a prompt and no video"),
        (("1", "--note", "x" * 10_001), "the note has 10,001 characters"),
        (("--clear",), "which jobs?"),
        (("1", "--clear", "--pick"), "--clear takes all of a rating away"),
        (("--compare", "1", "1"), "job 1 is neither better nor worse than itself"),
        (("--compare", "1", "2-3"), "--compare takes two jobs"),
        (("--compare", "1", "5"), "job 5 is failed"),
        (("1", "3", "--compare", "1", "2"), "one of them"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_one_line_and_changes_nothing(
    words: tuple[str, ...], line: str, workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rate(workspace, *words) == 2
    answer = capsys.readouterr()
    assert (answer.out, answer.err.count("\n")) == ("", 1)
    assert line in answer.err
    assert (stored(ledger), compared(ledger)) == ({}, [])


def test_a_job_that_is_not_there_is_not_found(workspace: Workspace, ledger: Ledger) -> None:
    assert rate(workspace, "99", "3") == 3
    assert rate(workspace, "--compare", "1", "99") == 3


def test_show_tells_the_rating_until_it_is_taken_back(
    workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    show = ["-w", str(workspace.root), "show", "1"]
    rate(workspace, "1", "4", "--pick", "--note", "the fog\x1b[31m stays")
    capsys.readouterr()
    main(show)
    assert "rating      ★★★★☆ pick: the fog\\x1b[31m stays" in capsys.readouterr().out
    main([*show, "--json"])
    assert json.loads(capsys.readouterr().out)["rating"]["stars"] == 4
    rate(workspace, "1", "--clear")
    capsys.readouterr()
    main([*show, "--json"])
    assert json.loads(capsys.readouterr().out)["rating"] is None


def test_json_is_what_was_recorded(workspace: Workspace, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    rate(workspace, "1-2", "4", "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["job_id"], row["stars"], row["verdict"]) for row in rows] == [(1, 4, None), (2, 4, None)]
    rate(workspace, "--compare", "2", "1", "--json")
    assert json.loads(capsys.readouterr().out) == {"better": 2, "worse": 1}


# From a file


def test_twice_is_as_good_as_once(ledger: Ledger) -> None:
    page = told(rating(1, 4, verdict="pick"), rating(2, None, note="?"), compared=[comparison(1, 2)] * 2)
    first = ratings.import_file(ledger, page, workspace="night")
    assert (first.ratings, first.comparisons, first.unchanged, first.refused) == (2, 1, 1, ())
    again = ratings.import_file(ledger, page, workspace="night")
    assert (again.ratings, again.comparisons, again.unchanged) == (0, 0, 4)
    assert stored(ledger) == {1: (4, "pick", None), 2: (None, None, "?")}
    assert compared(ledger) == [(1, 2)]


def test_the_same_opinion_at_another_time_is_another_comparison(ledger: Ledger) -> None:
    page = told(compared=[comparison(1, 2), comparison(1, 2, at=LATER), comparison(2, 1)])
    assert ratings.import_file(ledger, page, workspace="night").comparisons == 3


def test_the_newer_rating_wins_in_whatever_order_they_come(ledger: Ledger) -> None:
    ratings.rate(ledger, [1], now=LATER, stars=1)
    ratings.rate(ledger, [2], now=NOW - timedelta(hours=1), stars=1)
    found = ratings.import_file(
        ledger, told(rating(1, 5), rating(2, 5), rating(3, 2, at=LATER), rating(3, 5)), workspace="night"
    )
    assert {job: stars for job, (stars, *_) in stored(ledger).items()} == {1: 1, 2: 5, 3: 2}
    assert (found.ratings, found.unchanged) == (2, 2)


def test_a_rating_that_was_taken_back_does_not_return_with_an_older_file(ledger: Ledger) -> None:
    page = told(rating(1, 5))
    ratings.import_file(ledger, page, workspace="night")
    ratings.clear(ledger, [1], LATER)
    ratings.import_file(ledger, page, workspace="night")
    assert stored(ledger) == {1: (None, None, None)}


def test_rows_about_other_jobs_are_left_out_and_named(ledger: Ledger) -> None:
    stranger = {**rating(2), "digest": "f" * 64}
    page = told(
        stranger, rating(1), rating(5), rating(9), compared=[comparison(1, 2), comparison(1, 9), comparison(3, 5)]
    )
    found = ratings.import_file(ledger, page, workspace="night")
    assert found.refused == (
        "job 2 is another one here than the one that was rated",
        "job 5 is failed and has no video",
        "job 9 is not here",
        "1 better than 2: job 2 may be another one here",
        "1 better than 9: job 9 is not here",
        "3 better than 5: job 5 is failed and has no video",
    )
    assert (list(stored(ledger)), compared(ledger)) == ([1], [])


def test_comparisons_of_another_workspace_need_both_jobs_digests(ledger: Ledger) -> None:
    page = told(rating(1), rating(2), compared=[comparison(1, 2), comparison(1, 3)], workspace="another")
    found = ratings.import_file(ledger, page, workspace="night")
    assert found.refused == ("1 better than 3: job 3 may be another one here",)
    assert compared(ledger) == [(1, 2)]


def test_a_file_is_imported_on_the_command_line(
    workspace: Workspace, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {"format": "cosmosq-ratings", "version": 1, "workspace": "night", "comparisons": [comparison(2, 1)]}
    page = tmp_path / "ratings.json"
    page.write_text(json.dumps({**whole, "ratings": [rating(1, 4), rating(9)]}))
    assert rate(workspace, "--import", page) == 0
    answer = capsys.readouterr()
    assert answer.err.splitlines() == [
        "left out: job 9 is not here",
        "1 rating and 1 comparison taken over, 0 were there already, 1 left out",
    ]
    assert rate(workspace, "--import", page, "--json") == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 2


@pytest.mark.parametrize("contents", [b"\xff\xfe", b"{", b'{"format": "cosmosq-ratings", "version": 1, "ratings": 3}'])
def test_a_file_that_is_none_is_one_line_and_changes_nothing(
    contents: bytes, workspace: Workspace, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "ratings.json"
    page.write_bytes(contents)
    assert rate(workspace, "--import", page) == 2
    answer = capsys.readouterr()
    assert (answer.out, answer.err.count("\n")) == ("", 1)
    assert str(page) in answer.err
    assert rate(workspace, "--import", tmp_path / "missing") == 3
    assert stored(ledger) == {}
