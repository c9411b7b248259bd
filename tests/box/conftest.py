"""One SSH server for all tests that do not harm it, and one Docker engine for all that do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box import sshd
from tests.box.docker_engine import DockerEngine, docker_engine, require
from tests.box.sshd import Server, make_server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if reason := sshd.skip_reason():
        pytest.skip(reason)
    server = make_server(tmp_path_factory.mktemp("sshd") / "server")
    yield server
    server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may stop, freeze and give another key."""
    if reason := sshd.skip_reason():
        pytest.skip(reason)
    server = make_server(tmp_path / "server")
    yield server
    server.thaw()
    server.stop()


@pytest.fixture
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without keys, known hosts and agent; returns its .ssh."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home / ".ssh"


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[DockerEngine]:
    require()
    with docker_engine() as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: DockerEngine) -> Iterator[DockerEngine]:
    """One that runs and is empty, before and after."""
    if shared_engine.process is None:
        shared_engine.start()
    yield shared_engine
    if shared_engine.process is None:
        shared_engine.start()
    shared_engine.remove_all()
