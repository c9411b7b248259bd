"""Alarms on their way to a person: each arrives, many arrive together, and none holds a job up."""

import json
import logging
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from cosmosq.alarms import Occasion, sound
from cosmosq.notify import deliveries
from cosmosq.worker import courier, registry
from cosmosq.worker.courier import delivering
from tests.night import Night, wait_for
from tests.receiver import HANG, receiving, texts

MakeNight = Callable[..., Night]

IMPATIENT = "from cosmosq.worker import courier as c; c.LOOK_S, c.PAUSES_S, c.END_S = 0.02, (0.05, 0.1), 1"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Couriers of this process look often and wait less between their tries."""
    monkeypatch.setattr(courier, "LOOK_S", 0.02)
    monkeypatch.setattr(courier, "PAUSES_S", (0.05, 0.1))


def notify(night: Night, **keys: object) -> None:
    """Settings of the [notify] table."""
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    path = night.workspace.config_path
    path.write_text(f"{path.read_text().partition('[notify]')[0]}\n[notify]\n{lines}")


def ring(night: Night, *words: str, occasion: Occasion = Occasion.JOB_FAILED, ago: timedelta = timedelta()) -> None:
    """Alarms, all in one transaction."""
    with night.ledger.write() as session:
        for text in words:
            sound(session, occasion, text, datetime.now(UTC) - ago, host="sim", job_id=1, error="crashed")


def listed(night: Night) -> list[tuple[str, bool, list[tuple[str, int, str | None]]]]:
    """Text, whether it is done, and by way: tries and error."""
    with night.ledger.read() as session:
        return [
            (
                alarm["text"],
                alarm["delivered_at"] is not None,
                [(each["way"], each["tries"], each["error"]) for each in alarm["deliveries"]],
            )
            for alarm in deliveries.newest(session, 1000)
        ]


def all_done(night: Night) -> bool:
    return all(done for _, done, _ in listed(night))


def test_an_alarm_arrives_once_though_the_receiver_fails_twice(make: MakeNight) -> None:
    night = make()
    with receiving(500, 503) as receiver:
        notify(night, webhook=receiver.url)
        ring(night, "job 1 failed")
        with delivering(night.workspace, night.config, night.ledger, "me"):
            wait_for(lambda: all_done(night), "the delivery")
        assert receiver.ids == [[1]] * 3, "twice refused, then taken"
        assert receiver.messages[0]["alarms"][0]["data"] == {"error": "crashed"}
        assert receiver.messages[0]["workspace"] == str(night.workspace.root)
    assert listed(night) == [("job 1 failed", True, [("webhook", 3, None)])]


def test_a_receiver_that_always_fails_is_complained_of_once(make: MakeNight, caplog: pytest.LogCaptureFixture) -> None:
    night = make()
    caplog.set_level(logging.WARNING, "cosmosq")
    with receiving(*[500] * 9) as receiver:
        notify(night, webhook=receiver.url, bundle_s=0)
        with delivering(night.workspace, night.config, night.ledger, "me"):
            for text in ("first", "second", "third"):
                ring(night, text)
                wait_for(lambda: all_done(night), "giving up")
        assert len(receiver.requests) == 9
    refused = ("webhook", 3, "answer 500 Internal Server Error")
    assert listed(night) == [(text, True, [refused]) for text in ("first", "second", "third")]
    assert [record.getMessage() for record in caplog.records] == [
        "alarms do not get out by webhook: answer 500 Internal Server Error"
    ]


def test_a_hundred_alarms_are_one_message_and_those_after_it_wait_for_the_next(make: MakeNight) -> None:
    night = make()
    with receiving() as receiver:
        notify(night, webhook=receiver.url, bundle_s=600)
        with delivering(night.workspace, night.config, night.ledger, "me"):
            ring(night, *(f"job {number} failed" for number in range(1, 101)))
            wait_for(lambda: all_done(night), "the first message")
            ring(night, "one more", "and another")
            time.sleep(0.3)
            assert len(receiver.requests) == 1
        # Nobody knows when the next worker comes: the end of this one waits for no bundle.
        assert receiver.ids == [[*range(1, 101)], [101, 102]]
        assert receiver.messages[0]["text"].startswith("100 alarms: 100 job_failed\njob 1 failed\n")
    assert all_done(night)


def test_the_next_bundle_goes_out_when_its_time_has_come(make: MakeNight) -> None:
    night = make()
    with receiving() as receiver:
        notify(night, webhook=receiver.url, bundle_s=1)
        with delivering(night.workspace, night.config, night.ledger, "me"):
            ring(night, "first")
            wait_for(lambda: all_done(night), "the first message")
            ring(night, "second")
            ring(night, "third")
            wait_for(lambda: all_done(night), "the second message")
        assert receiver.ids == [[1], [2, 3]]
    (first,), (second,) = night.sql("SELECT min(taken_at) FROM deliveries UNION SELECT max(taken_at) FROM deliveries")
    assert datetime.fromisoformat(second) - datetime.fromisoformat(first) >= timedelta(seconds=1)


def test_a_way_that_hangs_delays_no_other_and_the_end_of_the_worker_for_seconds_only(
    make: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "END_S", 0.5)
    night = make()
    script = night.workspace.root / "take.py"
    script.write_text("import sys; open('got', 'a').write(sys.stdin.read() + '\\n')")
    with receiving(HANG) as receiver:
        notify(night, webhook=receiver.url, command=f"{sys.executable} take.py", timeout_s=600)
        ring(night, "job 1 failed")
        with delivering(night.workspace, night.config, night.ledger, "me"):
            wait_for((night.workspace.root / "got").exists, "the command")
            wait_for(lambda: receiver.requests, "the post")
            wait_for(lambda: ("command", 1, None) in listed(night)[0][2], "the end of the command")
            began = time.monotonic()
        assert time.monotonic() - began < 10
        assert listed(night) == [("job 1 failed", False, [("command", 1, None), ("webhook", 0, None)])]
        with delivering(night.workspace, night.config, night.ledger, "the next"):
            pass
        assert receiver.ids == [[1], [1]], "at least once: the receiver may have taken the first"
    assert listed(night) == [("job 1 failed", True, [("command", 1, None), ("webhook", 1, None)])]
    assert len((night.workspace.root / "got").read_text().splitlines()) == 1


def test_what_nobody_could_be_told_for_a_day_is_given_up(make: MakeNight) -> None:
    night = make()
    ring(night, "of the day before yesterday", ago=timedelta(hours=25))
    ring(night, "of yesterday", ago=timedelta(hours=23))
    with receiving() as receiver:
        notify(night, webhook=receiver.url)
        with delivering(night.workspace, night.config, night.ledger, "me"):
            pass
        assert receiver.ids == [[2]]
    assert listed(night) == [
        ("of the day before yesterday", True, [("webhook", 0, "nobody could be told for a day")]),
        ("of yesterday", True, [("webhook", 1, None)]),
    ]


def test_only_what_a_person_wants_to_know_is_told(make: MakeNight) -> None:
    night = make()
    ring(night, "empty", occasion=Occasion.QUEUE_EMPTY)
    ring(night, "failed")
    ring(night, "a test", occasion=Occasion.TEST)
    with receiving() as receiver:
        notify(night, webhook=receiver.url, on=["job_failed"])
        with delivering(night.workspace, night.config, night.ledger, "me"):
            pass
        assert texts(receiver.messages) == ["failed", "a test"]
    assert [(text, done) for text, done, _ in listed(night)] == [("empty", True), ("failed", True), ("a test", True)]
    assert listed(night)[0][2] == []


def test_two_workers_of_one_workspace_tell_each_alarm_once(make: MakeNight) -> None:
    night = make()
    for host, owner in (("sim", "one"), ("box", "two")):
        registry.register(night.ledger, [host], owner, silent_s=60, now=datetime.now(UTC))
    with receiving() as receiver:
        notify(night, webhook=receiver.url, bundle_s=0)
        with (
            delivering(night.workspace, night.config, night.ledger, "one"),
            delivering(night.workspace, night.config, night.ledger, "two"),
        ):
            for number in range(20):
                ring(night, f"alarm {number}")
            wait_for(lambda: all_done(night), "the deliveries")
        assert sorted(texts(receiver.messages)) == sorted(f"alarm {number}" for number in range(20))


# Real workers


def test_a_worker_that_was_killed_between_noting_and_telling_is_made_up_for(make: MakeNight) -> None:
    night = make()
    with receiving(HANG) as receiver:
        notify(night, webhook=receiver.url, bundle_s=0)
        worker = night.worker(first=IMPATIENT)
        wait_for(lambda: night.sql("SELECT 1 FROM workers"), "the worker")
        ring(night, "job 1 failed")
        wait_for(lambda: receiver.requests, "the post")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert listed(night) == [("job 1 failed", False, [("webhook", 0, None)])]
        ring(night, "job 2 failed")
        with delivering(night.workspace, night.config, night.ledger, "the next"):
            wait_for(lambda: all_done(night), "the delivery")
        assert receiver.ids == [[1], [1, 2]]


def test_ways_that_hang_delay_neither_a_job_nor_the_end_and_an_empty_queue_is_told_once(make: MakeNight) -> None:
    night = make()
    (night.workspace.root / "hang.py").write_text("import time; time.sleep(600)")
    jobs = [night.enqueue(f"kitchen {number}") for number in range(3)]
    ring(night, "something failed")
    with receiving(HANG) as receiver:
        notify(night, webhook=receiver.url, command=f"{sys.executable} hang.py", timeout_s=600)
        worker = night.worker("--until-empty", first=IMPATIENT)
        wait_for(lambda: night.statuses() == ["succeeded"] * len(jobs), "the jobs")
        # A second is given to the ways; the rest is a slow machine's.
        said, _ = worker.communicate(timeout=30)
        assert worker.returncode == 0, said
    told = [text for text, _, _ in listed(night)]
    assert told == ["something failed", "the queue of sim is empty: 3 succeeded: see `cosmosq report`"]
    with receiving() as receiver:
        notify(night, webhook=receiver.url)
        night.work()
        assert texts(receiver.messages) == told
        assert receiver.messages[0]["alarms"][1]["data"] == {"hosts": ["sim"], "jobs": {"succeeded": 3}}
    assert len(listed(night)) == 2, "a worker that had nothing to do has nothing to say"


def test_a_worker_that_goes_on_tells_of_each_time_that_its_queue_became_empty(make: MakeNight) -> None:
    night = make(idle_close=0)
    with receiving() as receiver:
        notify(night, webhook=receiver.url, bundle_s=0)
        worker = night.worker(first=IMPATIENT)
        for number in (1, 2):
            night.enqueue(f"kitchen {number}")
            wait_for(lambda number=number: len(receiver.requests) == number, "the alarm")  # type: ignore[misc]
        worker.send_signal(signal.SIGINT)
        worker.communicate(timeout=30)
        assert texts(receiver.messages) == ["the queue of sim is empty: 1 succeeded: see `cosmosq report`"] * 2
