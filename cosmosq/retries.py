"""What becomes of a job after an error: repeated at once or later, counted or not, or never."""

from collections.abc import Mapping
from enum import StrEnum

LONGEST_PAUSE_S = 3600.0


class Repeat(StrEnum):
    """How a job is repeated after an error."""

    UNCOUNTED = "uncounted"
    """At once and however often: the job has no part in it."""
    COUNTED = "counted"
    """At once, `retries` times."""
    BACKOFF = "backoff"
    """After `backoff_s`, twice as long each time, `retries` times."""
    NEVER = "never"
    """Not at all: a repetition would end the same way."""


REPEATS: Mapping[str, Repeat] = {
    "lost": Repeat.UNCOUNTED,
    "out_of_memory": Repeat.COUNTED,
    "bad_output": Repeat.COUNTED,
    "crashed": Repeat.BACKOFF,
    "engine_error": Repeat.BACKOFF,
    "host_failed": Repeat.BACKOFF,
    "stalled": Repeat.BACKOFF,
}
"""By error, unless cosmosq.toml says otherwise; what is not named here is never repeated."""


def pause_s(backoff_s: float, failures: int) -> float:
    """Seconds before the next attempt, after so many failures."""
    return min(LONGEST_PAUSE_S, backoff_s * 2.0 ** min(max(0, failures - 1), 30))
