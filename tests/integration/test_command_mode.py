"""A host in command mode, from the job to the video at home."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cosmosq.checks import examine
from cosmosq.engines.engine import session_key
from cosmosq.engines.parameters import BY_NAME
from cosmosq.errors import InvalidInput
from cosmosq.session import remote
from tests.acceptance.command_line import Shell
from tests.integration.box_tools import frame_count, sha256
from tests.night import Night, site_of, wait_for

Make = Callable[..., Night]
COMMAND = {"mode": "command", "batch_size": 2}


def test_jobs_are_made_by_nvidias_command_line_and_each_ends_as_what_it_was(make: Make) -> None:
    night = make(
        host=COMMAND, faults=[{"match": "forbidden", "do": "block"}, {"match": "doomed", "do": "crash", "times": 1}]
    )
    jobs = [night.enqueue(prompt) for prompt in ("a quiet kitchen", "forbidden", "doomed")]
    night.work()
    assert night.statuses() == ["succeeded", "blocked", "succeeded"]
    assert night.job(jobs[1])["message"].startswith("GUARDRAIL BLOCKED")
    assert [attempt["error"] for attempt in night.job(jobs[2])["attempts"]] == ["crashed", None]
    assert [generation["received"]["prompt"] for generation in night.generations] == ["a quiet kitchen", "doomed"]
    assert frame_count(night.video(jobs[0])) > 0
    ((key, simulated),) = night.sql("SELECT key, simulated FROM sessions")
    assert (json.loads(key)["mode"], simulated) == ("command", 1)


def test_a_batch_of_eight_comes_home_as_eight_outcomes_and_nothing_good_is_made_twice(make: Make) -> None:
    faults = [
        {"match": "forbidden", "do": "block"},
        {"match": "enormous", "do": "oom"},
        {"match": "doomed", "do": "crash"},
        {"match": "astray", "do": "shift"},
    ]
    night = make(host={"mode": "command", "batch_size": 4}, faults=faults, retries=0)
    prompts = ("one", "two", "forbidden", "astray", "doomed", "six", "enormous", "eight")
    jobs = {prompt: night.enqueue(prompt) for prompt in prompts}
    night.work()
    ends = {prompt: (night.job(job)["status"], night.job(job)["error"]) for prompt, job in jobs.items()}
    good = [prompt for prompt, (status, _) in ends.items() if status == "succeeded"]
    assert good == ["one", "two", "astray", "six", "eight"]
    assert ends["forbidden"] == ("blocked", "blocked")
    assert ends["doomed"] == ("failed", "crashed")
    assert ends["enormous"] == ("failed", "out_of_memory")
    assert sorted(generation["received"]["prompt"] for generation in night.generations) == sorted(good)
    assert len({sha256(night.video(jobs[prompt])) for prompt in good}) == len(good)


def test_jobs_that_may_share_a_process_wait_in_the_inbox_together(make: Make) -> None:
    night = make(host=COMMAND, simulator={"load_s": 0.5})
    for number in range(9):
        night.enqueue(f"prompt {number}")
    night.work()
    assert night.statuses() == ["succeeded"] * 9
    assert len(night.loads) <= 3, "one load serves what has arrived by then"


def test_a_killed_session_blames_none_that_waited_for_its_turn_and_repeats_nothing_good(make: Make) -> None:
    night = make(host={"mode": "command"}, simulator={"step_s": 0.1})
    jobs = [night.enqueue(f"prompt {number}") for number in range(5)]
    worker = night.worker("--until-empty")
    wait_for(lambda: "succeeded" in night.statuses(), "the first video")
    for pid in night.session_pids():
        os.killpg(pid, signal.SIGKILL)
    assert worker.wait(60) == 0
    assert night.statuses() == ["succeeded"] * 5
    made = [generation["received"]["prompt"] for generation in night.generations]
    assert sorted(set(made)) == [f"prompt {number}" for number in range(5)]
    assert len(made) <= 6, "at most the video that was saved when the session died is made again"
    errors = [attempt["error"] for job in jobs for attempt in night.job(job)["attempts"] if attempt["error"]]
    assert len(errors) <= 1, errors


def test_run_does_the_full_cycle_in_command_mode(make: Make) -> None:
    night = make(host=COMMAND)
    shell = Shell(night.workspace.root)
    shell.ok("prompt", "add", "a harbour", "--clip", "shot", "--name", "harbour", "-s", "edge.weight=0.5")
    shell.ok("run", "harbour", "-s", "num_steps=3", "--upscale")
    assert night.statuses() == ["succeeded", "succeeded"]
    assert [len(load["hints"]) for load in night.loads] == [1, 1]


def test_the_engine_makes_a_prompt_longer_itself_and_what_it_made_is_recorded(make: Make) -> None:
    night = make(host=COMMAND)
    short = "a quiet harbour"
    job = night.enqueue(short, upsample_prompt=True)
    beside = [night.enqueue(short, seed=seed) for seed in (1, 2)]
    night.work()
    assert night.statuses() == ["succeeded"] * 3
    prompts = [generation["received"]["prompt"] for generation in night.generations]
    longer = (night.video(job).parent / "prompt.txt").read_text()
    assert len(longer) > len(short)
    assert sorted(prompts) == sorted([longer, short, short]), "the others have their own process, and prompt"
    assert night.job(job)["text"] == short, "the original is kept"
    assert night.job(job)["engine_text"] == longer
    assert night.job(beside[0])["engine_text"] is None
    (upsampling,) = night.box_ledger("upsampling")
    assert (upsampling["prompt"], len(upsampling["images"])) == (short, 2), "the first two frames of the control"


def test_the_engines_own_upsampling_fails_with_what_is_too_long_as_it_does_there(make: Make) -> None:
    night = make(host=COMMAND)
    job = night.enqueue("a quiet harbour " * 1400, upsample_prompt=True)
    night.work()
    found = night.job(job)
    assert (found["status"], found["error"]) == ("failed", "prompt_too_long")
    assert "longer than the maximum model length" in found["message"]


def test_the_engines_own_upsampling_is_refused_where_it_cannot_be(make: Make) -> None:
    warm = make()
    with pytest.raises(InvalidInput, match='needs mode = "command"'):
        warm.enqueue("a harbour", upsample_prompt=True)
    with pytest.raises(InvalidInput, match="give one of vis, edge, depth, seg a weight"):
        warm.enqueue("a harbour", upsample_prompt=True, edge_weight=0, keypoint_weight=0.5)
    with pytest.raises(InvalidInput, match="needs a seg video"):
        warm.enqueue("a harbour", upsample_prompt=True, edge_weight=0, seg_weight=0.5)
    assert warm.statuses() == []


def test_a_check_wants_torchrun_where_the_command_line_runs(make: Make, tmp_path: Path) -> None:
    night = make(host=COMMAND)
    path = night.workspace.config_path
    real = 'engine = "cosmos_transfer1"\ncheckout = "/nowhere"'
    path.write_text(path.read_text().replace('engine = "simulated"', real))
    lines = {finding.check: finding for finding in examine(site_of(night).host, night.config.host("sim"))}
    assert lines["python"].ok is False
    assert "without torchrun" in lines["python"].found
    assert "torchrun beside it" in lines["python"].remedy
    (tmp_path / "torchrun").write_text("#!/bin/sh\n")
    (tmp_path / "torchrun").chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path), prepend=":")
        lines = {finding.check: finding for finding in examine(site_of(night).host, night.config.host("sim"))}
    assert lines["python"].ok is True


def test_a_living_session_of_the_other_mode_serves_no_job(make: Make) -> None:
    night = make(host=COMMAND)
    night.enqueue()
    night.work()
    values = {name: parameter.default for name, parameter in BY_NAME.items()} | {"edge.weight": 0.5}
    key = session_key("simulated", values)
    ((session_id,),) = night.sql("SELECT id FROM sessions")
    assert remote.find(site_of(night), session_id).serves(key)
    path = night.workspace.config_path
    path.write_text(path.read_text().replace('mode = "command"\nbatch_size = 2\n', ""))
    assert not remote.find(site_of(night), session_id).serves(key)
