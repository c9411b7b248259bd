"""`cosmosq measure` after a night on the stand-in: what is measured, what cannot be, and measures of one's own."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cosmosq.measures import edges
from cosmosq.measures.matching import pairs
from cosmosq.videos import pictures
from tests.acceptance.command_line import Shell
from tests.acceptance.described import assert_described
from tests.integration.box_tools import make_video
from tests.integration.test_measuring import install

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "measure"
SETTINGS = """
default_host = "sim"
measure = false
[hosts.sim]
engine = "simulated"
idle_close = 0
[hosts.sim.simulator]
scale = 0.2
clip_frames = 9
"""
WEIGHTS = (0.1, 0.4, 1)
WITHOUT_SCIKIT = "import sys; sys.modules['skimage'] = None; from cosmosq.cli import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of three edge weights with two seeds (1 to 6), an upscale of job 6 (7), and a longer prompt (8)."""
    folder = tmp_path_factory.mktemp("measured")
    videos = [
        f"{role}={make_video(folder / f'{role}.mp4', 6, 256, 144, 60 * n)}" for n, role in enumerate(("input", "depth"))
    ]
    Shell(folder).ok("init", "night")
    (folder / "night" / "cosmosq.toml").write_text(SETTINGS)
    shell = Shell(folder / "night")
    shell.ok("clip", "add", "shot", *videos)
    shell.ok("prompt", "add", "a harbour at dawn", "--clip", "shot", "--name", "harbour")
    vary = ("-p", f"edge.weight={','.join(map(str, WEIGHTS))}", "-p", "seed=1,2")
    shell.ok("enqueue", "harbour", *vary, "--name", "edges")
    shell.ok("enqueue", "--upscale", 6)
    shell.ok("prompt", "upsample", "harbour")
    shell.ok("worker", "--until-empty", "--poll", "0.02")
    return shell.folder


@pytest.fixture(scope="module")
def measured(worked: Path) -> Shell:
    """Likewise, with everything measured."""
    answer = Shell(worked).ok("measure", "--pending")
    assert "depth is not measured of 7 videos: no package gives a model depth" in answer.err
    return Shell(worked)


@pytest.fixture
def copied(worked: Path, tmp_path: Path) -> Shell:
    """A copy of the workspace, as it was before anything was measured or after."""
    shutil.copytree(worked, tmp_path / "night", ignore=shutil.ignore_patterns("hosts"))
    return Shell(tmp_path / "night")


def numbers(shell: Shell, *words: object) -> dict[int, dict[str, float]]:
    return {row["id"]: row["measurements"] for row in shell.ok("measure", *words, "--json").json}


def video(shell: Shell, job_id: int) -> Path:
    artifacts = shell.ok("show", job_id, "--json").json["artifacts"]
    return shell.folder / next(str(a["path"]) for a in artifacts if a["kind"] == "video")


def change(shell: Shell, statement: str) -> None:
    with closing(sqlite3.connect(shell.folder / ".cosmosq" / "ledger.db")) as connection, connection:
        connection.execute(statement)


def spawn(shell: Shell, path: Path, *words: object) -> Any:
    return shell.spawn("measure", *words, env={"PYTHONPATH": str(path)})


def test_the_edge_weight_of_a_sweep_drives_canny_f1(measured: Shell) -> None:
    trials = measured.ok("sweep", "show", "edges", "--json").json["trials"]
    ids = {(t["assignment"]["seed"], t["assignment"]["edge.weight"]): t["jobs"][0]["id"] for t in trials}
    found = numbers(measured, "1-6")
    for seed in (1, 2):
        scores = [found[ids[seed, weight]]["canny_f1"] for weight in WEIGHTS]
        assert all(more > less + 0.03 for less, more in pairwise(scores)), scores
        assert scores[-1] - scores[0] > 0.25, scores


def test_every_video_has_every_number_and_show_tells_them(measured: Shell) -> None:
    found = numbers(measured, "1-7")
    assert all({"canny_f1", "blur_ssim", "luma_mean", "bytes"} <= set(values) for values in found.values())
    assert [job_id for job_id, values in found.items() if "diversity_ssim" in values] == list(range(1, 7))
    assert found[1]["diversity_ssim"] == pytest.approx(found[2]["diversity_ssim"])
    assert 0 < found[1]["diversity_ssim"] < 1
    told = measured.ok("show", 3).out
    assert f"\ncanny_f1         {found[3]['canny_f1']:.6g}\n" in told
    assert measured.ok("show", 3, "--json").json["measurements"] == found[3]


def test_an_upscaled_video_is_compared_with_the_input_of_its_source(measured: Shell) -> None:
    source = measured.folder.parent / "input.mp4"
    own = edges.canny(pairs(pictures(video(measured, 7)), pictures(source)))
    assert numbers(measured, 7)[7].items() > own.items()


def test_what_is_measured_is_not_measured_again_unless_asked(measured: Shell) -> None:
    assert measured.ok("measure", "--pending").err == "every video is measured\n"
    assert "job 1 canny" not in measured.ok("measure", 1).err
    again = measured.ok("measure", 1, "--again", "--only", "canny_f1")
    assert again.err.splitlines()[0] == "job 1 canny"
    assert [line.split()[1] for line in again.out.splitlines()[2:]] == ["canny_f1", "canny_precision", "canny_recall"]


def test_a_job_without_a_video_has_nothing_to_measure(measured: Shell) -> None:
    assert "only jobs that succeeded have one" in measured.ok("measure", 8).err
    measured.refused(2, "measure")
    measured.refused(2, "measure", 1, "--pending")
    assert measured.refused(2, "measure", 1, "--only", "cany").startswith(
        "cany is no measure (did you mean canny?): there are picture, canny"
    )


def test_videos_that_are_missing_broken_or_exchanged_are_told_and_the_others_measured(copied: Shell) -> None:
    change(copied, "DELETE FROM measured")
    change(copied, "DELETE FROM measurements")
    video(copied, 1).unlink()
    video(copied, 2).write_bytes(video(copied, 2).read_bytes()[:-3000])
    answer = copied.run("measure", "1-3", "--only", "canny", "--json")
    assert answer.code == 1
    assert "2 videos could not be measured in full" in answer.err.splitlines()[-1]
    gone, cut, whole = answer.json
    assert "is missing: put it back" in gone["not_measured"]["canny"]
    assert "is not the file that was recorded" in cut["not_measured"]["canny"]
    assert (gone["measurements"], cut["measurements"]) == ({}, {})
    assert set(whole["measurements"]) == {"canny_f1", "canny_precision", "canny_recall"}
    assert "is missing" in copied.ok("show", 1).out


def test_a_pruned_video_is_no_missing_one(copied: Shell) -> None:
    copied.ok("prune", "--older-than", "0s")
    answer = copied.run("measure", "--pending", "--again")
    assert (answer.code, answer.err) == (0, "every video is measured\n")


def test_numbers_of_an_older_definition_are_made_anew_and_good_ones_outlive_a_lost_video(copied: Shell) -> None:
    before = numbers(copied, 3)[3]["canny_f1"]
    change(copied, "UPDATE measurements SET value = 7 WHERE name = 'canny_f1'")
    change(copied, "UPDATE measured SET version = 0 WHERE measure = 'canny'")
    assert numbers(copied, 3, "--only", "canny")[3]["canny_f1"] == before
    video(copied, 3).unlink()
    assert copied.run("measure", 3, "--again", "--only", "canny").code == 1
    assert copied.ok("show", 3, "--json").json["measurements"]["canny_f1"] == before


def test_a_new_seed_changes_the_diversity_of_those_that_were_measured(copied: Shell) -> None:
    change(
        copied,
        "UPDATE artifacts SET created_at = '2999-01-01 00:00:00.000000' WHERE id = (SELECT max(a.id) FROM "
        "artifacts a JOIN attempts t ON t.id = a.attempt_id WHERE t.job_id = 2 AND a.kind = 'video')",
    )
    told = copied.ok("measure", "--pending", "--only", "diversity").err
    assert sorted(told.splitlines()) == ["job 1 diversity", "job 2 diversity"]


def test_a_removed_job_leaves_no_measurement(copied: Shell) -> None:
    copied.ok("remove", 7)
    assert 7 not in {
        row["id"] for row in copied.ok("measure", "--pending", "--again", "--only", "picture", "--json").json
    }


def test_without_scikit_image_two_measures_are_absent_and_the_reason_is_told(copied: Shell) -> None:
    change(copied, "DELETE FROM measured")
    change(copied, "DELETE FROM measurements")
    command = [sys.executable, "-c", WITHOUT_SCIKIT, "measure", "1"]
    done = subprocess.run(command, cwd=copied.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (
        "blur_ssim is not measured of 1 video: scikit-image is not installed: pip install 'cosmosq[measure]'"
        in done.stderr
    )
    assert "canny_f1" in done.stdout
    assert "ssim" not in done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the measure of one's own, installed by pip as its comments say."""
    target, source = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("source")
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    isolated = [] if int(version("setuptools").split(".")[0]) < 77 else ["--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", *isolated, "--target", str(target)]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def test_a_measure_of_ones_own_is_made_like_the_others(copied: Shell, example: Path) -> None:
    answer = spawn(copied, example, "--pending", "--only", "colourfulness", "--json")
    assert answer.code == 0, answer.err
    assert [row["id"] for row in answer.json] == list(range(1, 8))
    for row in answer.json:
        assert set(row["measurements"]) == {"colourfulness", "colourfulness.gain"}
        assert row["measurements"]["colourfulness"] > 0
    assert "colourfulness.gain" in copied.ok("show", 1).out
    again = spawn(copied, example, "1-7", "--again", "--only", "colourfulness")
    assert_described(EXAMPLE / "pyproject.toml", again.out)


BROKEN = {
    "failing": ("def measure(*_): return {}['nothing']\n", "the measure failing failed (KeyError: 'nothing'): mend it"),
    "endless": ("def measure(*_): return {'a': float('inf'), 'b': 1}\n", "endless.a is no finite number"),
    "wordy": ("def measure(*_): return {'Not a Name': 1}\n", "'Not a Name' is no name"),
    "absent": ("import nowhere\n", "absent of absent_code:measure cannot be loaded (ModuleNotFoundError"),
}


def test_measures_that_fail_are_told_by_name_and_the_others_made(copied: Shell, tmp_path: Path) -> None:
    for name, (code, _) in BROKEN.items():
        install(tmp_path / "packages", name, code)
    install(tmp_path / "packages", "good", "def measure(output, *_): return {'good': len(list(output))}\n")
    answer = spawn(copied, tmp_path / "packages", 1, "--json")
    assert answer.code == 1
    (row,) = answer.json
    for name, (_, reason) in BROKEN.items():
        assert reason in row["not_measured"][name], name
    assert (row["measurements"]["good"], row["measurements"]["endless.b"]) == (6, 1)
    assert "endless.a" not in row["measurements"]


def test_added_code_is_not_loaded_until_something_is_measured(copied: Shell, tmp_path: Path) -> None:
    loaded = tmp_path / "loaded"
    code = f"from pathlib import Path\nPath({str(loaded)!r}).touch()\ndef measure(*_): return {{'traced': 1}}\n"
    env = {"PYTHONPATH": str(install(tmp_path / "packages", "traced", code))}
    for words in (["status"], ["show", "1"], ["report", "--csv", "-"], ["doctor"]):
        assert copied.spawn(*words, env=env).code == 0, words
    assert not loaded.exists()
    assert copied.spawn("measure", 1, env=env).code == 0
    assert loaded.exists()


def test_a_measure_with_a_name_of_ours_is_refused(copied: Shell, tmp_path: Path) -> None:
    answer = spawn(copied, install(tmp_path / "packages", "canny_f1", "def measure(*_): return {}\n"), 1)
    assert (answer.code, answer.out) == (2, "")
    assert "the measure canny_f1 of canny_f1_code:measure cannot be called so" in answer.err


DEPTH = """
def measure(frames):
    for frame in frames:
        yield frame.mean(axis=2) * 3
"""


def test_a_model_of_another_package_makes_depth_measurable(copied: Shell, tmp_path: Path) -> None:
    packages = install(tmp_path / "packages", "depth", DEPTH, "cosmosq.estimators")
    answer = spawn(copied, packages, "--pending", "--only", "depth", "--json")
    assert answer.code == 0, answer.err
    assert len(answer.json) == 7
    assert all(0 < row["measurements"]["depth_si_rmse"] < 1 for row in answer.json)
