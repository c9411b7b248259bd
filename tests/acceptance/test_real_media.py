"""NVIDIA's own clips and specs, from a fresh workspace to finished videos, as a person types it."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from cosmosq import videos
from cosmosq.engines.spec import parse
from tests.acceptance.command_line import Shell
from tests.media import MEDIA, decoded

SPECS = MEDIA.parent / "specs"
SETTINGS = """
default_host = "sim"
measure = false
[hosts.sim]
engine = "simulated"
"""

pytestmark = pytest.mark.skipif(not MEDIA.is_dir(), reason="NVIDIA's example media are not beside the repository")


def usable() -> list[Path]:
    """The specs whose videos are there."""
    found = []
    for path in sorted(SPECS.glob("*.json")):
        inputs = parse(path.read_text(), source=path.name).inputs.values()
        if all((MEDIA / Path(name).name).is_file() for name in inputs):
            found.append(path)
    return found


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A workspace in which every spec, and variations of one, were worked to the end."""
    shell = Shell(tmp_path_factory.mktemp("real"))
    shell.ok("init", ".")
    (shell.folder / "cosmosq.toml").write_text(SETTINGS)
    shell.ok("clip", "add", "example1", MEDIA)
    shell.ok("prompt", "import", *usable(), "--root", MEDIA)
    shell.ok("enqueue", "--all", "-s", "num_steps=4", "--label", "of=specs")
    for name, text in (("base", "rain at night"), ("other", "a desert at noon")):
        shell.ok("prompt", "add", text, "--clip", "example1", "--name", name, "-s", "edge.weight=0.5")
    for change in ((), ("-s", "seed=2"), ("-s", "edge.weight=1"), ("--again",)):
        shell.ok("enqueue", "base", "-s", "num_steps=4", *change)
    shell.ok("enqueue", "other", "-s", "num_steps=4")
    shell.ok("worker", "--until-empty")
    return shell


def video(shell: Shell, job_id: int) -> Path:
    artifacts = shell.ok("show", job_id, "--json").json["artifacts"]
    path: str = next(a["path"] for a in artifacts if a["kind"] == "video")
    return shell.folder / path


def test_every_spec_whose_videos_are_there_succeeds(worked: Shell) -> None:
    jobs = worked.ok("status", "--label", "of=specs", "--json").json
    assert len(jobs) == len(usable()) == 5
    assert [job["status"] for job in jobs] == ["succeeded"] * 5


def test_every_output_plays_at_24_fps_in_the_engines_size(worked: Shell) -> None:
    sizes = set()
    for job in worked.ok("status", "--json").json:
        info = videos.verify(video(worked, job["id"]))
        assert (info.fps, info.frames) == (24, 121)
        sizes.add((info.width, info.height))
    # The office is 4:3, the kitchen 16:9.
    assert sizes == {(960, 704), (1280, 704)}


def test_outputs_differ_where_something_differs_and_are_identical_where_nothing_does(worked: Shell) -> None:
    base, seed, weight, again, other = (video(worked, job_id) for job_id in range(6, 11))
    assert base.read_bytes() == again.read_bytes()
    pictures = decoded(base)[::40].astype(int)
    for changed in (seed, weight, other):
        difference = abs(decoded(changed)[::40].astype(int) - pictures).mean()
        assert difference > 2, f"{changed.parent.name} looks like the base"


@pytest.mark.parametrize("name", ["inference_cosmos_transfer1_multi_control.json", "inference_upscaler.json"])
def test_a_spec_whose_video_is_missing_names_it(worked: Shell, name: str) -> None:
    before = worked.ok("prompt", "list", "--json").json
    refused = worked.refused(3, "prompt", "import", SPECS / name, "--root", MEDIA)
    assert json.loads((SPECS / name).read_text())["input_video_path"] in refused
    assert worked.ok("prompt", "list", "--json").json == before


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A workspace in which a sweep of 24 jobs on a real clip was worked to the end."""
    shell = Shell(tmp_path_factory.mktemp("swept"))
    shell.ok("init", ".")
    quick = "[hosts.sim.simulator]\nscale = 0.15\nload_s = 0\nstep_s = 0\n"
    (shell.folder / "cosmosq.toml").write_text(SETTINGS + quick)
    shell.ok("clip", "add", "example1", f"input={MEDIA / 'example1_input_video.mp4'}")
    shell.ok("prompt", "add", "an office at night", "--clip", "example1", "--name", "office")
    vary = ("-p", "edge.weight=0.2,1", "-p", "guidance=2,9", "-p", "num_steps=2,30", "-p", "seed=1,2,3")
    shell.ok("enqueue", "office", *vary, "--name", "grid")
    shell.ok("worker", "--until-empty")
    return shell


def test_a_sweep_over_a_real_clip_gives_24_whole_videos_with_one_model_load(swept: Shell) -> None:
    shown = swept.ok("sweep", "show", "grid", "--json").json
    assert shown["by_status"] == {"succeeded": 24}
    assert swept.ok("report", "--sweep", "grid", "--json").json["loads"] == 1
    for trial in shown["trials"]:
        assert videos.verify(video(swept, trial["jobs"][0]["id"])).frames == 121


def test_outputs_of_a_sweep_differ_where_parameters_differ(swept: Shell) -> None:
    trials = swept.ok("sweep", "show", "grid", "--json").json["trials"]
    frames = {tuple(t["assignment"].items()): decoded(video(swept, t["jobs"][0]["id"]))[::20] for t in trials}
    for first, second in itertools.combinations(frames, 2):
        difference = np.abs(frames[first].astype(int) - frames[second].astype(int)).mean()
        assert difference > 0.5, (dict(set(first) ^ set(second)), difference)
