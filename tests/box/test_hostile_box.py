"""What `tests/integration/test_hostile_session.py` lets a box offer for fetching, once more over SSH."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box.sshd import Server, settings_of
from tests.integration.test_hostile_session import (  # noqa: F401
    bewitched,
    tell,
    test_a_link_in_place_of_a_video_fails_the_attempt,
    test_a_log_without_end_brings_only_its_end_home,
    test_names_that_lead_elsewhere_are_not_fetched,
)
from tests.night import Night

pytestmark = pytest.mark.usefixtures("no_keys")


@pytest.fixture
def night(shared_server: Server, tmp_path: Path) -> Iterator[Night]:
    made = bewitched(tmp_path, settings_of(shared_server, tmp_path / "the box"))
    made.workspace.known_hosts_path.write_text(shared_server.known_hosts.read_text())
    yield made
    made.close()
