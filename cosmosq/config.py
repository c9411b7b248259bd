"""`cosmosq.toml`: reading it, with errors that name file, key, value and what is allowed."""

import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmosq.breaker import Rule
from cosmosq.config_keys import AUTO, AUTO_BATCH, HOST_KEYS, LOAD_SERVES, TOP_KEYS, Key, is_name
from cosmosq.errors import InvalidConfig, NotFound
from cosmosq.notify_keys import NOTIFY_KEYS
from cosmosq.retries import REPEATS, Repeat
from cosmosq.spelling import nearest
from cosmosq.windows import Windows, parse_windows


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
    mode: str
    batch_size: int | str
    num_gpus: int
    prefetch: int
    idle_close: float
    stall_s: float
    window: str | Sequence[str]
    window_grace: float
    price_per_hour: float
    currency: str
    timeout_s: float | str
    simulator: Mapping[str, Any]

    @property
    def container_command(self) -> tuple[str, ...]:
        """How a command line of the container engine begins; empty for none."""
        return () if self.container == "none" else tuple(shlex.split(self.container))

    @property
    def windows(self) -> Windows:
        """When jobs may start, unless a worker is told otherwise."""
        return parse_windows(self.window)

    @property
    def largest_batch(self) -> int:
        """How many videos are generated at once at most; what `auto` comes to is found out on the host."""
        return AUTO_BATCH if self.batch_size == AUTO else int(self.batch_size)

    @property
    def ahead(self) -> int:
        """How many orders lie in an inbox beside the one that is made: in command mode one load serves all that do."""
        return max(self.prefetch, LOAD_SERVES, self.largest_batch) if self.mode == "command" else self.prefetch


@dataclass(frozen=True, kw_only=True)
class NotifyConfig:
    """The `[notify]` table: on which ways alarms go to a person."""

    command: str
    webhook: str
    secret_env: str
    secret_file: str
    desktop: bool
    on: tuple[str, ...]
    bundle_s: float
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file."""

    default_host: str
    retries: int
    backoff_s: float
    repeat: Mapping[str, str]
    stop_after_failures: int
    probe_after_s: float
    max_overtake: int
    lease_s: float
    measure: bool
    notify: NotifyConfig
    hosts: Mapping[str, HostConfig]

    @property
    def breaker(self) -> Rule:
        """When failures in a row pause a host."""
        return Rule(stop_after_failures=self.stop_after_failures, probe_after_s=self.probe_after_s)

    def repeat_of(self, error: str | None) -> Repeat:
        """How a job is repeated after this error."""
        return Repeat(self.repeat.get(error or "", REPEATS.get(error or "", Repeat.NEVER)))

    def host(self, name: str | None = None) -> HostConfig:
        """The host of that name, or the default one.

        Raises:
            NotFound: it is not configured.
        """
        wanted = name or self.default_host
        if wanted not in self.hosts:
            there = ", ".join(self.hosts) or "none"
            raise NotFound(f"{wanted} is no host{nearest(wanted, self.hosts)}: cosmosq.toml has {there}")
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
    top = {key: value for key, value in document.items() if key not in ("hosts", "notify")}
    values = _check(top, TOP_KEYS, "", source)
    hosts = {name: _parse_host(name, table, source) for name, table in tables.items()}
    if values["default_host"] not in hosts:
        allowed = ", ".join(hosts) or "a [hosts.NAME] table first"
        raise InvalidConfig(f"{source}: default_host = {values['default_host']!r} is no host: give {allowed}")
    return Config(hosts=hosts, notify=_parse_notify(document.get("notify", {}), source), **values)


def _parse_notify(table: object, source: str) -> NotifyConfig:
    if not isinstance(table, dict):
        raise InvalidConfig(f"{source}: notify = {table!r} is not allowed: write a [notify] table")
    values = _check(table, NOTIFY_KEYS, "notify.", source)
    values["on"] = tuple(values["on"])
    if values["secret_env"] and values["secret_file"]:
        raise InvalidConfig(f"{source}: notify.secret_file is not allowed with notify.secret_env: give one of them")
    if (values["secret_env"] or values["secret_file"]) and not values["webhook"]:
        raise InvalidConfig(f"{source}: notify.webhook is missing: nothing else is signed with a secret")
    return NotifyConfig(**values)


def _parse_host(name: str, table: object, source: str) -> HostConfig:
    if not is_name(name):
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
    for key in ("batch_size", "num_gpus"):
        if values["mode"] == "warm" and values[key] != 1:
            raise InvalidConfig(f"{source}: hosts.{name}.{key} is not allowed with mode warm: give mode command")
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
