"""How hosts and what was found on them are shown."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cosmosq.cli import output

if TYPE_CHECKING:
    from cosmosq.checks import Finding
    from cosmosq.config import Config, HostConfig

MARKS = {True: "ok", False: "WRONG", None: "-"}


def as_object(config: "Config", host: "HostConfig") -> dict[str, Any]:
    """A host as `--json` has it: the keys of its table, and whether it is the default one."""
    return {**asdict(host), "default": host.name == config.default_host}


def place_of(host: "HostConfig") -> str:
    """Where a host is, in words."""
    if host.transport == "local":
        return "this machine"
    user = f"{host.user}@" if host.user else ""
    return user + host.address + (f" port {host.port}" if host.port else "")


def show_finding(finding: "Finding") -> None:
    """One line of a check, and below it what to do."""
    output.emit_behind(f"{MARKS[finding.ok]:<5}  {finding.check:<11}  ", output.one_line(finding.found, 300))
    if finding.remedy:
        output.emit_behind(f"{'':<5}  {'':<11}  → ", output.one_line(finding.remedy, 300))
