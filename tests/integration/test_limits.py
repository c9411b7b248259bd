"""Windows and limits with real workers and sessions: what starts, what does not, and when the worker ends."""

import re
from collections.abc import Callable
from datetime import timedelta

from cosmosq import jobs
from cosmosq.report.standing import standstill
from cosmosq.windows import parse_windows
from cosmosq.worker.limits import Limits
from tests.acceptance.command_line import Shell
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]

WINDOW_FROM_NOW = """
import sys, datetime
import cosmosq.cli.worker, cosmosq.worker
def at(seconds):
    return f"{{datetime.datetime.now() + datetime.timedelta(seconds=seconds):%H:%M:%S}}"
sys.argv += ["--window", at({begin}) + "-" + at({end})]"""
"""Run by a worker before all else: its window begins and ends so many seconds after it is up."""


def window(begin: float, end: float) -> str:
    return WINDOW_FROM_NOW.format(begin=begin, end=end)


def windows(begin_s: float, end_s: float) -> Limits:
    begin, end = (f"{(now() + timedelta(seconds=s)):%H:%M:%S}" for s in (begin_s, end_s))
    return Limits(windows={"sim": parse_windows(f"{begin}-{end}@UTC")})


def why(night: Night) -> str | None:
    """Why nothing starts."""
    with night.ledger.read() as session:
        found = standstill(session, "sim", now())
        return found.reason if found else None


def given_back(night: Night) -> list[str]:
    """Why jobs that were claimed were given back."""
    return [reason for (reason,) in night.sql("SELECT data ->> '$.reason' FROM events WHERE event = 'returned'")]


def alarms(night: Night) -> list[str]:
    return [text for (text,) in night.sql("SELECT text FROM alarms WHERE occasion = 'window_ended'")]


def test_nothing_starts_before_the_window_opens(make: MakeNight) -> None:
    night = make()
    night.enqueue()
    worker = night.worker(first=window(3, 300))
    wait_for(lambda: why(night), "the reason why nothing starts")
    opens_at = night.sql("SELECT until_at FROM standstills")[0][0]
    wait_for(lambda: night.statuses() == ["succeeded"], "the job")
    assert night.sql("SELECT started_at FROM jobs")[0][0] >= opens_at
    wait_for(lambda: why(night) is None, "the end of the standstill")
    assert worker.poll() is None, "a worker with a window goes on"


def test_at_the_end_of_the_window_what_runs_is_finished_and_the_gpu_is_free(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    for seed in range(3):
        night.enqueue(seed=seed, num_steps=1000 if seed == 0 else 3)
    first = night.worker()
    wait_for(lambda: night.job(1)["step"], "the first step")
    first.kill()
    second = night.worker(first=window(-60, 3))
    wait_for(lambda: (why(night) or "").startswith("outside the window until "), "the end of the window")
    wait_for(lambda: night.statuses() == ["running", "queued", "queued"], "those in the inbox to be given back")
    assert [night.job(job_id)["attempt"] for job_id in (1, 2, 3)] == [1, 0, 0]
    assert len(night.session_pids()) == 1
    assert alarms(night) == [], "its numbers are not yet known"
    jobs.cancel(night.ledger, [1], now())
    wait_for(lambda: alarms(night), "the end of the night")
    assert night.session_pids() == []
    assert "1 cancelled, 2 still queued, GPU time " in alarms(night)[0]
    wait_for(lambda: "outside" in (why(night) or ""), "the reason")
    assert second.poll() is None
    assert len(alarms(night)) == 1


def test_a_job_that_is_too_long_for_the_window_waits_and_a_shorter_one_goes_first(make: MakeNight) -> None:
    night = make()
    night.enqueue()
    night.work()
    with night.ledger.write() as session:
        # A step of a clip takes a hundred seconds, and fifty once the shorter one has been made in no time.
        session.connection().exec_driver_sql("UPDATE attempts SET generate_s = 600")
    long, short = night.enqueue(seed=2, num_steps=20), night.enqueue(seed=3)
    night.work(limits=windows(-60, 1500))
    assert (night.job(long)["status"], night.job(short)["status"]) == ("queued", "succeeded")
    night.work(limits=windows(-60, 3600))
    assert night.job(long)["status"] == "succeeded"


def test_what_waits_behind_a_job_that_turns_out_longer_is_taken_back(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    night.enqueue()
    night.work()
    for seed in (2, 3):
        night.enqueue(seed=seed, num_steps=1000 if seed == 2 else 3)
    night.worker(first=f"{window(-60, 3600)}; import cosmosq.worker.account as account; account.TEMPO_S = 0")
    wait_for(lambda: night.job(2)["step"] and night.job(3)["phase"] == "waiting", "the second job in the inbox")
    with night.ledger.write() as session:
        session.connection().exec_driver_sql("UPDATE attempts SET generate_s = 600 WHERE job_id = 1")
    wait_for(lambda: night.statuses() == ["succeeded", "running", "queued"], "it to be given back")
    assert given_back(night)[0].startswith("job 3 would end after the window, which ends at ")
    wait_for(lambda: (why(night) or "").startswith("job 3 takes about 10:00 and would end after"), "the reason")


def test_a_worker_that_has_begun_enough_jobs_ends_and_may_repeat_them(make: MakeNight) -> None:
    night = make(faults=[{"do": "crash", "match": "cursed", "step": 2, "times": 1}])
    night.enqueue("cursed")
    for seed in range(3):
        night.enqueue(seed=seed)
    night.work(until_empty=False, limits=Limits(max_jobs=2))
    assert night.statuses() == ["succeeded", "succeeded", "queued", "queued"]
    assert night.job(1)["attempt"] == 2
    assert why(night) == "--max-jobs 2 is reached"
    assert night.session_pids() == []


def test_a_worker_that_has_spent_its_budget_ends(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05}, host={"price_per_hour": 3600, "currency": "EUR"})
    for seed in range(6):
        night.enqueue(seed=seed, num_steps=20)
    night.work(until_empty=False, limits=Limits(budget=4.0, currency="EUR"))
    assert night.statuses()[-1] == "queued"
    assert "running" not in night.statuses()
    assert re.match(r"budget of 4 EUR spent|job \d costs about", why(night) or "")
    assert night.session_pids() == []


def test_what_would_cost_too_much_is_not_begun(make: MakeNight) -> None:
    night = make(host={"price_per_hour": 3600, "currency": "EUR"})
    night.enqueue()
    night.work()
    with night.ledger.write() as session:
        session.connection().exec_driver_sql("UPDATE attempts SET generate_s = 600")
        session.connection().exec_driver_sql("UPDATE sessions SET load_s = 0")
    night.enqueue(seed=2)
    night.work(until_empty=False, limits=Limits(budget=599, currency="EUR"))
    assert night.statuses() == ["succeeded", "queued"]
    assert why(night) == "job 2 costs about 600.00 EUR, 599.00 of the budget of 599 EUR are left"
    night.work(until_empty=False, limits=Limits(max_gpu_hours=0.16))
    assert night.statuses() == ["succeeded", "queued"]
    assert why(night) == "job 2 takes about 0.17 GPU hours, 0.16 of --max-gpu-hours 0.16 are left"


def test_after_its_time_a_worker_starts_nothing_and_ends_when_it_is_idle(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05})
    for seed in range(8):
        night.enqueue(seed=seed, num_steps=20)
    until = now() + timedelta(seconds=4)
    night.work(until_empty=False, limits=Limits(until=until))
    assert night.statuses()[-1] == "queued"
    assert "running" not in night.statuses()
    assert all(job["started_at"] < until for job_id in range(1, 9) if (job := night.job(job_id))["started_at"])
    assert any(reason.startswith("--until ") for reason in given_back(night)), "the next ones were in the inbox"
    assert night.session_pids() == []
    assert (why(night) or "").startswith("--until ")


def test_until_empty_ends_when_nothing_may_start(make: MakeNight) -> None:
    night = make()
    night.enqueue()
    night.work(limits=windows(3600, 7200))
    assert night.statuses() == ["queued"]
    assert why(night) is None, "the worker that could not start anything is gone"


def test_run_heeds_no_window_but_does_not_wait_for_a_worker_that_does(make: MakeNight) -> None:
    begin, end = (f"{(now() + timedelta(hours=hours)):%H:%M}" for hours in (1, 2))
    night = make(host={"window": f"{begin}-{end}@UTC"})
    shell = Shell(night.workspace.root)
    kitchen, harbour = night.add("a kitchen", "a harbour")
    edge = ("-s", "edge.weight=1", "-s", "num_steps=3")
    assert "skipped" not in shell.ok("run", kitchen, *edge).err, "there is nothing to tell of"
    assert night.statuses() == ["succeeded"]
    worker = night.worker()
    wait_for(lambda: why(night), "the reason why nothing starts")
    answer = shell.run("run", harbour, *edge)
    assert answer.code == 4
    assert f"the worker with pid {worker.pid} serves sim and starts nothing: outside the window until " in answer.err
    assert night.statuses() == ["succeeded", "queued"]
    assert "sim: nothing starts: outside the window until " in shell.ok("status").err
