"""What an engine prints, and what is read out of it; and that a cancellation hits whom it was meant for."""

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.box_tools import SCRIPTS

sys.path.insert(0, str(SCRIPTS))
from progress import Progress, Step


def run_scripts(tmp_path: Path, program: str) -> str:
    """What a program prints that imports the session's modules, in a process group of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        check=True,
        timeout=30,
        start_new_session=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def test_only_the_attempt_that_was_meant_is_interrupted(tmp_path: Path) -> None:
    program = """
import os, signal, time
from pathlib import Path
from cancellation import Cancellation
from failures import Cancelled
cancellation = Cancellation()
first, second = Path("first"), Path("second")
try:
    with cancellation.of(first):
        first.touch()
        try:
            time.sleep(20)
        except Exception:
            print("swallowed")
except Cancelled:
    print("first cancelled")
os.kill(os.getpid(), signal.SIGUSR1)
with cancellation.of(second):
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.3)
    print("second whole")
"""
    assert run_scripts(tmp_path, program).splitlines() == ["first cancelled", "second whole"]


def printed(tmp_path: Path, code: str) -> tuple[str, str]:
    """The session's and the attempt's log after `code` printed inside an attempt."""
    program = f"""
import os, signal, subprocess, sys
from pathlib import Path
from engine_output import EngineOutput
output = EngineOutput(Path.cwd())
print("before")
with output.attempt("1-1", Path("attempt.txt")):
{chr(10).join("    " + line for line in code.strip().splitlines())}
print("after")
output.close()
"""
    run_scripts(tmp_path, program)
    return (tmp_path / "log.txt").read_text(), (tmp_path / "attempt.txt").read_text()


def test_whatever_is_printed_during_an_attempt_is_in_its_log(tmp_path: Path) -> None:
    session, attempt = printed(
        tmp_path,
        """
print("from Python")
print("from Python's stderr", file=sys.stderr)
os.write(1, b"from a library\\n")
subprocess.run([sys.executable, "-c", "print('from a child')"])
os.write(2, b"without a newline")
""",
    )
    assert session.split("\n") == ["before", "after", ""]
    assert attempt.split("\n") == [
        "from Python",
        "from Python's stderr",
        "from a library",
        "from a child",
        "without a newline",
        "",
    ]


def test_what_is_said_after_the_group_was_terminated_is_still_logged(tmp_path: Path) -> None:
    code = "signal.signal(15, signal.SIG_IGN)\nos.killpg(0, 15)\nprint('last words')"
    _, attempt = printed(tmp_path, code)
    assert attempt == "last words\n"


def test_of_a_progress_bar_only_its_last_state_is_logged(tmp_path: Path) -> None:
    _, attempt = printed(
        tmp_path,
        """
for done in range(101):
    os.write(2, f"\\r{done:3d}%|{'#' * (done // 10)}| {done}/100 [00:01<00:02,  1.0it/s]".encode())
os.write(1, b"[11-22 10:00:00|INFO|a.py:1:f] Completed diffusion sampling\\n")
for done in range(3):
    os.write(2, f"\\n\\r{50 * done}%|##| {done}/2 [00:01<00:02,  1.0it/s]\\x1b[A".encode())
""",
    )
    assert attempt.split("\n") == [
        "100%|##########| 100/100 [00:01<00:02,  1.0it/s]",
        "[11-22 10:00:00|INFO|a.py:1:f] Completed diffusion sampling",
        "100%|##| 2/2 [00:01<00:02,  1.0it/s]",
        "",
    ]


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    _, attempt = printed(tmp_path, "for _ in range(50): os.write(1, b'x' * 65536)\nprint()\nprint('next')")
    assert attempt == "x" * 65536 + "\nnext\n"


def test_progress_is_read_from_the_bars_that_the_engine_draws() -> None:
    phases: list[str] = []
    steps: list[Step] = []
    progress = Progress(phases.append, steps.append)
    progress.read_bar("  0%|          | 0/2 [00:00<?, ?it/s]")
    for clip in (1, 2):
        progress.read_line("[11-22 10:00:00|INFO|a.py:1:f] Starting diffusion sampling")
        progress.read_bar("  0%|          | 0/35 [00:00<?, ?it/s]")
        progress.read_bar("Sampling: 100%|██████████| 35/35 [01:10<00:00,  2.0s/it]")
        progress.read_line("[11-22 10:00:00|INFO|a.py:1:f] Completed diffusion sampling")
        progress.read_bar(f" 50%|█████     | {clip}/2 [01:10<01:10, 70.0s/it]")
    assert steps == [Step(1, 2, 35, 35), Step(2, 2, 35, 35)]
    assert phases == ["sampling"]
