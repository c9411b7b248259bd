"""What an alarm may be about."""

from enum import StrEnum


class Occasion(StrEnum):
    """What an alarm is about."""

    JOB_FAILED = "job_failed"
    """A job ended without its video, and will not be repeated."""
    HOST_PAUSED = "host_paused"
    """Too much went wrong on a host: nothing more starts there."""
    QUEUE_EMPTY = "queue_empty"
    """A worker has worked, and nothing is left that could start."""
    WINDOW_ENDED = "window_ended"
    """The time in which a worker may work is over."""
    SCHEDULE_MISSED = "schedule_missed"
    """A schedule was due while no worker was there."""
    TEST = "test"
    """`cosmosq notify test`; it goes out whatever `on` says."""
