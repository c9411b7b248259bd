"""What is shipped: sdist and wheel hold it all, and what `pipx` and `uv` install of them works a night."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from cosmosq.session import scripts
from tests.media import make_video

ROOT = Path(__file__).parents[2]
PACKAGES = {"cosmosq": "cosmosq", "migrations": "cosmosq/migrations", "remote_scripts": "cosmosq/remote_scripts"}
"""Folders of the repository, and where a wheel has them."""
BESIDE = ("benchmarks", "docs", "examples", "tests")
"""Folders that an sdist has beside them."""
OURS = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = [version for version in ("3.11", "3.12", "3.13") if version != OURS]
PATIENCE_S = 240
SETTINGS = """\
default_host = "sim"
[hosts.sim]
engine = "simulated"
idle_close = 0
[hosts.sim.simulator]
scale = 0.1
clip_frames = 9
"""


def _shipped() -> set[str]:
    """What a wheel must hold, told by the folders themselves."""
    return {
        f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, target in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sh", ".html", ".js", ".css", ".typed") and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository, so that building leaves nothing in it."""
    source = tmp_path_factory.mktemp("source")
    for folder in (*PACKAGES, *BESIDE):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    return source


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--sdist", source, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("--wheel", source, tmp_path_factory.mktemp("wheel"))


def build(what: str, source: Path, target: Path) -> Path:
    """What `python -m build` makes of a folder, with the setuptools that pyproject.toml asks for."""
    run(sys.executable, "-m", "build", "--installer", "uv", what, "--outdir", target, source)
    (built,) = target.iterdir()
    return built


def run(*command: str | Path, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What a program says that must succeed without a warning; skips where what it installs cannot be fetched."""
    words = [str(word) for word in command]
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode and "CI" not in os.environ and not _registry_answers():
        pytest.skip("no package registry answers here")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # What goes wrong while Python ends is told there alone.
    assert "ResourceWarning" not in done.stderr, done.stderr[-2000:]
    return done.stdout


def _registry_answers() -> bool:
    command = [sys.executable, "-m", "pip", "index", "versions", "tzdata"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _contents(wheel: Path) -> dict[str, str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_a_wheel_holds_every_file_that_is_shipped(wheel: Path) -> None:
    held = set(_contents(wheel))
    assert _shipped() - held == set()
    for name in (
        "cosmosq/migrations/env.py",
        "cosmosq/migrations/versions/0001_the_first_tables.py",
        "cosmosq/remote_scripts/session.py",
        "cosmosq/remote_scripts/simulator/cosmos_transfer1/checkpoints.py",
        "cosmosq/report/page_files/index.html",
        "cosmosq/py.typed",
    ):
        assert name in held


def test_a_wheel_holds_nothing_else(wheel: Path) -> None:
    held = {name for name in _contents(wheel) if ".dist-info/" not in name}
    assert held - _shipped() == set()


def test_an_sdist_holds_all_that_make_check_needs(source: Path, sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert {name for name in wanted if ".egg-info/" not in name and not name.startswith("build/")} - held == set()


def test_an_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert _contents(build("--wheel", unpacked, tmp_path / "built")) == _contents(wheel)


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A fresh environment that an installer made for the wheel, with all that it needs."""

    cosmosq: Path
    python: Path
    environments: Path
    """Folder that the environment lies in."""


def with_pipx(wheel: Path, folder: Path, python: str) -> Installed:
    homes = {
        "PIPX_HOME": str(folder / "home"),
        "PIPX_BIN_DIR": str(folder / "bin"),
        "PIPX_MAN_DIR": str(folder / "man"),
    }
    run(sys.executable, "-m", "pipx", "install", "--python", python, wheel, environment=homes)
    python_of_it = folder / "home" / "venvs" / "cosmosq" / "bin" / "python"
    return Installed(cosmosq=folder / "bin" / "cosmosq", python=python_of_it, environments=folder)


def with_uv(wheel: Path, folder: Path, python: str) -> Installed:
    homes = {"UV_TOOL_DIR": str(folder / "tools"), "UV_TOOL_BIN_DIR": str(folder / "bin")}
    run(sys.executable, "-m", "uv", "tool", "install", "--python", python, wheel, environment=homes)
    python_of_it = folder / "tools" / "cosmosq" / "bin" / "python"
    return Installed(cosmosq=folder / "bin" / "cosmosq", python=python_of_it, environments=folder)


INSTALLERS: dict[str, Callable[[Path, Path, str], Installed]] = {"pipx": with_pipx, "uv": with_uv}


@pytest.fixture(
    scope="module", params=[("pipx", OURS), ("uv", OURS), *(("uv", version) for version in OTHERS)], ids="-".join
)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel as each installer has it, with our Python and the others that setup.cfg promises, if they are here."""
    name, version = request.param
    if (python := sys.executable if version == OURS else interpreter(version)) is None:
        pytest.skip(f"no Python {version} here")
    return INSTALLERS[name](wheel, tmp_path_factory.mktemp(name), python)


def interpreter(version: str) -> str | None:
    """A Python of that version on the path or among pyenv's; a shim of pyenv's may lead nowhere."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [shutil.which(f"python{version}"), *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python")))]
    return next((python for python in found if python and _answers(python, version)), None)


def _answers(python: str, version: str) -> bool:
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout == f"{version}\n"


def test_what_is_installed_works_a_night_without_a_warning(installed: Installed, tmp_path: Path) -> None:
    def cosmosq(*words: str | Path) -> str:
        return run(installed.cosmosq, *words, folder=tmp_path / "night", environment={"PYTHONWARNINGS": "error"})

    run(installed.cosmosq, "init", "night", folder=tmp_path)
    (tmp_path / "night" / "cosmosq.toml").write_text(SETTINGS)
    cosmosq("clip", "add", "shot", make_video(tmp_path / "color.mp4"))
    cosmosq("prompt", "add", "a harbour at dawn", "--clip", "shot", "--name", "harbour", "-s", "num_steps=2")
    cosmosq("prompt", "upsample", "harbour")
    cosmosq("enqueue", "harbour", "-p", "edge.weight=0.5,1")
    assert json.loads(cosmosq("batch", "preview", "--json"))[0]["jobs"] == [2, 3]
    cosmosq("worker", "--until-empty", "--poll", "0.02")
    assert [job["status"] for job in json.loads(cosmosq("status", "--json"))] == ["succeeded"] * 3
    cosmosq("report", "--html", "report")
    assert (tmp_path / "night" / "report" / "index.html").is_file()
    assert '"canny_f1"' in cosmosq("show", "2", "--json"), "what is measured beside the work is measured there too"
    cosmosq("db", "check")


def test_what_is_installed_ships_its_own_scripts(installed: Installed, tmp_path: Path) -> None:
    code = (
        "import cosmosq, cosmosq.session.scripts as s; print(cosmosq.__file__); print(*sorted(s.contents()), sep='\\n')"
    )
    place, *contents = run(installed.python, "-c", code, folder=tmp_path).splitlines()
    assert Path(place).is_relative_to(installed.environments), "the wheel's own, and not the checkout's"
    assert contents == sorted(scripts.contents())


def test_this_install_finds_its_scripts_migrations_and_page() -> None:
    held = {path.removeprefix("cosmosq/remote_scripts/") for path in _shipped() if "/remote_scripts/" in path}
    assert set(scripts.contents()) == {path for path in held if path.endswith((".py", ".sh"))}
    assert files("cosmosq.migrations").joinpath("versions/0001_the_first_tables.py").is_file()
    assert files("cosmosq.report").joinpath("page_files/index.html").is_file()
