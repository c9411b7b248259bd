"""What a host needs before it can work, as a list: each line looks once and says what to do."""

import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cosmosq.config import HostConfig
from cosmosq.engines.engine import get_engine
from cosmosq.errors import CosmosqError, HostFailed, Unreachable
from cosmosq.files import sha256_of
from cosmosq.hosts import Completed, Host
from cosmosq.hosts.keys import HostKeyChanged, HostKeyUnknown

SIMULATED = "none needed: simulated"
FREE_BYTES = {"simulated": 1 << 30, "cosmos_transfer1": 20 << 30}
"""A night of videos, by engine."""
CLOCK_S = 2.0
SAMPLE_BYTES = 4 << 20
LOOK_S = 30.0
IMPORT_S = 180.0
"""The first import of OpenCV from a cold network disk takes its time."""

PACKAGES = {"numpy": "numpy", "av": "av", "cv2": "opencv-python-headless"}
"""What the scripts on the host import, and what it is called where it is installed from."""
PYTHON_PROBE = """\
import importlib, json, platform, sys
wrong = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        wrong[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"version": platform.python_version(), "wrong": wrong}))
"""
OLDEST_PYTHON = (3, 10)

TRANSFER = "nvidia/Cosmos-Transfer1-7B"
CHECKPOINTS = (
    f"{TRANSFER}/base_model.pt",
    "nvidia/Cosmos-Tokenize1-CV8x8x8-720p",
    "nvidia/Cosmos-Guardrail1",
    "google-t5/t5-11b",
)
"""What every job of Cosmos-Transfer1 reads, below `checkpoint_dir`. Source: the engine's checkpoints.py."""
HINT_CHECKPOINTS = {
    **{hint: f"{TRANSFER}/{hint}_control.pt" for hint in ("vis", "edge", "depth", "seg", "keypoint")},
    "upscale": f"{TRANSFER}/4kupscaler_control.pt",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a check."""

    check: str
    ok: bool | None
    """None: not looked at, since the host was not reached."""
    found: str
    remedy: str = ""


class Amiss(Exception):
    """What a look found, and what to do about it."""

    def __init__(self, found: str, remedy: str) -> None:
        self.found, self.remedy = found, remedy
        super().__init__(found)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at; `look` says what it found, or raises `Amiss`."""

    name: str
    look: Callable[[Host, HostConfig], str]


def examine(host: Host, config: HostConfig) -> Iterator[Finding]:
    """Each check in turn; after the host was lost, or never reached, the others are not looked at."""
    reached = True
    for finding in _access(host, config):
        reached = reached and bool(finding.ok)
        yield finding
    for check in CHECKS:
        if not reached:
            yield Finding(check=check.name, ok=None, found="not looked at")
            continue
        try:
            yield Finding(check=check.name, ok=True, found=check.look(host, config))
        except Amiss as amiss:
            yield Finding(check=check.name, ok=False, found=amiss.found, remedy=amiss.remedy)
        except Unreachable as error:
            reached = False
            yield Finding(check=check.name, ok=False, found=str(error), remedy="repeat the check when it is back")
        except CosmosqError as error:
            yield Finding(check=check.name, ok=False, found=str(error), remedy=f"see `cosmosq host show {config.name}`")


ACCESS = ("reachable", "key", "login")


def _access(host: Host, config: HostConfig) -> tuple[Finding, ...]:
    """How far the way to the host is open: there, known, logged in."""
    if config.transport == "local":
        return tuple(Finding(check=name, ok=True, found="none needed: this machine") for name in ACCESS)
    place = config.address + (f" port {config.port}" if config.port else "")
    began = time.monotonic()
    try:
        host.run(["true"], timeout_s=LOOK_S)
    except HostKeyUnknown as error:
        return _open_until("key", place, str(error).partition(":")[0], _about_key(config, error))
    except HostKeyChanged as error:
        found, _, remedy = str(error).partition(": ")
        return _open_until("key", place, found, remedy)
    except Unreachable as error:
        return _open_until(*_stopped_at(error, place))
    took_s = time.monotonic() - began
    return (
        Finding(check="reachable", ok=True, found=f"{place}, in {took_s:.1f} s"),
        Finding(check="key", ok=True, found="the one that is known"),
        Finding(check="login", ok=True, found=host.run(["id", "-un"], timeout_s=LOOK_S).output.strip()),
    )


def _about_key(config: HostConfig, error: HostKeyUnknown) -> str:
    return f"compare {error} with the box" if False else (
        f"compare the fingerprint with the box's own, then say yes in `cosmosq host shell {config.name}`"
    )
