"""The ways to a person that `[notify]` configures."""

import html
import json
import os
import shlex
import shutil
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cosmosq.config import NotifyConfig
from cosmosq.errors import NotDelivered
from cosmosq.notify.message import Message
from cosmosq.notify.process import run
from cosmosq.notify.webhook import post

_OSASCRIPT = ("on run argv", "display notification (item 1 of argv) with title (item 2 of argv)", "end run")


class Way(Protocol):
    """One way to a person."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message, abandoned: threading.Event) -> None:
        """Try once; `abandoned` tells it to leave off.

        Raises:
            NotDelivered: with the reason.
        """


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program with JSON on stdin."""

    argv: tuple[str, ...]
    folder: Path
    timeout_s: float
    name: str = "command"

    def send(self, message: Message, abandoned: threading.Event) -> None:
        given = json.dumps(message.as_json())
        run(self.argv, given, self.folder, timeout_s=self.timeout_s, abandoned=abandoned)


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A JSON POST."""

    url: str
    secret_env: str
    secret_path: Path | None
    timeout_s: float
    name: str = "webhook"

    def send(self, message: Message, abandoned: threading.Event) -> None:
        post(self.url, json.dumps(message.as_json()).encode(), self._secret(), timeout_s=self.timeout_s)

    def _secret(self) -> bytes | None:
        """Read anew for each message; never sent without it once one is configured."""
        if self.secret_path is not None:
            try:
                secret = self.secret_path.read_bytes().strip()
            except OSError as error:
                raise NotDelivered(f"notify.secret_file: {self.secret_path}: {error.strerror}") from error
            source = f"notify.secret_file: {self.secret_path}"
        elif self.secret_env:
            secret = os.environ.get(self.secret_env, "").encode()
            source = f"notify.secret_env: {self.secret_env}"
        else:
            return None
        if not secret:
            raise NotDelivered(f"{source} is empty or not set")
        return secret


@dataclass(frozen=True, kw_only=True)
class Desktop:
    """A notification of the desktop, by what the system has for it."""

    folder: Path
    timeout_s: float
    name: str = "desktop"

    def send(self, message: Message, abandoned: threading.Event) -> None:
        argv = _desktop_program(message)
        if argv is None:
            raise NotDelivered("this system has no notify-send (of libnotify) and no osascript")
        run(argv, "", self.folder, timeout_s=self.timeout_s, abandoned=abandoned)


def _desktop_program(message: Message) -> list[str] | None:
    if sys.platform == "darwin" and (osascript := shutil.which("osascript")):
        return [osascript, *(word for line in _OSASCRIPT for word in ("-e", line)), message.text, message.title]
    if notify_send := shutil.which("notify-send"):
        # The body is markup to most desktops.
        body = html.escape(message.text, quote=False)
        return [notify_send, "--app-name=cosmosq", "--", message.title, body]
    return None


def ways_of(config: NotifyConfig, root: Path) -> list[Way]:
    """The ways that are configured; `root` is the workspace's folder."""
    ways: list[Way] = []
    if config.command:
        ways.append(Command(argv=tuple(shlex.split(config.command)), folder=root, timeout_s=config.timeout_s))
    if config.webhook:
        secret_path = root / Path(config.secret_file).expanduser() if config.secret_file else None
        ways.append(
            Webhook(
                url=config.webhook,
                secret_env=config.secret_env,
                secret_path=secret_path,
                timeout_s=config.timeout_s,
            )
        )
    if config.desktop:
        ways.append(Desktop(folder=root, timeout_s=config.timeout_s))
    return ways
