"""How a session comes to life on a host and leaves it: as a plain process, or in a container."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol

from cosmosq.engines.engine import UPSAMPLE
from cosmosq.errors import HostFailed
from cosmosq.session.container import Container
from cosmosq.session.folder import SessionFolder, scripts_path
from cosmosq.session.site import Site

SCRIPTS = {"warm": "session.py", "command": "command_session.py"}
"""What a session runs, by the mode of its host. Both keep to the same folder."""
UPSAMPLING_SCRIPT = "upsample_prompts.py"
"""In either mode."""


class Launcher(Protocol):
    """Starts and ends the sessions of a site; `folder` tells which."""

    def start(self, folder: SessionFolder, order: Mapping[str, Any]) -> None:
        """Start the session once, however often it is asked.

        Args:
            order: what `start.json` says.

        Raises:
            HostFailed: it cannot be started.
        """

    def state(self, folder: SessionFolder) -> str:
        """`running`, or how it ended: `exited N`, `lost: rebooted`, `lost: killed`, `lost: absent`."""

    def is_over(self, folder: SessionFolder) -> bool:
        """Cheap look whether it has ended."""

    def kill(self, folder: SessionFolder) -> None:
        """TERM, then KILL, to all of the session."""

    def remove(self, folder: SessionFolder) -> None:
        """Take away what is left of a session whose end is recorded; its folder stays."""


class Process:
    """A session as a process of its own, started and found by `box.py` of its own version."""

    def __init__(self, site: Site, digest: str) -> None:
        self._site, self._digest = site, digest

    def start(self, folder: SessionFolder, order: Mapping[str, Any]) -> None:
        self._box("start", folder)

    def state(self, folder: SessionFolder) -> str:
        found = self._box("status", folder)[0]
        match found["state"]:
            case "running":
                return "running"
            case "exited":
                return f"exited {found['exit']}"
            case "lost":
                return f"lost: {found['reason']}"
            case _:
                return "lost: absent"

    def is_over(self, folder: SessionFolder) -> bool:
        # A session that was killed together with its wrapper is only seen by `state`.
        return self._site.host.exists(folder.exit)

    def kill(self, folder: SessionFolder) -> None:
        self._box("kill", folder)

    def remove(self, folder: SessionFolder) -> None:
        """Nothing is left of a process."""

    def _box(self, command: str, folder: SessionFolder) -> Any:
        host = self._site.host
        program = scripts_path(host.root, self._digest) / "box.py"
        done = host.run([host.python, str(program), command, str(folder.path)])
        if done.exit_code != 0:
            raise HostFailed(f"{host.name}: box.py {command} failed ({done.exit_code}): {done.errors[-500:]}")
        try:
            return json.loads(done.output)
        except ValueError as error:
            raise HostFailed(f"{host.name}: box.py {command} answered nonsense: {done.output[:200]}") from error


def launcher_of(site: Site, folder: SessionFolder, digest: str) -> Launcher:
    """The launcher that the session was begun with, whatever the configuration says by now.

    Args:
        folder: of a session whose `start.json` is written.
        digest: of its scripts.
    """
    try:
        command = list(json.loads(site.host.read(folder.start))["container"])
    except (ValueError, LookupError, TypeError):
        command = list(site.config.container_command)
    return Container(site, [str(part) for part in command]) if command else Process(site, digest)


def session_argv(site: Site, scripts: PurePosixPath, folder: SessionFolder, key: Mapping[str, Any]) -> Sequence[str]:
    """The command that is the session; the person's own `activate` line goes before it, and nothing else of theirs."""
    script = UPSAMPLING_SCRIPT if key["pipeline"] == UPSAMPLE else SCRIPTS[site.config.mode]
    argv = [site.host.python, str(scripts / script), str(folder.path)]
    if site.config.activate:
        return ["bash", "-c", f'{site.config.activate} && exec "$@"', "cosmosq", *argv]
    return argv
