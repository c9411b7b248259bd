"""What a broken or malicious box writes: nothing leaves the outputs, no terminal is driven, the worker goes on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import Shell
from tests.night import Night, make_night, wait_for

MEMORY_BYTES = 400 << 20
"""Of a worker, whatever the box says; an idle one has a quarter of that."""
EMPTY = hashlib.sha256(b"").hexdigest()


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = bewitched(tmp_path)
    yield made
    made.close()


def bewitched(folder: Path, host: Mapping[str, object] | None = None) -> Night:
    """A night in which the engine hangs over job 1, so that only the test says what happens to it."""
    made = make_night(folder, faults=[{"do": "hang", "match": "bewitched", "times": 1}], retries=0, host=host)
    made.enqueue("bewitched")
    return made


@pytest.fixture
def tell(night: Night) -> Callable[..., dict[str, Any]]:
    """Let the session of the running job say something and end; returns the job."""

    def told(lines: bytes, log_bytes: int = 0, link: str = "") -> dict[str, Any]:
        worker = night.worker("--until-empty")
        wait_for(lambda: night.job(1)["phase"] == "generating", "the generation")
        if log_bytes:
            # The session opens it a moment after it has accepted the attempt.
            wait_for(lambda: list(night.box.glob("sessions/*/attempts/1-1/log.txt")), "the log")
            with next(night.box.glob("sessions/*/attempts/1-1/log.txt")).open("r+b") as stream:
                stream.truncate(log_bytes)
                stream.seek(0, os.SEEK_END)
                stream.write(b"the last words\n")
        if link:
            (next(night.box.glob("sessions/*/attempts/1-1")) / "output.mp4").symlink_to(link)
        with next(night.box.glob("sessions/*/events.jsonl")).open("ab") as stream:
            stream.write(lines)
        wait_for(lambda: night.statuses() != ["running"], "the end of the attempt")
        assert most_memory(worker.pid) < MEMORY_BYTES
        worker.terminate()
        worker.communicate(timeout=30)
        return night.job(1)

    return told


def most_memory(pid: int) -> int:
    """Most bytes of memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def line(event: str, **more: object) -> bytes:
    return json.dumps({"event": event, "attempt": "1-1", **more}).encode() + b"\n"


NAMES = ["../../../evil.txt", "/tmp/evil.txt", "output.mp4/../../evil", ["x"], None, 7, "output.mp4", "output.mp4"]


def test_names_that_lead_elsewhere_are_not_fetched(night: Night, tell: Callable[..., dict[str, Any]]) -> None:
    before = {path for path in night.workspace.root.rglob("*") if "outputs" not in path.parts}
    job = tell(line("done", artifacts=[{"name": name, "sha256": EMPTY, "bytes": 0} for name in NAMES]))
    assert job["status"] == "failed"
    assert job["error"] in ("host_failed", "bad_output")
    assert not list(night.workspace.root.rglob("*evil*"))
    after = {path for path in night.workspace.root.rglob("*") if "outputs" not in path.parts}
    assert {path for path in after - before if night.workspace.folder not in path.parents} == set()


@pytest.mark.parametrize("target", ["/dev/zero", "/etc", "output.mp4"])
def test_a_link_in_place_of_a_video_fails_the_attempt(
    night: Night, tell: Callable[..., dict[str, Any]], target: str
) -> None:
    job = tell(line("done", artifacts=[{"name": "output.mp4", "sha256": EMPTY, "bytes": 0}]), link=target)
    assert (job["status"], job["error"]) == ("failed", "host_failed")
    assert not [path for path in night.workspace.outputs_path.rglob("*") if path.suffix in (".mp4", ".part")]


@pytest.mark.parametrize(
    "lines",
    [
        b"\xff\xfe broken\n" * 5_000 + line("failed", error="engine_error", message="x"),
        b'{"event": "done", "attempt": "1-1", "generate_s": Infinity}\n'
        + line("failed", error="engine_error", message="x"),
        b"[" * 100_000 + b"\n" + line("failed", error="engine_error", message="x"),
        b'{"event": 3}\n{}\n[]\nnull\n' + line("failed", error="engine_error", message="x"),
        b"x" * 3_000_000 + b"\n" + line("failed", error="engine_error", message="x"),
        line("step", clip=-1, clips="x", step=1e300, steps=None) + line("failed", error="engine_error", message="x"),
        line("ready", load_s=1e400) + line("failed", error="engine_error", message="x"),
    ],
)
def test_lines_that_are_no_events_are_counted_and_passed_over(
    night: Night, tell: Callable[..., dict[str, Any]], lines: bytes
) -> None:
    job = tell(lines)
    assert (job["status"], job["error"]) == ("failed", "engine_error")
    assert night.sql("SELECT count(*) FROM events WHERE event = 'unreadable'")[0][0] < 10
    assert Shell(night.workspace.root).ok("report", "--json").json["jobs"] == 1


def test_half_a_surrogate_in_a_message_does_not_stop_the_worker(
    night: Night, tell: Callable[..., dict[str, Any]]
) -> None:
    job = tell(line("failed", error="engine_error", message="no \udcff file"))
    assert (job["status"], job["message"]) == ("failed", "no ? file")


def test_a_terminal_is_not_driven_by_what_the_box_says(night: Night, tell: Callable[..., dict[str, Any]]) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\x08"
    tell(line("failed", error="engine_error" + evil, message=evil))
    shell = Shell(night.workspace.root)
    for command in (("status",), ("show", 1), ("log", 1), ("report",)):
        answer = shell.ok(*command)
        for code in "\x1b\x07\x9b\x08":
            assert code not in answer.out + answer.err


def test_a_log_without_end_brings_only_its_end_home(night: Night, tell: Callable[..., dict[str, Any]]) -> None:
    job = tell(line("failed", error="engine_error", message="x"), log_bytes=5 << 30)
    artifact = next(a for a in job["artifacts"] if a["kind"] == "log")
    assert artifact["bytes"] <= 1 << 20
    assert (night.workspace.root / artifact["path"]).read_bytes().count(b"the last words\n") == 1
