"""Every example, and the README's first night, as a person runs them."""

import getpass
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.described import assert_described
from tests.box import sshd
from tests.media import make_frames, make_video

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
PATIENCE_S = 120


def shell(
    *arguments: str | Path, folder: Path, given: str = "", home: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program that finds `cosmosq` and `python` where these tests run."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(home or folder)}
    environment.pop("COSMOSQ_WORKSPACE", None)
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def jobs_of(workspace: Path) -> list[dict[str, Any]]:
    told = shell("cosmosq", "-w", workspace, "status", "--json", folder=workspace)
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with numbered colour frames and a depth video."""
    folder = tmp_path_factory.mktemp("home") / "shot"
    make_frames(folder, frames=6)
    make_video(folder / "depth.mp4", frames=6, seed=1)
    return folder


def first_night(target: str = "") -> tuple[str, str]:
    """The README's first night as it is printed, and its morning; without a box, the lines about it left out.

    Args:
        target: what `host add` is told in place of the printed machine and checkout.
    """
    _, _, section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## A first night")
    night, morning = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[:2]
    lines = night.splitlines(keepends=True)
    assert len(lines) == 10
    printed = r"me@gpu\.example --checkout \S+ --container docker --image \S+$"
    assert [bool(re.search(printed, line)) for line in lines].count(True) == 1
    if target:
        return "".join(re.sub(printed, target, line) for line in lines), morning
    here = "".join(line.replace(" --host box", "") for line in lines if not line.startswith("cosmosq host "))
    return here, morning


def assert_first_night(night: "subprocess.CompletedProcess[str]", workspace: Path) -> None:
    """All that the README promises of it is there."""
    assert night.returncode == 0, night.stderr
    jobs = jobs_of(workspace)
    assert [job["status"] for job in jobs] == ["succeeded"] * 8
    assert [job["kind"] for job in jobs] == [*["transfer"] * 6, "upsample", "transfer"]
    assert re.findall(r"job (\d) succeeded", night.stderr)[:2] == ["7", "8"], "priority first, then age"
    assert re.search(r"^succeeded +8$", night.stdout, re.MULTILINE)
    assert (workspace / "report" / "index.html").is_file()
    assert len(list((workspace / "outputs").glob("*/*/output.mp4"))) == 7


@pytest.mark.skipif(sshd.skip_reason() is not None, reason=str(sshd.skip_reason()))
def test_the_first_night_of_the_readme_works_on_a_box(tmp_path: Path, shot: Path) -> None:
    server = sshd.make_server(tmp_path / "box")
    try:
        way = f"{getpass.getuser()}@127.0.0.1:{server.port} --identity {server.identity} --accept-key"
        printed, _ = first_night(f"{way} --root {tmp_path / 'root'} --python {sys.executable}")
        night = shell("sh", "-eu", folder=tmp_path, given=printed, home=shot.parent)
    finally:
        server.stop()
    assert_first_night(night, tmp_path / "night")
    assert len(list((tmp_path / "root").glob("sessions/*/attempts/*/output.mp4"))) == 7


def test_the_first_night_of_the_readme_works_without_a_box(tmp_path: Path, shot: Path) -> None:
    printed, morning = first_night()
    night = shell("sh", "-eu", folder=tmp_path, given=printed, home=shot.parent)
    assert_first_night(night, tmp_path / "night")
    # What a night has time for beside its work.
    shell("cosmosq", "measure", "--pending", "--only", "canny", folder=tmp_path / "night")
    told = shell("sh", "-eu", folder=tmp_path / "night", given=morning)
    assert told.returncode == 0, told.stderr
    assert re.findall(r"^(0\.\d) +2 +2 \(100%\)", told.stdout, re.MULTILINE) == ["0.3", "0.6", "0.9"]
    assert re.search(r"^1 +5 +1 +4$", told.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory, shot: Path) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    """The workspace that first-night.sh made, and what it said."""
    workspace = tmp_path_factory.mktemp("first") / "first night"
    night = shell(EXAMPLES / "first-night.sh", workspace, shot, folder=workspace.parent)
    assert night.returncode == 0, night.stderr
    return workspace, night


def test_the_first_night_script_makes_seven_videos_and_a_report(
    scripted: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    workspace, night = scripted
    jobs = jobs_of(workspace)
    assert [job["status"] for job in jobs] == ["succeeded"] * 7
    assert Counter(job["prompt_name"] for job in jobs) == {"morning": 3, "night-rain": 2, "first-snow": 2}
    assert (workspace / "report" / "index.html").is_file()
    assert re.findall(r"job (\d) succeeded", night.stderr) == ["7", "1", "2", "3", "4", "5", "6"]
    assert_described(EXAMPLES / "first-night.sh", night.stdout + night.stderr)


def test_the_first_night_script_refuses_a_workspace_that_is_there(tmp_path: Path, shot: Path) -> None:
    shell("cosmosq", "init", tmp_path / "night", folder=tmp_path)
    night = shell(EXAMPLES / "first-night.sh", tmp_path / "night", shot, folder=tmp_path)
    assert night.returncode == 2
    assert jobs_of(tmp_path / "night") == []


def test_the_notebook_tells_of_the_first_night_what_the_ledger_knows(
    scripted: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    workspace, _ = scripted
    shell("cosmosq", "measure", "--pending", folder=workspace)
    told = shell("python", "-W", "error", EXAMPLES / "notebook.py", folder=workspace)
    assert told.returncode == 0, told.stderr
    assert_described(EXAMPLES / "notebook.py", told.stdout)
    shown = json.loads(shell("cosmosq", "show", "7", "--json", folder=workspace).stdout)
    strong = shown["measurements"]["blur_ssim"]
    assert re.search(rf"^morning +\S+ +NaN +{strong:.3f}$", told.stdout, re.MULTILINE), "edge.weight 1 was job 7 alone"


def test_the_nightly_schedule_fires_once_by_hand_and_tells_when_it_will(tmp_path: Path, shot: Path) -> None:
    workspace = tmp_path / "nights"
    night = shell(EXAMPLES / "nightly-schedule.sh", workspace, shot, folder=tmp_path)
    assert night.returncode == 0, night.stderr
    jobs = jobs_of(workspace)
    assert [job["status"] for job in jobs] == ["succeeded"] * 3
    assert re.findall(r"(\w+) fires at \w{3} [-\d]+ (\d\d:\d\d CES?T)", night.stdout)[0][0] == "evening"
    assert "3 jobs: 1-3, by hand" in night.stdout
    assert_described(EXAMPLES / "nightly-schedule.sh", night.stdout)
    told = shell("cosmosq", "schedule", "list", "--json", folder=workspace)
    assert {each["name"]: each["catch_up"] for each in json.loads(told.stdout)} == {
        "evening": "once",
        "sundays": "skip",
    }


def test_the_batch_file_is_made_by_nvidias_command_line_two_videos_at_once(tmp_path: Path, shot: Path) -> None:
    workspace = tmp_path / "batch"
    night = shell(EXAMPLES / "batch-file.sh", workspace, shot, folder=tmp_path)
    assert night.returncode == 0, night.stderr
    assert [job["status"] for job in jobs_of(workspace)] == ["succeeded"] * 6
    assert_described(EXAMPLES / "batch-file.sh", night.stdout)
    processes = sorted(workspace.glob(".cosmosq/hosts/sim/sessions/*/invocations/*"))
    batches = [folder / "items.jsonl" for folder in processes]
    assert [path.read_text().count("\n") if path.exists() else 1 for path in batches] == [2, 1, 2, 1], "as previewed"


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, shot: Path) -> Path:
    """A workspace with the rehearsal's settings and three jobs of two steps, worked to the end."""
    workspace = tmp_path_factory.mktemp("night") / "rehearsal"
    shell("cosmosq", "init", workspace, folder=workspace.parent)
    (workspace / "cosmosq.toml").write_text("measure = false\n" + (EXAMPLES / "rehearsal.toml").read_text())
    shell("cosmosq", "clip", "add", "shot", shot, folder=workspace)
    texts = "\n".join(re.findall(r'"(a \w+ .+?)"', (EXAMPLES / "rehearsal.toml").read_text()))
    added = ("prompt", "add", "--from", "-", "--clip", "shot", "-s", "edge.weight=0.5", "-s", "num_steps=2")
    shell("cosmosq", *added, folder=workspace, given=texts)
    shell("cosmosq", "enqueue", "--all", folder=workspace)
    shell("cosmosq", "worker", "--until-empty", folder=workspace)
    return workspace


def test_the_rehearsal_blocks_one_prompt_and_heals_a_crash(rehearsal: Path) -> None:
    found = {}
    for job in jobs_of(rehearsal):
        told = json.loads(shell("cosmosq", "show", str(job["id"]), "--json", folder=rehearsal).stdout)
        ends = [attempt["error"] or attempt["status"] for attempt in told["attempts"]]
        found[told["text"]] = (told["status"], ends)
    assert found == {
        "a harbour at dawn": ("succeeded", ["crashed", "succeeded"]),
        "a gloomy cellar": ("blocked", ["blocked"]),
        "a sunny garden": ("succeeded", ["succeeded"]),
    }


def test_the_rehearsal_ends_as_its_comments_say(rehearsal: Path) -> None:
    assert_described(EXAMPLES / "rehearsal.toml", shell("cosmosq", "status", folder=rehearsal).stdout)


def test_the_seconds_of_a_parameter_are_read_from_the_report(rehearsal: Path) -> None:
    table = shell("cosmosq", "report", "--csv", "-", folder=rehearsal).stdout
    example = EXAMPLES / "seconds_per_parameter.py"
    told = shell("python", example, "num_steps", folder=rehearsal, given=table)
    assert re.fullmatch(r"num_steps=2: 2 videos, \d+\.\d s each\n", told.stdout), told.stderr
    assert_described(example, told.stdout)


def test_the_notebook_says_without_measurements_what_to_do(rehearsal: Path) -> None:
    told = shell("python", EXAMPLES / "notebook.py", folder=rehearsal)
    assert told.returncode == 1
    assert told.stderr == "blur_ssim was not measured: cosmosq measure --pending\n"
    assert "blocked      1" in told.stdout


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The example that takes alarms, and its port."""
    command = [sys.executable, str(EXAMPLES / "webhook_receiver.py"), "0"]
    environment = {**os.environ, "COSMOSQ_SECRET": "s3cret"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    yield int(process.stderr.readline().rpartition(":")[2]), process
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def test_the_receiver_prints_what_is_signed_and_refuses_the_rest(
    tmp_path: Path, receiver: tuple[int, "subprocess.Popen[str]"]
) -> None:
    port, process = receiver
    shell("cosmosq", "init", "night", folder=tmp_path)
    settings = tmp_path / "night" / "cosmosq.toml"
    plain = settings.read_text() + f'\n[notify]\nwebhook = "http://127.0.0.1:{port}"\n'
    answers = {}
    for name, secret in (("none", None), ("wrong", "guessed"), ("right", "s3cret")):
        (tmp_path / "night" / "secret").write_text(secret or "")
        settings.write_text(plain + ('secret_file = "secret"\n' if secret else ""))
        answers[name] = shell("cosmosq", "-w", "night", "notify", "test", folder=tmp_path).stdout.split(maxsplit=1)[1]
    assert answers == {"none": "answer 403 Forbidden\n", "wrong": "answer 403 Forbidden\n", "right": "ok\n"}
    assert process.stdout is not None
    told = process.stdout.readline()
    assert re.fullmatch(r"3 \S+ test: this is a test: nothing happened\n", told)
    assert_described(EXAMPLES / "webhook_receiver.py", told)


def test_no_example_is_left_out_here() -> None:
    elsewhere = {"measure", "strategy", "sweeps"}
    here = {"batch-file.sh", "first-night.sh", "nightly-schedule.sh", "notebook.py", "prompts.jsonl"} | {
        *("rehearsal.toml", "seconds_per_parameter.py", "webhook_receiver.py")
    }
    assert {path.name for path in EXAMPLES.iterdir() if path.name != "__pycache__"} == here | elsewhere
