"""The jobs of `tests/integration/test_worker.py` once more, in containers on a box over SSH."""

import json
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.box.docker_engine import DockerEngine, container_settings
from tests.box.sshd import Server, settings_of
from tests.integration.test_worker import *  # noqa: F403
from tests.night import Night, make_night

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def make(shared_server: Server, engine: DockerEngine, tmp_path: Path) -> Iterator[Callable[..., Night]]:
    """Workspaces whose host is reached over SSH and keeps its sessions in containers."""

    @dataclass
    class ContainerNight(Night):
        def session_pids(self) -> list[int]:
            return [found["State"]["Pid"] for found in engine.containers() if found["State"]["Running"]]

        def kill_session(self) -> None:
            for found in engine.containers():
                engine.docker("kill", found["Id"])

    made: list[Night] = []
    box = settings_of(shared_server, tmp_path / "the box") | container_settings(shlex.join(engine.command))

    def factory(**options: Any) -> Night:
        # In the image, and where the files arrive.
        night = make_night(tmp_path, host={**box, "python": "python3"}, kind=ContainerNight, **options)
        night.workspace.known_hosts_path.write_text(shared_server.known_hosts.read_text())
        made.append(night)
        return night

    yield factory
    for night in made:
        night.close()
        for start in night.box.glob("sessions/*/start.json"):
            assert json.loads(start.read_text())["container"] == engine.command
