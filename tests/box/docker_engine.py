"""A Docker engine for the tests alone: own socket, data and image, ended by its pid. It needs root, as Docker does."""

import contextlib
import fcntl
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

import cv2
import psutil
import pytest

from tests.night import wait_for

SUITE, SUITE_PYTHON = "bookworm", (3, 11)
IMAGE = "cosmosq-test"
PACKAGES = Path(cv2.__file__).parents[1]
"""The simulated engine's numpy, av and cv2; Debian's Python looks for its own where we mount them."""
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cosmosq-tests"
"""Of the person, also while a test has given itself another home."""
TOOLS = ("docker", "dockerd", "debootstrap", "setpriv", "unshare")


@cache
def missing() -> str | None:
    """Why there can be no engine here; None if there can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "dockerd needs root on Linux"
    if lacking := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"not installed: {', '.join(lacking)}"
    return None


def require(reason: str | None = None) -> None:
    """Skip where there can be no engine, or for another reason; CI must have one."""
    if (reason := reason or missing()) is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    if sys.version_info[:2] != SUITE_PYTHON:
        pytest.skip(f"the packages of this Python do not fit that of {SUITE}")


@dataclass
class DockerEngine:
    """One engine; `start` and `stop` may alternate, its containers live on in between."""

    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> Path:
        return self.folder / "d.sock"

    @property
    def command(self) -> list[str]:
        """Begins a command line that speaks to this engine and reads no settings of the person's."""
        return [str(shutil.which("docker")), "--config", str(self.folder / "config"), "-H", f"unix://{self.socket}"]

    def docker(self, *arguments: str) -> str:
        done = subprocess.run([*self.command, *arguments], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self) -> None:
        options = {
            "-H": f"unix://{self.socket}",
            "--data-root": self.folder / "data",
            "--exec-root": self.folder / "exec",
            "-p": self.folder / "d.pid",
            "-s": "overlay2",
        }
        named = [str(part) for option in options.items() for part in option]
        flags = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--live-restore"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(["dockerd", *flags, *named], stdout=log, stderr=log)
        wait_for(self._answers, "the Docker engine")
        self.socket.chmod(0o666)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        done = subprocess.run([*self.command, "version"], capture_output=True, check=False)
        return done.returncode == 0

    def stop(self) -> None:
        """End the engine; its containers live on."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=60)
            self.process = None

    def power_off(self) -> None:
        """End the engine and all of its containers at once, as a power cut does."""
        assert self.process is not None
        doomed = [psutil.Process(self.process.pid), *self._shims()]
        doomed += [child for parent in doomed for child in parent.children(recursive=True)]
        for process in doomed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self.process = None
        # What a boot finds empty: the run-time state, pid files and sockets.
        self._unmount()
        shutil.rmtree(self.folder / "exec", ignore_errors=True)
        (self.folder / "d.pid").unlink(missing_ok=True)

    def _shims(self) -> list[psutil.Process]:
        mark = str(self.folder)
        return [p for p in psutil.process_iter() if any(mark in part for part in _cmdline(p)) and p.pid != os.getpid()]

    def _unmount(self) -> None:
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for path in sorted((p for p in mounted if p.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "-l", path], check=False, capture_output=True)

    def containers(self) -> list[dict[str, Any]]:
        """All that there are, as `inspect` shows them."""
        names = self.docker("ps", "--all", "--quiet").split()
        found: list[dict[str, Any]] = json.loads(self.docker("container", "inspect", *names)) if names else []
        return found

    def remove_all(self) -> None:
        for each in self.containers():
            self.docker("rm", "--force", each["Id"])

    def close(self) -> None:
        if self.process is not None:
            self.remove_all()
            # Asked to stop, it would wait 15 s for its containerd.
            self.power_off()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def docker_engine() -> Iterator[DockerEngine]:
    """An engine that has the image."""
    # Not below pytest's folder: the path of a socket may have 107 characters.
    engine = DockerEngine(Path(tempfile.mkdtemp(prefix="cosmosq-docker-")))
    engine.folder.chmod(0o755)
    (engine.folder / "config").mkdir()
    try:
        engine.start()
        engine.docker("import", str(image_archive()), IMAGE)
        yield engine
    finally:
        engine.close()


def image_archive() -> Path:
    """A Debian with Python as a tar file, made once per machine and suite."""
    archive = CACHE / f"{SUITE}-python3.tar"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        # Tests run beside one another: one makes it, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            _make_image(archive)
    return archive


def _make_image(archive: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        root, part = Path(work) / "root", Path(work) / archive.name
        _run("debootstrap", "--variant=minbase", "--include=python3", SUITE, str(root))
        _run("tar", "-C", str(root), "--exclude=./var/cache", "--exclude=./var/lib/apt", "-cf", str(part), ".")
        part.rename(archive)


def container_settings(command: str) -> dict[str, object]:
    """The `[hosts.NAME]` settings for sessions in containers of an engine with that command line."""
    return {
        "container": command,
        "image": IMAGE,
        "gpus": "",
        "network": "none",
        "mounts": [f"{PACKAGES}:/usr/local/lib/python3.11/dist-packages:ro"],
    }


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
