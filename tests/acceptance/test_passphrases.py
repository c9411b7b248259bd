"""Keys with a passphrase: asked for at a terminal as ssh does, kept nowhere."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell
from tests.acceptance.terminal import INTERRUPT, Terminal
from tests.box.sshd import Server, make_server, settings_of, skip_reason
from tests.night import Night, make_night, wait_for

pytestmark = pytest.mark.skipif(skip_reason() is not None, reason=str(skip_reason()))

SECRET = "open sesame ünd more"
QUESTION = "Enter passphrase for key"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose key for logging in is locked."""
    server = make_server(tmp_path / "sshd")
    shutil.copyfile(server.identity, tmp_path / "unlocked")
    (tmp_path / "unlocked").chmod(0o600)
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", SECRET, "-f", str(server.identity)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    yield server
    server.stop()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys and agent."""
    (tmp_path / "home" / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path / "home"


@pytest.fixture
def night(server: Server, tmp_path: Path) -> Iterator[Night]:
    """A workspace whose host asks for the key."""
    night = make_night(tmp_path, host=settings_of(server, tmp_path / "the box"))
    shutil.copyfile(server.known_hosts, night.workspace.known_hosts_path)
    yield night
    night.close()


def at_terminal(night: Night) -> Terminal:
    return Terminal(Shell(night.workspace.root), question=QUESTION)


def add(server: Server, root: Path, *, identity: bool = True) -> list[str]:
    words = ["host", "add", "box", f"{server.address().user}@127.0.0.1:{server.port}", "--accept-key"]
    words += ["--root", str(root), "--python", sys.executable]
    return [*words, "--identity", str(server.identity)] if identity else words


def assert_kept_nowhere(workspace: Workspace) -> None:
    for path in workspace.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def test_adding_a_host_asks_once_and_keeps_the_passphrase_nowhere(
    server: Server, shell: Shell, workspace: Workspace, tmp_path: Path
) -> None:
    answer = Terminal(shell, question=QUESTION).run(*add(server, tmp_path / "root"), answers=[SECRET])
    assert answer.code == 0, answer
    assert f"{QUESTION} '{server.identity}'" in answer.err
    assert answer.err.count(QUESTION) == 1
    assert SECRET not in answer.err, "it was shown while it was typed"
    assert_kept_nowhere(workspace)


def test_a_wrong_passphrase_is_asked_for_again(server: Server, night: Night) -> None:
    answer = at_terminal(night).run("host", "check", answers=["wrong", SECRET])
    assert answer.code == 0, answer
    assert answer.err.count(QUESTION) == 2


def test_three_wrong_passphrases_and_none_at_all_are_refused_with_the_remedy(server: Server, night: Night) -> None:
    for answers, asked in ((["wrong"] * 3, 3), ([""], 1)):
        answer = at_terminal(night).run("host", "check", answers=answers)
        assert (answer.code, answer.err.count(QUESTION)) == (4, asked), answer
        assert "ssh-add" in answer.err
    assert server.logins == 0


def test_an_interrupt_at_the_question_interrupts(server: Server, night: Night) -> None:
    answer = at_terminal(night).run("host", "check", answers=[INTERRUPT])
    assert answer.code == 130, answer
    assert "Traceback" not in answer.err


def test_without_a_terminal_nobody_is_asked(server: Server, night: Night) -> None:
    night.enqueue()
    answer = Shell(night.workspace.root).spawn("worker", "--until-empty")
    assert (answer.code, night.statuses()) == (4, ["running"])
    assert "ssh-add" in answer.err.splitlines()[-1]
    assert QUESTION not in answer.err


@pytest.mark.parametrize("words", [("worker", "--until-empty"), ("run", "kitchen")])
def test_who_works_is_asked_before_the_work_begins_and_once(night: Night, words: tuple[str, ...]) -> None:
    Shell(night.workspace.root).ok(
        "prompt", "add", "a quiet kitchen", "--clip", "shot", "--name", "kitchen", "-s", "edge.weight=0.5"
    )
    if words[0] == "worker":
        Shell(night.workspace.root).ok("enqueue", "kitchen")
    answer = at_terminal(night).run(*words, answers=[SECRET])
    assert (answer.code, night.statuses()) == (0, ["succeeded"]), answer
    assert answer.err.count(QUESTION) == 1
    assert_kept_nowhere(night.workspace)


def test_a_worker_asks_while_the_host_is_away_and_needs_no_answer_when_the_link_is_lost(
    server: Server, night: Night
) -> None:
    night.enqueue()
    server.stop()

    def come_back() -> None:
        wait_for(lambda: night.sql("SELECT 1 FROM workers"), "the worker")
        server.start()
        wait_for(lambda: night.statuses() == ["succeeded"], "the first job")
        server.stop()
        night.enqueue("another kitchen")
        server.start()
        wait_for(lambda: night.statuses() == ["succeeded"] * 2, "the second job")
        ((pid,),) = night.sql("SELECT pid FROM workers")
        os.kill(pid, signal.SIGINT)

    answer = at_terminal(night).run("worker", answers=[SECRET], after=come_back)
    assert (answer.code, answer.err.count(QUESTION)) == (0, 1), answer


def test_a_key_that_the_agent_has_is_asked_for_by_nobody(server: Server, night: Night, tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="cosmosq-agent-") as folder:
        sock = Path(folder) / "agent"
        with subprocess.Popen(["ssh-agent", "-D", "-a", str(sock)], stdout=subprocess.DEVNULL) as agent:
            try:
                wait_for(sock.exists, "the agent")
                env = {"SSH_AUTH_SOCK": str(sock)}
                added = subprocess.run(
                    ["ssh-add", "-q", str(tmp_path / "unlocked")], env={**os.environ, **env}, check=False
                )
                assert added.returncode == 0
                for words in (("host", "check"), ("worker", "--until-empty")):
                    answer = at_terminal(night).run(*words, env=env)
                    assert answer.code == 0, answer
                    assert QUESTION not in answer.err
            finally:
                agent.terminate()


def test_a_key_of_everybody_is_asked_for_as_ssh_does(server: Server, shell: Shell, home: Path, tmp_path: Path) -> None:
    server.identity.rename(home / ".ssh" / "id_ed25519")
    words = add(server, tmp_path / "root", identity=False)
    answer = Terminal(shell, question=QUESTION).run(*words, answers=[SECRET])
    assert (answer.code, answer.err.count(QUESTION)) == (0, 1), answer
