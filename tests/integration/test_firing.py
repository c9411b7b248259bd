"""Schedules and real workers: what is due is queued and made, once, also when `kill -9` comes in between."""

import shutil
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from cosmosq.models import Schedule
from tests.acceptance.command_line import Shell
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]
LINE = ("kitchen", "-s", "edge.weight=0.5", "-s", "num_steps=2", "--again")


def add_due(night: Night, *line: str, minutes: int = 2, catch_up: str = "once") -> None:
    """A schedule `nightly` whose only time of the day was some minutes ago, and was not seen to."""
    night.add("a quiet kitchen", name="kitchen")
    when = now() - timedelta(minutes=minutes)
    words = ("nightly", f"{when:%M %H} * * *", "--tz", "UTC", "--catch-up", catch_up)
    Shell(night.workspace.root).ok("schedule", "add", *words, "--", "enqueue", *line)
    set_back(night, when - timedelta(minutes=1))


def set_back(night: Night, moment: datetime) -> None:
    """As if nothing had been looked for since."""
    with night.ledger.write() as session:
        session.execute(update(Schedule).values(done_until=moment))


def told(night: Night) -> list[tuple[Any, ...]]:
    return night.sql("SELECT outcome, jobs, first_job_id, last_job_id, missed FROM firings")


def test_what_is_due_is_queued_made_and_labelled_and_a_worker_until_empty_goes_home(make: MakeNight) -> None:
    night = make()
    add_due(night, *LINE, "-p", "guidance=3,5")
    worker = night.worker("--until-empty")
    assert worker.wait(120) == 0
    assert told(night) == [("queued", 2, 1, 2, 0)]
    assert night.statuses() == ["succeeded"] * 2
    assert night.job(2)["labels"] == {"schedule": "nightly"}
    assert night.sql("SELECT count(*) FROM alarms WHERE occasion = 'schedule_missed'") == [(0,)]
    listed = Shell(night.workspace.root).ok("schedule", "list").out
    assert "2 jobs: 1-2" in listed


def test_a_night_that_was_missed_is_caught_up_and_told(make: MakeNight) -> None:
    night = make()
    add_due(night, *LINE, minutes=30, catch_up="all")
    set_back(night, now() - timedelta(days=2, hours=1))
    night.work()
    assert told(night) == [("queued", 1, n, n, 1) for n in (1, 2, 3)]
    assert night.statuses() == ["succeeded"] * 3
    ((occasion, text),) = night.sql("SELECT occasion, text FROM alarms WHERE occasion != 'queue_empty'")
    assert occasion == "schedule_missed"
    assert "schedule nightly missed 3 times" in text


@pytest.mark.parametrize("killed", ["before", "after", "before-both", "after-both"])
def test_a_firing_that_is_killed_is_neither_lost_nor_repeated(
    make: MakeNight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    night = make()
    add_due(night, *LINE, "-p", "guidance=3,5")
    (tmp_path / "first").mkdir()
    shutil.copy(Path(__file__).with_name("firing_killed.py"), tmp_path / "first" / "sitecustomize.py")
    mark = tmp_path / "killed"
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(tmp_path / "first"))
        patched.setenv("KILLED_FIRING", killed)
        patched.setenv("KILLED_MARK", str(mark))
        worker = night.worker("--until-empty")
        code = worker.wait(120)
    assert mark.exists()
    assert code == (-signal.SIGKILL if "both" in killed else 0)
    assert told(night) == ([("queued", 2, 1, 2, 0)] if "after" in killed else [])
    night.work()
    assert told(night) == [("queued", 2, 1, 2, 0)]
    assert night.statuses() == ["succeeded"] * 2
    assert len(night.generations) == 2


def test_a_line_that_fails_is_tried_again_then_told_and_the_worker_works_on(make: MakeNight) -> None:
    night = make()
    sweep = night.workspace.root / "overnight.yaml"
    sweep.write_text("parameters: {guidance: [3, 5]}\n")
    # Written in a folder, and run in another.
    add_due(night, *LINE, "--sweep", "overnight.yaml")
    sweep.unlink()
    worker = night.worker(first="from cosmosq.worker import timetable; timetable.PAUSE_S = 0.1")
    wait_for(lambda: told(night), "the firing to be given up")
    assert told(night) == [("failed", 0, None, None, 0)]
    assert night.sql("SELECT message FROM firings") == [("no such file: overnight.yaml",)]
    ((text,),) = night.sql("SELECT text FROM alarms WHERE occasion != 'queue_empty'")
    assert "queued nothing for" in text
    job_id = night.enqueue()
    wait_for(lambda: night.job(job_id)["status"] == "succeeded", "a job beside it")
    worker.send_signal(signal.SIGINT)
    assert worker.wait(120) == 0
    assert told(night) == [("failed", 0, None, None, 0)]


def test_a_worker_for_certain_jobs_leaves_schedules_alone(make: MakeNight) -> None:
    night = make()
    add_due(night, *LINE)
    Shell(night.workspace.root).ok("run", "kitchen", "-s", "edge.weight=0.5", "-s", "num_steps=2")
    assert told(night) == []
    assert night.statuses() == ["succeeded"]
