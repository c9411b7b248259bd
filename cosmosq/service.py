"""A worker that the system starts and keeps running: the file that says so, for systemd, launchd or Windows.

Only written here; a person reads it and enables it.
"""

import hashlib
import os
import plistlib
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from cosmosq.errors import InvalidInput
from cosmosq.files import write_whole
from cosmosq.paths import Workspace, slug

RESTART_S = 30
"""Pause before a worker that failed is started again."""
STOP_S = 6 * 3600
"""So long a worker may take to finish its job; then it is killed, and the next one goes on with that job."""
MARK = "cosmosq worker of the workspace "

_SYSTEMD = """\
# {mark}

[Unit]
Description={description}
# A worker that cannot begin, as while the box is away, is started again for as long as it takes.
StartLimitIntervalSec=0

[Service]
Type=exec
WorkingDirectory={folder}
# The colon: nothing in the arguments is a variable of systemd's.
ExecStart=:{command}
Environment={path}
# The first SIGINT finishes the current job; a second one leaves it running on its host.
KillSignal=SIGINT
SuccessExitStatus=130
TimeoutStopSec={stop_s}
# What runs on this machine for a job outlives its worker: the next worker goes on with it.
KillMode=process
OOMPolicy=continue
Restart=on-failure
RestartSec={restart_s}

[Install]
WantedBy=default.target
"""

_TASK = "http://schemas.microsoft.com/windows/2004/02/mit/task"


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is written where, and how a person enables it."""

    name: str
    path: Path
    data: bytes
    mark: str
    """The piece of its text that names the workspace."""
    enable: tuple[str, ...]
    """Command lines, each with what it is for."""

    @property
    def text(self) -> str:
        """The file as people read it."""
        return _decoded(self.data)

    def write(self) -> None:
        """Write it, or renew what was written for this workspace.

        Raises:
            InvalidInput: what is there is not ours.
            StorageFailed: it cannot be written.
        """
        # A link to /dev/null is how systemd forbids a unit.
        if self.path.is_symlink() or (self.path.exists() and self.mark not in _decoded(self.path.read_bytes())):
            raise InvalidInput(f"{self.path} is not of this workspace: look at it, and move it away first")
        write_whole(self.path, self.data)


def _decoded(data: bytes) -> str:
    return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8", errors="replace")


def service_of(workspace: Workspace, arguments: Sequence[str], system: str, home: Path) -> Service:
    """The service of a workspace.

    Args:
        arguments: further words for `cosmosq worker`.
        system: as `sys.platform` has it.
        home: the person's home folder.

    Raises:
        InvalidInput: the workspace's path cannot be written into such a file.
    """
    root = str(workspace.root)
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) < 0xE000 for letter in root) or root != root.strip():
        raise InvalidInput(f"{root!a} has letters that no service file can hold: move the workspace")
    # -P: nothing in the workspace is taken for one of our modules.
    argv = [sys.executable, "-P", "-m", "cosmosq", "-w", root, "worker", *arguments]
    make = {"darwin": _launchd, "win32": _task}.get(system, _systemd)
    return make(workspace, argv, home)


def name_of(workspace: Workspace) -> str:
    """One a workspace: its folder's name, and a digest of its whole path."""
    digest = hashlib.sha256(os.fsencode(workspace.root)).hexdigest()[:8]
    # Units are named in ASCII.
    letters = slug(workspace.root.name).encode("ascii", "ignore").decode()
    return "-".join(["cosmosq", *re.findall(r"[a-z0-9_]+", letters), digest])


def _systemd(workspace: Workspace, argv: Sequence[str], home: Path) -> Service:
    name = name_of(workspace)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    text = _SYSTEMD.format(
        mark=f"{MARK}{workspace.root}",
        description=_specifiers(f"cosmosq worker of {workspace.root}"),
        folder=_specifiers(str(workspace.root)),
        command=" ".join(map(_quoted, argv)),
        path=_quoted(f"PATH={os.environ.get('PATH', os.defpath)}"),
        stop_s=STOP_S,
        restart_s=RESTART_S,
    )
    return Service(
        name=name,
        path=config / "systemd" / "user" / f"{name}.service",
        data=text.encode(),
        mark=f"# {MARK}{workspace.root}\n",
        enable=(
            "systemctl --user daemon-reload",
            f"systemctl --user enable --now {name}",
            "loginctl enable-linger    # it also works while you are not logged in",
            f"journalctl --user -u {name} -f    # what it says",
        ),
    )


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_specifiers(escaped)}"'


def _launchd(workspace: Workspace, argv: Sequence[str], home: Path) -> Service:
    name = name_of(workspace)
    said = str(workspace.log_path.with_name("service.log"))
    document = {
        "Label": name,
        "ProgramArguments": list(argv),
        "WorkingDirectory": str(workspace.root),
        "EnvironmentVariables": {"PATH": os.environ.get("PATH", os.defpath)},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": RESTART_S,
        "AbandonProcessGroup": True,
        "StandardOutPath": said,
        "StandardErrorPath": said,
    }
    path = home / "Library" / "LaunchAgents" / f"{name}.plist"
    return Service(
        name=name,
        path=path,
        data=plistlib.dumps(document, sort_keys=False),
        mark=f"<string>{escape(str(workspace.root))}</string>",
        enable=(
            f"launchctl bootstrap gui/$(id -u) '{path}'",
            f"launchctl kill SIGINT gui/$(id -u)/{name}    # finishes the current job",
            f"launchctl bootout gui/$(id -u)/{name}    # stops at once; the next worker goes on",
        ),
    )


def _task(workspace: Workspace, argv: Sequence[str], home: Path) -> Service:
    name, about = name_of(workspace), f"{MARK}{workspace.root}"
    path = workspace.folder / f"{name}.xml"
    document = {
        "RegistrationInfo": {"Description": about},
        "Triggers": {"LogonTrigger": {"Enabled": "true"}},
        "Settings": {
            "MultipleInstancesPolicy": "IgnoreNew",
            "DisallowStartIfOnBatteries": "false",
            "StopIfGoingOnBatteries": "false",
            "ExecutionTimeLimit": "PT0S",
            "RestartOnFailure": {"Interval": f"PT{max(1, RESTART_S // 60)}M", "Count": "999"},
        },
        "Actions": {
            "Exec": {
                "Command": argv[0],
                "Arguments": subprocess.list2cmdline(argv[1:]),
                "WorkingDirectory": str(workspace.root),
            }
        },
    }
    task = ET.Element("Task", {"version": "1.2", "xmlns": _TASK})
    _fill(task, document)
    ET.indent(task)
    return Service(
        name=name,
        path=path,
        data=ET.tostring(task, encoding="utf-16", xml_declaration=True),
        mark=f"<Description>{escape(about)}</Description>",
        enable=(
            f'schtasks /Create /TN {name} /XML "{path}"',
            f"schtasks /Run /TN {name}",
            f"schtasks /End /TN {name}    & rem stops at once; the next worker goes on",
        ),
    )


def _fill(parent: ET.Element, document: Mapping[str, Any]) -> None:
    for name, value in document.items():
        child = ET.SubElement(parent, name)
        if isinstance(value, str):
            child.text = value
        else:
            _fill(child, value)
