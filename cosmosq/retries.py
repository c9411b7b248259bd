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
    "paused": Repeat.UNCOUNTED,
    "out_of_memory": Repeat.COUNTED,
    "bad_output": Repeat.COUNTED,
    "crashed": Repeat.BACKOFF,
    "engine_error": Repeat.BACKOFF,
    "host_failed": Repeat.BACKOFF,
    "stalled": Repeat.BACKOFF,
    "timed_out": Repeat.BACKOFF,
}
"""By error, unless cosmosq.toml says otherwise; what is not named here is never repeated."""


class Fault(StrEnum):
    """Whom an error tells against."""

    HOST = "host"
    """The host: each such failure counts towards `stop_after_failures`."""
    DOUBT = "doubt"
    """The host or the job: the first of a job counts, its repetitions do not."""
    JOB = "job"
    """The job, or a person: it never counts."""


FAULTS: Mapping[str, Fault] = {
    "lost": Fault.HOST,
    "host_failed": Fault.HOST,
    "disk_full": Fault.HOST,
    "out_of_memory": Fault.DOUBT,
    "crashed": Fault.DOUBT,
    "engine_error": Fault.DOUBT,
    "bad_output": Fault.DOUBT,
    "stalled": Fault.DOUBT,
    "timed_out": Fault.DOUBT,
    "missing_checkpoint": Fault.DOUBT,
    "internal_error": Fault.DOUBT,
    "bad_input": Fault.JOB,
    "input_changed": Fault.JOB,
    "invalid_spec": Fault.JOB,
    "prompt_too_long": Fault.JOB,
    "blocked": Fault.JOB,
    "cancelled": Fault.JOB,
    "paused": Fault.JOB,
    "dependency": Fault.JOB,
}
"""By error. A blocked prompt shows that the engine works, and a hundred of them say nothing else."""


def fault_of(error: str) -> Fault:
    """Whom an error tells against; what nobody knows is in doubt."""
    return FAULTS.get(error, Fault.DOUBT)


def pause_s(backoff_s: float, failures: int) -> float:
    """Seconds before the next attempt, after so many failures."""
    return min(LONGEST_PAUSE_S, backoff_s * 2.0 ** min(max(0, failures - 1), 30))
