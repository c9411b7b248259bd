"""What every test gets: settings of hypothesis, a clean environment, and ledgers that are migrated once and copied."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cosmosq.db import Ledger
from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell
from tests.ledger_rows import make_ledger
from tests.media import make_video

settings.register_profile(
    "cosmosq",
    deadline=None,
    max_examples=60,
    # Each example uses its own names in the fixture's folder, or writes nothing.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("cosmosq")

# Whoever starts the tests in the background of a script has SIGINT ignored, by them and by all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the person who runs the tests do not change what they see."""
    for name in ("COSMOSQ_WORKSPACE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger of this version."""
    ledger = make_ledger(tmp_path / "ledger" / "ledger.db")
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def _initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as `cosmosq init` makes it, with clip `shot` (input, depth and seg) and prompt `kitchen`."""
    folder = tmp_path_factory.mktemp("template")
    videos = [
        f"{role}={make_video(folder / 'media' / f'{role}.mp4', seed=seed)}"
        for seed, role in enumerate(("input", "depth", "seg"))
    ]
    Shell(folder).ok("init", "ws")
    settings = folder / "ws" / "cosmosq.toml"
    # A worker within the tests' own process would leave another one behind that measures.
    settings.write_text("measure = false\n" + settings.read_text())
    shell = Shell(folder / "ws")
    shell.ok("clip", "add", "shot", *videos)
    shell.ok("prompt", "add", "a kitchen in the evening", "--clip", "shot", "--name", "kitchen", "-s", "edge.weight=1")
    return folder / "ws"


@pytest.fixture(scope="module")
def template(_initialised: Path) -> Path:
    """What `workspace` is a copy of; a module that needs more overrides it."""
    return _initialised


@pytest.fixture
def workspace(tmp_path: Path, template: Path) -> Workspace:
    """A workspace of the test's own."""
    shutil.copytree(template, tmp_path / "ws")
    return Workspace(root=tmp_path / "ws")


@pytest.fixture
def shell(workspace: Workspace) -> Shell:
    """The command line in that workspace."""
    return Shell(workspace.root)
