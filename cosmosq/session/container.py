"""A session in a container: created under a fixed name, started once, looked at, stopped, removed."""

import json
import logging
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import select

from cosmosq.errors import HostFailed, Unreachable
from cosmosq.hosts import PATIENCE_S, Completed
from cosmosq.models import EngineSession
from cosmosq.session.folder import SessionFolder
from cosmosq.session.site import Site

log = logging.getLogger(__name__)

START_PATIENCE_S = 60.0
"""How long a container engine that does not answer may restart before a session is begun."""
PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
GRACE_S = 10
"""Seconds from TERM to KILL."""
COMMAND_S = 120.0
BOOT_ID = PurePosixPath("/proc/sys/kernel/random/boot_id")

NEVER_RAN = frozenset({"created", "configured", "initialized"})
ALIVE = frozenset({"running", "paused", "restarting", "stopping"})
OWN_EXITS = frozenset({0, 1})
"""Exit codes that a session gives itself; all others may come from a signal or a reboot."""
KILLED = 128 + 9


class EngineSilent(Unreachable):
    """The container engine does not answer: start it, or let the login use it."""


class Container:
    """Sessions in containers of an engine with Docker's command line.

    The container's name is that of the session, so that the engine itself refuses a second one.
    """

    def __init__(self, site: Site, command: Sequence[str]) -> None:
        """
        Args:
            command: begins each command line, e.g. `sudo docker`.
        """
        self._site, self._command = site, tuple(command)

    def start(self, folder: SessionFolder, order: Mapping[str, Any]) -> None:
        created = self._try("create", *self._options(folder, order), self._site.config.image, *order["argv"])
        found = self._inspect(folder, START_PATIENCE_S)
        if found is None:
            raise HostFailed(f"{self._site.host.name}: no container was created: {_said(created)}")
        if found["State"]["Status"] not in NEVER_RAN:
            return
        started = self._try("start", name_of(folder))
        found = self._inspect(folder, START_PATIENCE_S)
        if found is None or found["State"]["Status"] in NEVER_RAN:
            self._try("rm", name_of(folder))
            raise HostFailed(f"{self._site.host.name}: the container did not start: {_said(started)}")

    def state(self, folder: SessionFolder) -> str:
        found = self._inspect(folder, PATIENCE_S)
        if found is None or found["State"]["Status"] in NEVER_RAN:
            return "lost: absent"
        if found["State"]["Status"] in ALIVE:
            return "running"
        code = int(found["State"].get("ExitCode", KILLED))
        if code in OWN_EXITS:
            return f"exited {code}"
        if found["Config"]["Labels"].get("cosmosq.boot") != self._boot_id():
            return "lost: rebooted"
        if code == KILLED and not found["State"].get("OOMKilled"):
            return "lost: killed"
        return f"exited {code}"

    def is_over(self, folder: SessionFolder) -> bool:
        return self.state(folder) != "running"

    def kill(self, folder: SessionFolder) -> None:
        self._try("stop", f"-t{GRACE_S}", name_of(folder))
        if self.state(folder) == "running":
            self._try("kill", name_of(folder))

    def remove(self, folder: SessionFolder) -> None:
        if self._site.host.read(folder.log, limit=1) == b"" and (words := self._last_words(folder)):
            self._site.host.write(folder.log, words.encode())
        # By force: a session that is recorded as ended must not hold the GPU.
        removed = self._try("rm", "--force", name_of(folder))
        if removed.exit_code != 0 and self._inspect(folder, 0.0) is not None:
            raise HostFailed(f"{self._site.host.name}: a container is left over: {_said(removed)}")

    def _last_words(self, folder: SessionFolder) -> str:
        """What a session said that ended before it could open its log."""
        said = self._try("logs", "--tail=200", name_of(folder))
        return said.output + said.errors if said.exit_code == 0 else ""

    def _options(self, folder: SessionFolder, order: Mapping[str, Any]) -> Iterator[str]:
        host, config = self._site.host, self._site.config
        home = host.root / "home"
        self._must("mkdir", "-p", "--", str(home))
        yield f"--name={name_of(folder)}"
        yield f"--label=cosmosq.session={folder.path.name}"
        yield f"--label=cosmosq.workspace={platform.node()}:{self._site.workspace.root}"
        yield f"--label=cosmosq.boot={self._boot_id()}"
        yield from ("--init", "--ipc=host", "--pull=never", f"--workdir={order['cwd']}")
        yield from self._gpus()
        yield from (f"--network={network}" for network in [config.network] if network)
        yield from self._user()
        hf_home = self._hf_home()
        # Without a name and a home of its own, Python's getpass and many caches fail for a user unknown to the image.
        own = {"HOME": str(home), "USER": "cosmosq", **({"HF_HOME": str(hf_home)} if hf_home else {})}
        for variable, value in {**own, **order["env"]}.items():
            yield f"--env={variable}={value}"
        for source, target, more in self._mounts(hf_home):
            yield f"--mount=type=bind,{_csv(f'source={source}')},{_csv(f'target={target}')}{more}"

    def _gpus(self) -> Iterator[str]:
        gpus = self._site.config.gpus
        if gpus and self._is_podman:
            yield from (f"--device=nvidia.com/gpu={number}" for number in gpus.split(","))
        elif gpus:
            yield f"--gpus={gpus}" if gpus == "all" else f'--gpus="device={gpus}"'

    def _user(self) -> Iterator[str]:
        """The login itself, so that it owns the results."""
        user = self._must("id", "-u")
        if self._is_podman and len(self._command) == 1 and user != "0":
            # Rootless: the login's id inside is its own only if Podman is told so.
            yield "--userns=keep-id"
        yield f"--user={user}:{self._must('id', '-g')}"

    @property
    def _is_podman(self) -> bool:
        return any(PurePosixPath(part).name == "podman" for part in self._command)

    def _mounts(self, hf_home: PurePosixPath | None) -> Iterator[tuple[object, object, str]]:
        config, root = self._site.config, self._site.host.root
        yield root, root, ""
        if config.checkout:
            checkpoints = PurePosixPath(config.checkout) / config.checkpoint_dir
            yield config.checkout, config.checkout, ""
            if not checkpoints.is_relative_to(config.checkout):
                yield checkpoints, checkpoints, ""
        if hf_home:
            yield hf_home, hf_home, ""
        for mount in config.mounts:
            paths = mount.removesuffix(":ro")
            source, _, target = paths.partition(":")
            yield source, target or source, ",readonly" if mount != paths else ""

    def _hf_home(self) -> PurePosixPath | None:
        named = self._site.config.hf_home
        path = PurePosixPath(named or "~/.cache/huggingface")
        if path.parts[:1] == ("~",):
            home = self._site.host.run(["printenv", "HOME"]).output.strip()
            path = PurePosixPath(home or "/", *path.parts[1:])
        return path if named or self._site.host.exists(path) else None

    def _boot_id(self) -> str:
        return self._site.host.read(BOOT_ID, limit=100).decode(errors="replace").strip()

    def _inspect(self, folder: SessionFolder, patience_s: float) -> dict[str, Any] | None:
        """What the engine knows of the container; None if it says for certain that there is none.

        Raises:
            EngineSilent: it did not answer for so long, or the worker must stop at once.
        """
        deadline, pause = time.monotonic() + patience_s, PAUSE_S
        while True:
            if found := parse(self._try("container", "inspect", name_of(folder))):
                return found[0]
            listed = self._try("ps", "--all", "--quiet", f"--filter=label=cosmosq.session={folder.path.name}")
            if listed.exit_code == 0 and not listed.output.strip():
                return None
            log.warning("%s: the container engine does not answer: %s", self._site.host.name, _said(listed))
            if time.monotonic() >= deadline or self._site.abandoned.wait(pause):
                raise EngineSilent(
                    f"{self._site.host.name}: `{' '.join(self._command)}` does not answer: {_said(listed)}"
                )
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _try(self, *arguments: str) -> Completed:
        """Run the engine's command line; one that hangs or is missing is one that failed."""
        try:
            return self._site.host.run([*self._command, *arguments], timeout_s=COMMAND_S)
        except HostFailed as error:
            return Completed(exit_code=-1, output="", errors=str(error))

    def _must(self, *argv: str) -> str:
        done = self._site.host.run(argv)
        if done.exit_code != 0:
            raise HostFailed(f"{self._site.host.name}: {argv[0]} failed: {_said(done)}")
        return done.output.strip()

    def labelled(self) -> list[dict[str, Any]]:
        """All containers that bear our label, of whichever workspace.

        Raises:
            EngineSilent: the engine does not answer.
        """
        listed = self._try("ps", "--all", "--quiet", "--no-trunc", "--filter=label=cosmosq.session")
        if listed.exit_code != 0:
            raise EngineSilent(f"{self._site.host.name}: {_said(listed)}")
        names = listed.output.split()
        # One that is gone meanwhile makes the command fail, and is not among what it prints.
        return parse(self._try("container", "inspect", *names)) if names else []


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A container of ours whose session has ended."""

    session: str
    container: str
    status: str


def leftovers(site: Site) -> list[Leftover]:
    """Containers on this host that are ours to remove: begun by this ledger, under our name, and recorded as ended."""
    if not site.config.container_command:
        return []
    found = {_session_of(each): each for each in Container(site, site.config.container_command).labelled()}
    with site.ledger.read() as session:
        ended = session.scalars(
            select(EngineSession.id).where(
                EngineSession.id.in_(found), EngineSession.host == site.host.name, EngineSession.end.is_not(None)
            )
        ).all()
    return [
        Leftover(session=each, container=_name(found[each]), status=str(found[each]["State"]["Status"]))
        for each in sorted(ended)
    ]


def sweep(site: Site) -> list[Leftover]:
    """Remove the leftovers and return them.

    Raises:
        HostFailed: one cannot be removed.
    """
    swept = leftovers(site)
    for each in swept:
        folder = SessionFolder(path=site.host.root / "sessions" / each.session)
        Container(site, site.config.container_command).remove(folder)
    return swept


def name_of(folder: SessionFolder) -> str:
    """The name of a session's container."""
    return f"cosmosq-{folder.path.name}"


def parse(done: Completed) -> list[dict[str, Any]]:
    """The objects that `inspect` printed."""
    try:
        printed = json.loads(done.output or "[]")
    except ValueError:
        return []
    return [each for each in printed if isinstance(each, dict)] if isinstance(printed, list) else []


def _session_of(found: Mapping[str, Any]) -> str:
    """The session of a container; empty for one that has our label by a copy of an image, and another name."""
    session = str(found["Config"]["Labels"].get("cosmosq.session"))
    return session if _name(found) == f"cosmosq-{session}" else ""


def _name(found: Mapping[str, Any]) -> str:
    return str(found["Name"]).removeprefix("/")


def _said(done: Completed) -> str:
    return (done.errors or done.output).strip()[-500:] or f"exit code {done.exit_code}"


def _csv(field: str) -> str:
    """One field of a mount, quoted when a comma or quote in a path needs it."""
    return '"' + field.replace('"', '""') + '"' if set(field) & set(',"\n') else field
