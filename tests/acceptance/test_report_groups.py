"""`cosmosq report` about groups of jobs, as it is typed; and that what it says to type makes the same job again."""

import csv
import io
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.db import Ledger, open_ledger
from cosmosq.models import Comparison, Job
from cosmosq.paths import Workspace
from cosmosq.report.again import enqueue_lines, quoted
from cosmosq.status import Status
from tests.acceptance.command_line import Shell
from tests.ledger_rows import NOW, make_ended_job, make_job, make_prompt, make_workspace


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = open_ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Eight videos by edge.weight and guidance, two failures of one kind and one of another, a job that waits."""
    workspace, ledger = make_workspace(tmp_path_factory.mktemp("filled") / "night")
    with ledger.write() as session:
        make_prompt(session, name="harbour")
        for number in range(8):
            weight, guidance = (number % 4 + 1) / 4, 3 + 4 * (number // 4)
            make_ended_job(
                session,
                parameters={"edge.weight": weight, "guidance": guidance},
                digest=f"{number}".ljust(64, "0"),
                measured={"canny_f1": weight / 2 + guidance / 100, "frames": 24.0},
                stars=number % 5 + 1 if number < 6 else None,
                attempt={"generate_s": 60.0 + number},
            )
        for number in (1, 2):
            make_ended_job(session, Status.FAILED, error="crashed", message=f"exit code {number} at /box/{number}.py")
        make_ended_job(session, Status.BLOCKED, error="blocked", message="a word")
        make_job(session)
        for better, worse in ((1, 2), (1, 3)):
            session.add(Comparison(better_id=better, worse_id=worse, compared_at=NOW))
    ledger.close()
    return Shell(workspace.root)


def cells(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def records(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out, newline=""), strict=True))


# Tables


def test_groups_are_a_table_with_means_and_a_mark(filled: Shell) -> None:
    answer = filled.ok("report", "--by", "edge.weight")
    header, _, first, *_ = cells(answer.out)
    assert header[:4] == ["edge.weight", "jobs", "succeeded", "generating"]
    assert first[:5] == ["0.25", "2", "2", "(100%)", "1:02"]
    assert answer.err == "the same in all groups: frames 24\nSIMULATED: no GPU worked for some or all of this\n"
    assert ("canny_f1" in header, "frames" in header) == (True, False)


def test_a_measure_is_told_with_its_spread(filled: Shell) -> None:
    out = filled.ok("report", "--by", "guidance", "--measure", "canny_f1", "--sort", "canny_f1").out
    assert cells(out)[0] == ["guidance", "jobs", "succeeded", "canny_f1", "sd", "95", "%", "n"]
    assert cells(out)[2] == ["7.0", "4", "4", "(100%)", "0.3825", "0.1614", "0.1257", "to", "0.6393", "4"]
    (whole,) = filled.ok("report", "--measure", "canny_f1", "--json").json["groups"]
    assert (whole["jobs"], whole["succeeded"], whole["measures"]["measure_canny_f1"]["n"]) == (12, 8, 8)


def test_the_same_as_json_and_as_csv(filled: Shell, tmp_path: Path) -> None:
    words = ("report", "--by", "edge.weight,guidance", "--bins", "3")
    told = filled.ok(*words, "--json").json
    assert told["by"] == ["edge.weight", "guidance"]
    first = told["groups"][0]
    assert (first["edge.weight"], first["guidance"], first["jobs"]) == ({"from": 0.25, "to": 0.5}, 3.0, 1)
    filled.ok(*words, "--csv", tmp_path / "groups.csv")
    found = records((tmp_path / "groups.csv").read_text(encoding="utf-8"))
    assert [found[0][name] for name in ("edge_weight_from", "edge_weight_to", "guidance")] == ["0.25", "0.5", "3.0"]
    mean = first["measures"]["measure_canny_f1"]["mean"]
    assert float(found[0]["measure_canny_f1_mean"]) == mean == pytest.approx(0.155)
    assert found == records(filled.ok(*words, "--csv", "-").out)


def test_a_measure_that_was_asked_for_has_its_columns_also_where_no_job_has_it(filled: Shell) -> None:
    header, _, first, *_ = cells(filled.ok("report", "--by", "host", "--measure", "cost").out)
    assert header == ["host", "jobs", "succeeded", "cost", "sd", "95", "%", "n"]
    assert first == ["sim", "12", "8", "(73%)"]


def test_a_matrix(filled: Shell) -> None:
    words = ("report", "--by", "edge.weight,guidance", "--measure", "canny_f1", "--pivot")
    assert cells(filled.ok(*words).out)[-1] == ["1.0", "0.53", "0.57"]
    assert list(records(filled.ok(*words, "--csv", "-").out)[0]) == [
        "edge_weight",
        "guidance=3.0",
        "guidance=5.0",
        "guidance=7.0",
    ]
    assert filled.ok(*words, "--json").json["rows"] == [0.25, 0.5, 0.75, 1.0]


def test_the_best_come_with_the_line_that_repeats_them(filled: Shell) -> None:
    out = filled.ok("report", "--best", "2", "--measure", "canny_f1").out
    assert [line.split()[:4] for line in out.splitlines()[2:4]] == [["1", "0.57", "1", "8"], ["2", "0.53", "1", "4"]]
    assert "1  cosmosq enqueue harbour -s guidance=7.0 -s edge.weight=1.0 --host sim --again" in out
    told = filled.ok("report", "--best", "1", "--measure", "generate_s", "--by", "guidance", "--json").json
    assert (told["best"][0]["guidance"], told["best"][0]["job"]) == (3.0, 1)


def test_failures_are_told_by_what_went_wrong(filled: Shell) -> None:
    out = filled.ok("report").out
    assert ["2", "crashed", "exit", "code", "<n>", "at", "<path>", "10"] in cells(out)
    assert "\ncosmosq retry 9-10\n" in out
    first, second = filled.ok("report", "--json").json["failures"]
    assert (first["retry"], first["example"], first["message"]) == (
        "cosmosq retry 9-10",
        10,
        "exit code 2 at /box/2.py",
    )
    assert (second["error"], second["ids"]) == ("blocked", [[11, 11]])


def test_compared_videos_are_ranked(filled: Shell) -> None:
    lines = cells(filled.ok("report").out)
    assert ["job", "score", "better", "worse"] in lines
    assert lines[-3][0] == "1"
    assert [score["job"] for score in filled.ok("report", "--json").json["comparisons"]] == [1, 2, 3]
    assert filled.ok("report", "--json", "--status", "failed").json["comparisons"] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--by edge.wieght", "edge.wieght is nothing to group by (did you mean edge.weight?)"),
        ("--by seed,seed", "seed is there twice"),
        ("--by seed --measure cany_f1", "cany_f1 was not measured of these jobs (did you mean canny_f1?)"),
        ("--by seed --sort jbos", "jbos is no column to sort by (did you mean jobs?)"),
        ("--by seed --pivot", "--pivot takes two keys and one measure"),
        ("--best 3", "--best takes one measure"),
        ("--bins 3", "--bins and --sort belong to --by"),
        ("--best 1 --measure canny_f1 --by seed --sort jobs", "--sort orders groups"),
        ("--by seed --lowest", "--highest and --lowest belong to --best or --sort"),
        ("--by seed --bins 101", "101 is not in the range"),
        ("--open", "--open belongs to a page"),
        ("--by seed --csv - --json", "--csv - and --json both want stdout"),
    ],
)
def test_what_cannot_be_meant_is_one_line(words: str, line: str, filled: Shell) -> None:
    assert line in filled.refused(2, "report", *words.split())


# Nothing much to tell


QUESTIONS = (
    "--by edge.weight",
    "--by prompt,day --bins 3 --sort jobs",
    "--by edge.weight,guidance --measure generate_s --pivot",
    "--best 3 --measure stars",
    "--measure generate_s",
)


@pytest.mark.parametrize("words", ["", *QUESTIONS, "--by seed --measure canny_f1", "--best 1 --measure canny_f1"])
def test_an_empty_ledger_says_that_there_are_no_jobs(words: str, tmp_path: Path) -> None:
    workspace, ledger = make_workspace(tmp_path / "night")
    ledger.close()
    shell = Shell(workspace.root)
    answer = shell.ok("report", *words.split())
    assert (answer.out, "no jobs: `cosmosq enqueue`" in answer.err) == ("", True)
    shell.ok("report", *words.split(), "--json")
    assert shell.ok("report", *words.split(), "--csv", "-").out.count("\n") == 1


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED])
def test_one_job_or_none_that_succeeded_have_a_report(status: Status, tmp_path: Path) -> None:
    workspace, ledger = make_workspace(tmp_path / "night")
    with ledger.write() as session:
        # Its video is missing: the numbers are in the ledger.
        make_ended_job(session, status, error="crashed" if status == Status.FAILED else None)
    ledger.close()
    shell = Shell(workspace.root)
    for words in ("", *QUESTIONS):
        answer = shell.ok("report", *words.split())
        assert answer.out or "none of these jobs has it yet" in answer.err, words
        shell.ok("report", *words.split(), "--json")
        shell.ok("report", *words.split(), "--csv", "-")


# The same job again


def test_the_line_that_is_told_makes_a_job_of_the_same_digest(shell: Shell, ledger: Ledger) -> None:
    hostile = "no 'quotes', \"double\" $HOME `x` \\ \t\x1b[31m\nمطبخ"
    shell.ok("prompt", "add", "a harbour", "--clip", "shot", "--name", "it's; a harbour", "-s", "edge.weight=0.7")
    shell.ok("prompt", "add", "nobody's", "--clip", "shot", "-s", "guidance=9", "-s", "edge.weight=0.25")
    shell.ok("enqueue", "--all")
    shell.ok("enqueue", "kitchen", "-s", f"negative_prompt={hostile}", "-s", "guidance=0.30000000000000004")
    shell.ok("enqueue", "it's; a harbour", "-s", "edge.weight=0", "-s", "vis.weight=1", "-s", "use_distilled=false")
    shell.ok("enqueue", "kitchen", "-s", 'regional_prompts=[{"prompt": "a \'red\' door", "mask_prompt": "door"}]')
    shell.ok("enqueue", "kitchen", "--upsample", "-s", "seed=3")
    shell.ok("enqueue", "kitchen", "-p", "seed=5,6", "-p", "canny_threshold=low,high", "-p", "upsample=true")
    shell.ok("enqueue", "kitchen", "-s", "edge.weight=0", "-s", "upscale.weight=0.5", "-s", "num_steps=12")
    shell.ok("enqueue", "1", "--upscale")
    shell.ok("enqueue", "4", "--upscale", "-s", "upscale.weight=0.9", "-s", "guidance=2")
    shell.ok("prompt", "upsample", "kitchen", "--frames", "first-last", "--max-size", "320x240")
    with ledger.read() as session:
        digests = {job.id: job.digest for job in session.query(Job)}
        lines = enqueue_lines(session, digests)
    assert set(lines) == set(digests)
    assert len(digests) > 15
    for job_id, line in lines.items():
        assert "\n" not in line
        words = subprocess.run(
            ["bash", "-c", f'printf "%s\\0" {line}'], capture_output=True, check=True
        ).stdout.decode()
        program, *arguments = words.rstrip("\0").split("\0")
        assert program == "cosmosq"
        made = shell.ok(*arguments, "--json").json
        with ledger.read() as session:
            repeated = {session.get_one(Job, answer["id"]).digest for answer in made}
        assert repeated == {digests[job_id]}, line


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))
def test_a_quoted_word_is_one_word_for_a_shell_and_drives_no_terminal(word: str) -> None:
    told = quoted(word)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in told)
    if not told.startswith("$"):
        assert shlex.split(told) == [word]


# In a browser


def test_the_page_is_opened_in_the_browser_that_the_person_has(filled: Shell, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    env = {"BROWSER": str(browser), "DISPLAY": ":0", "PATH": os.environ["PATH"]}
    folder = tmp_path / "a page"
    assert filled.spawn("report", "--html", folder, "--open", env=env).code == 0
    assert (tmp_path / "opened").read_text().strip() == (folder / "index.html").as_uri()
