"""Terminals from 60 to 200 columns: nothing wraps but sentences, and nothing is coloured where nobody sees it."""

import shutil
from pathlib import Path

import click
import pytest

from cosmosq import claims
from cosmosq.claims import Outcome
from cosmosq.cli import cli
from cosmosq.db import open_ledger
from cosmosq.status import Phase, Status
from tests.acceptance.command_line import Shell
from tests.acceptance.terminal import on_a_terminal
from tests.acceptance.test_commands import EVERY_COMMAND
from tests.ledger_rows import NOW, make_ended_job

WIDTHS = (60, 80, 120, 200)
LONG = "a quiet kitchen at night, with fog in front of its windows and a lamp that flickers " * 3


@pytest.fixture(scope="module")
def template(_initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jobs that run, failed at length and succeeded, a sweep of many values, and a schedule with a long line."""
    folder = tmp_path_factory.mktemp("wide") / "ws"
    shutil.copytree(_initialised, folder)
    shell, ledger = Shell(folder), open_ledger(folder / ".cosmosq" / "ledger.db")
    shell.ok("prompt", "add", LONG, "--clip", "shot", "--name", "kitchen-" + "long-" * 10, "-s", "edge.weight=1")
    shell.ok("enqueue", "--all", "-s", "seed=1", "-s", "num_steps=12", "--label", "mood=calm")
    shell.ok("enqueue", "kitchen", "-p", "guidance=range(1,30)", "-p", "seed=3,4", "--name", "many-values")
    shell.ok("schedule", "add", "nightly", "0 22 * * 1-5", "--", "enqueue", "--all", "--label", "x=" + "y" * 80)
    for job_id in (1, 2):
        claim = claims.claim(ledger, "sim", "me", simulated=True, now=NOW, only=[job_id])
        assert claim is not None
        if job_id == 1:
            claims.enter(ledger, claim, Phase.GENERATING, NOW)
        else:
            outcome = Outcome(status=Status.FAILED, error="engine_error", message=LONG)
            claims.finish(ledger, claim, outcome, retries=0, now=NOW)
    with ledger.write() as session:
        make_ended_job(session, attempt={"generate_s": 100.0})
    ledger.close()
    return folder


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize(
    "line",
    [
        "status",
        "status --queue",
        "show 2",
        "prompt list",
        "prompt show kitchen",
        "clip list",
        "clip show shot",
        "sweep list",
        "sweep show many-values",
        "schedule list",
        "schedule next",
        "host list",
        "host show",
        "host check",
        "parameters",
        "report",
        "report --by guidance,seed",
        "batch preview",
        "doctor",
    ],
)
def test_no_table_is_wider_than_the_terminal(shell: Shell, line: str, columns: int) -> None:
    # A sentence may go on in the next line; what stands in columns may not, but for a path or a name on its own.
    words = on_a_terminal(shell, *line.split(), columns=columns, codes=(0, 1), NO_COLOR="1").splitlines()
    assert words
    tables = _tables(words)
    assert all(len(row) <= columns for row in tables), "\n".join(row for row in tables if len(row) > columns)


def _tables(lines: list[str]) -> list[str]:
    """The lines of tables, and of fields under one another."""
    return [line for line in lines if "  " in line.rstrip() and len(line.split()) > 1]


@pytest.mark.parametrize("columns", WIDTHS)
def test_help_fits(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words, command in {(): cli, **EVERY_COMMAND}.items():
        context = click.Context(command, info_name=" ".join(["cosmosq", *words]), **cli.context_settings)
        assert [line for line in command.get_help(context).splitlines() if len(line) > columns] == [], words


@pytest.mark.parametrize("line", ["status", "report", "show 2", "prompt show kitchen"])
def test_colours_are_for_terminals_and_for_those_who_want_them(shell: Shell, line: str) -> None:
    words = line.split()
    if line != "prompt show kitchen":
        assert "\x1b[" in on_a_terminal(shell, *words)
    assert "\x1b" not in on_a_terminal(shell, *words, NO_COLOR="1")
    assert "\x1b" not in shell.ok(*words).out
