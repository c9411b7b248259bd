"""What is shipped: a built wheel and the editable install both hold the migrations, the scripts and the page."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

from cosmosq.session import scripts

ROOT = Path(__file__).parents[2]
PACKAGES = {"cosmosq": "cosmosq", "migrations": "cosmosq/migrations", "remote_scripts": "cosmosq/remote_scripts"}
"""Folders of the repository, and where a wheel has them."""


def _shipped() -> set[str]:
    """What a wheel must hold, told by the folders themselves."""
    return {
        f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
        for folder, target in PACKAGES.items()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sh", ".html", ".js", ".css", ".typed") and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this repository, built from a copy so that nothing is left in it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    options = ["--wheel", "--outdir", str(built)]
    if int(version("setuptools").split(".")[0]) >= 77:
        options.append("--no-isolation")
    done = subprocess.run(
        [sys.executable, "-m", "build", *options, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel; what it needs is borrowed from this one."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            str(wheel),
        ],
        check=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return python


def test_a_wheel_holds_every_file_that_is_shipped(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
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
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held - _shipped() == set()


def test_a_wheel_makes_a_workspace_in_a_fresh_environment(python: Path, tmp_path: Path) -> None:
    cosmosq = python.with_name("cosmosq")
    for words in (["init", "ws"], ["-w", "ws", "db", "check"], ["-w", "ws", "status", "--json"]):
        done = subprocess.run([cosmosq, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    where = (
        "import cosmosq, cosmosq.session.scripts as s; print(cosmosq.__file__); print(*sorted(s.contents()), sep='\\n')"
    )
    done = subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)
    place, *contents = done.stdout.splitlines()
    assert Path(place).is_relative_to(python.parents[1]), "the wheel's own, and not the checkout's"
    assert contents == sorted(scripts.contents())


def test_a_wheel_plans_batches_with_the_rule_that_it_ships(python: Path, tmp_path: Path) -> None:
    code = "from cosmosq.engines.batches import plan; print(plan([], 1))"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_this_install_finds_its_scripts_migrations_and_page() -> None:
    held = {path.removeprefix("cosmosq/remote_scripts/") for path in _shipped() if "/remote_scripts/" in path}
    assert set(scripts.contents()) == {path for path in held if path.endswith((".py", ".sh"))}
    assert files("cosmosq.migrations").joinpath("versions/0001_the_first_tables.py").is_file()
    assert files("cosmosq.report").joinpath("page_files/index.html").is_file()
