"""Which sessions a host has, and whose: those of this workspace and of others that use the same root."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cosmosq.errors import HostFailed
from cosmosq.hosts import Host
from cosmosq.models import EngineSession
from cosmosq.session import scripts
from cosmosq.session.container import ALIVE, Container
from cosmosq.session.site import Site

NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
AT_ONCE = 100
"""As many folders as fit on a command line, whatever the root is called."""


@dataclass(frozen=True, kw_only=True)
class Resident:
    """One session on a host."""

    id: str
    state: str
    """`running`, `exited N`, `lost: rebooted`, `lost: killed`, or `absent` if it was never started."""
    login: str
    """Who owns its folder."""
    workspace: str
    """`this` for ours; another one's if its container says so, else `another`."""
    engine: str
    hints: tuple[str, ...]
    started_at: str
    """As the host has it; empty if it was never started."""


def take(site: Site, *, ended: bool = False) -> list[Resident]:
    """The sessions on a host that live, oldest first; with `ended`, the others as well.

    Raises:
        HostFailed: the host's answer makes no sense.
        Unreachable: the host or its container engine does not answer.
    """
    folders = _folders(site.host)
    containers = _containers(site)
    recorded = _recorded(site)
    states = _states(site, [name for name in folders if name not in containers])
    states = {name: recorded.get(name) or state if state == "absent" else state for name, state in states.items()}
    states |= {name: found.state for name, found in containers.items()}
    wanted = [name for name in states if ended or states[name] == "running"]
    logins = _logins(site.host, [name for name in wanted if name in folders])
    found = []
    for name in wanted:
        order, began = _object(site, name, "start.json"), _object(site, name, "session.json")
        contained = containers.get(name, NONE)
        key = order["key"] if isinstance(order.get("key"), dict) else {}
        hints = key.get("hints")
        resident = Resident(
            id=name,
            state=states[name],
            login=logins.get(name, ""),
            workspace="this" if name in recorded else contained.workspace or "another",
            engine=str(key.get("engine", "")),
            hints=tuple(map(str, hints)) if isinstance(hints, list) else (),
            started_at=contained.started_at or str(began.get("started_at", "")),
        )
        found.append(resident)
    return sorted(found, key=lambda resident: (resident.started_at, resident.id))


@dataclass(frozen=True, kw_only=True)
class _Contained:
    """What the container engine says about a session."""

    state: str
    workspace: str
    started_at: str


NONE = _Contained(state="absent", workspace="", started_at="")


def _folders(host: Host) -> list[str]:
    listed = host.run(["ls", "-1", "--", str(host.root / "sessions")])
    # What is named otherwise is no session of ours, and its name may be anything.
    return [name for name in listed.output.splitlines() if NAME.fullmatch(name)] if listed.exit_code == 0 else []


def _containers(site: Site) -> dict[str, _Contained]:
    """By session, also of workspaces that have another root."""
    if not site.config.container_command:
        return {}
    found = {}
    for each in Container(site, site.config.container_command).labelled():
        labels, state = each["Config"]["Labels"], each["State"]
        name = str(labels.get("cosmosq.session"))
        # An image made of a container has its label, but a name of its own.
        if NAME.fullmatch(name) and str(each["Name"]).removeprefix("/") == f"cosmosq-{name}":
            running = state["Status"] in ALIVE
            found[name] = _Contained(
                state="running" if running else f"exited {state.get('ExitCode')}",
                workspace=str(labels.get("cosmosq.workspace", "")),
                started_at=str(state.get("StartedAt", "")),
            )
    return found


def _recorded(site: Site) -> dict[str, str | None]:
    """The sessions that this workspace started on the host, and how they ended."""
    statement = select(EngineSession.id, EngineSession.end).where(EngineSession.host == site.host.name)
    with site.ledger.read() as session:
        return {row.id: row.end for row in session.execute(statement)}


def _states(site: Site, names: Sequence[str]) -> dict[str, str]:
    """Of sessions without a container, by `box.py`."""
    if not names:
        return {}
    host = site.host
    # The configured one may be the image's.
    python = "python3" if site.config.container_command else host.python
    box = scripts.ship(host) / "box.py"
    states: dict[str, str] = {}
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        done = host.run([python, str(box), "status", *(str(host.root / "sessions" / name) for name in some)])
        try:
            states |= {name: _state(told) for name, told in zip(some, json.loads(done.output), strict=True)}
        except (ValueError, LookupError, TypeError) as error:
            said = (done.errors or done.output).strip()[-200:]
            raise HostFailed(f"{host.name}: box.py status answered nonsense ({said}): repeat the command") from error
    return states


def _state(told: Any) -> str:
    match told["state"]:
        case "exited":
            return f"exited {told['exit']}"
        case "lost":
            return f"lost: {told['reason']}"
        case state:
            return str(state)


def _logins(host: Host, names: Sequence[str]) -> dict[str, str]:
    """Who owns a session's folder."""
    logins: dict[str, str] = {}
    for first in range(0, len(names), AT_ONCE):
        some = [str(host.root / "sessions" / name) for name in names[first : first + AT_ONCE]]
        lines = host.run(["stat", "-c", "%U %n", "--", *some]).output.splitlines()
        logins |= {path.rpartition("/")[2]: login for login, _, path in (line.partition(" ") for line in lines)}
    return logins


def _object(site: Site, name: str, file: str) -> dict[str, Any]:
    """A JSON object in a session's folder; an empty one for whatever else a host may send."""
    try:
        value = json.loads(site.host.read(site.host.root / "sessions" / name / file))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
