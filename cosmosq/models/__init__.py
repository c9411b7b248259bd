"""The tables of the ledger, by what they are about.

A module of tables is imported when one of them is first asked for: to make all of them takes longer than most commands
need for their work, and each needs a few.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cosmosq.models.base import Base, UtcDateTime
from cosmosq.revision import REVISION

if TYPE_CHECKING:
    from cosmosq.models.attempts import Artifact, Attempt, EngineSession, Event
    from cosmosq.models.hosts import Heartbeat, Pause, Standstill, Streak, Worker
    from cosmosq.models.jobs import Dependency, Job, JobInput, JobLabel, Sweep, Trial, TrialJob, UpsampleOrder
    from cosmosq.models.judgements import Comparison, Measured, Measurement, Rating
    from cosmosq.models.nights import Alarm, Delivery, Firing, Schedule
    from cosmosq.models.prompts import Clip, ClipVideo, ParameterSet, Prompt, Upsampling, Video

_TABLES = {
    "attempts": ("Artifact", "Attempt", "EngineSession", "Event"),
    "hosts": ("Heartbeat", "Pause", "Standstill", "Streak", "Worker"),
    "jobs": ("Dependency", "Job", "JobInput", "JobLabel", "Sweep", "Trial", "TrialJob", "UpsampleOrder"),
    "judgements": ("Comparison", "Measured", "Measurement", "Rating"),
    "nights": ("Alarm", "Delivery", "Firing", "Schedule"),
    "prompts": ("Clip", "ClipVideo", "ParameterSet", "Prompt", "Upsampling", "Video"),
}
_MODULES = {table: module for module, tables in _TABLES.items() for table in tables}

__all__ = [
    "REVISION",
    "Alarm",
    "Artifact",
    "Attempt",
    "Base",
    "Clip",
    "ClipVideo",
    "Comparison",
    "Delivery",
    "Dependency",
    "EngineSession",
    "Event",
    "Firing",
    "Heartbeat",
    "Job",
    "JobInput",
    "JobLabel",
    "Measured",
    "Measurement",
    "ParameterSet",
    "Pause",
    "Prompt",
    "Rating",
    "Schedule",
    "Standstill",
    "Streak",
    "Sweep",
    "Trial",
    "TrialJob",
    "UpsampleOrder",
    "Upsampling",
    "UtcDateTime",
    "Video",
    "Worker",
    "load_all",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def load_all() -> None:
    """Have every table in the metadata of `Base`."""
    for module in _TABLES:
        import_module(f"{__name__}.{module}")
