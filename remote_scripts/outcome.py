"""How an attempt ends, and the event that says so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from attempt import Attempt
from events import Events
from failures import Failure

if TYPE_CHECKING:
    from controls import Control


@dataclass(frozen=True)
class Done:
    """`prompt` is the longer one that the engine made itself, if it did."""

    generate_s: float
    controls: dict[str, Control]
    prompt: str | None = None


@dataclass(frozen=True)
class Upsampled:
    """`told` are the facts about a longer prompt that the ledger keeps beside it."""

    generate_s: float
    told: dict[str, Any]


@dataclass(frozen=True)
class Blocked:
    reason: str


Outcome = Done | Upsampled | Blocked | Failure


def report(events: Events, attempt: Attempt, outcome: Outcome) -> None:
    """Its log must be whole: its digest is told."""
    artifacts = attempt.artifacts()
    if isinstance(outcome, Done):
        controls = {hint: {**asdict(control), "path": str(control.path)} for hint, control in outcome.controls.items()}
        made = {"controls": controls} if outcome.prompt is None else {"controls": controls, "prompt": outcome.prompt}
        events.write("done", attempt=attempt.name, artifacts=artifacts, generate_s=outcome.generate_s, **made)
    elif isinstance(outcome, Upsampled):
        events.write(
            "done", attempt=attempt.name, artifacts=artifacts, generate_s=outcome.generate_s, upsampling=outcome.told
        )
    elif isinstance(outcome, Blocked):
        events.write("blocked", attempt=attempt.name, reason=outcome.reason, artifacts=artifacts)
    else:
        events.write("failed", attempt=attempt.name, **asdict(outcome), artifacts=artifacts)
