"""The CSV of jobs with all that was measured, rated and compared, and that it is written fast but not otherwise."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmosq.cli import main
from cosmosq.db import Ledger
from cosmosq.models import Comparison, Rating
from cosmosq.paths import Workspace
from cosmosq.report import csv_file, csv_table, rows
from cosmosq.report.query import Filter
from cosmosq.report.scores import fit
from cosmosq.status import Status
from tests.ledger_rows import (
    NOW,
    make_attempt,
    make_ended_job,
    make_job,
    make_ledger,
    make_prompt,
    make_session,
    make_workspace,
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "night")[0]


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = Ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


def read(ledger: Ledger, which: Filter | None = None) -> list[dict[str, str]]:
    with ledger.read() as session:
        text = "".join(csv_table.lines(session, rows.whole(session, which or Filter())))
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_columns_of_a_job_come_first_then_what_stands_behind_them(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, measured={"canny_f1": 0.1 + 0.2, "blur_ssim": 1 / 3}, stars=4)
        make_ended_job(session, measured={"canny_f1": 1e-17})
        make_job(session)
    found = read(ledger)
    behind = [name for name in rows.BEHIND if not name.startswith("measure")]
    assert list(found[0]) == [*rows.COLUMNS, *behind, "measure_blur_ssim", "measure_canny_f1"]
    assert [row["measure_canny_f1"] for row in found] == [repr(0.1 + 0.2), "1e-17", ""]
    assert [row["measure_blur_ssim"] for row in found] == [repr(1 / 3), "", ""]
    assert [row["stars"] for row in found] == ["4", "", ""]


def test_only_measurements_of_the_selected_jobs_have_a_column(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, measured={"canny_f1": 0.5}, labels={"night": "1"})
        make_ended_job(session, measured={"luma": 0.5}, labels={"night": "2"})
    found = read(ledger, Filter(labels={"night": "2"}))
    assert [name for name in found[0] if name.startswith("measure_")] == ["measure_luma"]


def test_more_measurements_than_sqlite_joins_tables(ledger: Ledger) -> None:
    measured = {f"m{number:03}": number / 7 for number in range(90)}
    with ledger.write() as session:
        make_ended_job(session, measured=measured)
        make_ended_job(session)
    first, second = read(ledger)
    assert {name: float(first[f"measure_{name}"]) for name in measured} == measured
    assert {second[f"measure_{name}"] for name in measured} == {""}


def test_rating_and_score_are_those_of_the_ledger(ledger: Ledger) -> None:
    with ledger.write() as session:
        for _ in range(3):
            make_ended_job(session)
        session.add(Rating(job_id=2, verdict="pick", note="=fog", rated_at=NOW))
        for better, worse in ((1, 2), (1, 2), (2, 1)):
            session.add(Comparison(better_id=better, worse_id=worse, compared_at=NOW))
    found = read(ledger)
    assert [(row["stars"], row["verdict"], row["note"]) for row in found] == [
        ("", "", ""),
        ("", "pick", "'=fog"),
        ("", "", ""),
    ]
    scores = fit([(1, 2), (1, 2), (2, 1)])
    assert [float(row["comparison_score"]) for row in found[:2]] == pytest.approx([scores[1], scores[2]])
    assert found[2]["comparison_score"] == ""


def test_gpu_seconds_are_those_of_all_attempts_and_the_shares_of_their_loads(ledger: Ledger) -> None:
    with ledger.write() as session:
        load = make_session(session, load_s=40.0).id
        make_ended_job(session, attempt={"session_id": load, "generate_s": 100.0})
        twice = make_job(session, status=Status.FAILED)
        make_attempt(session, twice, session_id=load, generating_s=5.0)
        make_attempt(session, twice, session_id=load, generate_s=7.0)
        make_ended_job(session, attempt={"session_id": load, "generate_s": 1.0})
        make_job(session)
    assert [row["gpu_s"] for row in read(ledger)] == ["110.0", "32.0", "11.0", ""]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00")) | st.from_regex(r"\A['=+\-@\t\r]{1,3}.{0,5}\Z")


@settings(max_examples=8)
@given(
    told=st.lists(
        st.tuples(texts, st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 999_999)), max_size=4
    )
)
def test_it_writes_what_the_plain_way_writes(
    told: list[tuple[str, float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = make_ledger(tmp_path_factory.mktemp("csv") / "ledger.db")
    with ledger.write() as session:
        for text, number, microseconds in told:
            prompt = make_prompt(session, text=text, name=None)
            at = NOW + timedelta(microseconds=microseconds)
            make_ended_job(session, prompt=prompt, message=text, created_at=at, attempt={"generate_s": number})
            make_job(session, prompt=prompt, parameters={"use_distilled": True}, labels={"a": "=1"})
    with ledger.read() as session:
        plain = list(csv_file.lines(rows.stream(session, Filter())))
        table = rows.whole(session, Filter())
        fast = list(
            csv_table.lines(session, rows.Table(columns=table.columns[: len(rows.TABLE)], statement=table.statement))
        )
    ledger.close()
    assert fast == plain


def test_numbers_load_into_an_array_without_coaxing(workspace: Workspace, ledger: Ledger, tmp_path: Path) -> None:
    with ledger.write() as session:
        for number in range(5):
            make_ended_job(session, parameters={"edge.weight": number / 4}, measured={"canny_f1": number / 8})
    assert main(["-w", str(workspace.root), "report", "--csv", str(tmp_path / "jobs.csv")]) == 0
    with (tmp_path / "jobs.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream))
    assert np.array([row["edge_weight"] for row in found], float).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert np.array([row["measure_canny_f1"] for row in found], float).tolist() == [0, 0.125, 0.25, 0.375, 0.5]
