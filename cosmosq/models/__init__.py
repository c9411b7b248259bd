"""The tables of the ledger."""

from cosmosq.models.attempts import Artifact, Attempt, EngineSession, Event
from cosmosq.models.base import REVISION, Base, UtcDateTime
from cosmosq.models.jobs import Dependency, Job, JobInput, JobLabel, Sweep, Trial, TrialJob, UpsampleOrder
from cosmosq.models.judgements import Comparison, Measured, Measurement, Rating
from cosmosq.models.nights import Alarm, Delivery, Firing, Heartbeat, Pause, Schedule, Standstill, Streak, Worker
from cosmosq.models.prompts import Clip, ClipVideo, ParameterSet, Prompt, Upsampling, Video

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
]
