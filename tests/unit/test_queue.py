"""The doorbell: tickets carry a job id, as JSON, once."""

import contextlib
import json
import pickle
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosmosq.errors import StorageFailed
from cosmosq.queue import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path / "queue.db")
    yield queue
    queue.close()


def _tickets(path: Path) -> list[bytes]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [bytes(data) for (data,) in connection.execute("SELECT data FROM task ORDER BY id")]


def test_a_ticket_is_json_and_carries_a_job_id_and_nothing_else(queue: Queue, tmp_path: Path) -> None:
    queue.ring([7, 8])
    tickets = [json.loads(data) for data in _tickets(tmp_path / "queue.db")]
    assert [ticket[1:] for ticket in tickets] == [["cosmosq.queue.ring", 7], ["cosmosq.queue.ring", 8]]
    assert len({ticket_id for ticket_id, *_ in tickets}) == 2
    assert queue.waiting() == 2


def test_ringing_for_nobody_is_no_ticket(queue: Queue) -> None:
    queue.ring([])
    assert queue.waiting() == 0


def test_tickets_stay_when_the_queue_is_closed(queue: Queue, tmp_path: Path) -> None:
    queue.ring([1])
    queue.close()
    again = Queue(tmp_path / "queue.db")
    assert again.waiting() == 1
    again.close()


def test_a_thousand_tickets_are_one_transaction(queue: Queue) -> None:
    queue.ring(range(1, 1001))
    assert queue.waiting() == 1000


@pytest.fixture
def _own_signals() -> Iterator[None]:
    """A consumer takes the signals of its process; pytest wants them back."""
    taken = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in taken]
    yield
    for number, handler in zip(taken, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("_own_signals")
def test_each_ticket_is_answered_once_and_in_order(queue: Queue) -> None:
    queue.ring([3, 1, 2])
    answered: list[int] = []
    ended = threading.Event()

    def answer(job_id: int) -> None:
        answered.append(job_id)
        if len(answered) == 3:
            ended.set()
            consumer.stop_flag.set()

    consumer = queue.consumer(answer, threads=1)
    consumer.run()
    assert ended.is_set()
    assert answered == [3, 1, 2]
    assert queue.waiting() == 0


class Bomb:
    """Loading its pickle makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.usefixtures("_own_signals")
def test_a_pickle_in_the_queue_is_not_loaded(queue: Queue, tmp_path: Path) -> None:
    exploded = tmp_path / "exploded"
    with contextlib.closing(sqlite3.connect(tmp_path / "queue.db")) as connection, connection:
        ticket = ("cosmosq", pickle.dumps(Bomb(exploded)))
        connection.execute("INSERT INTO task (queue, data, priority) VALUES (?, ?, 0)", ticket)
    queue.ring([5])
    assert list(queue.tickets().values()) == [0, 5]
    answered: list[int] = []

    def answer(job_id: int) -> None:
        answered.append(job_id)
        consumer.stop_flag.set()

    consumer = queue.consumer(answer, threads=1)
    consumer.run()
    assert answered == [5]
    assert not exploded.exists()


def test_a_queue_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StorageFailed, match=r"folder.db cannot be written"):
        Queue(tmp_path / "folder.db")
