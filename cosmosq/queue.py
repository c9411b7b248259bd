"""The doorbell: tickets in Huey that wake a worker; the only importer of Huey.

A ticket carries a job id and nothing else. Huey deletes it before it is run, so nothing may depend on it: the ledger
says what is to be done, and whoever finds a queued job without a ticket rings again.
"""

import json
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer

from cosmosq.files import writing

PICK_UP_S = 0.5
"""An idle consumer looks for tickets at least so often; Huey's own default is 10 s."""


class TicketSerializer(Serializer):  # type: ignore[misc]
    """Tickets as JSON: write access to a queue of pickles is code execution."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps([data.id, data.name, *data.args]).encode()

    def _deserialize(self, data: Any) -> Message:
        ticket_id, name, *arguments = json.loads(bytes(data))
        return Message(id=ticket_id, name=name, args=tuple(arguments), kwargs={}, retries=0, retry_delay=0)


class TicketConsumer(Consumer):  # type: ignore[misc]
    """Its `run` must be called in the main thread; it returns once `stop_flag` is set, by us or by a signal.

    The first SIGINT waits for the threads; a second one, SIGTERM and SIGHUP do not.
    """

    was_told_to_stop = False
    """Whether a signal stopped it."""
    on_patience: Callable[[], None] = staticmethod(lambda: None)
    """Called when it begins to wait for its threads."""

    def start(self) -> None:
        super().start()
        if hasattr(signal, "SIGHUP"):
            # Huey would start itself anew; a closed terminal means the person has gone.
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))

    def stop(self, graceful: bool = False) -> None:
        self.was_told_to_stop = True
        if graceful:
            self.on_patience()
        super().stop(graceful)


class Queue:
    """The tickets of one workspace."""

    def __init__(self, path: Path) -> None:
        with writing(path):
            self._huey = SqliteHuey(
                name="cosmosq",
                filename=str(path),
                results=False,
                serializer=TicketSerializer(),
                strict_fifo=True,
                fsync=True,
                timeout=30,
            )
        self._answer: Callable[[int], None] = _nobody
        self._ring = self._huey.task(name="ring")(self._answer_ticket)

    def _answer_ticket(self, job_id: int) -> None:
        self._answer(job_id)

    def ring(self, job_ids: Sequence[int]) -> None:
        """Put one ticket a job, all in one transaction."""
        tickets = [(self._huey.name, self._huey.serialize_task(self._ring.s(job_id)), 0) for job_id in job_ids]
        with self._huey.storage.db(commit=True) as cursor:
            cursor.executemany("insert into task (queue, data, priority) values (?, ?, ?)", tickets)

    def waiting(self) -> int:
        """Number of tickets that nobody has taken."""
        return int(self._huey.storage.queue_size())

    def tickets(self) -> dict[int, int]:
        """Job by ticket, of those that nobody has taken; job 0, which there never is, for what is no ticket of ours."""
        with self._huey.storage.db() as cursor:
            cursor.execute("select id, data from task where queue = ?", (self._huey.name,))
            return {number: _job_of(data) for number, data in cursor.fetchall()}

    def drop(self, tickets: Sequence[int]) -> None:
        """Take tickets away, by their numbers."""
        with self._huey.storage.db(commit=True) as cursor:
            cursor.executemany("delete from task where id = ?", [(number,) for number in tickets])

    def consumer(self, answer: Callable[[int], None], *, threads: int) -> "TicketConsumer":
        """Huey's consumer with so many threads; `answer` is called with the job id of each ticket."""
        self._answer = answer
        return TicketConsumer(self._huey, workers=threads, periodic=False, initial_delay=0.1, max_delay=PICK_UP_S)

    def close(self) -> None:
        self._huey.storage.close()


def _job_of(data: Any) -> int:
    try:
        return int(json.loads(bytes(data))[2])
    except (ValueError, LookupError, TypeError):
        return 0


def _nobody(job_id: int) -> None:
    raise RuntimeError(f"ticket for job {job_id} outside a worker")
