"""The words for where a job stands, and which move is allowed from each."""

from enum import StrEnum


class Status(StrEnum):
    """Status of a job; an attempt uses the last five."""

    HELD = "held"
    """Kept back by a person until released."""
    QUEUED = "queued"
    """Waits for a worker."""
    RUNNING = "running"
    """Claimed: an attempt is under way."""
    SUCCEEDED = "succeeded"
    """A whole video is on this disk."""
    FAILED = "failed"
    """No attempt is left, or the error is one that a repetition cannot cure."""
    BLOCKED = "blocked"
    """The guardrail refused the prompt or the video."""
    CANCELLED = "cancelled"
    """Stopped by a person, or because a job it depends on ended without success."""


class Phase(StrEnum):
    """Sub-step of an attempt, in the order of a life."""

    PREPARING = "preparing"
    UPLOADING = "uploading"
    WAITING = "waiting"
    GENERATING = "generating"
    DOWNLOADING = "downloading"
    RECORDING = "recording"


BEFORE_GENERATING = (Phase.PREPARING, Phase.UPLOADING, Phase.WAITING)


class Kind(StrEnum):
    """What a job asks of the engine."""

    TRANSFER = "transfer"
    UPSCALE = "upscale"
    UPSAMPLE = "upsample"


class Need(StrEnum):
    """What a job waits for in another one."""

    RESULT = "result"
    """The video or the longer prompt that it is made of."""
    SUCCESS = "success"
    """That it succeeds."""
    END = "end"
    """That it ends, however."""


MOVES: dict[Status, frozenset[Status]] = {
    Status.HELD: frozenset({Status.QUEUED, Status.CANCELLED}),
    Status.QUEUED: frozenset({Status.HELD, Status.RUNNING, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.SUCCEEDED, Status.FAILED, Status.BLOCKED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset({Status.QUEUED}),
    Status.BLOCKED: frozenset({Status.QUEUED}),
    Status.CANCELLED: frozenset({Status.QUEUED}),
}
"""From each status to those it may become; the guard reads it and the docs draw it."""

WAITING = frozenset({Status.HELD, Status.QUEUED})
ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.BLOCKED, Status.CANCELLED})
UNSUCCESSFUL = ENDED - {Status.SUCCEEDED}


def sources(target: Status) -> list[Status]:
    """The statuses from which `target` can be reached in one move."""
    return [status for status, targets in MOVES.items() if target in targets]
