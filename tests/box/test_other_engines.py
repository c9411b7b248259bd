"""Whole jobs over SSH in containers of `sudo docker` and of Podman: the same outcomes as with `docker`."""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cosmosq import checks
from cosmosq.hosts import open_host
from tests.box.docker_engine import DockerEngine, container_settings, require
from tests.box.podman_engine import Podman, missing, podman
from tests.box.sshd import Server, settings_of
from tests.night import Night, make_night, wait_for

pytestmark = pytest.mark.usefixtures("no_keys")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What each of them can be asked."""

    command: list[str]
    kill: Callable[[str], object]
    containers: Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def shared_podman() -> Iterator[Podman]:
    require(missing())
    with podman() as engine:
        yield engine


@pytest.fixture
def sudo_docker(engine: DockerEngine) -> Engine:
    require(None if shutil.which("sudo") else "not installed: sudo")
    return Engine(
        command=["sudo", *engine.command], kill=lambda name: engine.docker("kill", name), containers=engine.containers
    )


@pytest.fixture
def real_podman(shared_podman: Podman) -> Iterator[Engine]:
    yield Engine(
        command=shared_podman.command,
        kill=lambda name: shared_podman.run("kill", name),
        containers=shared_podman.containers,
    )
    shared_podman.remove_all()


@pytest.fixture(params=["sudo_docker", "real_podman"])
def other(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def night(other: Engine, shared_server: Server, tmp_path: Path) -> Iterator[Night]:
    box = settings_of(shared_server, tmp_path / "the box") | container_settings(shlex.join(other.command))
    night = make_night(tmp_path, simulator={"step_s": 0.02}, host={**box, "python": "python3"})
    night.workspace.known_hosts_path.write_text(shared_server.known_hosts.read_text())
    yield night
    night.close()


def attempts(night: Night) -> list[tuple[str, str | None]]:
    return [(a["status"], a["error"]) for a in night.job(1)["attempts"]]


def ends(night: Night) -> list[str | None]:
    return [end for (end,) in night.sql('SELECT "end" FROM sessions ORDER BY started_at')]


def start_long(night: Night) -> Any:
    """A worker that is in the middle of a generation."""
    night.enqueue(num_steps=100)
    worker = night.worker("--until-empty")
    wait_for(lambda: (night.job(1)["step"] or 0) > 5, "some steps")
    return worker


def test_jobs_run_in_one_container_which_is_removed(night: Night, other: Engine) -> None:
    for seed in (1, 2):
        night.enqueue("it's $HOME", seed=seed)
    night.work()
    assert night.statuses() == ["succeeded"] * 2, night.job(1)["message"]
    assert (len(night.loads), len(night.generations)) == (1, 2)
    assert (ends(night), other.containers()) == (["exited 0"], [])
    assert {path.stat().st_uid for path in night.box.rglob("*")} == {os.getuid()}


def test_a_worker_killed_mid_generation_is_followed_by_one_that_repeats_nothing(night: Night, other: Engine) -> None:
    worker = start_long(night)
    worker.kill()
    worker.communicate()
    assert [found["State"]["Status"] for found in other.containers()] == ["running"]
    night.work()
    assert (attempts(night), len(night.generations)) == ([("succeeded", None)], 1)
    assert (ends(night), other.containers()) == (["exited 0"], [])


def test_a_killed_container_is_noticed_and_the_job_repeated(night: Night, other: Engine) -> None:
    worker = start_long(night)
    other.kill(other.containers()[0]["Id"])
    worker.communicate(timeout=60)
    assert attempts(night) == [("failed", "lost"), ("succeeded", None)]
    assert (ends(night), other.containers()) == (["lost: killed", "exited 0"], [])


def test_the_check_finds_engine_image_and_packages(night: Night) -> None:
    config = night.config.host()
    host = open_host(config, night.workspace)
    try:
        found = {finding.check: finding for finding in checks.examine(host, config)}
    finally:
        host.close()
    assert all(finding.ok for finding in found.values()), found
    assert "image cosmosq-test" in found["container"].found
