"""box.py with real processes: starting once, telling what became of a session, ending it."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.box_tools import SCRIPTS, Box, BoxSession, run_box, wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def sleeping(box: Box, name: str = "s1", argv: list[str] = SLEEP) -> BoxSession:
    return box.started(name, argv=argv)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_second_start_finds_the_first(box: Box) -> None:
    session = sleeping(box)
    first = json.loads((session.folder / "session.json").read_text())
    assert session.start() == first
    assert first["session"] == "s1"
    assert is_running(first["pid"])
    assert is_running(first["wrapper_pid"])


def test_of_many_starts_at_once_one_wins(box: Box) -> None:
    counter = box.root / "starts"
    code = "import os, sys, time; os.write(os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY), b'x')"
    session = box.session(argv=[sys.executable, "-c", f"{code}; time.sleep(600)", str(counter)])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: session.start(), range(8)))
    assert all(answer == answers[0] for answer in answers)
    wait_for(counter.exists)
    assert counter.read_bytes() == b"x"


def test_start_returns_although_the_session_goes_on(box: Box) -> None:
    # Popen.communicate would wait for ever if the session held our pipe.
    session = sleeping(box)
    assert session.status()["state"] == "running"


def test_a_session_is_not_our_child_and_leads_its_own_group(box: Box) -> None:
    pid = sleeping(box).start()["pid"]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    assert int(fields[1]) != os.getpid()
    assert int(fields[2]) == int(fields[3]) == pid


def test_the_command_gets_its_arguments_environment_and_folder(box: Box, tmp_path: Path) -> None:
    code = "import os, sys, json; print(json.dumps([sys.argv[1:], os.environ['NOTE'], os.getcwd(), sys.stdin.read()]))"
    arguments = ["two words", "it's", '"quoted"', "$HOME", "; rm -rf x", "line\nbreak"]
    session = box.session(argv=[sys.executable, "-c", code, *arguments])
    start = json.loads((session.folder / "start.json").read_text())
    place = tmp_path / "another place"
    place.mkdir()
    start.update(env={"NOTE": "a 'note'"}, cwd=str(place))
    (session.folder / "start.json").write_text(json.dumps(start))
    session.start()
    assert session.wait_for_exit() == 0
    assert json.loads(session.log) == [arguments, "a 'note'", str(place), ""]


def test_signals_that_the_wrapper_ignores_still_reach_the_session(box: Box) -> None:
    session = sleeping(box)
    who = session.start()
    os.kill(who["wrapper_pid"], signal.SIGTERM)
    os.kill(who["wrapper_pid"], signal.SIGHUP)
    assert session.status()["state"] == "running"
    os.kill(who["pid"], signal.SIGTERM)
    assert session.wait_for_exit() == -15


@pytest.mark.parametrize("code", [0, 1, 77])
def test_the_exit_code_is_kept(box: Box, code: int) -> None:
    session = sleeping(box, argv=[sys.executable, "-c", f"raise SystemExit({code})"])
    assert session.wait_for_exit() == code
    status = session.status()
    assert (status["state"], status["exit"], status["reason"]) == ("exited", code, None)


def test_a_command_that_cannot_be_executed_exits_127(box: Box) -> None:
    session = sleeping(box, argv=["/no/such program", "x"])
    assert session.wait_for_exit() == 127
    assert "/no/such program" in session.log
    assert session.start()["pid"] is None
    assert session.status()["state"] == "exited"


def test_a_session_that_was_killed_together_with_its_wrapper_is_lost(box: Box) -> None:
    session = sleeping(box)
    who = session.start()
    os.kill(who["wrapper_pid"], signal.SIGKILL)
    os.kill(who["pid"], signal.SIGKILL)
    wait_for(lambda: not is_running(who["pid"]))
    status = session.status()
    assert (status["state"], status["exit"], status["reason"]) == ("lost", None, "killed")


def test_a_killed_session_whose_wrapper_lives_has_exited(box: Box) -> None:
    session = sleeping(box)
    os.kill(session.start()["pid"], signal.SIGKILL)
    status = session.status()
    assert (status["state"], status["exit"]) == ("exited", -9)


def test_a_session_outlives_its_wrapper(box: Box) -> None:
    session = sleeping(box)
    who = session.start()
    os.kill(who["wrapper_pid"], signal.SIGKILL)
    wait_for(lambda: not is_running(who["wrapper_pid"]))
    assert session.status()["state"] == "running"
    assert run_box("kill", session.folder, "--grace", "1")["state"] == "lost"
    assert not is_running(who["pid"])


def test_after_a_reboot_a_session_is_lost_even_if_its_pid_is_taken(box: Box) -> None:
    session = sleeping(box)
    status = session.status(COSMOSQ_BOOT_ID="another boot")
    assert (status["state"], status["reason"]) == ("lost", "rebooted")


def test_another_process_with_the_same_pid_is_not_the_session(box: Box) -> None:
    session = sleeping(box)
    path = session.folder / "session.json"
    who = json.loads(path.read_text())
    path.write_text(json.dumps({**who, "start_time": who["start_time"] - 1, "wrapper_start_time": 1}))
    assert session.status()["reason"] == "killed"
    assert run_box("kill", session.folder)["state"] == "lost"
    assert is_running(who["pid"]), "what is not ours is not killed"
    path.write_text(json.dumps(who))


def test_status_answers_for_many_sessions_in_their_order(box: Box) -> None:
    running, absent = sleeping(box, "it's b"), box.session("a")
    answers = run_box("status", running.folder, absent.folder, box.root / "sessions" / "never was")
    assert [(answer["session"], answer["state"]) for answer in answers] == [
        ("it's b", "running"),
        ("a", "absent"),
        ("never was", "absent"),
    ]


def test_kill_ends_the_session_and_its_children(box: Box) -> None:
    code = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(600)"
    session = sleeping(box, argv=[sys.executable, "-c", code, *SLEEP])
    wait_for(lambda: session.log.strip())
    child = int(session.log)
    status = run_box("kill", session.folder)
    assert (status["state"], status["exit"]) == ("exited", -15)
    wait_for(lambda: not is_running(child))


def test_a_killed_session_leaves_no_process_behind_even_in_a_session_of_its_own(box: Box) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    agent = (
        "import subprocess, sys, time; "
        "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True); "
        "print(child.pid, flush=True); time.sleep(600)"
    )
    session = sleeping(box, argv=[sys.executable, "-c", agent, deaf])
    wait_for(lambda: "deaf" in session.log)
    child = int(session.log.split()[0])
    os.kill(json.loads((session.folder / "session.json").read_text())["pid"], signal.SIGKILL)
    assert session.wait_for_exit() == -9
    assert not is_running(child), "the exit code is written when the GPU is free"


def test_what_does_not_listen_to_term_is_killed_after_the_grace(box: Box) -> None:
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    session = sleeping(box, argv=[sys.executable, "-c", code])
    wait_for(lambda: session.log.strip())
    status = run_box("kill", session.folder, "--grace", "0.2")
    assert (status["state"], status["exit"]) == ("exited", -9)


def test_killing_what_has_ended_only_tells_its_status(box: Box) -> None:
    session = sleeping(box, argv=[sys.executable, "-c", ""])
    session.wait_for_exit()
    assert run_box("kill", session.folder)["exit"] == 0


def test_a_start_without_orders_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "box.py"), "start", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "start.json" in done.stderr
    assert not (tmp_path / "started").exists()


def test_box_py_needs_nothing_but_python(tmp_path: Path) -> None:
    # -I and -S: no site-packages, no environment.
    command = [sys.executable, "-I", "-S", str(SCRIPTS / "box.py"), "status", str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout
