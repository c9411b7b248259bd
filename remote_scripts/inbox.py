"""The orders that wait: `inbox/<order>-<attempt>.json`, taken in the order of their numbers."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from attempt import NAME, Attempt, sync


@dataclass(frozen=True)
class Rejected:
    """An order that cannot be read. `attempt` comes from the name of its file."""

    attempt: str
    message: str


class Inbox:
    def __init__(self, session: Path) -> None:
        self._folder = session / "inbox"
        self._attempts = session / "attempts"
        self._rejected = self._folder / "rejected"
        for folder in (self._folder, self._attempts):
            folder.mkdir(exist_ok=True)

    def take(self) -> Attempt | Rejected | None:
        """The next order, moved out of the inbox; None when there is none."""
        for path in self.paths():
            if (taken := self.take_one(path)) is not None:
                return taken
        return None

    def paths(self) -> list[Path]:
        """The orders in the order of their numbers; nothing is taken."""
        return sorted(self._folder.glob("*.json"), key=place)

    def take_one(self, path: Path) -> Attempt | Rejected | None:
        """This order, moved out of the inbox; None if it was accepted before, or is gone meanwhile."""
        with contextlib.suppress(FileNotFoundError):
            return self._take(path)
        return None

    def _take(self, path: Path) -> Attempt | Rejected | None:
        attempt = self._attempt(path)
        if attempt is None:
            return None
        problem = "the file name holds no attempt" if not NAME.fullmatch(attempt.name) else problem_of(path)
        if problem:
            return self._reject(path, attempt.name, problem)
        attempt.folder.mkdir(exist_ok=True)
        path.replace(attempt.order)
        sync(attempt.folder)
        return attempt

    def _attempt(self, path: Path) -> Attempt | None:
        """None for an order that was accepted before and sent again after a lost reply."""
        name = name_in(path)
        attempt = Attempt(name, self._attempts / name)
        if NAME.fullmatch(name) and attempt.order.exists():
            path.unlink()
            return None
        return attempt

    def _reject(self, path: Path, name: str, problem: str) -> Rejected:
        self._rejected.mkdir(exist_ok=True)
        path.replace(self._rejected / path.name)
        return Rejected(name, problem)


def place(path: Path) -> tuple[bool, int, str]:
    number = path.name.partition("-")[0]
    return (not number.isdecimal(), int(number) if number.isdecimal() else 0, path.name)


def name_in(path: Path) -> str:
    return path.stem.partition("-")[2]


def problem_of(path: Path) -> str | None:
    try:
        order = json.loads(path.read_bytes())
    except ValueError as error:
        return f"the order is no JSON: {error}"
    if not isinstance(order, dict) or not isinstance(order.get("spec"), dict):
        return "the order holds no object `spec`"
    if order.get("attempt") != name_in(path):
        return f"the order names attempt {order.get('attempt')!r}, its file {name_in(path)!r}"
    return None
