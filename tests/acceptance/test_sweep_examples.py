"""The sweeps of `examples/`, and the method of one's own: each previewed, then worked to the end."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.described import assert_described
from tests.media import make_video
from tests.night import QUICK, SETTINGS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SWEEPS = EXAMPLES / "sweeps"

JOBS = {
    "weights": 16,
    "seeds": 8,
    "blur-and-canny": 10,
    "control-combinations": 10,
    "prompts-and-parameters": 12,
}
"""Of each file: jobs for the prompts that it is worked with, as its comments say."""
PROMPTS = {"prompts-and-parameters": ("harbour", "garden")}
LOADS = {"weights": 1, "seeds": 1, "blur-and-canny": 2, "control-combinations": 10}


def cosmosq(folder: Path, *words: str | Path, path: Path | None = None) -> str:
    """What the command says on stdout; `path` holds further packages."""
    environment = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    command = [sys.executable, "-m", "cosmosq", *(str(word) for word in words)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two prompts in which every sweep was previewed, queued and worked to the end."""
    folder = tmp_path_factory.mktemp("sweeps") / "night"
    cosmosq(folder.parent, "init", folder)
    told = "\n".join(f"{name} = {json.dumps(value)}" for name, value in QUICK.items())
    settings = SETTINGS.format(settings="", retries=0, idle_close=0, stall_s=600, host="", simulator=told)
    (folder / "cosmosq.toml").write_text(settings)
    cosmosq(folder, "clip", "add", "shot", make_video(folder / "color.mp4"))
    for name in ("harbour", "garden"):
        cosmosq(folder, "prompt", "add", f"a {name} at dawn", "--clip", "shot", "--name", name, "-s", "num_steps=2")
    for name in JOBS:
        for suffix, words in (("json", ["--json"]), ("txt", [])):
            said = cosmosq(folder, "sweep", "preview", file_of(name), *prompts_of(name), *words)
            (folder / f"{name}.{suffix}").write_text(said)
        cosmosq(folder, "enqueue", *prompts_of(name), "--sweep", file_of(name))
    cosmosq(folder, "worker", "--until-empty", "--poll", "0.02")
    return folder


def file_of(name: str) -> Path:
    return SWEEPS / f"{name}.yaml"


def prompts_of(name: str) -> tuple[str, ...]:
    return PROMPTS.get(name, ("harbour",))


def shown(night: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cosmosq(night, "sweep", "show", name, "--json"))
    return found


@pytest.mark.parametrize("name", JOBS)
def test_an_example_makes_the_jobs_that_its_comments_promise(night: Path, name: str) -> None:
    previewed = json.loads((night / f"{name}.json").read_text())
    assert previewed["jobs"] == JOBS[name]
    assert previewed["loads"] == LOADS.get(name, previewed["loads"])
    found = shown(night, name)
    assert found["by_status"] == {"succeeded": JOBS[name]}
    assert len(found["trials"]) == previewed["trials"] == JOBS[name] / len(prompts_of(name))


@pytest.mark.parametrize("name", JOBS)
def test_preview_and_report_print_what_the_comments_of_an_example_say(night: Path, name: str) -> None:
    (report,) = re.findall(r"`cosmosq (report .+?)`", file_of(name).read_text())
    assert_described(file_of(name), (night / f"{name}.txt").read_text() + cosmosq(night, *report.split()))


def test_outputs_of_a_study_of_weights_differ(night: Path) -> None:
    jobs = json.loads(cosmosq(night, "status", "--sweep", "weights", "--json"))
    artifacts = [json.loads(cosmosq(night, "show", str(job["id"]), "--json"))["artifacts"] for job in jobs[:6]]
    digests = [artifact["sha256"] for found in artifacts for artifact in found if artifact["kind"] == "video"]
    assert len(set(digests)) == 6


def test_a_preview_after_the_night_tells_what_it_would_cost(night: Path) -> None:
    said = json.loads(cosmosq(night, "sweep", "preview", file_of("weights"), "garden", "--json"))
    assert said["new"] == 16
    assert 0 < said["forecast"]["generate_s"] < 60
    text = cosmosq(night, "sweep", "preview", file_of("weights"), "garden")
    assert "GPU hours: 0.0" in text
    assert "done at 2" in text


def test_jobs_of_one_model_are_worked_one_after_another(night: Path) -> None:
    jobs = json.loads(cosmosq(night, "status", "--sweep", "blur-and-canny", "--json"))
    sessions = [
        json.loads(cosmosq(night, "show", str(job["id"]), "--json"))["attempts"][0]["session_id"] for job in jobs
    ]
    assert sorted(Counter(sessions).values()) == [5, 5]


def test_every_sweep_file_is_worked_here() -> None:
    assert {path.stem for path in SWEEPS.glob("*.yaml")} == set(JOBS)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the method of one's own, installed by pip as its comments say."""
    target = tmp_path_factory.mktemp("packages")
    isolated = [] if int(version("setuptools").split(".")[0]) < 77 else ["--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *isolated, "--target", str(target)]
    source = tmp_path_factory.mktemp("source")
    for path in (EXAMPLES / "strategy").iterdir():
        if path.is_file():
            (source / path.name).write_bytes(path.read_bytes())
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_a_method_of_ones_own_draws_the_corners_first_and_can_be_extended(night: Path, installed: Path) -> None:
    vary = ("-p", "guidance=uniform(3,9)", "-p", "edge.weight=uniform(0.2,1)", "--method", "corners_first")
    cosmosq(night, "enqueue", "harbour", *vary, "-n", "5", "--name", "corners", "--hold", path=installed)
    cosmosq(night, "sweep", "extend", "corners", "-n", "2", "--hold", path=installed)
    assert_described(EXAMPLES / "strategy" / "pyproject.toml", cosmosq(night, "sweep", "show", "corners"))
    trials = [trial["assignment"] for trial in shown(night, "corners")["trials"]]
    assert [(t["guidance"], t["edge.weight"]) for t in trials[:5]] == [(3, 0.2), (3, 1), (9, 0.2), (9, 1), (6, 0.6)]
    assert len(trials) == 7


def test_a_method_that_is_not_installed_is_refused(night: Path) -> None:
    command = [sys.executable, "-m", "cosmosq", "enqueue", "harbour", "-p", "guidance=3,5", "--method", "corners_first"]
    done = subprocess.run(command, cwd=night, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("cosmosq: --method: corners_first is no method: there are grid, ")


def test_a_method_of_ones_own_that_fails_is_told_by_name(night: Path, tmp_path: Path) -> None:
    (tmp_path / "stumbling.py").write_text("def draw(parameters, count, generator):\n    yield {}['nothing']\n")
    installed = tmp_path / "stumbling-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stumbling\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[cosmosq.strategies]\nstumbling = stumbling:draw\n")
    command = [sys.executable, "-m", "cosmosq", "enqueue", "harbour", "-p", "guidance=3,5", "-n", "2"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [*command, "--method", "stumbling"], cwd=night, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "cosmosq: the method stumbling failed (KeyError: 'nothing'): mend it\n"
