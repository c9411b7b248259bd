"""The page of benchmarks: one table of one run, with what the figures depend on."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.__main__ import MEASURES, main
from benchmarks.ratio import Missing, Ratio, report

ROOT = Path(__file__).resolve().parents[2]
QUICK = Ratio(name="small files : tar | ssh tar", ours_s=0.25, theirs_s=0.5, ratio=0.5, limit=1.5)
SLOW = Ratio(name="peak : the promised", ours_s=350.0, theirs_s=300.0, ratio=1.1666, limit=1, unit="MB")
ABSENT = Missing(name="SSH", reason="there is no sshd: install openssh-server")


def test_the_page_has_a_line_for_each_ratio_and_for_what_is_missing() -> None:
    page = table.page([QUICK, SLOW, ABSENT], {"machine": "a small one"}, took_s=600)
    assert page.endswith(
        "| what | reference | ours | theirs | ratio | limit |  |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| small files | tar \\| ssh tar | 250.0 ms | 500.0 ms | 0.50 | 1.5 | ok |\n"
        "| peak | the promised | 350.0 MB | 300.0 MB | 1.17 | 1 | TOO SLOW |\n"
        "| SSH |  |  |  |  |  | not measured: there is no sshd: install openssh-server |\n"
    )
    assert re.search(
        r"\| as of \| \d{4}-\d\d-\d\d \d\d:\d\d UTC, a run of 10 minutes \|\n\| machine \| a small one \|", page
    )


def test_what_is_missing_is_not_too_slow(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([QUICK, SLOW, ABSENT]) == 1
    assert [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()[:2]] == ["ok", "TOO SLOW"]


def test_the_machine_is_told_with_every_version_that_matters() -> None:
    told = table.machine()
    assert list(told)[:4] == ["machine", "load before the run", "system", "cosmosq"]
    assert {"Python", "SQLite", "OpenSSH", "Docker", "Chromium"} < set(told)
    assert all(told.values())
    assert re.search(r", \d+ cores, \d+ GB$", told["machine"])


def test_a_name_that_is_no_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pages"]) == 2
    assert "pages is no benchmark: there are start_up, " in capsys.readouterr().err


def test_some_of_it_is_printed_and_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    before = table.PAGE.read_text(encoding="utf-8")
    measures = {"quick": lambda: [QUICK], "slow": lambda: [SLOW]}
    assert main(["quick"], measures) == 0
    assert main(["slow"], measures) == 1
    assert [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()] == ["ok", "TOO SLOW"]
    assert table.PAGE.read_text(encoding="utf-8") == before


def test_the_page_names_every_benchmark_and_the_run_that_it_is_of() -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    assert page.startswith(table.HEAD), "written by an older `make bench`"
    assert [name for name in MEASURES if f"`{name}`" not in page] == []
    for fact in ("as of", "machine", "system", "cosmosq", "Python", "SQLite", "OpenSSH", "Docker"):
        assert f"| {fact} |" in page


def test_benchmarks_run_as_a_module_from_the_makefile() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "-m benchmarks" in (ROOT / "Makefile").read_text(encoding="utf-8")
