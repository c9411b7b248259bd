"""Starts, finds and ends sessions on a GPU box: the only program that the client runs there.

    box.py start <session folder>              start once, however often it is asked
    box.py status <session folder> [...]       what became of them
    box.py kill <session folder> [--grace S]   TERM, then KILL, to the session and its children

Standard library only. Every command prints JSON on stdout. Nothing passes through a shell.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

START_WAIT_S = 10.0
EXIT_WAIT_S = 2.0
STRAYS_GRACE_S = 1.0
POLL_S = 0.01
NOT_EXECUTABLE = 127


@dataclass(frozen=True)
class Process:
    """One entry of /proc; the pid alone says nothing, since pids are used again."""

    pid: int
    state: str
    group: int
    session: int
    start_time: int

    @classmethod
    def read(cls, pid: int) -> Process | None:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return None
        # The name in parentheses may itself hold spaces and parentheses.
        fields = text[text.rindex(")") + 2 :].split()
        return cls(pid, fields[0], int(fields[2]), int(fields[3]), int(fields[19]))

    @property
    def is_over(self) -> bool:
        return self.state in ("Z", "X")


@dataclass(frozen=True)
class Status:
    """What the client learns about one session."""

    session: str
    state: str
    exit: int | None
    reason: str | None


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    return command(options)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="box.py", description="Starts, finds and ends sessions on a GPU box.")
    commands = top.add_subparsers(required=True)
    start = commands.add_parser("start")
    start.add_argument("folder", type=Path)
    start.set_defaults(command=start_command)
    status = commands.add_parser("status")
    status.add_argument("folders", type=Path, nargs="+")
    status.set_defaults(command=status_command)
    kill = commands.add_parser("kill")
    kill.add_argument("folder", type=Path)
    kill.add_argument("--grace", type=float, default=5.0, metavar="S")
    kill.set_defaults(command=kill_command)
    return top


def start_command(options: argparse.Namespace) -> int:
    folder: Path = options.folder.absolute()
    if not (folder / "start.json").is_file():
        return refuse(f"{folder} has no start.json; write it before the start")
    try:
        (folder / "started").mkdir()
    except FileExistsError:
        pass  # An earlier start won; its session is the answer.
    else:
        detach(lambda: wrap(folder))
    if not wait_for((folder / "session.json").exists, START_WAIT_S):
        return refuse(f"{folder} was started before but has no session.json; use another session")
    show(json.loads((folder / "session.json").read_text()))
    return 0


def status_command(options: argparse.Namespace) -> int:
    show([asdict(status_of(folder.absolute())) for folder in options.folders])
    return 0


def kill_command(options: argparse.Namespace) -> int:
    folder: Path = options.folder.absolute()
    leader = live_session(folder)
    if leader is not None:
        end_group(leader, options.grace)
    show(asdict(status_of(folder)))
    return 0


def detach(work: Callable[[], None]) -> None:
    """Runs `work` in a process that has no terminal, no parent here and no open file of ours."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            cut_stdio()
            work()
    finally:
        os._exit(0)


def cut_stdio() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2:
            with contextlib.suppress(OSError):  # The descriptor of the listing itself is closed by now.
                os.close(descriptor)


def wrap(folder: Path) -> None:
    """Starts the session, writes down who it is, waits for it, and writes its exit code."""
    # Handlers, not SIG_IGN: an ignored signal would be inherited by the session.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    # Not at the top: all other commands need this file alone.
    from strays import adopt_orphans, end_descendants

    adopt_orphans()
    try:
        code = serve(folder)
        # A session that has ended holds no GPU, even if it was killed and could not see to its own.
        end_descendants(STRAYS_GRACE_S)
        write_durably(folder / "exit", str(code))
    except Exception as error:
        append_log(folder, f"box.py: {type(error).__name__}: {error}")
        write_durably(folder / "exit", str(NOT_EXECUTABLE))


def serve(folder: Path) -> int:
    import subprocess

    start: dict[str, Any] = json.loads((folder / "start.json").read_text())
    with (folder / "log.txt").open("ab") as log:
        try:
            process = subprocess.Popen(
                start["argv"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=start.get("cwd") or folder,
                env={**os.environ, **start.get("env", {})},
                start_new_session=True,
            )
        except OSError as error:
            append_log(folder, f"box.py: cannot execute {start['argv'][0]}: {error}")
            write_session(folder, start, None)
            return NOT_EXECUTABLE
    try:
        write_session(folder, start, process.pid)
    except OSError:
        process.kill()  # A session that nobody can find would hold the GPU for ever.
        raise
    return process.wait()


def write_session(folder: Path, start: dict[str, Any], pid: int | None) -> None:
    session = {
        "session": start.get("session", folder.name),
        "boot_id": boot_id(),
        "pid": pid,
        "start_time": start_time(pid),
        "wrapper_pid": os.getpid(),
        "wrapper_start_time": start_time(os.getpid()),
        "started_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
    }
    write_durably(folder / "session.json", json.dumps(session))


def status_of(folder: Path) -> Status:
    """Reads before it judges: a session that ends meanwhile is seen as ended, never as lost."""
    session = read_session(folder)
    code = read_exit(folder)
    if code is None and session is not None and not is_alive(session, "pid"):
        if is_alive(session, "wrapper_pid"):
            wait_for((folder / "exit").exists, EXIT_WAIT_S)
        code = read_exit(folder)
        if code is None:
            reason = "killed" if session["boot_id"] == boot_id() else "rebooted"
            return Status(folder.name, "lost", None, reason)
    if code is not None:
        return Status(folder.name, "exited", code, None)
    state = "absent" if session is None else "running"
    return Status(folder.name, state, None, None)


def live_session(folder: Path) -> Process | None:
    session = read_session(folder)
    if session is None or not is_alive(session, "pid"):
        return None
    return Process.read(session["pid"])


def is_alive(session: dict[str, Any], which: str) -> bool:
    """Same boot, same pid and same start time, and not a zombie; `which` is pid or wrapper_pid."""
    pid = session[which]
    if pid is None or session["boot_id"] != boot_id():
        return False
    process = Process.read(pid)
    start_key = "start_time" if which == "pid" else "wrapper_start_time"
    return process is not None and not process.is_over and process.start_time == session[start_key]


def end_group(leader: Process, grace_s: float) -> None:
    signal_group(leader, signal.SIGTERM)
    if not wait_for(lambda: not members(leader), grace_s):
        signal_group(leader, signal.SIGKILL)
        wait_for(lambda: not members(leader), EXIT_WAIT_S)


def signal_group(leader: Process, number: signal.Signals) -> None:
    for process in members(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


def members(leader: Process) -> list[Process]:
    """Living processes of the session's group. Group and terminal session are both the leader's pid
    and nobody in them is older, so that another program's group can never be taken for ours."""
    found = (Process.read(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [
        process
        for process in found
        if process is not None
        and process.group == leader.pid == process.session
        and process.start_time >= leader.start_time
        and not process.is_over
    ]


def read_session(folder: Path) -> dict[str, Any] | None:
    try:
        session: dict[str, Any] = json.loads((folder / "session.json").read_text())
    except FileNotFoundError:
        return None
    return session


def read_exit(folder: Path) -> int | None:
    try:
        return int((folder / "exit").read_text())
    except FileNotFoundError:
        return None


def boot_id() -> str:
    override = os.environ.get("COSMOSQ_BOOT_ID")
    return override or Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int | None) -> int | None:
    process = None if pid is None else Process.read(pid)
    return None if process is None else process.start_time


def write_durably(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def append_log(folder: Path, message: str) -> None:
    with (folder / "log.txt").open("a") as log:
        log.write(message + "\n")


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def show(value: object) -> None:
    print(json.dumps(value))


def refuse(message: str) -> int:
    print(f"box.py: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
