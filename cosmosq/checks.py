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
from cosmosq.hosts.keys import HostKeyChanged, HostKeyUnknown, fingerprint

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
import importlib, json, os, platform, shutil, sys
wrong = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        wrong[name] = f"{type(error).__name__}: {error}"
beside = os.path.join(os.path.dirname(sys.executable), "torchrun")
torchrun = os.access(beside, os.X_OK) or shutil.which("torchrun") is not None
print(json.dumps({"version": platform.python_version(), "wrong": wrong, "torchrun": torchrun}))
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


def _access(host: Host, config: HostConfig) -> Iterator[Finding]:
    """How far the way to the host is open: there, known, logged in."""
    if config.transport == "local":
        for name in ACCESS:
            yield Finding(check=name, ok=True, found="none needed: this machine")
        return
    place = config.address + (f" port {config.port}" if config.port else "")
    began = time.monotonic()
    try:
        user = host.run(["id", "-un"], timeout_s=LOOK_S).output.strip()
    except Unreachable as error:
        yield from _stopped(config, place, error)
        return
    yield Finding(check="reachable", ok=True, found=f"{place}, in {time.monotonic() - began:.1f} s")
    yield Finding(check="key", ok=True, found="the one that is known")
    yield Finding(check="login", ok=True, found=user)


def _stopped(config: HostConfig, place: str, error: Unreachable) -> Iterator[Finding]:
    """What the error says about the first three checks."""
    # With Fabric behind it, which a host on this machine need not wait for.
    from cosmosq.hosts.link import LoginRefused

    found, _, remedy = str(error).rpartition(": ")
    at = "reachable"
    if isinstance(error, HostKeyUnknown):
        at, found = "key", f"{error.host} has the unknown {error.kind} key {fingerprint(error.key)}"
        remedy = f"compare it with the box's own, then say yes in `cosmosq host shell {config.name}`"
    elif isinstance(error, HostKeyChanged):
        at = "key"
    elif isinstance(error, LoginRefused):
        at = "login"
    wrong = ACCESS.index(at)
    yield from (Finding(check=name, ok=True, found=place) for name in ACCESS[:wrong])
    yield Finding(check=at, ok=False, found=found, remedy=remedy)
    yield from (Finding(check=name, ok=None, found="not looked at") for name in ACCESS[wrong + 1 :])


def _disk(host: Host, config: HostConfig) -> str:
    made = _run(host, ["mkdir", "-p", "--", str(host.root)])
    if made.exit_code:
        raise Amiss(f"{host.root} cannot be made: {_why(made)}", "give the host another root, or make that folder")
    done = _run(host, ["df", "-Pk", "--", str(host.root)])
    fields = done.output.strip().splitlines()[-1:]
    numbers = fields[0].split() if fields else []
    if done.exit_code or len(numbers) < 6 or not numbers[-3].isdigit():
        raise Amiss(f"df does not tell: {_why(done)}", f"look at the disk of {host.root} yourself")
    free, needed = int(numbers[-3]) * 1024, FREE_BYTES[config.engine]
    if free < needed:
        raise Amiss(f"{_size(free)} free at {host.root}", f"free {_size(needed)}, or give the host a root elsewhere")
    return f"{_size(free)} free at {host.root}"


def _gpu(host: Host, config: HostConfig) -> str:
    if get_engine(config.engine).simulated:
        return SIMULATED
    query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.used", "--format=csv,noheader,nounits"]
    done = _run(host, query)
    lines = [line for line in done.output.splitlines() if line.count(",") >= 2]
    if done.exit_code or not lines:
        raise Amiss(f"nvidia-smi shows none: {_why(done)}", "install NVIDIA's driver, until nvidia-smi lists the GPU")
    if config.container_command and config.gpus:
        inside = _run(host, [*_in_container(config, gpus=True), *query], timeout_s=IMPORT_S)
        if inside.exit_code:
            raise Amiss(f"containers do not get it: {_why(inside)}", "install NVIDIA's container toolkit on the host")
    return "; ".join(_one_gpu(line) for line in lines)


def _one_gpu(line: str) -> str:
    name, total, used = (part.strip() for part in line.rsplit(",", 2))
    if not (total.isdigit() and used.isdigit()):
        return f"{name}, memory shared with the host"
    return f"{name}, {_size(int(total) << 20)}, {_size(int(used) << 20)} in use"


def _container(host: Host, config: HostConfig) -> str:
    command = config.container_command
    if not command:
        return "none wanted"
    listed = _run(host, [*command, "ps", "--quiet"])
    if listed.exit_code:
        remedy = "install and start it, and let this login use it, or write how: docker, sudo docker, podman"
        raise Amiss(f"{config.container} does not answer: {_why(listed)}", remedy)
    image = _run(host, [*command, "image", "inspect", "--format={{.Id}}", config.image])
    if image.exit_code:
        remedy = f"pull or build it on the host: {config.container} pull {config.image}"
        raise Amiss(f"image {config.image} is not there", remedy)
    version = _run(host, [*command, "--version"]).output.strip()
    return f"{version}, image {config.image} {image.output.strip().removeprefix('sha256:')[:12]}"


def _checkout(host: Host, config: HostConfig) -> str:
    if get_engine(config.engine).simulated:
        return SIMULATED
    path = PurePosixPath(config.checkout)
    if not path.is_absolute():
        raise Amiss(f"checkout = {config.checkout} is relative", "write its absolute path on the host")
    if not host.exists(path / "cosmos_transfer1" / "checkpoints.py"):
        raise Amiss(f"no cosmos_transfer1 in {path}", f"git clone NVIDIA's cosmos-transfer1 to {path}")
    told = _run(host, ["git", "-C", str(path), "log", "-1", "--format=%h of %cs"])
    version = told.output.strip() if told.exit_code == 0 else ""
    return f"{path}, {version or f'version unknown ({_why(told)})'}"


def _checkpoints(host: Host, config: HostConfig) -> str:
    if get_engine(config.engine).simulated:
        return SIMULATED
    folder = PurePosixPath(config.checkout) / config.checkpoint_dir
    wanted = [*CHECKPOINTS, *HINT_CHECKPOINTS.values()]
    done = _run(host, ["ls", "-d", "--", *(str(folder / name) for name in wanted)])
    there = {name for name in wanted if str(folder / name) in done.output.splitlines()}
    hints = [hint for hint, name in HINT_CHECKPOINTS.items() if name in there]
    if missing := [name for name in CHECKPOINTS if name not in there]:
        remedy = f"run scripts/download_checkpoints.py --output_dir {folder} in the checkout"
        raise Amiss(f"missing in {folder}: {', '.join(missing)}", remedy)
    if not hints:
        raise Amiss(f"no control checkpoint in {folder / TRANSFER}", "download at least one hint's *_control.pt")
    return f"{folder}, hints {' '.join(hints)}"


def _python(host: Host, config: HostConfig) -> str:
    done = _run(host, [*_around(config), host.python, "-c", PYTHON_PROBE, *PACKAGES], timeout_s=IMPORT_S)
    try:
        told = json.loads(done.output.splitlines()[-1])
        version, wrong = str(told["version"]), dict(told["wrong"])
    except (ValueError, LookupError, TypeError) as error:
        remedy = f"install it, or set python of {config.name} to the one that has the engine's packages"
        raise Amiss(f"{host.python} does not run: {_why(done)}", remedy) from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PYTHON:
        raise Amiss(f"{host.python} is {version}", "give a Python of 3.10 or newer")
    if wrong:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in wrong.items())
        packages = " ".join(PACKAGES[name] for name in wrong if name in PACKAGES)
        where = f"in image {config.image}" if config.container_command else "on the host"
        raise Amiss(f"{version} without {reasons}", f"{where}: {host.python} -m pip install {packages}")
    if config.mode == "command" and not get_engine(config.engine).simulated and told.get("torchrun") is not True:
        remedy = f"set python of {config.name} to that of the engine's environment, which has torchrun beside it"
        raise Amiss(f"{version} without torchrun, which mode command runs", remedy)
    return f"{version} with {', '.join(PACKAGES)}"


def _around(config: HostConfig) -> list[str]:
    """What a session's command line is told through: its container, or the person's own `activate` line."""
    if config.container_command:
        return _in_container(config)
    return ["bash", "-c", f'{config.activate} && exec "$@"', "cosmosq"] if config.activate else []


def _in_container(config: HostConfig, *, gpus: bool = False) -> list[str]:
    """The beginning of a command line in a container like a session's, which is gone when it ends."""
    argv = [*config.container_command, "run", "--rm", "--label=cosmosq.check", "--pull=never", "--network=none"]
    if gpus:
        argv.append("--device=nvidia.com/gpu=all" if "podman" in config.container else "--gpus=all")
    argv += [f"--volume={mount}" if ":" in mount else f"--volume={mount}:{mount}" for mount in _mounts(config)]
    return [*argv, config.image]


def _mounts(config: HostConfig) -> list[str]:
    """`/folder:ro` as `/folder:/folder:ro`, which is how Docker has it."""
    return [f"{m.removesuffix(':ro')}:{m}" if m.count(":") == 1 and m.endswith(":ro") else m for m in config.mounts]


def _clock(host: Host, config: HostConfig) -> str:
    before = time.time()
    done = _run(host, ["date", "+%s.%N"])
    after = time.time()
    try:
        ahead_s = float(done.output) - (before + after) / 2
    except ValueError as error:
        raise Amiss(f"date does not tell: {_why(done)}", "look at the host's clock yourself") from error
    # So much of it may be the way there and back.
    if abs(ahead_s) > CLOCK_S + (after - before) / 2:
        way = "ahead of" if ahead_s > 0 else "behind"
        raise Amiss(f"{abs(ahead_s):.0f} s {way} this machine", "let NTP set both clocks: timedatectl set-ntp true")
    return f"within {max(abs(ahead_s), 0.1):.1f} s of this machine"


def _transfer(host: Host, config: HostConfig) -> str:
    remote = host.root / f"check-{secrets.token_hex(4)}.bin"
    with tempfile.TemporaryDirectory(prefix="cosmosq-") as folder:
        sent, back = Path(folder) / "sent", Path(folder) / "back"
        sent.write_bytes(os.urandom(SAMPLE_BYTES))
        sha256 = sha256_of(sent)
        try:
            began = time.monotonic()
            host.upload(sent, remote, sha256=sha256)
            arrived = time.monotonic()
            host.download(remote, back, sha256=sha256)
            home = time.monotonic()
        finally:
            _run(host, ["rm", "-f", "--", str(remote), f"{remote}.part"])
    return f"{_rate(arrived - began)} there, {_rate(home - arrived)} back"


CHECKS = (
    Check(name="disk", look=_disk),
    Check(name="gpu", look=_gpu),
    Check(name="container", look=_container),
    Check(name="checkout", look=_checkout),
    Check(name="checkpoints", look=_checkpoints),
    Check(name="python", look=_python),
    Check(name="clock", look=_clock),
    Check(name="transfer", look=_transfer),
)
"""In this order, after the way there."""


def _run(host: Host, argv: Sequence[str], *, timeout_s: float = LOOK_S) -> Completed:
    """A program that may be missing on the host, which is then told like an exit code."""
    try:
        return host.run(argv, timeout_s=timeout_s)
    except HostFailed as error:
        return Completed(exit_code=127, output="", errors=str(error))


def _why(done: Completed) -> str:
    """What a program said last, cut short."""
    lines = (done.errors.strip() or done.output.strip()).splitlines()
    return lines[-1][:200] if lines else f"exit code {done.exit_code}"


def _size(count: int) -> str:
    return f"{count / (1 << 30):.0f} GB" if count >= 10 << 30 else f"{count / (1 << 30):.1f} GB"


def _rate(seconds: float) -> str:
    return f"{SAMPLE_BYTES / max(seconds, 1e-3) / 1e6:.0f} MB/s"
