"""What a person is sent: all alarms of a while in one message."""

import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

SHOWN = 10
"""So many alarms are told in words; programs get all of them."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One alarm of a message."""

    id: int
    """The same again if an alarm comes twice: after a worker was killed while it sent."""
    at: datetime
    occasion: str
    text: str
    """One line: what, where, what to do."""
    host: str | None
    job_id: int | None
    data: dict[str, Any]
    """More of it, by occasion."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """What goes out at once on a way."""

    workspace: str
    """Its folder."""
    machine: str
    """Name of the one that the worker runs on."""
    sent_at: datetime
    """When this message was put together; its alarms may be older."""
    text: str
    """All of it in words, a line an alarm."""
    alarms: tuple[Notice, ...]

    @property
    def title(self) -> str:
        """Who speaks."""
        return f"cosmosq: {Path(self.workspace).name}"

    def as_json(self) -> dict[str, Any]:
        """Fields by name; times in ISO 8601."""
        alarms = [{**asdict(notice), "at": notice.at.isoformat()} for notice in self.alarms]
        return {**vars(self), "sent_at": self.sent_at.isoformat(), "alarms": alarms}


def compose(workspace: Path, notices: Sequence[Notice], now: datetime) -> Message:
    """One message of at least one alarm."""
    return Message(
        workspace=str(workspace), machine=platform.node(), sent_at=now, text=_words(notices), alarms=tuple(notices)
    )


def _words(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        return notices[0].text
    counts = Counter(notice.occasion for notice in notices)
    told = ", ".join(f"{count} {occasion}" for occasion, count in counts.items())
    lines = [f"{len(notices)} alarms: {told}", *(notice.text for notice in notices[:SHOWN])]
    if len(notices) > SHOWN:
        lines.append(f"… and {len(notices) - SHOWN} more: `cosmosq notify list`")
    return "\n".join(lines)
