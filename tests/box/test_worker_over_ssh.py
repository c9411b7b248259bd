"""The jobs of `tests/integration/test_worker.py` once more, on a real OpenSSH server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.box.sshd import Server, settings_of
from tests.integration.test_worker import *  # noqa: F403
from tests.night import Night, make_night

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def make(shared_server: Server, tmp_path: Path) -> Iterator[Callable[..., Night]]:
    """Workspaces whose host is reached over SSH."""
    made: list[Night] = []

    def factory(**options: Any) -> Night:
        night = make_night(tmp_path, host=settings_of(shared_server, tmp_path / "the box"), **options)
        night.workspace.known_hosts_path.write_text(shared_server.known_hosts.read_text())
        made.append(night)
        return night

    yield factory
    for night in made:
        night.close()
