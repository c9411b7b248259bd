"""`cosmosq worker --install`: what is written is what the system reads, whatever the workspace is called."""

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cosmosq.errors import InvalidInput
from cosmosq.paths import Workspace
from cosmosq.service import Service, name_of, service_of
from tests.acceptance.command_line import Shell

ODD = """a night's 100%h "$HOME" \\x & <ü>"""
WINDOWS = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


@pytest.fixture
def odd(tmp_path: Path) -> Workspace:
    """A workspace with a name that needs quoting everywhere."""
    Shell(tmp_path).ok("init", ODD)
    return Workspace(root=tmp_path / ODD)


@pytest.fixture(autouse=True)
def _units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def words_of(workspace: Workspace, *more: str) -> list[str]:
    return [sys.executable, "-P", "-m", "cosmosq", "-w", str(workspace.root), "worker", *more]


def made(workspace: Workspace, system: str, *arguments: str) -> Service:
    return service_of(workspace, arguments, system, workspace.root.parent / "home")


def setting(unit: str, name: str) -> str:
    (value,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]
    return value.replace("%%", "%")


def test_the_unit_of_systemd_runs_this_interpreter_in_this_workspace(odd: Workspace) -> None:
    unit = made(odd, "linux", "--host", "sim")
    command = setting(unit.text, "ExecStart")
    # The quotes and backslashes of systemd are those of a shell within double quotes.
    assert shlex.split(command.removeprefix(":")) == words_of(odd, "--host", "sim")
    assert setting(unit.text, "WorkingDirectory") == str(odd.root)
    assert unit.path.name == f"{name_of(odd)}.service"
    assert unit.path.name.isascii()
    told = {name: setting(unit.text, name) for name in ("KillSignal", "KillMode", "Restart")}
    assert told == {"KillSignal": "SIGINT", "KillMode": "process", "Restart": "on-failure"}
    assert int(setting(unit.text, "TimeoutStopSec")) >= 3600


def test_systemd_itself_finds_nothing_wrong_with_the_unit(odd: Workspace, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze here")
    unit = made(odd, "linux", "--host", "sim")
    unit.write()
    (tmp_path / "run").mkdir(mode=0o700)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    verify = [program, "--user", "verify", str(unit.path)]
    checked = subprocess.run(verify, env=environment, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    unit.path.write_text(unit.text.replace("KillSignal=SIGINT", "KillSignal=SIGFOO"))
    checked = subprocess.run(verify, env=environment, capture_output=True, text=True, check=False)
    assert "SIGFOO" in checked.stderr, "it does look"


def test_the_plist_of_launchd_says_the_same(odd: Workspace) -> None:
    plist = made(odd, "darwin", "--host", "sim")
    told = plistlib.loads(plist.data)
    assert told["ProgramArguments"] == words_of(odd, "--host", "sim")
    assert (told["Label"], told["WorkingDirectory"]) == (name_of(odd), str(odd.root))
    assert (told["RunAtLoad"], told["KeepAlive"]) == (True, {"SuccessfulExit": False})
    assert plist.path.parts[-4:] == ("home", "Library", "LaunchAgents", f"{name_of(odd)}.plist")


def test_the_task_of_windows_says_the_same(odd: Workspace) -> None:
    task = made(odd, "win32", "--host", "sim")
    root = ET.fromstring(task.data)
    found = {element.tag.removeprefix(WINDOWS): element.text for element in root.iter()}
    assert (found["Command"], found["WorkingDirectory"]) == (sys.executable, str(odd.root))
    assert found["Arguments"] == subprocess.list2cmdline(words_of(odd, "--host", "sim")[1:])
    assert (found["ExecutionTimeLimit"], found["MultipleInstancesPolicy"]) == ("PT0S", "IgnoreNew")


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_a_service_is_renewed_for_its_workspace_and_no_other_file_is_overwritten(odd: Workspace, system: str) -> None:
    service = made(odd, system)
    service.write()
    made(odd, system, "--poll", "1").write()
    assert "--poll" in made(odd, system, "--poll", "1").text
    for contents in (b"[Service]\nExecStart=/bin/true\n", service.data.replace(b"h", b"H")):
        service.path.write_bytes(contents)
        with pytest.raises(InvalidInput, match="is not of this workspace"):
            service.write()
        assert service.path.read_bytes() == contents
    service.path.unlink()
    service.path.symlink_to("/dev/null")
    with pytest.raises(InvalidInput, match="is not of this workspace"):
        service.write()


def test_two_workspaces_of_one_name_have_two_services(tmp_path: Path) -> None:
    names = {name_of(Workspace(root=tmp_path / folder / "night")) for folder in ("a", "b")}
    assert len(names) == 2
    assert all(name.startswith("cosmosq-night-") for name in names)


def test_a_path_that_no_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="move the workspace"):
        made(Workspace(root=tmp_path / "a\nExecStart=b"), "linux")


@pytest.mark.skipif(sys.platform != "linux", reason="what is written depends on the system")
def test_the_file_is_shown_and_how_to_enable_it(odd: Workspace, tmp_path: Path) -> None:
    shell = Shell(odd.root)
    path = tmp_path / "config" / "systemd" / "user" / f"{name_of(odd)}.service"
    shown = shell.ok("worker", "--install", "--print", "--host", "sim", "--poll", "0.5")
    assert not path.exists()
    assert shown.err.startswith(f"nothing was written: this would be {path}\n")
    written = shell.ok("worker", "--install", "--host", "sim", "--poll", "0.5")
    assert path.read_text() == written.out == shown.out
    assert '"worker" "--host" "sim" "--poll" "0.5"\n' in written.out
    assert f"    systemctl --user enable --now {name_of(odd)}\n" in written.err
    assert "    loginctl enable-linger " in written.err


def test_what_makes_no_sense_in_a_service_is_refused(odd: Workspace) -> None:
    shell = Shell(odd.root)
    assert "leave out --until-empty" in shell.refused(2, "worker", "--install", "--until-empty")
    assert "--print needs --install" in shell.refused(2, "worker", "--print")
    shell.refused(3, "worker", "--install", "--host", "nowhere")


def test_the_command_of_the_service_works_wherever_it_is_started(odd: Workspace) -> None:
    command = setting(made(odd, "linux").text, "ExecStart").removeprefix(":")
    # A file of the workspace is no module of ours.
    (odd.root / "click.py").write_text("raise SystemExit('not me')")
    worked = subprocess.run(
        [*shlex.split(command), "--until-empty"], cwd=odd.root, capture_output=True, text=True, timeout=120, check=False
    )
    assert worked.returncode == 0, worked.stderr
