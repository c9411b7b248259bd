"""`cosmosq.toml`: its keys as data, reading with errors that name file, key, value and what is allowed."""

import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmosq.errors import InvalidConfig, NotFound


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of the file: it validates and documents."""

    name: str
    default: Any
    allowed: str
    meaning: str
    accepts: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\x00" not in value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,59}", value) is not None


def _is_command(value: object) -> bool:
    if not _is_text(value):
        return False
    try:
        return bool(shlex.split(str(value)))
    except ValueError:
        return False


def _is_mounts(value: object) -> bool:
    mount = r"/[^:]*(:/[^:]*)?(:ro)?"
    return isinstance(value, list) and all(_is_text(item) and re.fullmatch(mount, item) for item in value)


def _is_gpus(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(all|[0-9]+(,[0-9]+)*)?", value) is not None


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _whole(minimum: int, maximum: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and minimum <= value <= maximum


def _seconds(minimum: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and minimum <= value <= 10**7


SIMULATOR: dict[str, type | tuple[type, ...]] = {
    "load_s": (int, float),
    "step_s": (int, float),
    "scale": (int, float),
    "clip_frames": int,
    "memory_gb": (int, float),
    "ledger": str,
    "faults": list,
}
"""What the simulated engine can be told, and the type of each; docs/simulator.md says what it means."""


def _is_simulator(value: object) -> bool:
    return isinstance(value, dict) and all(
        name in SIMULATOR and isinstance(told, SIMULATOR[name]) and not isinstance(told, bool)
        for name, told in value.items()
    )


OFFLOADABLE = ("text_encoder_model", "guardrail_models", "diffusion_transformer")

TOP_KEYS = (
    Key(
        name="default_host",
        default="sim",
        allowed="the name of a host below",
        meaning="Host of jobs that name none.",
        accepts=_is_name,
    ),
    Key(
        name="retries",
        default=2,
        allowed="an integer from 0 to 100",
        meaning="How often a job is repeated after a failure that a repetition may cure.",
        accepts=_whole(0, 100),
    ),
    Key(
        name="lease_s",
        default=60,
        allowed="a number of at least 2",
        meaning="Seconds of silence after which a worker on another machine is taken to be gone.",
        accepts=_seconds(2),
    ),
)

HOST_KEYS = (
    Key(
        name="transport",
        default="local",
        allowed="local, ssh",
        meaning="How the host is reached: `local` is this machine.",
        accepts=_one_of("local", "ssh"),
    ),
    Key(
        name="address",
        default="",
        allowed="a name, an address, or an alias of ~/.ssh/config",
        meaning="Where a host over SSH is.",
        accepts=_is_text,
    ),
    Key(name="user", default="", allowed="a login", meaning="Login; empty: as SSH has it.", accepts=_is_text),
    Key(
        name="port",
        default=0,
        allowed="an integer from 0 to 65535",
        meaning="Port; 0: as SSH has it.",
        accepts=_whole(0, 65535),
    ),
    Key(
        name="identity",
        default="",
        allowed="the path of a private key",
        meaning="Key to log in with, beside the agent's and the usual ones.",
        accepts=_is_text,
    ),
    Key(
        name="engine",
        default="simulated",
        allowed="simulated, cosmos_transfer1",
        meaning="What makes the videos there.",
        accepts=_one_of("simulated", "cosmos_transfer1"),
    ),
    Key(
        name="root",
        default="",
        allowed="a path",
        meaning="Folder on the host for sessions, videos and scripts; empty: .cosmosq/hosts/NAME, over SSH ~/cosmosq.",
        accepts=_is_text,
    ),
    Key(
        name="python",
        default="",
        allowed="a path or command",
        meaning="Python with the engine's packages; empty: our own, over SSH and in containers python3.",
        accepts=_is_text,
    ),
    Key(
        name="checkout",
        default="",
        allowed="a path",
        meaning="The cosmos-transfer1 checkout on the host; the simulated engine needs none.",
        accepts=_is_text,
    ),
    Key(
        name="checkpoint_dir",
        default="checkpoints",
        allowed="a path",
        meaning="Checkpoints, relative to the checkout.",
        accepts=_is_text,
    ),
    Key(
        name="container",
        default="none",
        allowed="none, docker, sudo docker, podman, or another command like these",
        meaning="What sessions are run in; with `none` they are plain processes.",
        accepts=_is_command,
    ),
    Key(
        name="image",
        default="",
        allowed="the name of an image that the host has",
        meaning="Image of the containers.",
        accepts=_is_text,
    ),
    Key(
        name="gpus",
        default="all",
        allowed="all, or numbers like 0,1; empty for none",
        meaning="GPUs that a container gets.",
        accepts=_is_gpus,
    ),
    Key(
        name="network",
        default="",
        allowed="the name of a network, e.g. none, host",
        meaning="Network of the containers; empty: the container engine's own choice.",
        accepts=_is_text,
    ),
    Key(
        name="mounts",
        default=[],
        allowed="a list of /FOLDER, /FOLDER:/TARGET or either with :ro",
        meaning="Folders that a container sees beside root, checkout, checkpoints and Hugging Face cache.",
        accepts=_is_mounts,
    ),
    Key(
        name="hf_home",
        default="",
        allowed="a path",
        meaning="Hugging Face cache that a container sees; empty: ~/.cache/huggingface, if it is there.",
        accepts=_is_text,
    ),
    Key(
        name="activate",
        default="",
        allowed="a line of bash, e.g. source ~/venv/bin/activate",
        meaning="Run before each session without a container, to give it its Python (conda, venv).",
        accepts=_is_text,
    ),
    Key(
        name="offload",
        default=[],
        allowed=f"a list of {', '.join(OFFLOADABLE)}",
        meaning="Models that leave the GPU between uses: less memory, much slower.",
        accepts=lambda value: isinstance(value, list) and all(item in OFFLOADABLE for item in value),
    ),
    Key(
        name="idle_close",
        default=60,
        allowed="a number of seconds of at least 0",
        meaning="How long an open session waits for the next job before it frees the GPU.",
        accepts=_seconds(0),
    ),
    Key(
        name="stall_s",
        default=3600,
        allowed="a number of at least 1",
        meaning="A session that says nothing for so many seconds during an attempt is ended.",
        accepts=_seconds(1),
    ),
    Key(
        name="simulator",
        default={},
        allowed=f"a table of {', '.join(SIMULATOR)} with numbers, faults a list",
        meaning="What the simulated engine is told: see docs/simulator.md.",
        accepts=_is_simulator,
    ),
)


@dataclass(frozen=True, kw_only=True)
class HostConfig:
    """One `[hosts.NAME]` table."""

    name: str
    transport: str
    address: str
    user: str
    port: int
    identity: str
    engine: str
    root: str
    python: str
    checkout: str
    checkpoint_dir: str
    container: str
    image: str
    gpus: str
    network: str
    mounts: tuple[str, ...]
    hf_home: str
    activate: str
    offload: tuple[str, ...]
    idle_close: float
    stall_s: float
    simulator: Mapping[str, Any]

    @property
    def container_command(self) -> tuple[str, ...]:
        """How a command line of the container engine begins; empty for none."""
        return () if self.container == "none" else tuple(shlex.split(self.container))


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file."""

    default_host: str
    retries: int
    lease_s: float
    hosts: Mapping[str, HostConfig]

    def host(self, name: str | None = None) -> HostConfig:
        """The host of that name, or the default one.

        Raises:
            NotFound: it is not configured.
        """
        wanted = name or self.default_host
        if wanted not in self.hosts:
            raise NotFound(f"{wanted} is no host: cosmosq.toml has {', '.join(self.hosts) or 'none'}")
        return self.hosts[wanted]


def load_config(path: Path) -> Config:
    """Read and check `cosmosq.toml`.

    Raises:
        NotFound: no such file.
        InvalidConfig: broken TOML, an unknown key, or a value that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"no {path}: create the workspace with `cosmosq init`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path} cannot be read: {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(f"{path}: broken TOML: {error}") from error
    return parse_config(document, source=str(path))


def parse_config(document: Mapping[str, Any], *, source: str) -> Config:
    """Check the parsed file; `source` is its name for errors."""
    tables = document.get("hosts", {})
    if not isinstance(tables, dict):
        raise InvalidConfig(f"{source}: hosts = {tables!r} is not allowed: write [hosts.NAME] tables")
    top = {key: value for key, value in document.items() if key != "hosts"}
    values = _check(top, TOP_KEYS, "", source)
    hosts = {name: _parse_host(name, table, source) for name, table in tables.items()}
    if values["default_host"] not in hosts:
        allowed = ", ".join(hosts) or "a [hosts.NAME] table first"
        raise InvalidConfig(f"{source}: default_host = {values['default_host']!r} is no host: give {allowed}")
    return Config(hosts=hosts, **values)


def _parse_host(name: str, table: object, source: str) -> HostConfig:
    if not _is_name(name):
        raise InvalidConfig(f"{source}: hosts.{name!r} is no host name: use letters, digits, dots and dashes")
    if not isinstance(table, dict):
        raise InvalidConfig(f"{source}: hosts.{name} = {table!r} is not allowed: write a [hosts.{name}] table")
    values = _check(table, HOST_KEYS, f"hosts.{name}.", source)
    values["offload"], values["mounts"] = tuple(values["offload"]), tuple(values["mounts"])
    remote, contained = values["transport"] == "ssh", values["container"] != "none"
    values["python"] = values["python"] or ("python3" if remote or contained else sys.executable)
    if remote and not values["address"]:
        raise InvalidConfig(f"{source}: hosts.{name}.address is missing: transport ssh needs it")
    if values["engine"] == "cosmos_transfer1" and not values["checkout"]:
        raise InvalidConfig(f"{source}: hosts.{name}.checkout is missing: engine cosmos_transfer1 needs its path")
    if contained and not values["image"]:
        raise InvalidConfig(f"{source}: hosts.{name}.image is missing: container {values['container']} needs one")
    if contained and values["activate"]:
        raise InvalidConfig(f"{source}: hosts.{name}.activate is not allowed with a container: give the image's python")
    return HostConfig(name=name, **values)


def _check(table: Mapping[str, Any], keys: tuple[Key, ...], prefix: str, source: str) -> dict[str, Any]:
    known = {key.name: key for key in keys}
    for name, value in table.items():
        if name not in known:
            allowed = ", ".join(known)
            raise InvalidConfig(f"{source}: {prefix}{name} = {value!r}: no such key; there are {allowed}")
        if not known[name].accepts(value):
            raise InvalidConfig(f"{source}: {prefix}{name} = {value!r} is not allowed: give {known[name].allowed}")
    return {key.name: table.get(key.name, key.default) for key in keys}


TEMPLATE = """\
# cosmosq.toml: the settings of this workspace. Every key is described in REFERENCE.md.

# Host of jobs that name none.
default_host = "sim"

# How often a job is repeated after a failure that a repetition may cure (a lost session, a crash).
retries = 2

# The simulated engine on this machine: no GPU needed, every video is marked SIMULATED.
[hosts.sim]
transport = "local"
engine = "simulated"
# Seconds that an open session waits for the next job before it is closed.
idle_close = 60

# What the simulated engine is told, e.g. how long loading and a step take.
[hosts.sim.simulator]
load_s = 1.0
step_s = 0.01
"""
