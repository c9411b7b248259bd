"""`cosmosq host`: adding, looking at, entering and removing a machine, over a real SSH server."""

import getpass
import json
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from sqlalchemy import text

from cosmosq.checks import ACCESS, CHECKS
from cosmosq.cli.host_add import parse_target
from cosmosq.cli.host_shell import ssh_command
from cosmosq.config import load_config
from cosmosq.config_keys import HOST_KEYS
from cosmosq.errors import InvalidInput
from cosmosq.paths import Workspace
from tests.acceptance.command_line import Answer, Shell, traces
from tests.acceptance.terminal import Terminal
from tests.box.docker_engine import IMAGE, docker_engine, require
from tests.box.sshd import Server, free_port, make_key, make_server, skip_reason
from tests.night import make_night, wait_for

needs_sshd = pytest.mark.skipif(skip_reason() is not None, reason=str(skip_reason()))
USER = getpass.getuser()
PACKAGES = Path(cv2.__file__).parents[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = make_server(tmp_path / "sshd")
    yield server
    server.stop()


@dataclass
class Box:
    """A server that is not a host of the workspace yet."""

    shell: Shell
    server: Server
    root: Path

    @property
    def words(self) -> tuple[str, ...]:
        place = f"{USER}@127.0.0.1:{self.server.port}"
        where = ("--root", str(self.root), "--python", sys.executable)
        return ("host", "add", "box", place, "--identity", str(self.server.identity), *where)

    def add(self) -> Answer:
        return self.shell.ok(*self.words, "--accept-key")


@pytest.fixture
def box(shell: Shell, server: Server, tmp_path: Path) -> Box:
    return Box(shell, server, tmp_path / "the root")


# Adding


@needs_sshd
def test_an_unknown_key_is_refused_without_a_terminal_and_nothing_is_written_or_sent(
    box: Box, workspace: Workspace
) -> None:
    before = traces(workspace.root)
    line = box.shell.refused(4, *box.words)
    assert box.server.fingerprint in line
    assert "--accept-key" in line
    assert traces(workspace.root) == before
    assert "Accepted" not in box.server.log
    assert "user" not in box.server.log.lower()


@needs_sshd
def test_an_accepted_key_is_shown_and_recorded_and_the_host_is_in_the_file(box: Box, workspace: Workspace) -> None:
    before = workspace.config_path.read_text()
    answer = box.add()
    assert box.server.fingerprint in answer.err
    assert "cosmosq host check box" in answer.err
    assert workspace.known_hosts_path.read_text() == box.server.known_hosts.read_text()
    assert workspace.config_path.read_text().startswith(before)
    host = load_config(workspace.config_path).host("box")
    assert (host.transport, host.address, host.user, host.port) == ("ssh", "127.0.0.1", USER, box.server.port)
    assert (host.identity, host.engine, host.root) == (str(box.server.identity), "simulated", str(box.root))


@needs_sshd
def test_a_key_that_is_known_is_not_asked_about(box: Box, workspace: Workspace) -> None:
    workspace.known_hosts_path.write_text(box.server.known_hosts.read_text())
    answer = box.shell.ok(*box.words, "--json")
    assert box.server.fingerprint not in answer.err
    assert answer.json["address"] == "127.0.0.1"
    assert workspace.known_hosts_path.read_text() == box.server.known_hosts.read_text()


@needs_sshd
def test_a_yes_at_the_terminal_records_the_key(box: Box, workspace: Workspace) -> None:
    answer = Terminal(box.shell).run(*box.words, answers=("y",))
    assert answer.code == 0, answer.err
    assert box.server.fingerprint in answer.err
    assert workspace.known_hosts_path.read_text() == box.server.known_hosts.read_text()
    assert "box" in load_config(workspace.config_path).hosts


@needs_sshd
@pytest.mark.parametrize("word", ["n", ""])
def test_anything_but_yes_at_the_terminal_writes_nothing(box: Box, workspace: Workspace, word: str) -> None:
    before = traces(workspace.root)
    assert Terminal(box.shell).run(*box.words, answers=(word,)).code == 4
    assert traces(workspace.root) == before


@needs_sshd
def test_a_changed_key_is_refused_even_if_any_key_would_be_accepted(box: Box, workspace: Workspace) -> None:
    workspace.known_hosts_path.write_text(box.server.known_hosts.read_text())
    box.server.stop()
    box.server.make_host_key()
    box.server.start()
    before = traces(workspace.root)
    line = box.shell.refused(4, *box.words, "--accept-key")
    assert "CHANGED" in line
    assert box.server.fingerprint in line
    assert traces(workspace.root) == before


@needs_sshd
def test_a_login_that_is_refused_writes_nothing_not_even_the_key(box: Box, workspace: Workspace) -> None:
    before = traces(workspace.root)
    make_key(box.server.folder / "other")
    words = [word.replace(str(box.server.identity), str(box.server.folder / "other")) for word in box.words]
    answer = box.shell.run(*words, "--accept-key")
    assert answer.code == 4
    assert "refused the login" in answer.err
    assert traces(workspace.root) == before


@needs_sshd
def test_a_host_behind_another_shows_both_keys_and_both_must_be_agreed_to(
    box: Box, workspace: Workspace, tmp_path: Path
) -> None:
    gate = make_server(tmp_path / "gate")
    try:
        home = tmp_path / "home"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        (home / ".ssh" / "config").write_text(
            f"Host gate\n  HostName 127.0.0.1\n  Port {gate.port}\n  User {USER}\n  IdentityFile {gate.identity}\n"
            f"Host inner\n  HostName 127.0.0.1\n  Port {box.server.port}\n  User {USER}\n  ProxyJump gate\n"
            f"  IdentityFile {box.server.identity}\n"
        )
        own = {"HOME": str(home), "SSH_AUTH_SOCK": ""}
        words = ("host", "add", "box", "inner", "--root", str(box.root), "--python", sys.executable)
        before = traces(workspace.root)
        refused = Terminal(box.shell).run(*words, answers=("y", "n"), env=own)
        assert refused.code == 4, refused.err
        assert traces(workspace.root) == before
        agreed = Terminal(box.shell).run(*words, answers=("y", "y"), env=own)
        assert agreed.code == 0, agreed.err
        assert agreed.err.index(gate.fingerprint) < agreed.err.index(box.server.fingerprint)
        known = sorted(workspace.known_hosts_path.read_text().splitlines())
        assert known == sorted((gate.known_hosts.read_text() + box.server.known_hosts.read_text()).splitlines())
        assert box.shell.spawn("host", "check", "box", env=own).code == 0
    finally:
        gate.stop()


@pytest.mark.parametrize(
    ("name", "options", "code", "message"),
    [
        ("../box", (), 2, "is no host name"),
        ("sim", (), 2, "sim is a host already"),
        ("box", ("--engine", "sora"), 2, "engine = 'sora' is not allowed"),
        ("box", ("--engine", "cosmos_transfer1"), 2, "checkout is missing"),
        ("box", ("--container", "docker"), 2, "image is missing"),
        ("box", ("--identity", "/none/such"), 3, "no such file: /none/such"),
    ],
)
def test_what_is_wrong_is_refused_before_anybody_is_asked(
    shell: Shell, workspace: Workspace, name: str, options: tuple[str, ...], code: int, message: str
) -> None:
    before = traces(workspace.root)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        place = f"me@127.0.0.1:{nobody.getsockname()[1]}"
        assert message in shell.refused(code, "host", "add", name, place, *options, "--accept-key")
        nobody.setblocking(False)
        with pytest.raises(BlockingIOError):
            nobody.accept()
    assert traces(workspace.root) == before


@needs_sshd
def test_every_setting_that_is_given_is_in_the_file(box: Box, workspace: Workspace) -> None:
    given = ("--checkout", "/opt/cosmos", "--container", "sudo docker", "--image", "nvidia/cosmos:1")
    box.shell.ok(*box.words, *given, "--accept-key")
    host = load_config(workspace.config_path).host("box")
    assert (host.engine, host.checkout) == ("cosmos_transfer1", "/opt/cosmos")
    assert (host.container, host.image) == ("sudo docker", "nvidia/cosmos:1")


def test_a_machine_that_is_not_there_is_said_and_nothing_is_written(shell: Shell, workspace: Workspace) -> None:
    before = traces(workspace.root)
    answer = shell.run("host", "add", "box", f"me@127.0.0.1:{free_port()}", "--accept-key")
    assert answer.code == 4
    assert "cannot be reached" in answer.err
    assert traces(workspace.root) == before


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("me@box", ("me", "box", None)),
        ("me@box.example:2222", ("me", "box.example", 2222)),
        ("alias", (None, "alias", None)),
        ("me@[::1]:22", ("me", "::1", 22)),
        ("me@[::1]", ("me", "::1", None)),
        ("fe80::1", (None, "fe80::1", None)),
        ("me@realm@box", ("me@realm", "box", None)),
    ],
)
def test_a_place_is_read(target: str, place: tuple[str | None, str, int | None]) -> None:
    assert parse_target(target) == place


@pytest.mark.parametrize(
    "target",
    [
        *("", "@box", "me@", "me@:22", "me@box:", "me@box:0", "me@box:65536", "me@box:x", "me@box:2222222222"),
        *("me@box:²", "-oProxyCommand=x", "-l@box", "me@-box", "a b@box", "me@b\nox"),
    ],
)
def test_a_place_that_is_none_is_refused(target: str) -> None:
    with pytest.raises(InvalidInput):
        parse_target(target)


# Listing and removing


def test_a_new_workspace_has_the_simulated_host(shell: Shell) -> None:
    assert shell.ok("host", "list").out.splitlines()[2].split() == ["sim", "this", "machine", "simulated", "default"]
    listed = shell.ok("host", "list", "--json").json
    assert set(listed[0]) == {key.name for key in HOST_KEYS} | {"name", "default"}
    assert shell.ok("host", "show", "--json").json == listed[0]
    assert "engine" in shell.ok("host", "show", "sim").out
    assert shell.refused(3, "host", "show", "box") == "box is no host: cosmosq.toml has sim"


@needs_sshd
def test_a_removed_host_is_gone_and_the_file_as_it_was(box: Box, workspace: Workspace) -> None:
    before = workspace.config_path.read_text()
    box.add()
    rows = box.shell.ok("host", "list").out.splitlines()
    assert rows[3].split()[:2] == ["box", f"{USER}@127.0.0.1"]
    box.shell.ok("host", "remove", "box")
    assert workspace.config_path.read_text() == before
    assert box.shell.refused(3, "host", "remove", "box").startswith("box is no host")


def test_a_host_that_is_needed_is_not_removed(shell: Shell, workspace: Workspace) -> None:
    assert "is the default host" in shell.refused(2, "host", "remove", "sim")
    workspace.config_path.write_text(workspace.config_path.read_text() + "\n[hosts.other]\n")
    ids = shell.ok("enqueue", "kitchen", "--host", "other", "--json").ids
    assert shell.refused(2, "host", "remove", "other").startswith(f"job {ids[0]} is for other: cancel")
    shell.ok("cancel", ids[0])
    shell.ok("host", "remove", "other")
    assert list(load_config(workspace.config_path).hosts) == ["sim"]


# Checking

NAMES = [*ACCESS, *(check.name for check in CHECKS)]


def found(answer: Answer) -> dict[str, dict[str, object]]:
    """The lines of a check by name."""
    return {finding["check"]: finding for finding in answer.json["checks"]}


def test_the_simulated_host_needs_no_gpu(shell: Shell) -> None:
    answer = shell.ok("host", "check", "--json")
    assert answer.json["ok"] is True
    assert list(found(answer)) == NAMES
    assert found(answer)["gpu"]["found"] == "none needed: simulated"
    lines = shell.ok("host", "check", "sim").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in NAMES]


@needs_sshd
def test_a_host_over_ssh_is_looked_at_line_by_line_and_left_as_it_was(box: Box) -> None:
    box.add()
    answer = box.shell.ok("host", "check", "box", "--json")
    assert [(name, line["ok"]) for name, line in found(answer).items()] == [(name, True) for name in NAMES]
    assert found(answer)["login"]["found"] == USER
    assert found(answer)["transfer"]["found"]
    assert list(box.root.iterdir()) == []


@needs_sshd
def test_a_host_that_is_down_is_exit_4_and_the_rest_is_not_looked_at(box: Box) -> None:
    box.add()
    box.server.stop()
    answer = box.shell.run("host", "check", "box", "--json")
    assert answer.code == 4
    assert {name: line["ok"] for name, line in found(answer).items()} == {**dict.fromkeys(NAMES), "reachable": False}
    assert answer.json["ok"] is False
    assert answer.err.startswith("cosmosq: box cannot work yet: reachable: ")
    told = f"127.0.0.1 cannot be reached (Unable to connect to port {box.server.port} on 127.0.0.1)"
    assert found(answer)["reachable"]["found"] == told


@needs_sshd
def test_an_unknown_and_a_changed_key_are_lines_of_the_check(box: Box, workspace: Workspace) -> None:
    box.add()
    known = workspace.known_hosts_path.read_text()
    workspace.known_hosts_path.unlink()
    unknown = box.shell.run("host", "check", "box", "--json")
    assert unknown.code == 4
    assert [found(unknown)[name]["ok"] for name in ACCESS] == [True, False, None]
    assert box.server.fingerprint in str(found(unknown)["key"]["found"])
    assert "cosmosq host shell box" in str(found(unknown)["key"]["remedy"])
    workspace.known_hosts_path.write_text(known)
    box.server.stop()
    box.server.make_host_key()
    box.server.start()
    changed = box.shell.run("host", "check", "box", "--json")
    assert changed.code == 4
    assert "CHANGED" in str(found(changed)["key"]["found"])
    assert found(changed)["key"]["remedy"]


@needs_sshd
def test_a_refused_login_is_a_line_of_the_check(box: Box) -> None:
    box.add()
    (box.server.folder / "authorized_keys").write_text("")
    answer = box.shell.run("host", "check", "box", "--json")
    assert answer.code == 4
    assert [found(answer)[name]["ok"] for name in ACCESS] == [True, True, False]
    assert found(answer)["login"]["remedy"]


def add_host(workspace: Workspace, **settings: str) -> None:
    """A host `real` on this machine."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    workspace.config_path.write_text(f"{workspace.config_path.read_text()}\n[hosts.real]\n{lines}")


def make_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_bare_machine_is_told_what_it_lacks(shell: Shell, workspace: Workspace, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    make_program(tmp_path / "python", f'PYTHONPATH="{broken}" exec "{sys.executable}" "$@"')
    add_host(
        workspace,
        engine="cosmos_transfer1",
        checkout=str(tmp_path / "cosmos"),
        python=str(tmp_path / "python"),
        container="none",
    )
    answer = shell.run("host", "check", "real", "--json", env={"PATH": f"{tmp_path / 'none'}:/usr/bin:/bin"})
    assert answer.code == 4
    lines = found(answer)
    wrong = [name for name, line in lines.items() if line["ok"] is False]
    assert set(wrong) - {"disk"} == {"gpu", "checkout", "checkpoints", "python"}
    assert all(lines[name]["remedy"] for name in wrong)
    assert "libGL.so.1" in str(lines["python"]["found"])
    assert "pip install opencv-python-headless" in str(lines["python"]["remedy"])
    assert "base_model.pt" in str(lines["checkpoints"]["found"])
    shown = shell.run("host", "check", "real", env={"PATH": "/usr/bin:/bin"}).out
    assert "\nWRONG  gpu " in shown
    assert "→ " in shown


def test_an_equipped_machine_is_told_what_it_has(shell: Shell, workspace: Workspace, tmp_path: Path) -> None:
    checkout = tmp_path / "cosmos transfer1"
    base = checkout / "checkpoints" / "nvidia" / "Cosmos-Transfer1-7B"
    for path in (checkout / "cosmos_transfer1" / "checkpoints.py", base / "base_model.pt", base / "edge_control.pt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("nvidia/Cosmos-Tokenize1-CV8x8x8-720p", "nvidia/Cosmos-Guardrail1", "google-t5/t5-11b"):
        (checkout / "checkpoints" / name).mkdir(parents=True)
    git = ("git", "-C", checkout, "-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "m")):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout
    make_program(tmp_path / "bin" / "nvidia-smi", "echo 'NVIDIA H100 80GB HBM3, 81559, 513'")
    add_host(workspace, engine="cosmos_transfer1", checkout=str(checkout), python=sys.executable)
    answer = shell.run("host", "check", "real", "--json", env={"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    lines = found(answer)
    assert [name for name, line in lines.items() if not line["ok"] and name != "disk"] == []
    assert lines["gpu"]["found"] == "NVIDIA H100 80GB HBM3, 80 GB, 0.5 GB in use"
    assert head.strip() in str(lines["checkout"]["found"])
    assert str(lines["checkpoints"]["found"]).endswith("checkpoints, hints edge")


def test_a_container_engine_that_does_not_answer_is_told(shell: Shell, workspace: Workspace, tmp_path: Path) -> None:
    add_host(workspace, container=str(tmp_path / "docker"), image="none")
    lines = found(shell.run("host", "check", "real", "--json"))
    assert lines["container"]["ok"] is False
    make_program(tmp_path / "docker", 'test "$1" = ps || { echo "No such image: $4" >&2; exit 1; }')
    lines = found(shell.run("host", "check", "real", "--json"))
    assert lines["container"]["found"] == "image none is not there"
    assert "pull none" in str(lines["container"]["remedy"])


@pytest.mark.parametrize("engine_says", ["echo 'x, [N/A], [N/A]'", "echo broken; exit 0", "exit 9", "echo; echo"])
def test_any_answer_of_a_program_is_a_line(
    shell: Shell, workspace: Workspace, tmp_path: Path, engine_says: str
) -> None:
    for name in ("nvidia-smi", "df", "date", "git", "python"):
        make_program(tmp_path / "bin" / name, engine_says)
    add_host(workspace, engine="cosmos_transfer1", checkout="relative", python=str(tmp_path / "bin" / "python"))
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    answer = shell.run("host", "check", "real", "--json", env=environment)
    assert answer.code == 4
    assert list(found(answer)) == NAMES
    assert "absolute" in str(found(answer)["checkout"]["remedy"])


# Sessions


def test_living_sessions_are_listed_with_whose_they_are(tmp_path: Path) -> None:
    night = make_night(tmp_path, simulator={"step_s": 0.05})
    try:
        job = night.enqueue(num_steps=1000)
        worker = night.worker()
        wait_for(lambda: night.job(job)["phase"] == "generating", "the generation")
        worker.kill()
        worker.wait()
        ours = Shell(night.workspace.root).ok("host", "sessions", "--json").json
        assert [(row["state"], row["workspace"], row["login"]) for row in ours] == [("running", "this", USER)]
        assert (ours[0]["engine"], ours[0]["hints"]) == ("simulated", ["edge"])
        assert ours[0]["id"] in Shell(night.workspace.root).ok("host", "sessions", "sim").out

        Shell(tmp_path).ok("init", "other")
        other = Shell(tmp_path / "other")
        settings = f"[hosts.sim]\nroot = {json.dumps(str(night.box))}\n"
        (tmp_path / "other" / "cosmosq.toml").write_text(settings)
        assert [(row["id"], row["workspace"]) for row in other.ok("host", "sessions", "--json").json] == [
            (ours[0]["id"], "another")
        ]
        for pid in night.session_pids():
            os.kill(pid, 9)
        wait_for(lambda: not night.session_pids(), "the end of the session")
        assert other.ok("host", "sessions", "--json").json == []
        ended = other.ok("host", "sessions", "--all", "--json").json
        assert [row["state"] for row in ended] == ["exited -9"]
    finally:
        night.close()


def test_a_hosts_odd_files_among_the_sessions_are_shown_as_nothing(shell: Shell, workspace: Workspace) -> None:
    sessions = workspace.host_path("sim") / "sessions"
    for name, order in {
        "s-1": "[]",
        "s-2": '{"key": 3}',
        "s-3": '{"key": {"hints": 3}}',
        "\x1b[2Jx": "",
        "-x": "",
    }.items():
        (sessions / name).mkdir(parents=True)
        (sessions / name / "start.json").write_text(order)
    (sessions / "a\nb").mkdir()
    rows = shell.ok("host", "sessions", "--all", "--json").json
    assert {row["id"] for row in rows} <= {"s-1", "s-2", "s-3", "a", "b"}
    assert {row["state"] for row in rows} == {"absent"}
    assert shell.ok("host", "sessions").out.count("\n") == 2


def test_a_host_without_sessions_has_none_to_show_or_clean(shell: Shell, workspace: Workspace) -> None:
    assert shell.ok("host", "sessions", "--json").json == []
    assert shell.ok("host", "clean", "--json").json == []
    assert "0 containers" in shell.ok("host", "clean").err
    assert not workspace.host_path("sim").exists()


def test_a_container_host_is_looked_at_listed_and_cleaned(tmp_path: Path) -> None:
    require()
    night = make_night(tmp_path, simulator={"step_s": 0.05})
    shell = Shell(night.workspace.root)
    with docker_engine() as engine:
        mount = f"{PACKAGES}:/usr/local/lib/python3.11/dist-packages:ro"
        more = {"container": shlex.join(engine.command), "image": IMAGE, "gpus": "", "network": "none"}
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in {**more, "mounts": [mount]}.items())
        settings = night.workspace.config_path
        settings.write_text(settings.read_text().replace("idle_close", f"{lines}idle_close", 1))
        checked = shell.ok("host", "check", "--json")
        assert f"image {IMAGE} " in str(found(checked)["container"]["found"])
        assert str(found(checked)["python"]["found"]).startswith("3.11")
        assert engine.containers() == []
        settings.write_text(settings.read_text().replace(mount, str(tmp_path)))
        bare = found(shell.run("host", "check", "--json"))["python"]
        assert f"in image {IMAGE}: python3 -m pip install" in str(bare["remedy"])
        settings.write_text(settings.read_text().replace(str(tmp_path), mount))

        night.enqueue(num_steps=1000)
        worker = night.worker()
        wait_for(lambda: (night.job(1)["step"] or 0) > 2, "some steps")
        worker.kill()
        worker.wait()
        engine.docker("create", "--name=theirs", "--network=none", "--label=cosmosq.session=x", IMAGE, "true")
        rows = shell.ok("host", "sessions", "--json").json
        assert [(row["state"], row["workspace"], row["login"]) for row in rows] == [("running", "this", USER)]
        assert rows[0]["hints"] == ["edge"]
        engine.docker("kill", f"cosmosq-{rows[0]['id']}")
        assert shell.ok("host", "sessions", "--json").json == []
        assert [row["state"] for row in shell.ok("host", "sessions", "--all", "--json").json] == ["exited 137"]
        assert shell.ok("host", "clean", "--json").json == [], "its end is not recorded yet"
        with night.ledger.write() as writing:
            writing.execute(text("UPDATE sessions SET \"end\" = 'lost: killed'"))
        assert [row["session"] for row in shell.ok("host", "clean", "--json").json] == [rows[0]["id"]]
        assert [each["Name"] for each in engine.containers()] == ["/theirs"]
        after = shell.ok("host", "sessions", "--all", "--json").json
        assert [row["state"] for row in after] == ["lost: killed"]
    night.close()


# Entering


@needs_sshd
def test_a_shell_is_opened_with_the_hosts_own_key_and_known_hosts(box: Box) -> None:
    box.add()
    answer = box.shell.spawn("host", "shell", "box", stdin=b'echo "hello $((6*7))"; id -un; exit 3\n')
    assert (answer.code, answer.out.split()) == (3, ["hello", "42", USER])


@needs_sshd
def test_a_shell_asks_about_an_unknown_key_and_without_a_terminal_refuses(box: Box, workspace: Workspace) -> None:
    box.add()
    workspace.known_hosts_path.unlink()
    answer = box.shell.spawn("host", "shell", "box", stdin=b"echo hello\n")
    assert (answer.code, answer.out) == (255, "")
    assert "Host key verification failed" in answer.err


def test_this_machine_needs_no_way_to_it(shell: Shell) -> None:
    assert shell.refused(2, "host", "shell").startswith("sim is this machine")


@needs_sshd
def test_ssh_reads_any_path_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    add_host(workspace, transport="ssh", address="box.example", user="me", identity=str(tmp_path / "my %k 'key'"))
    config = load_config(workspace.config_path).host("real")
    known = tmp_path / 'a "b" %h \\ c' / "known_hosts"
    argv = ssh_command(config, known)
    printed = subprocess.run(
        [argv[0], "-G", "-F", "none", *argv[1:]], check=True, capture_output=True, text=True
    ).stdout
    told = dict(line.partition(" ")[::2] for line in printed.splitlines())
    assert (told["hostname"], told["user"], told["stricthostkeychecking"]) == ("box.example", "me", "ask")
    assert told["identityfile"].replace("%%", "%") == config.identity
    assert told["userknownhostsfile"].replace("%%", "%").startswith(str(known))
