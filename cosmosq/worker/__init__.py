"""The process that claims jobs and takes them to their end."""

from cosmosq.worker.worker import Worker

__all__ = ["Worker"]
