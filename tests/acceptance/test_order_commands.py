"""Order as a person types it: what waits for what, what goes first, and how status and show tell of it."""

import pytest

from tests.acceptance.command_line import Shell


@pytest.fixture
def four(shell: Shell) -> Shell:
    """Jobs 1 to 4; 3 waits for 1 and 2 to succeed, 4 for the end of 1."""
    shell.ok("enqueue", "kitchen", "-s", "seed=1")
    shell.ok("enqueue", "kitchen", "-s", "seed=2")
    shell.ok("enqueue", "kitchen", "-s", "seed=3", "--after", "1,2")
    shell.ok("enqueue", "kitchen", "-s", "seed=4", "--after-any", "1")
    return shell


def test_status_and_show_tell_what_a_job_waits_for(four: Shell) -> None:
    rows = four.ok("status", "--json").json
    assert [row["waits_for"] for row in rows] == [[], [], [1, 2], [1]]
    table = four.ok("status").out
    assert "waiting for jobs 1, 2" in table
    assert "waiting for job 1 " in table
    assert "depends on  success of job 1 (queued), success of job 2 (queued)" in four.ok("show", "3").out
    assert "depends on  end of job 1 (queued)" in four.ok("show", "4").out
    told = four.ok("show", "4", "--json").json
    assert told["depends_on"] == [1]
    assert told["dependencies"] == [{"job_id": 1, "need": "end", "status": "queued"}]


def test_unknown_jobs_cannot_be_waited_for(four: Shell) -> None:
    for option in ("--after", "--after-any"):
        assert "99 is no job" in four.refused(3, "enqueue", "kitchen", "-s", "seed=5", option, "1,99")
        assert "x is no job" in four.refused(2, "enqueue", "kitchen", "-s", "seed=5", option, "x")
    assert len(four.ok("status", "--json").json) == 4


def test_a_sweep_can_wait(four: Shell) -> None:
    four.ok("enqueue", "kitchen", "-p", "guidance=3,4", "--after", "2-3")
    assert [row["waits_for"] for row in four.ok("status", "--json").json][4:] == [[2, 3], [2, 3]]


def test_cancelling_one_cancels_those_that_want_its_success(four: Shell) -> None:
    four.ok("cancel", "1")
    assert four.ok("status", "--json").statuses == ["cancelled", "queued", "cancelled", "queued"]
    assert "did not succeed" in four.ok("show", "3").out


def test_the_line_is_shown_as_it_will_run(four: Shell) -> None:
    assert four.ok("status", "--line", "--json").ids == [1, 2, 3, 4]
    answer = four.ok("move", "4", "--before", "2")
    assert answer.err == "moved before job 2: 4 (priority 0)\n"
    assert four.ok("status", "--line", "--json").ids == [1, 4, 2, 3]
    answer = four.ok("move", "3", "--first")
    assert answer.err == "moved first: 1 (priority 1), 2 (priority 1), 3 (priority 1)\n"
    assert four.ok("status", "--line", "--json").ids == [1, 2, 3, 4]
    assert four.ok("move", "1", "--last", "--json").ids == [1]
    assert four.ok("status", "--line", "--json").ids == [2, 1, 3, 4], "3 and 4 wait for 1"
    assert four.ok("status", "--line", "-n", "2", "--json").ids == [2, 1]
    four.ok("hold", "1")
    assert four.ok("status", "--line", "--json").ids == [2, 3, 4], "what will not run stands at the end"
    assert four.ok("status", "--line", "-n", "1").err.startswith("… and 2 later ones: -n 3 shows all\n")
    assert "moved" in four.ok("show", "1").out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("1",), 2, "where to?"),
        (("1", "--first", "--last"), 2, "where to?"),
        (("1", "--before", "1"), 2, "before itself"),
        (("1", "--before", "2-3"), 2, "names 2 jobs"),
        (("1", "--before", "99"), 3, "99 is no job"),
        (("99", "--first"), 3, "99 is no job"),
        (("3", "--before", "1"), 2, "waits for job 1"),
    ],
)
def test_moves_that_mean_nothing_are_refused(four: Shell, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in four.refused(code, "move", *words)


def test_waiting_jobs_are_edited(four: Shell) -> None:
    assert four.ok("edit", "1-2", "-s", "guidance=4", "--priority", "3", "--label", "night=1").err == (
        "2 changed, 0 as they were\n"
    )
    assert [(row["id"], row["priority"]) for row in four.ok("status", "--label", "night=1", "--json").json] == [
        (1, 3),
        (2, 3),
    ]
    assert "guidance=4.0" in four.ok("show", "1").out
    assert "edited" in four.ok("show", "1").out
    assert four.ok("edit", "1", "--priority", "3").err == "0 changed, 1 as they were\n"
    assert "what is to be changed?" in four.refused(2, "edit", "1")
    assert "99 is no job" in four.refused(3, "edit", "99", "--priority", "1")
    assert "would be the same as job 2" in four.refused(2, "edit", "1", "-s", "seed=2")


def test_a_trial_of_a_sweep_keeps_its_parameters(four: Shell) -> None:
    four.ok("enqueue", "kitchen", "-p", "guidance=3,4", "--name", "pilot")
    assert "job 5 is trial 1 of sweep pilot" in four.refused(2, "edit", "5", "-s", "seed=2")
    four.ok("edit", "5", "--priority", "9", "--label", "a=b")
    assert four.ok("status", "5", "--json").json[0]["priority"] == 9
