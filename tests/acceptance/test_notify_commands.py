"""`cosmosq notify`: does it reach me, and what was I told?"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cosmosq.alarms import Occasion, sound
from cosmosq.db import open_ledger
from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell
from tests.receiver import receiving


def notify(workspace: Workspace, *lines: str) -> None:
    with workspace.config_path.open("a") as stream:
        stream.write("\n".join(["", "[notify]", *lines, ""]))


def test_a_test_goes_out_on_every_way_now(workspace: Workspace, shell: Shell) -> None:
    source = "import sys; open('got', 'w').write(sys.stdin.read())"
    (workspace.root / "take.py").write_text(source)
    with receiving() as receiver:
        notify(workspace, f'webhook = "{receiver.url}"', f'command = "{sys.executable} take.py"', "on = []")
        assert shell.ok("notify", "test").out.splitlines() == ["command  ok", "webhook  ok"]
        (message,) = receiver.messages
    assert message == json.loads((workspace.root / "got").read_text())
    assert message["alarms"][0]["occasion"] == "test"
    assert message["text"] == "this is a test: nothing happened"


def test_what_goes_wrong_is_said_for_each_way_and_the_exit_code_is_1(
    workspace: Workspace, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(workspace.root))
    with receiving(500) as receiver:
        notify(workspace, f'webhook = "{receiver.url}"', f"command = '{sys.executable} -c \"\"'", "desktop = true")
        answer = shell.run("notify", "test")
        assert answer.code == 1
        assert answer.out.splitlines() == [
            "command  ok",
            "webhook  answer 500 Internal Server Error",
            "desktop  this system has no notify-send (of libnotify) and no osascript",
        ]
        assert answer.err.startswith("cosmosq: the test did not get out by webhook, desktop: mend it in ")
        told = shell.run("notify", "test", "--json").json
    assert [(way["way"], way["ok"]) for way in told] == [("command", True), ("webhook", True), ("desktop", False)]
    listed = shell.ok("notify", "list").out
    assert "command ok, desktop failed: this system has no notify-send" in listed
    assert "webhook failed: answer 500 Internal Server Error" in listed


def test_without_a_way_a_test_is_refused_and_nothing_is_listed(shell: Shell) -> None:
    assert "give command, webhook or desktop in [notify]" in shell.refused(3, "notify", "test")
    answer = shell.ok("notify", "list")
    assert (answer.out, answer.err) == ("", "no alarms so far\n")
    assert shell.ok("notify", "list", "--json").json == []


def test_alarms_are_listed_with_who_was_told(workspace: Workspace, shell: Shell) -> None:
    ledger = open_ledger(workspace.ledger_path)
    with ledger.write() as session:
        for number in range(3):
            at = datetime(2026, 11, 26, 3, number, tzinfo=UTC)
            sound(session, Occasion.HOST_PAUSED, f"host sim is paused {number}", at, host="sim", failures=3)
    ledger.close()
    found = shell.ok("notify", "list", "-n", 2, "--json").json
    assert [alarm["id"] for alarm in found] == [2, 3]
    assert found[0] == {
        "id": 2,
        "at": "2026-11-26T03:01:00+00:00",
        "occasion": "host_paused",
        "text": "host sim is paused 1",
        "host": "sim",
        "job_id": None,
        "data": {"failures": 3},
        "delivered_at": None,
        "deliveries": [],
    }
    assert shell.ok("notify", "list").out.count("not yet") == 3


def test_a_secret_never_gets_into_the_ledger_or_the_log(workspace: Workspace, shell: Shell) -> None:
    (workspace.root / "secret").write_text("s3cret-and-long\n")
    with receiving(500) as receiver:
        notify(workspace, f'webhook = "{receiver.url}/T0PSECRET"', 'secret_file = "secret"')
        shell.run("notify", "test")
    files = [path for path in workspace.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"s3cret" in Path(path).read_bytes() or b"T0PSECRET" in path.read_bytes()]
