"""`cosmosq pause`, `resume` and `doctor` as a person types them."""

import pytest
from sqlalchemy import text

from cosmosq.db import open_ledger
from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell


def test_a_pause_is_shown_where_a_person_looks_and_is_lifted(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen")
    said = shell.ok("pause", "--host", "sim", "--reason", "the GPU is needed").err
    assert said == "sim is paused: what is generated is finished; `cosmosq resume --host sim` goes on\n"
    assert "sim is paused: the GPU is needed (since 20" in shell.ok("status").err
    assert "paused: the GPU is needed" in shell.ok("status", "--queue").out
    assert shell.ok("status", "--queue", "--json").json[0]["paused"] == "paused: the GPU is needed"
    assert shell.ok("resume", "--host", "sim").err == "sim is no longer paused: the GPU is needed\n"
    assert "paused" not in shell.ok("status").err
    assert shell.ok("resume").err == "nothing is paused\n"
    assert shell.ok("resume", "--host", "sim").err == "sim is not paused\n"


def test_a_pause_of_all_hosts_is_not_lifted_for_one(shell: Shell) -> None:
    said = shell.ok("pause", "--now").err
    assert said == "all hosts are paused: what is generated is stopped and queued again; `cosmosq resume` goes on\n"
    refused = shell.refused(2, "resume", "--host", "sim")
    assert refused == "sim is paused with all hosts: `cosmosq resume` lifts that"
    (lifted,) = shell.ok("resume", "--json").json
    assert (lifted["host"], lifted["paused_by"], lifted["at_once"]) == ("*", "person", True)
    assert shell.ok("resume", "--json").json == []


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_host_that_is_none_is_refused(shell: Shell, command: str) -> None:
    assert shell.refused(3, command, "--host", "box").startswith("box is no host: cosmosq.toml has sim")


def test_the_doctor_finds_nothing_in_good_order(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen")
    answer = shell.ok("doctor")
    assert (answer.out, answer.err) == ("", "nothing is found\n")
    assert shell.ok("doctor", "--hosts", "--json").json == []


def test_the_doctor_says_what_it_finds_mends_it_and_finds_it_no_more(shell: Shell, workspace: Workspace) -> None:
    shell.ok("enqueue", "kitchen")
    ledger = open_ledger(workspace.ledger_path)
    with ledger.write() as session:
        session.execute(text("UPDATE jobs SET status = 'running', attempt = 1, lease_owner = 'gone'"))
    ledger.close()
    answer = shell.run("doctor")
    assert answer.code == 1
    assert "no_attempt" in answer.out
    assert "job 1 is running, and none of its attempts is" in answer.out
    assert "`cosmosq doctor --fix` mends" in answer.err
    told = shell.run("doctor", "--json").json
    assert [(each["case"], each["fixed"], each["left_to"]) for each in told] == [
        ("no_attempt", False, None),
        ("stale_ticket", False, None),
    ]
    assert "done: ended as its attempt, or queued" in shell.ok("doctor", "--fix").out
    assert shell.ok("status", "--json").statuses == ["queued"]
    assert shell.ok("doctor").err == "nothing is found\n"
