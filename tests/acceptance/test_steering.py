"""Which jobs a command is about - ids, ranges, filters, all - and what it does to them."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from select import select as ready

import pytest
from sqlalchemy import select

from cosmosq import claims
from cosmosq.claims import Outcome
from cosmosq.db import Ledger, open_ledger
from cosmosq.models import Attempt
from cosmosq.paths import Workspace
from cosmosq.retries import Repeat
from cosmosq.status import Phase, Status
from tests.acceptance.command_line import COSMOSQ, Answer, Shell, rows, traces
from tests.ledger_rows import NOW, make_ended_job, make_session


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = open_ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


def _end(ledger: Ledger, job_id: int, status: Status | None, *, retries: int = 0) -> None:
    """Let an attempt of the job end so, or run on."""
    claim = claims.claim(ledger, "sim", "me", simulated=True, now=NOW, only=[job_id])
    assert claim is not None
    if status is None:
        claims.enter(ledger, claim, Phase.GENERATING, NOW)
    else:
        outcome = Outcome(status=status, error="why", repeat=Repeat.COUNTED if retries else Repeat.NEVER)
        claims.finish(ledger, claim, outcome, retries=retries, now=NOW)


@pytest.fixture(scope="module")
def template(_initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jobs 1-7, one of each status in the order of `Status`; `harbour` has the odd ones, label n=ID."""
    folder = tmp_path_factory.mktemp("seven") / "ws"
    shutil.copytree(_initialised, folder)
    shell, ledger = Shell(folder), open_ledger(folder / ".cosmosq" / "ledger.db")
    shell.ok("prompt", "add", "a harbour", "--clip", "shot", "--name", "harbour", "-s", "edge.weight=1")
    for number, status in enumerate(Status, start=1):
        name = "harbour" if number % 2 else "kitchen"
        label = f"half={'first' if number < 4 else 'second'}"
        hold = ("--hold",) if status == Status.HELD else ()
        shell.ok("enqueue", name, "-s", f"seed={number}", "--label", f"n={number}", "--label", label, *hold)
        if status not in (Status.HELD, Status.QUEUED):
            _end(ledger, number, None if status == Status.RUNNING else status)
    ledger.close()
    assert shell.ok("status", "--json").statuses == list(Status)
    return folder


def _ids(shell: Shell, *words: str) -> list[int]:
    return shell.ok("status", *words, "--json").ids


# Which jobs


def test_status_lists_by_id_range_status_prompt_label_host_and_number(shell: Shell) -> None:
    assert _ids(shell) == [1, 2, 3, 4, 5, 6, 7]
    assert _ids(shell, "7", "2-3", "3") == [2, 3, 7]
    assert _ids(shell, "6-99") == [6, 7]
    assert _ids(shell, "--status", "held", "--status", "failed") == [1, 5]
    assert _ids(shell, "--prompt", "harbour") == [1, 3, 5, 7]
    assert _ids(shell, "--label", "half=second") == [4, 5, 6, 7]
    assert _ids(shell, "--label", "half=second", "--label", "n=5") == [5]
    assert _ids(shell, "--label", "half=neither") == []
    assert _ids(shell, "--host", "sim", "--prompt", "kitchen", "--status", "queued") == [2]
    assert _ids(shell, "-n", "2") == [6, 7]
    assert _ids(shell, "-n", "2", "--prompt", "harbour") == [5, 7]


def test_the_table_counts_all_and_shows_the_newest(shell: Shell) -> None:
    answer = shell.ok("status", "-n", "2")
    assert [line.split()[:2] for line in answer.out.splitlines()[2:]] == [["6", "blocked"], ["7", "cancelled"]]
    counts = "1 held, 1 queued, 1 running, 1 succeeded, 1 failed, 1 blocked, 1 cancelled"
    assert answer.err == f"… and 5 older ones: -n 7 shows all\n{counts}\n"
    assert shell.ok("status", "--label", "n=99").err == "no jobs: `cosmosq enqueue` makes some\n"


def test_a_misspelt_label_is_no_error_and_the_nearest_is_named(shell: Shell) -> None:
    assert shell.ok("status", "--label", "halve=first").err.startswith(
        "no job has a label halve (did you mean half?)\n"
    )
    answer = shell.ok("hold", "--all", "--label", "half=frist")
    assert answer.err == "no job has the label half=frist (did you mean first?)\n0 held\n"
    assert shell.ok("hold", "--all", "--label", "half=first").err == "1 held\n"


ALL: dict[str, tuple[str, list[int]]] = {
    "cancel": ("cancelled", [1, 2, 3]),
    "retry": ("queued", [5, 6, 7]),
    "hold": ("held", [2]),
    "release": ("queued", [1]),
}
"""What `--all` of each command is about, and what becomes of it."""


@pytest.mark.parametrize("command", ALL)
def test_all_means_all_that_suit_and_no_other(shell: Shell, command: str) -> None:
    target, suitable = ALL[command]
    before = {row["id"]: row["status"] for row in shell.ok("status", "--json").json}
    answer = shell.ok(command, "--all", "--json")
    assert answer.ids == suitable
    after = {row["id"]: row["status"] for row in shell.ok("status", "--json").json}
    # A running job is only asked to stop.
    assert after == {**before, **dict.fromkeys(suitable, target), **({3: "running"} if command == "cancel" else {})}


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (("--prompt", "harbour"), [5, 7]),
        (("--label", "n=6"), [6]),
        (("--status", "failed"), [5]),
        (("--status", "failed", "--status", "blocked", "--prompt", "kitchen"), [6]),
        (("--label", "n=99"), []),
        (("--host", "sim", "--label", "half=second"), [5, 6, 7]),
    ],
)
def test_all_is_narrowed_by_filters(shell: Shell, words: tuple[str, ...], ids: list[int]) -> None:
    assert shell.ok("retry", "--all", *words, "--json").ids == ids
    assert _ids(shell, "--status", "queued") == sorted([2, *ids])


def test_ids_and_ranges_are_taken_together(shell: Shell) -> None:
    assert shell.ok("retry", "5-6", "7", "--json").statuses == ["queued"] * 3
    assert shell.ok("hold", "5-7", "2", "--json").ids == [2, 5, 6, 7]
    assert shell.ok("release", "1-2", "5", "--json").statuses == ["queued"] * 3
    assert shell.ok("cancel", "1", "2", "--json").statuses == ["cancelled"] * 2


def test_a_job_that_is_named_twice_is_moved_once(shell: Shell) -> None:
    assert shell.ok("hold", "2", "2-2", "2", "--json").ids == [2]


@pytest.mark.parametrize("words", [("cancel", "1-4"), ("retry", "4-7"), ("hold", "1-2"), ("release", "1-2")])
def test_jobs_are_moved_all_or_none(shell: Shell, workspace: Workspace, words: tuple[str, ...]) -> None:
    before = traces(workspace.root)
    shell.refused(2, *words)
    assert traces(workspace.root) == before


# What becomes of them


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cancel", "1-3"), "2 cancelled, 1 running ones asked to stop"),
        (("retry", "5-6"), "2 queued again"),
        (("hold", "2"), "1 held"),
        (("release", "1"), "1 released"),
        (("remove", "4-5"), "2 forgotten"),
    ],
)
def test_people_are_told_how_many(shell: Shell, words: tuple[str, ...], said: str) -> None:
    answer = shell.ok(*words)
    assert (answer.out, answer.err) == ("", f"{said}\n")


def test_a_job_that_is_queued_again_rings(shell: Shell, workspace: Workspace) -> None:
    before = len(rows(workspace.queue_path)["task"])
    shell.ok("release", "1")
    shell.ok("retry", "5-7")
    shell.ok("enqueue", "kitchen", "-s", "seed=50", "--hold")
    assert len(rows(workspace.queue_path)["task"]) == before + 4


def test_cancelling_asks_a_running_job_and_ends_the_waiting_with_their_dependents(shell: Shell) -> None:
    shell.ok("enqueue", "--upscale", "1", "2")
    answer = shell.ok("cancel", "--all", "--json")
    assert answer.ids == [1, 2, 3, 8, 9]
    assert answer.statuses == ["cancelled", "cancelled", "running", "cancelled", "cancelled"]
    assert [row["error"] for row in answer.json] == ["cancelled", "cancelled", None, "dependency", "dependency"]
    assert shell.ok("show", "3", "--json").json["events"][-1]["event"] == "cancel_requested"


def test_removed_jobs_are_gone_and_their_ids_not_used_again(shell: Shell, workspace: Workspace) -> None:
    shell.ok("remove", "--all", "--status", "succeeded", "--status", "held")
    assert _ids(shell) == [2, 3, 5, 6, 7]
    shell.refused(3, "show", "4")
    message = shell.refused(2, "remove", "2-3")
    assert message == "job 3 is running: `cosmosq cancel 3` first"
    shell.ok("remove", "7")
    assert shell.ok("enqueue", "harbour", "-s", "seed=7", "--json").ids == [8]
    shell.ok("remove", "--all")
    assert _ids(shell) == [3]
    assert {row[1] for row in rows(workspace.ledger_path)["attempts"]} == {3}


# Waiting


def test_waiting_for_what_has_ended_tells_success_and_failure(shell: Shell) -> None:
    assert shell.ok("wait", "4").code == 0
    answer = shell.run("wait", "4-5", "--json")
    assert (answer.code, answer.statuses) == (1, ["succeeded", "failed"])
    assert answer.err == "cosmosq: 1 of 2 jobs did not succeed: `cosmosq show 5` says why\n"


def test_waiting_gives_up_in_time(shell: Shell) -> None:
    begun = time.monotonic()
    answer = shell.run("wait", "2-3", "--timeout", "0.5")
    assert time.monotonic() - begun < 5
    assert (answer.code, answer.err) == (4, "cosmosq: 2 jobs have not ended after 0.5 s, the first is 2\n")


def test_waiting_for_nothing_is_over_at_once(shell: Shell) -> None:
    assert shell.ok("wait", "--all", "--label", "n=99", "--json").json == []


def test_waiting_ends_when_the_jobs_do(shell: Shell, ledger: Ledger) -> None:
    process = subprocess.Popen([*COSMOSQ, "wait", "2"], cwd=shell.folder, stderr=subprocess.PIPE, text=True)
    claim = claims.claim(ledger, "sim", "me", simulated=True, now=NOW, only=[2])
    assert claim is not None
    assert process.poll() is None
    claims.finish(ledger, claim, Outcome(status=Status.SUCCEEDED), retries=0, now=NOW)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err


def test_a_failure_says_how_it_went_on_the_way(shell: Shell, ledger: Ledger) -> None:
    process = subprocess.Popen([*COSMOSQ, "wait", "2"], cwd=shell.folder, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    # It speaks of what happens after it began to look: let attempts fail until it does.
    for _ in range(100):
        _end(ledger, 2, Status.FAILED, retries=1000)
        if ready([process.stderr], [], [], 0.2)[0]:
            break
    _end(ledger, 2, Status.BLOCKED)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.splitlines()[0] == "job 2 is queued again: why"
    assert err.splitlines()[-2:] == [
        "job 2 blocked: why",
        "cosmosq: 1 of 1 jobs did not succeed: `cosmosq show 2` says why",
    ]


# Watching


def test_watching_renews_the_table_until_interrupted(shell: Shell) -> None:
    process = subprocess.Popen(
        [*COSMOSQ[:1], "-u", *COSMOSQ[1:], "status", "--watch"],
        cwd=shell.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    headers = 0
    while headers < 2 and (line := process.stdout.readline()):
        headers += re.match(r"id +status", line) is not None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "interrupted"


def test_a_running_job_tells_its_phase_and_step(shell: Shell, ledger: Ledger) -> None:
    with ledger.write() as session:
        attempt = session.scalars(select(Attempt).where(Attempt.job_id == 3)).one()
        claims.progress(session, attempt.id, clip=2, clips=3, step=7, steps=35)
    line: Answer = shell.ok("status", "3")
    assert re.search(r"running .* generating: step 7 of 35, clip 2 of 3, about ", line.out)
    (row,) = shell.ok("status", "3", "--json").json
    assert {key: row[key] for key in ("phase", "clip", "clips", "step", "steps")} == {
        "phase": "generating",
        "clip": 2,
        "clips": 3,
        "step": 7,
        "steps": 35,
    }


def test_holding_all_includes_what_is_claimed_and_has_not_begun(shell: Shell, ledger: Ledger) -> None:
    with ledger.write() as session:
        session.scalars(select(Attempt).where(Attempt.job_id == 3)).one().phase = "waiting"
    shell.ok("enqueue", "kitchen", "-s", "seed=50")
    assert shell.ok("hold", "--all").err == "2 held, 1 to be taken back from their session\n"
    assert shell.ok("show", "3", "--json").json["events"][-1]["event"] == "hold_requested"


# What to expect


def test_a_queue_is_told_with_its_session_loads_and_end(shell: Shell, ledger: Ledger) -> None:
    with ledger.write() as session:
        made = make_ended_job(session, parameters={"num_steps": 10}, attempt={"generate_s": 100.0})
        make_session(session, load_s=40.0, end="exited 0")
        assert made.id == 8
    shell.ok("enqueue", "kitchen", "-s", "seed=50", "-s", "num_steps=10")
    shell.ok("enqueue", "kitchen", "-s", "seed=50", "-s", "num_steps=10", "-s", "vis.weight=1")
    (host,) = shell.ok("status", "--queue", "--json").json
    # Job 3 runs and job 2 waits, both of 35 steps and with the model of the first new one; then the second's.
    assert (host["host"], host["running"], host["queued"], host["loads"]) == ("sim", 1, 3, 2)
    assert host["left_s"] == pytest.approx(2 * 350 + 2 * 100 + 2 * 40, abs=5)
    expected = {row["id"]: row["expected_at"] for row in shell.ok("status", "--json").json}
    assert [job_id for job_id in sorted(expected) if expected[job_id]] == [2, 3, 9, 10]
    assert expected[3] < expected[2] < expected[9] < expected[10] == max(filter(None, expected.values()))
    assert re.search(r"sim +1 +3 +0 +2 +16:2\d", shell.ok("status", "--queue").out)
    assert re.search(r"^sim: all done in about 16:2\d, at .*, 2 model loads to come$", shell.ok("status").err, re.M)


def test_show_tells_how_a_job_is_repeated(shell: Shell, workspace: Workspace, ledger: Ledger) -> None:
    workspace.config_path.write_text('repeat = { crashed = "counted" }\n' + workspace.config_path.read_text())
    claim = claims.claim(ledger, "sim", "me", simulated=True, now=NOW, only=[2])
    assert claim is not None
    outcome = Outcome(status=Status.FAILED, error="crashed", message="why", repeat=Repeat.BACKOFF)
    claims.finish(ledger, claim, outcome, retries=2, backoff_s=60, now=NOW)
    told = shell.ok("show", "2")
    assert re.search(r"^repeated +counted, 1 of 2 retries used$", told.out, re.M)
    assert re.search(r"^not before +2026-11-22 ", told.out, re.M)
    assert shell.ok("show", "2", "--json").json["repeat"] == "counted"


def test_what_failed_for_good_is_told_as_never_repeated(shell: Shell, ledger: Ledger) -> None:
    claim = claims.claim(ledger, "sim", "me", simulated=True, now=NOW, only=[2])
    assert claim is not None
    # As in command mode, where nothing is left that could be offloaded.
    outcome = Outcome(status=Status.FAILED, error="out_of_memory", message="why", repeat=Repeat.NEVER)
    claims.finish(ledger, claim, outcome, retries=2, now=NOW)
    assert re.search(r"^repeated +never$", shell.ok("show", "2").out, re.M)
    assert shell.ok("show", "2", "--json").json["repeat"] == "never"
