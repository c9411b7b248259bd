"""A night of forty jobs of all kinds, what is done to it, and what must be true in the morning."""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from cosmosq.enqueue import enqueue
from cosmosq.models import Schedule
from cosmosq.status import Need
from cosmosq.upscale_wishes import upscales_for
from cosmosq.wishes import wishes_for
from tests.acceptance.command_line import Shell
from tests.box.proxy import Proxy
from tests.chaos.clock import Clock
from tests.night import Night, now, wait_for

BLOCKED, DOOMED = "forbidden", "doomed"
FAULTS: list[dict[str, object]] = [{"match": BLOCKED, "do": "block"}, {"match": DOOMED, "do": "crash", "step": 2}]

PLAIN = 23
SCHEDULED = ("enqueue", "scheduled", "-s", "edge.weight=0.5", "-s", "num_steps=3")
"""However often it is fired, the clock being what it is: the same job is queued once."""
MISHAPS = 10
STEPS_S = (-3600, -90, 90, 3600, 86400)
OVER = "SELECT count(*) FROM jobs WHERE status IN ('succeeded', 'failed', 'blocked', 'cancelled')"


@dataclass
class ChaoticNight:
    """The jobs, the worker that is started again whenever it ends, and how each job must end."""

    night: Night
    proxy: Proxy
    chance: random.Random
    clock: Clock | None
    disk: Path | None
    """A small file system that can be filled: where results come home."""
    expected: dict[int, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """What was done to it, in order."""
    sessions_ended: int = 0
    _worker: "subprocess.Popen[str] | None" = None

    def enqueue(self) -> None:
        """Transfers with two sets of hints, upscales, longer prompts, jobs that fail, those that wait, a schedule."""
        night, chance = self.night, self.chance
        plain = [self._plain(number) for number in range(PLAIN)]
        self._expect("succeeded", *plain)
        self._expect("succeeded", *self._upscales(chance.sample(plain, 4)))
        self._expect("succeeded", *night.enqueue_upsampled(*night.add("a short one", "another"), priority=1))
        self._expect("succeeded", *(job for (job,) in night.sql("SELECT id FROM jobs WHERE kind = 'upsample'")))
        blocked = [night.enqueue(f"{BLOCKED} {number}") for number in range(2)]
        doomed = [night.enqueue(f"{DOOMED} {number}") for number in range(2)]
        self._expect("blocked", *blocked)
        self._expect("failed", *doomed)
        self._expect("cancelled", *self._upscales([blocked[0], doomed[0]]))
        self._expect("succeeded", self._after(plain[0], Need.SUCCESS), self._after(doomed[1], Need.END))
        self._schedule()

    def _plain(self, number: int) -> int:
        priority = self.chance.choice((0, 0, 0, 1, 5))
        vis_weight = self.chance.choice((0.0, 0.0, 0.3))
        return self.night.enqueue(f"prompt {number}", priority=priority, vis_weight=vis_weight)

    def _after(self, job: int, need: Need) -> int:
        night = self.night
        wishes = wishes_for(night.ledger, night.add(f"{need} of {job}"), {"edge.weight": 0.5, "num_steps": 3})
        return enqueue(night.ledger, night.config.host(), wishes, now=now(), after={job: need})[0].id

    def _schedule(self) -> None:
        """One that is overdue, as after a time without a worker."""
        self.night.add("a scheduled one", name="scheduled")
        Shell(self.night.workspace.root).ok("schedule", "add", "hourly", "@hourly", "--", *SCHEDULED)
        with self.night.ledger.write() as session:
            session.execute(update(Schedule).values(done_until=now() - timedelta(hours=2)))

    def _upscales(self, sources: list[int]) -> list[int]:
        wishes = upscales_for(self.night.ledger, sources, {"num_steps": 2})
        return [answer.id for answer in enqueue(self.night.ledger, self.night.config.host(), wishes, now=now())]

    def _expect(self, status: str, *jobs: int) -> None:
        self.expected.update(dict.fromkeys(jobs, status))

    def run(self) -> None:
        """All mishaps, spread over the night, then peace until every job has ended."""
        kinds = self._mishaps()
        wanted = [*kinds, *self.chance.choices(kinds, k=MISHAPS - len(kinds))]
        self.chance.shuffle(wanted)
        for number, mishap in enumerate(wanted, start=1):
            self._go_on_until(number * len(self.expected) // (MISHAPS + 2))
            time.sleep(self.chance.random() * 0.2)
            self.told.append(f"{self._ended()} over: {mishap.__name__}")
            mishap()
        if self.clock is not None:
            self.clock.step(0)
        self._go_on_until(len(self.expected) + 1)
        self._end_worker()

    def _mishaps(self) -> list[Callable[[], None]]:
        always = [self.kill_worker, self.cut_link, self.reboot_box, self.kill_session]
        clock = [self.step_clock] if self.clock is not None else []
        return [*always, *clock, *([self.fill_disk] if self.disk is not None else [])]

    def kill_worker(self) -> None:
        worker = self._living()
        worker.kill()
        worker.wait()

    def cut_link(self) -> None:
        self.proxy.cut()

    def kill_session(self) -> None:
        for path in self._open_sessions():
            told = json.loads(path.read_text())
            for name in ("wrapper_pid", "pid"):
                self._kill(int(told[name]))

    def reboot_box(self) -> None:
        for path in self._open_sessions():
            told = json.loads(path.read_text())
            path.write_text(json.dumps({**told, "boot_id": "the boot before"}))
        self.kill_session()

    def step_clock(self) -> None:
        assert self.clock is not None
        self.clock.step(self.chance.choice(STEPS_S))

    def fill_disk(self) -> None:
        assert self.disk is not None
        filler = self.disk / "filler"
        with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
            while stream.write(b"x" * 4096):
                pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._living().wait(1.0)
        filler.unlink()

    def _open_sessions(self) -> Iterator[Path]:
        for path in self.night.box.glob("sessions/*/session.json"):
            if not (path.parent / "exit").exists():
                yield path

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self.sessions_ended += 1

    def _living(self) -> "subprocess.Popen[str]":
        if self._worker is None or self._worker.poll() is not None:
            environment = self.clock.environment if self.clock is not None else {}
            self._worker = self.night.worker(environment=environment)
            # What it says would fill the pipe, and it would wait for a reader.
            assert self._worker.stdout is not None
            threading.Thread(target=self._worker.stdout.read, daemon=True).start()
        return self._worker

    def _go_on_until(self, count: int) -> None:
        def is_reached() -> bool:
            self._living()
            return self._ended() >= count

        wait_for(is_reached, f"{count} jobs to be over after: {'; '.join(self.told)}")

    def _ended(self) -> int:
        ((count,),) = self.night.sql(OVER)
        return int(count)

    def _end_worker(self) -> None:
        worker = self._living()
        worker.send_signal(signal.SIGINT)
        assert worker.wait(60) == 0

    def check(self) -> None:
        """Every job has its one right outcome, and no good video was made twice."""
        night = self.night
        ((scheduled, label),) = night.sql("SELECT job_id, value FROM job_labels WHERE key = 'schedule'")
        assert label == "hourly"
        ends = dict(night.sql("SELECT id, status FROM jobs ORDER BY id"))
        assert ends == {**self.expected, scheduled: "succeeded"}
        succeeded = [job for job, status in ends.items() if status == "succeeded"]
        rows = dict(night.sql("SELECT job_id, count(*) FROM attempts WHERE status = 'succeeded' GROUP BY job_id"))
        assert rows == dict.fromkeys(succeeded, 1)
        assert night.sql("SELECT count(*) FROM attempts WHERE status = 'running'") == [(0,)]
        done = Counter(name for name, event in self._told_by_sessions() if event == "done")
        assert sorted(int(name.partition("-")[0]) for name in done.elements()) == sorted(succeeded)
        videos = [job for (job,) in night.sql("SELECT id FROM jobs WHERE kind != 'upsample' AND status = 'succeeded'")]
        assert all(night.video(job).is_file() for job in videos)
        # What was made to the last step when its session died, and not told, is no good video.
        assert len(videos) <= len(night.generations) <= len(videos) + self.sessions_ended
        assert night.session_pids() == []
        assert night.sql('SELECT count(*) FROM sessions WHERE "end" IS NULL') == [(0,)]

    def _told_by_sessions(self) -> Iterator[tuple[str, str]]:
        """(attempt, event) of all that sessions wrote, whether anybody read it or not."""
        for path in self.night.box.glob("sessions/*/events.jsonl"):
            for line in path.read_text().splitlines():
                told = json.loads(line)
                yield str(told.get("attempt")), str(told["event"])
