"""Whole jobs on a real OpenSSH server, whatever happens to the worker and to the link."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cosmosq import clips, prompts
from cosmosq.cli import output
from cosmosq.enqueue import enqueue
from cosmosq.wishes import wishes_for
from tests.box.proxy import Proxy
from tests.box.sshd import Server, settings_of
from tests.media import make_video
from tests.night import Night, make_night, now, wait_for

pytestmark = pytest.mark.usefixtures("no_keys")

BOX = """the $(touch pwned) `touch pwned` "box"'s; touch pwned & folder"""


@pytest.fixture
def make(server: Server, tmp_path: Path) -> Iterator[Callable[..., Night]]:
    made: list[Night] = []

    def factory(port: int | None = None, **simulator: Any) -> Night:
        night = make_night(tmp_path, simulator=simulator, host=settings_of(server, tmp_path / BOX, port))
        known = server.known_hosts.read_text()
        night.workspace.known_hosts_path.write_text(known + known.replace(f":{server.port} ", f":{port} "))
        made.append(night)
        return night

    yield factory
    for night in made:
        night.close()


def assert_done_once(night: Night) -> None:
    assert night.statuses() == ["succeeded"], night.job(1)["message"]
    assert (len(night.loads), len(night.generations), night.job(1)["attempt"]) == (1, 1, 1)
    assert night.video(1).is_file()
    assert night.session_pids() == []


def is_generating(night: Night) -> bool:
    return (night.job(1)["step"] or 0) > 5


def test_jobs_succeed_over_one_login_whatever_things_are_called(
    make: Callable[..., Night], server: Server, tmp_path: Path
) -> None:
    night = make()
    for prompt in ("one", "two $(touch pwned) 'quoted' 🎬"):
        night.enqueue(prompt)
    night.work()
    assert night.statuses() == ["succeeded"] * 2
    assert (len(night.loads), len(night.generations)) == (1, 2)
    assert len(list((night.box / "videos").iterdir())) == 1
    assert server.logins == 1
    assert not list(tmp_path.rglob("pwned"))


SHELL_WORDS = st.lists(
    st.sampled_from(["$(touch pwned)", "`touch pwned`", "; touch pwned;", "&& touch pwned", "| tee pwned", "> pwned"])
    | st.text("$`;&|<>(){}[]'\"\\\\ *?!#~=-é🎬", min_size=1, max_size=5),
    min_size=1,
    max_size=4,
).map(lambda words: f"x{' '.join(words)}x")


def test_no_name_of_a_clip_file_prompt_or_label_is_a_command(make: Callable[..., Night], tmp_path: Path) -> None:
    night = make()
    names: list[str] = []

    @settings(max_examples=12, database=None)
    @given(SHELL_WORDS)
    def enqueue_one(name: str) -> None:
        assume(name not in names)
        video = make_video(tmp_path / f"{name}.mp4", seed=len(names))
        clips.add(night.ledger, night.workspace, name, [f"input={video}"], now=now())
        (record,) = prompts.add(night.ledger, [prompts.Draft(text=name, clip=name, name=name)], now())
        wishes = wishes_for(night.ledger, [record.id], {"edge.weight": 0.5, "num_steps": 1})
        enqueue(night.ledger, night.config.host(), wishes, now=now(), labels={name: name})
        names.append(name)

    enqueue_one()
    night.work()
    assert night.statuses() == ["succeeded"] * len(names)
    assert sorted(g["received"]["prompt"] for g in night.generations) == sorted(names), "byte for byte"
    assert not [path for path in tmp_path.rglob("*") if path.name == "pwned"]


def test_a_log_is_followed_from_the_box_to_its_end_over_one_login(make: Callable[..., Night], server: Server) -> None:
    night = make(step_s=0.02)
    night.enqueue(num_steps=100)
    worker = night.worker("--until-empty")
    wait_for(lambda: is_generating(night), "some steps")
    command = [sys.executable, "-m", "cosmosq", "-w", str(night.workspace.root), "log", "-f", "1"]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    night.processes.append(following)
    assert following.stdout is not None
    first = following.stdout.readline()
    assert night.statuses() == ["running"], "nothing was printed before the job had ended"
    rest = following.stdout.read()
    following.wait(timeout=60)
    worker.communicate(timeout=60)
    log = next(artifact["path"] for artifact in night.job(1)["artifacts"] if artifact["kind"] == "log")
    assert following.returncode == 0
    assert first + rest == output.clean((night.workspace.root / log).read_bytes().decode())
    assert server.logins == 2, "the worker's and one more"


def test_a_worker_killed_mid_generation_follows_on(make: Callable[..., Night]) -> None:
    night = make(step_s=0.02)
    night.enqueue(num_steps=100)
    worker = night.worker("--until-empty")
    wait_for(lambda: is_generating(night), "some steps")
    worker.kill()
    worker.communicate()
    night.work()
    assert_done_once(night)


@pytest.mark.parametrize("away_until_the_end", [False, True])
def test_a_server_stopped_and_started_mid_generation_changes_nothing(
    make: Callable[..., Night], server: Server, away_until_the_end: bool
) -> None:
    night = make(step_s=0.02)
    night.enqueue(num_steps=60)
    worker = night.worker("--until-empty")
    wait_for(lambda: is_generating(night), "some steps")
    server.stop()
    if away_until_the_end:
        wait_for(lambda: night.generations, "the end of the generation")
    server.start()
    worker.communicate(timeout=60)
    assert_done_once(night)


@pytest.mark.parametrize("phase", ["uploading", "waiting", "downloading"])
def test_a_link_cut_in_a_phase_changes_nothing(make: Callable[..., Night], server: Server, phase: str) -> None:
    with Proxy(server.port) as proxy:
        proxy.delay_s = 0.005
        night = make(port=proxy.port)
        night.enqueue()
        worker = night.worker("--until-empty")
        wait_for(lambda: night.job(1)["phase"] == phase or night.statuses() == ["succeeded"], phase)
        proxy.cut()
        worker.communicate(timeout=60)
        assert_done_once(night)


def test_a_start_whose_reply_is_lost_begins_one_session(make: Callable[..., Night], server: Server) -> None:
    with Proxy(server.port) as proxy:
        night = make(port=proxy.port)
        night.enqueue()
        worker = night.worker("--until-empty")
        wait_for(lambda: list(night.box.glob("sessions/*/started")), "the start on the box")
        proxy.cut()
        worker.communicate(timeout=60)
        assert_done_once(night)
        assert len(list(night.box.glob("sessions/*"))) == 1


WATCHFUL = "from cosmosq.hosts import link; link.WATCH_S, link.ANSWER_S = 0.5, 1.0"
"""Notices a dead link within 2 s instead of 30."""


@pytest.mark.parametrize(
    ("phase", "first"),
    [("uploading", WATCHFUL), ("generating", ""), ("downloading", WATCHFUL)],
    ids=["uploading", "generating", "downloading"],
)
def test_a_link_that_swallows_everything_changes_nothing(
    make: Callable[..., Night], server: Server, phase: str, first: str
) -> None:
    with Proxy(server.port) as proxy:
        proxy.delay_s = 0.003
        night = make(port=proxy.port, step_s=0.02)
        night.enqueue(num_steps=30)
        worker = night.worker("--until-empty", first=first)
        wait_for(lambda: night.job(1)["phase"] == phase or night.statuses() == ["succeeded"], phase)
        proxy.black_hole()
        log = night.workspace.log_path
        wait_for(lambda: night.statuses() == ["succeeded"] or "link lost" in log.read_text(), "the watchdog", 45)
        proxy.clear()
        worker.communicate(timeout=60)
        assert_done_once(night)


def test_a_worker_that_sleeps_longer_than_its_lease_goes_on(make: Callable[..., Night]) -> None:
    night = make(step_s=0.02)
    night.enqueue(num_steps=100)
    worker = night.worker("--until-empty")
    wait_for(lambda: is_generating(night), "some steps")
    worker.send_signal(signal.SIGSTOP)
    silent = "SELECT 1 FROM workers WHERE heartbeat_at < strftime('%Y-%m-%d %H:%M:%f', 'now', '-5 seconds')"
    wait_for(lambda: night.sql(silent), "the end of the lease")
    worker.send_signal(signal.SIGCONT)
    worker.communicate(timeout=60)
    assert_done_once(night)


def test_a_box_that_reboots_loses_the_attempt_and_nothing_else(make: Callable[..., Night]) -> None:
    night = make(step_s=0.02)
    first, second = night.enqueue("one"), night.enqueue("two", num_steps=60)
    worker = night.worker("--until-empty")
    wait_for(lambda: (night.job(second)["step"] or 0) > 5, "some steps of the second job")
    reboot(night)
    worker.communicate(timeout=60)
    assert night.statuses() == ["succeeded", "succeeded"]
    assert (night.job(first)["attempt"], night.job(second)["attempt"]) == (1, 2)
    assert night.job(second)["attempts"][0]["error"] == "lost"
    assert len(night.generations) == 2
    ends = [end for (end,) in night.sql('SELECT "end" FROM sessions ORDER BY started_at')]
    assert ends == ["lost: rebooted", "exited 0"]


def reboot(night: Night) -> None:
    """All processes of the session are gone, and what it wrote down is of another boot."""
    path = next(night.box.glob("sessions/*/session.json"))
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "boot_id": "the boot before"}))
    for name in ("wrapper_pid", "pid"):
        os.kill(told[name], signal.SIGKILL)


def test_longer_prompts_are_made_once_each_whatever_happens_to_the_link(
    make: Callable[..., Night], server: Server
) -> None:
    with Proxy(server.port) as proxy:
        night = make(port=proxy.port, upsample_s=0.3)
        videos = night.enqueue_upsampled(*night.add("a quiet kitchen", "a loud kitchen"))
        worker = night.worker("--until-empty")
        wait_for(lambda: night.box_ledger("upsampling"), "the first longer prompt")
        proxy.cut()
        worker.communicate(timeout=60)
    assert set(night.statuses()) == {"succeeded"}
    texts = [entry["text"] for entry in night.box_ledger("upsampling")]
    assert len(texts) == 2
    assert sorted(entry["received"]["prompt"] for entry in night.generations) == sorted(texts)
    assert {night.job(job_id)["upsampled_text"] for job_id in videos} == set(texts)
