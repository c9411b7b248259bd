"""Podman for the tests alone, with storage and an image of its own. Rootless, it would need much more than root."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.box import docker_engine

TOOLS = ("podman", "runc", "catatonit", "debootstrap")

SETTINGS = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""
"""Podman would raise these limits, which root may not do in every sandbox."""


@cache
def missing() -> str | None:
    """Why Podman cannot be run here; None if it can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "these tests of Podman need root on Linux"
    if lacking := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(lacking)}"
    return None


@dataclass
class Podman:
    """Podman with a folder of its own; there is no server to it."""

    folder: Path

    @property
    def command(self) -> list[str]:
        """Begins a command line that reads no settings and no storage of the person's."""
        places = {"--root": "data", "--runroot": "run", "--tmpdir": "tmp"}
        told = [part for option, name in places.items() for part in (option, str(self.folder / name))]
        told += ["--storage-driver=overlay", "--runtime=runc", "--cgroup-manager=cgroupfs", "--events-backend=file"]
        return ["env", f"CONTAINERS_CONF={self.folder / 'containers.conf'}", "podman", *told]

    def run(self, *arguments: str) -> str:
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def containers(self) -> list[dict[str, Any]]:
        """All that there are, as `inspect` shows them."""
        names = self.run("ps", "--all", "--quiet").split()
        found: list[dict[str, Any]] = json.loads(self.run("container", "inspect", *names)) if names else []
        return found

    def remove_all(self) -> None:
        self.run("rm", "--all", "--force", "--time=0")


@contextlib.contextmanager
def podman() -> Iterator[Podman]:
    """One that has the image."""
    engine = Podman(Path(tempfile.mkdtemp(prefix="cosmosq-podman-")))
    (engine.folder / "containers.conf").write_text(SETTINGS)
    try:
        engine.run("import", str(docker_engine.image_archive()), docker_engine.IMAGE)
        yield engine
        engine.remove_all()
    finally:
        shutil.rmtree(engine.folder, ignore_errors=True)
