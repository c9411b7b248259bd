"""Every error a person can meet: one line saying what is wrong, where, and what to do, and an exit code."""


class CosmosqError(Exception):
    """Base of all expected errors; its text is the line that is shown."""

    exit_code = 2

    def __str__(self) -> str:
        # A message is shown as one line, whatever was interpolated into it.
        return " ".join(super().__str__().split())


class InvalidInput(CosmosqError):
    """A value, file or combination that the person gave cannot be used."""


class InvalidConfig(InvalidInput):
    """`cosmosq.toml` holds a key or value that is not allowed."""


class InvalidLedger(InvalidInput):
    """The ledger file is not one, is damaged, or is from a newer version."""


class StorageFailed(CosmosqError):
    """A file could not be written: disk full, read-only, no permission."""


class NotFound(CosmosqError):
    """The named workspace, prompt, clip, host, job or file does not exist."""

    exit_code = 3


class Unreachable(CosmosqError):
    """A host or worker cannot be reached."""

    exit_code = 4


class WorkerBusy(CosmosqError):
    """Another worker already serves the host; two would run jobs twice."""

    exit_code = 4


class HostFailed(CosmosqError):
    """A command on the host failed in a way that is not the job's own fault."""

    exit_code = 4


class MoveRefused(CosmosqError):
    """A job cannot go from its status to the one asked for."""


class StaleClaim(CosmosqError):
    """The job is no longer ours: another worker holds it or its attempt has ended."""


class StaleFiring(CosmosqError):
    """A time of a schedule was fired already, or the schedule was disabled or removed meanwhile."""


class InternalError(CosmosqError):
    """A mistake of ours; the log has its traceback."""

    exit_code = 70


class JobFailed(CosmosqError):
    """A job that was waited for did not succeed."""

    exit_code = 1


class NotMeasured(CosmosqError):
    """A video could not be measured in full: it is missing or broken, or a measure failed."""

    exit_code = 1


class NotDelivered(CosmosqError):
    """An alarm did not reach anybody on one of the ways that `[notify]` names."""

    exit_code = 1
