"""`cosmosq prompt upsample` and what else knows of longer prompts, as a person types it."""

import pytest

from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell, traces
from tests.media import make_video

SETTINGS = """\
default_host = "sim"
retries = 0
[hosts.sim]
engine = "simulated"
[hosts.sim.simulator]
scale = 0.1
clip_frames = 9
[[hosts.sim.simulator.faults]]
do = "raise"
match = "gloomy"
during = "upsampling"
"""


@pytest.fixture
def sim(shell: Shell) -> Shell:
    """A workspace whose host works at once and fails with what is gloomy."""
    (shell.folder / "cosmosq.toml").write_text(SETTINGS)
    return shell


def test_a_dry_run_tells_frames_size_and_tokens_and_queues_nothing(shell: Shell, workspace: Workspace) -> None:
    before = traces(workspace.root)
    answer = shell.ok("prompt", "upsample", "kitchen", "--frames", "first-last", "--dry-run")
    assert answer.out.splitlines()[0].split() == [
        *("id", "name", "frames", "size"),
        *("prompt", "tokens,", "at", "most", "tokens,", "at", "most"),
    ]
    assert answer.out.splitlines()[-1].split()[1:] == ["kitchen", "0,11", "64x48", "24", "63"]
    (told,) = shell.ok("prompt", "upsample", "kitchen", "--dry-run", "--json").json
    assert (told["frames"], told["prompt_tokens"], told["tokens"]) == ([0, 1], 24, 2 * 15 + 9 + 24)
    assert traces(workspace.root) == before


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ((), "name prompts, or give --all-missing"),
        (("kitchen", "--frames", "last"), "--frames 'last' names no frames: use first, first-last, spread"),
        (("kitchen", "--frames", "500"), "has 12 frames and none with index 500: choose others"),
        (("kitchen", "--max-size", "64x64"), "--max-size '64x64' is no size: use auto or one such as 848x480"),
        (("kitchen", "--max-size", "big"), "--max-size 'big' is no size"),
        (("long",), "prompt long: the prompt takes up to 4000 of 4096 tokens, which leaves no room for 2 frames"),
    ],
)
def test_what_cannot_be_upsampled_is_refused_before_anything_is_queued(
    shell: Shell, workspace: Workspace, words: tuple[str, ...], remedy: str
) -> None:
    shell.ok("prompt", "add", "fog " * 1000, "--clip", "shot", "--name", "long")
    before = traces(workspace.root)
    assert remedy in shell.refused(2, "prompt", "upsample", *words)
    assert traces(workspace.root) == before


def test_a_clip_without_an_input_video_has_nothing_to_show(shell: Shell, workspace: Workspace) -> None:
    shell.ok("clip", "add", "bare", f"depth={make_video(workspace.root / 'depth.mp4')}")
    shell.ok("prompt", "add", "fog", "--clip", "bare", "--name", "bare")
    assert "its clip has no input video to show to the upsampler" in shell.refused(2, "prompt", "upsample", "bare")


def test_a_longer_prompt_is_followed_to_its_end_listed_and_compared(sim: Shell) -> None:
    answer = sim.ok("prompt", "upsample", "kitchen", "--follow")
    original, result = answer.out.splitlines()[-1].split(" → ")
    (listed,) = sim.ok("prompt", "list", "--upsampled", "--json").json
    assert (listed["id"], listed["original_id"]) == (result, original)
    shown = sim.ok("prompt", "show", result).out
    assert "original      " + original in shown
    assert "Cosmos-UpsamplePrompt1-12B-Transfer SIMULATED (job 1)" in shown
    assert "frames        0,1 at 64x48" in shown
    assert "original: a kitchen in the evening" in shown
    assert "changes: a kitchen in the evening{+. The video opens on" in shown
    told = sim.ok("prompt", "show", result, "--json").json["upsampling"]
    assert told["original_text"] == "a kitchen in the evening"
    assert "was upsampled already: name its original" in sim.refused(2, "prompt", "upsample", result)
    assert "is the same and succeeded already" in sim.ok("prompt", "upsample", "kitchen").out
    # It is a prompt like any other.
    assert sim.ok("enqueue", result).out.startswith(f"job 2 queued: transfer of {result}")


def test_of_a_file_of_prompts_those_that_fail_are_told_and_the_rest_is_made(sim: Shell) -> None:
    lines = ["a bright street", "a gloomy street", "fog " * 1000, "a street in the rain"]
    sim.ok("prompt", "add", "--from", "-", "--clip", "shot", stdin="\n".join(lines))
    answer = sim.run("prompt", "upsample", "--all-missing")
    assert answer.code == 2
    assert "the prompt takes up to" in answer.err
    assert "1 prompts cannot be upsampled and were left out" in answer.err
    assert answer.out.count(" queued: upsample of ") == 4
    answer = sim.run("prompt", "upsample", "--all-missing", "--follow", "--json")
    assert answer.code == 1, answer.err
    assert "1 of 4 jobs did not succeed" in answer.err
    assert sorted(row["status"] for row in answer.json) == ["failed", *["succeeded"] * 3]
    assert [row["upsampled_id"] is None for row in answer.json] == [row["status"] == "failed" for row in answer.json]
    # What was made is not asked for again; what failed is not repeated of its own.
    again = sim.run("prompt", "upsample", "--all-missing", "--json")
    assert [(row["status"], row["new"]) for row in again.json] == [("failed", False)]


def test_thousands_of_prompts_are_queued_by_one_command_and_once(shell: Shell) -> None:
    lines = "".join(f"street number {number}\n" for number in range(3000))
    shell.ok("prompt", "add", "--from", "-", "--clip", "shot", stdin=lines)
    assert shell.ok("prompt", "upsample", "--all-missing").err == "3001 queued, 0 skipped\n"
    assert shell.ok("prompt", "upsample", "--all-missing").err == "0 queued, 3001 skipped\n"


def test_a_video_waits_for_its_longer_prompt_and_says_so(shell: Shell) -> None:
    answer = shell.ok("enqueue", "kitchen", "--upsample")
    assert "job 2 queued: transfer of ps_" in answer.out
    assert answer.out.endswith(", after job 1 upsampled that\n")
    assert shell.ok("show", "2", "--json").json["depends_on"] == [1]
    assert shell.ok("show", "1", "--json").json["upsampling"] == {
        **{"frames": "first", "max_size": "auto", "variant": 1},
        "result_id": None,
    }
    shell.ok("enqueue", "kitchen", "--upsample", "-s", "seed=2")
    assert len(shell.ok("status", "--json").json) == 3
    assert "is the same and queued already" in shell.ok("enqueue", "kitchen", "--upsample").out
    assert shell.ok("cancel", "1").code == 0
    assert [row["status"] for row in shell.ok("status", "--json").json] == ["cancelled"] * 3
    assert "`cosmosq retry 1` first" in shell.refused(2, "enqueue", "kitchen", "--upsample", "-s", "seed=3")


def test_a_sweep_compares_with_and_without(sim: Shell) -> None:
    vary = ("-p", "upsample=false,true", "-p", "guidance=3,7", "-s", "num_steps=2", "--name", "longer")
    preview = sim.ok("enqueue", "kitchen", *vary, "--dry-run", "--json").json
    assert (preview["jobs"], preview["upsamplings"], preview["loads"]) == (4, 1, 2)
    assert "1 prompt upsampled first" in sim.ok("enqueue", "kitchen", *vary).err
    sim.ok("worker", "--until-empty")
    rows = sim.ok("sweep", "export", "longer", "--csv", "-").out.splitlines()
    column = rows[0].split(",").index("upsample")
    assert sorted(row.split(",")[column] for row in rows[1:]) == ["false", "false", "true", "true"]
    assert all("succeeded" in row for row in rows[1:])
    jobs = [job for job in sim.ok("status", "--json").json if job["kind"] == "transfer"]
    texts = [sim.ok("show", job["id"], "--json").json["upsampled_text"] for job in jobs]
    assert len({text for text in texts if text}) == 1
    assert texts.count(None) == 2


def test_a_whole_sweep_of_longer_prompts_stays_one_when_it_is_extended(shell: Shell) -> None:
    words = ("-p", "guidance=uniform(1,9)", "-n", "3", "--method", "sobol", "--name", "s")
    shell.ok("enqueue", "kitchen", "--upsample", *words)
    shell.ok("sweep", "extend", "s", "-n", "2")
    jobs = shell.ok("status", "--json").json
    assert [job["kind"] for job in jobs] == ["upsample", *["transfer"] * 5]
    assert all(shell.ok("show", job["id"], "--json").json["depends_on"] == [1] for job in jobs[1:])


@pytest.mark.parametrize("how", ["upsample=maybe", "upsample=uniform(0,1)"])
def test_a_sweep_upsamples_or_does_not(shell: Shell, how: str) -> None:
    assert "upsample" in shell.refused(2, "enqueue", "kitchen", "-p", how)
