"""The moves of jobs on a real ledger: which work, which are refused, and that nobody claims or finishes twice."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from cosmosq import claims, jobs, waiting
from cosmosq.claims import Claim, Outcome
from cosmosq.db import Ledger
from cosmosq.errors import CosmosqError, MoveRefused, StaleClaim
from cosmosq.models import Attempt, Dependency, Event, Job, JobInput, JobLabel, Measurement, Video
from cosmosq.retries import Repeat
from cosmosq.status import ENDED, MOVES, Phase, Status
from tests.acceptance.command_line import rows
from tests.ledger_rows import NOW, make_artifact, make_attempt, make_ended_job, make_job, make_ledger

LATER = NOW + timedelta(minutes=5)


def _job(ledger: Ledger, job_id: int) -> Job:
    with ledger.read() as session:
        return session.get_one(Job, job_id)


def _attempts(ledger: Ledger, job_id: int) -> list[Attempt]:
    with ledger.read() as session:
        return list(session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)))


def _events(ledger: Ledger, job_id: int) -> list[str]:
    with ledger.read() as session:
        return list(session.scalars(select(Event.event).where(Event.job_id == job_id).order_by(Event.id)))


def _add(ledger: Ledger, count: int = 1, **overrides: Any) -> list[int]:
    with ledger.write() as session:
        return [make_job(session, **overrides).id for _ in range(count)]


def _chain(ledger: Ledger, *statuses: Status) -> list[int]:
    """Jobs of which each depends on the one before it."""
    with ledger.write() as session:
        ids = [make_job(session, status=status).id for status in statuses]
        session.add_all(Dependency(job_id=b, depends_on_id=a) for a, b in pairwise(ids))
    return ids


def _claim(
    ledger: Ledger, owner: str = "me", *, host: str = "sim", only: list[int] | None = None, now: datetime = NOW
) -> Claim | None:
    return claims.claim(ledger, host, owner, simulated=True, now=now, only=only)


def _claimed(ledger: Ledger, owner: str = "me", only: list[int] | None = None) -> Claim:
    claim = _claim(ledger, owner, only=only)
    assert claim is not None
    return claim


def _finish(
    ledger: Ledger, claim: Claim, status: Status, *, retries: int = 0, backoff_s: float = 0, **more: Any
) -> Status:
    outcome = Outcome(status=status, **more)
    return claims.finish(ledger, claim, outcome, retries=retries, backoff_s=backoff_s, now=LATER)


# Every pair of statuses

Act = Callable[[Ledger, Claim], object]


def _start(ledger: Ledger, claim: Claim) -> None:
    if _claim(ledger, only=[claim.job_id]) is None:
        raise MoveRefused("nothing to claim")


def _end(status: Status) -> Act:
    return lambda ledger, claim: _finish(ledger, claim, status)


WAYS: dict[Status, list[Act]] = {
    Status.HELD: [lambda ledger, claim: jobs.hold(ledger, [claim.job_id], LATER)],
    Status.QUEUED: [
        lambda ledger, claim: jobs.release(ledger, [claim.job_id], LATER),
        lambda ledger, claim: jobs.retry(ledger, [claim.job_id], LATER),
        lambda ledger, claim: _finish(ledger, claim, Status.FAILED, retries=1, repeat=Repeat.COUNTED),
    ],
    Status.RUNNING: [_start],
    Status.SUCCEEDED: [_end(Status.SUCCEEDED)],
    Status.FAILED: [_end(Status.FAILED)],
    Status.BLOCKED: [_end(Status.BLOCKED)],
    # Asking to cancel a running job moves nothing yet; its session's word does.
    Status.CANCELLED: [
        lambda ledger, claim: jobs.cancel(ledger, [claim.job_id], LATER)[0] or _end(Status.CANCELLED)(ledger, claim),
    ],
}
"""Everything that may bring a job to a status."""


def _at(ledger: Ledger, status: Status) -> Claim:
    """A job of that status with an attempt, and the claim of whoever held or holds it."""
    ours: dict[str, Any] = {"lease_owner": "me"} if status == Status.RUNNING else {}
    with ledger.write() as session:
        job = make_job(session, status=status, ended_at=NOW if status in ENDED else None, **ours)
        attempt = make_attempt(session, job, phase=Phase.GENERATING)
        session.flush()
        return Claim(job_id=job.id, attempt_id=attempt.id, number=job.attempt, owner="me", host="sim")


@pytest.mark.parametrize("source", Status)
@pytest.mark.parametrize("target", Status)
def test_an_allowed_move_works_and_every_other_is_refused_and_changes_nothing(
    tmp_path: Path, source: Status, target: Status
) -> None:
    moved = []
    for number, act in enumerate(WAYS[target]):
        ledger = make_ledger(tmp_path / f"{number}.db")
        claim = _at(ledger, source)
        before = rows(ledger.path)
        try:
            act(ledger, claim)
        except (MoveRefused, StaleClaim):
            assert rows(ledger.path) == before
            moved.append(False)
        else:
            assert _job(ledger, claim.job_id).status == target
            assert _events(ledger, claim.job_id)[-1] == target
            moved.append(True)
        ledger.close()
    assert any(moved) == (target in MOVES[source])


@pytest.mark.parametrize("act", [jobs.hold, jobs.release, jobs.retry, jobs.cancel])
def test_several_moves_are_all_made_or_none(ledger: Ledger, act: Callable[..., object]) -> None:
    fitting = {"hold": "queued", "release": "held", "retry": "failed", "cancel": "held"}[act.__name__]
    with ledger.write() as session:
        ids = [make_job(session, status=status).id for status in (fitting, "succeeded", fitting)]
    before = rows(ledger.path)
    with pytest.raises(MoveRefused, match=f"job {ids[1]} is succeeded and cannot become .*--again` repeats it"):
        act(ledger, ids, LATER)
    assert rows(ledger.path) == before


@pytest.mark.parametrize("act", [jobs.hold, jobs.release, jobs.retry, jobs.cancel])
def test_a_job_that_does_not_exist_is_not_moved(ledger: Ledger, act: Callable[..., object]) -> None:
    with pytest.raises(MoveRefused):
        act(ledger, [99], LATER)


# Claims


def test_the_highest_priority_goes_first_and_the_oldest_within_it(ledger: Ledger) -> None:
    with ledger.write() as session:
        ids = [make_job(session, priority=priority).id for priority in (0, 5, 0, -1, 5)]
    claimed = []
    while claim := _claim(ledger):
        claimed.append(claim.job_id)
    assert claimed == [ids[1], ids[4], ids[0], ids[2], ids[3]]


def test_a_claim_says_who_holds_the_job_until_when(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    claim = _claimed(ledger)
    expected = Claim(job_id=job_id, attempt_id=claim.attempt_id, number=1, owner="me", host="sim", key="0" * 64)
    assert claim == expected
    assert claim.name == f"{job_id}-1"
    job, (attempt,) = _job(ledger, job_id), _attempts(ledger, job_id)
    assert (job.status, job.lease_owner, job.started_at) == ("running", "me", NOW)
    assert (attempt.status, attempt.phase, attempt.simulated) == ("running", "preparing", True)


@pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
def test_only_queued_jobs_are_claimed(ledger: Ledger, status: Status) -> None:
    _add(ledger, status=status)
    assert waiting.next_in_line(ledger, "sim", now=NOW) is None
    assert _claim(ledger) is None


def test_a_worker_claims_the_jobs_of_its_host_and_of_its_list_alone(ledger: Ledger) -> None:
    (other,) = _add(ledger, host="gpu")
    first, second = _add(ledger, 2)
    assert _claimed(ledger, only=[second, other]).job_id == second
    assert _claimed(ledger).job_id == first
    assert _claim(ledger) is None
    found = waiting.next_in_line(ledger, "gpu", now=NOW)
    assert found is not None
    assert found.id == other


def test_a_job_waits_for_the_one_it_depends_on(ledger: Ledger) -> None:
    first, second = _chain(ledger, Status.QUEUED, Status.QUEUED)
    claim = _claimed(ledger)
    assert claim.job_id == first
    assert _claim(ledger) is None
    _finish(ledger, claim, Status.SUCCEEDED)
    assert _claimed(ledger).job_id == second


def test_threads_that_claim_at_once_never_get_the_same_job(ledger: Ledger) -> None:
    ids = _add(ledger, 80)
    start, began = threading.Barrier(4), threading.Barrier(4)
    taken: list[list[int]] = [[] for _ in range(4)]

    def take(number: int) -> None:
        start.wait()
        while claim := _claim(ledger, f"thread {number}"):
            taken[number].append(claim.job_id)
            if len(taken[number]) == 1:
                # SQLite gives the lock to whoever asks first: one of them could take all.
                began.wait()

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job_id for own in taken for job_id in own) == ids
    assert all(taken)


def test_a_job_whose_source_failed_is_retried_only_together_with_it(ledger: Ledger) -> None:
    source, dependent = _add(ledger, 2)
    with ledger.write() as session:
        session.add(Dependency(job_id=dependent, depends_on_id=source))
    jobs.cancel(ledger, [source], NOW)
    with pytest.raises(MoveRefused, match=f"`cosmosq retry {source} {dependent}` retries both"):
        jobs.retry(ledger, [dependent], NOW)
    assert jobs.retry(ledger, [dependent, source], NOW) == [dependent, source]


def test_retrying_a_job_queues_again_what_was_cancelled_for_want_of_it_and_nothing_else(ledger: Ledger) -> None:
    source, dependent, by_hand = _add(ledger, 3)
    with ledger.write() as session:
        session.add_all(Dependency(job_id=job_id, depends_on_id=source) for job_id in (dependent, by_hand))
    jobs.cancel(ledger, [by_hand], NOW)
    jobs.cancel(ledger, [source], NOW)
    assert jobs.retry(ledger, [source], NOW) == [source, dependent]
    assert [_job(ledger, job_id).status for job_id in (source, dependent, by_hand)] == ["queued", "queued", "cancelled"]


CLAIM_ALL = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cosmosq import claims
from cosmosq.db import Ledger

ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
while claim := claims.claim(ledger, "sim", sys.argv[2], simulated=True, now=datetime.now(UTC)):
    print(claim.job_id)
ledger.close()
"""


def test_processes_that_claim_at_once_never_get_the_same_job(ledger: Ledger) -> None:
    ids = _add(ledger, 80)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM_ALL, str(ledger.path), f"process {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    taken = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        taken.append([int(line) for line in out.splitlines()])
    assert sorted(job_id for own in taken for job_id in own) == ids


# Which one next


def _next(ledger: Ledger, open_key: str | None = None, max_overtake: int = 9, now: datetime = NOW) -> int | None:
    found = waiting.next_in_line(ledger, "sim", now=now, open_key=open_key, max_overtake=max_overtake)
    return found.id if found else None


def test_the_open_sessions_key_is_preferred_within_a_priority_until_the_oldest_was_overtaken_so_often(
    ledger: Ledger,
) -> None:
    with ledger.write() as session:
        urgent, old, *young = [
            make_job(session, priority=priority, session_key=key).id
            for priority, key in ((1, "c"), (0, "a"), (0, "b"), (0, "b"), (0, "b"), (0, "b"))
        ]
    assert _next(ledger, "b") == urgent
    _claimed(ledger, only=[urgent])
    assert _next(ledger) == _next(ledger, "z") == _next(ledger, "a") == old
    for job_id in young[:2]:
        assert _next(ledger, "b", max_overtake=2) == job_id
        _claimed(ledger, only=[job_id])
    assert _next(ledger, "b", max_overtake=2) == old
    assert _next(ledger, "b", max_overtake=3) == young[2]


def test_only_those_overtake_that_began_since_a_job_was_queued_again(ledger: Ledger) -> None:
    with ledger.write() as session:
        old = make_job(session, session_key="a").id
        ended = make_ended_job(session, session_key="b", started_at=NOW).id
        young = make_job(session, session_key="b").id
    assert _next(ledger, "b", max_overtake=1) == old, f"job {ended} has overtaken it"
    jobs.hold(ledger, [old], LATER)
    jobs.release(ledger, [old], LATER)
    assert _next(ledger, "b", max_overtake=1) == young


def test_a_job_is_not_started_before_it_is_due(ledger: Ledger) -> None:
    early, late = _add(ledger), _add(ledger, due_at=LATER, priority=5)
    assert _next(ledger) == early[0]
    assert _claimed(ledger).job_id == early[0]
    assert (_next(ledger), _claim(ledger)) == (None, None)
    assert not waiting.is_empty(ledger, "sim")
    assert _next(ledger, now=LATER) == late[0]


def test_which_job_is_next_among_ten_thousand_is_told_at_once(ledger: Ledger) -> None:
    with ledger.write() as session:
        first = make_job(session, session_key="a")
        row = {c.name: getattr(first, c.name) for c in Job.__table__.columns if c.name != "id"}
        session.execute(insert(Job), [{**row, "session_key": "abcd"[number % 4]} for number in range(10_000)])
    plan = "EXPLAIN QUERY PLAN SELECT id FROM jobs WHERE host = 'sim' AND status = 'queued' AND priority = 0 {} LIMIT 1"
    for condition, index in (
        ("ORDER BY priority DESC, position, id", "ix_jobs_host_status_priority_position"),
        ("AND session_key = 'b' ORDER BY position, id", "ix_jobs_host_status_priority_session_key_position"),
    ):
        with ledger.read() as session:
            steps = [str(row[3]) for row in session.execute(text(plan.format(condition)))]
        assert len(steps) == 1, "it sorts"
        assert index in steps[0]
    began = time.perf_counter()
    for _ in range(20):
        assert _next(ledger, "d") == 5
    assert time.perf_counter() - began < 2


# Ends


def test_finishing_happens_exactly_once_whoever_tries(ledger: Ledger) -> None:
    _add(ledger)
    claim = _claimed(ledger)
    start = threading.Barrier(4)
    ends: list[Status] = []
    refusals: list[str] = []

    def finish(status: Status) -> None:
        start.wait()
        try:
            ends.append(_finish(ledger, claim, status))
        except StaleClaim as error:
            refusals.append(str(error))

    wanted = [Status.SUCCEEDED, Status.FAILED, Status.BLOCKED, Status.CANCELLED]
    threads = [threading.Thread(target=finish, args=(status,)) for status in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals == [f"job {claim.job_id} is no longer ours: another worker took it or it has ended"] * 3
    assert ends == [_job(ledger, claim.job_id).status] == [_attempts(ledger, claim.job_id)[0].status]
    assert [event for event in _events(ledger, claim.job_id) if event in ENDED] == ends


@pytest.mark.parametrize(
    "act",
    [
        lambda ledger, claim: _finish(ledger, claim, Status.SUCCEEDED),
        lambda ledger, claim: claims.enter(ledger, claim, Phase.UPLOADING, LATER),
        lambda ledger, claim: claims.bind(ledger, claim, "session-1"),
    ],
    ids=["finish", "enter", "bind"],
)
def test_only_the_owner_of_the_claim_writes_to_the_attempt(ledger: Ledger, act: Act) -> None:
    _add(ledger)
    claim = _claimed(ledger)
    (adopted,) = claims.adopt(ledger, "sim", "someone else", now=LATER)
    before = rows(ledger.path)
    with pytest.raises(StaleClaim, match=f"job {claim.job_id} is no longer ours"):
        act(ledger, claim)
    assert rows(ledger.path) == before
    assert _finish(ledger, adopted, Status.SUCCEEDED) == Status.SUCCEEDED


def test_an_attempt_of_the_past_cannot_end_the_present_one(ledger: Ledger) -> None:
    _add(ledger)
    old = _claimed(ledger)
    _finish(ledger, old, Status.FAILED, retries=1, repeat=Repeat.COUNTED)
    new = _claimed(ledger)
    assert (old.name, new.name) == (f"{old.job_id}-1", f"{old.job_id}-2")
    with pytest.raises(StaleClaim):
        _finish(ledger, old, Status.SUCCEEDED)
    assert _finish(ledger, new, Status.SUCCEEDED) == Status.SUCCEEDED


def test_a_success_is_recorded_whole(ledger: Ledger) -> None:
    _add(ledger)
    claim = _claimed(ledger)
    video = {"kind": "video", "path": "outputs/a/output.mp4", "sha256": "1" * 64, "bytes": 5, "frames": 12}
    _finish(ledger, claim, Status.SUCCEEDED, generate_s=3.5, artifacts=(video,))
    job, (attempt,) = _job(ledger, claim.job_id), _attempts(ledger, claim.job_id)
    assert (job.status, job.ended_at, job.lease_owner) == ("succeeded", LATER, None)
    assert (attempt.status, attempt.ended_at, attempt.generate_s) == ("succeeded", LATER, 3.5)
    artifacts = rows(ledger.path)["artifacts"]
    assert [row[:7] for row in artifacts] == [(1, attempt.id, "video", "outputs/a/output.mp4", "1" * 64, 5, 1)]


def test_a_failure_that_cannot_be_stored_whole_is_not_stored_at_all(ledger: Ledger) -> None:
    _add(ledger)
    claim = _claimed(ledger)
    before = rows(ledger.path)
    twice = {"kind": "log", "path": "a", "sha256": "1" * 64, "bytes": 5}
    with pytest.raises(Exception, match="UNIQUE constraint failed"):
        _finish(ledger, claim, Status.FAILED, artifacts=(twice, twice))
    assert rows(ledger.path) == before


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_failure_that_may_be_cured_is_repeated_so_often_and_no_more(ledger: Ledger, retries: int) -> None:
    (job_id,) = _add(ledger)
    ends = []
    while claim := _claim(ledger):
        ends.append(_finish(ledger, claim, Status.FAILED, retries=retries, repeat=Repeat.COUNTED, error="crashed"))
    assert ends == [Status.QUEUED] * retries + [Status.FAILED]
    job = _job(ledger, job_id)
    assert (job.attempt, job.failures, job.error) == (retries + 1, retries + 1, "crashed")
    assert [attempt.status for attempt in _attempts(ledger, job_id)] == ["failed"] * (retries + 1)


def test_a_failure_that_nothing_cures_is_final_at_once(ledger: Ledger) -> None:
    _add(ledger)
    assert _finish(ledger, _claimed(ledger), Status.FAILED, retries=5) == Status.FAILED


def test_an_error_that_does_not_count_is_repeated_however_often(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    for _ in range(5):
        claim = _claimed(ledger)
        assert _finish(ledger, claim, Status.FAILED, error="lost", repeat=Repeat.UNCOUNTED) == Status.QUEUED
    assert (_job(ledger, job_id).failures, _job(ledger, job_id).due_at) == (0, None)


def test_after_a_crash_a_job_waits_twice_as_long_each_time(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    pauses = []
    for _ in range(3):
        claim = _claim(ledger, now=LATER + timedelta(days=1))
        assert claim is not None
        _finish(ledger, claim, Status.FAILED, retries=9, backoff_s=30, error="crashed", repeat=Repeat.BACKOFF)
        due_at = _job(ledger, job_id).due_at
        assert due_at is not None
        pauses.append((due_at - LATER).total_seconds())
    assert pauses == [30, 60, 120]
    assert _claim(ledger) is None


# Giving back


def test_a_claim_that_is_given_back_leaves_no_attempt_and_uses_up_no_number(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    _finish(ledger, _claimed(ledger), Status.FAILED, retries=9, error="crashed", repeat=Repeat.COUNTED)
    before = _job(ledger, job_id)
    claim = _claimed(ledger)
    claims.enter(ledger, claim, Phase.WAITING, LATER)
    assert claims.give_back(ledger, claim, "overtaken", LATER) == Status.QUEUED
    job = _job(ledger, job_id)
    assert (job.status, job.attempt, job.failures, job.started_at, job.lease_owner) == ("queued", 1, 1, NOW, None)
    assert (job.error, job.due_at) == (before.error, before.due_at)
    assert len(_attempts(ledger, job_id)) == 1
    assert _events(ledger, job_id)[-2:] == ["returned", "queued"]
    with pytest.raises(StaleClaim):
        claims.give_back(ledger, claim, "overtaken", LATER)
    assert _claimed(ledger).number == 2


def test_a_claimed_job_that_has_not_begun_is_held_once_it_is_given_back(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    claim = _claimed(ledger)
    assert jobs.hold(ledger, [job_id], LATER) == ([], [job_id])
    assert claims.wanted_otherwise(ledger, [job_id]) == {job_id: "hold"}
    assert claims.give_back(ledger, claim, "to be held", LATER) == Status.HELD
    assert (_job(ledger, job_id).status, _job(ledger, job_id).hold_requested_at) == ("held", None)
    assert jobs.release(ledger, [job_id], LATER) == [job_id]


def test_a_claimed_job_that_is_cancelled_and_given_back_is_cancelled(ledger: Ledger) -> None:
    first, second = _chain(ledger, Status.QUEUED, Status.QUEUED)
    claim = _claimed(ledger)
    jobs.cancel(ledger, [first], LATER)
    assert claims.wanted_otherwise(ledger, [first, second]) == {first: "cancel"}
    assert claims.give_back(ledger, claim, "overtaken", LATER) == Status.CANCELLED
    assert [_job(ledger, job_id).status for job_id in (first, second)] == ["cancelled"] * 2


def test_a_job_that_was_to_be_cancelled_is_not_repeated(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    claim = _claimed(ledger)
    assert jobs.cancel(ledger, [job_id], LATER) == ([], [job_id])
    assert claims.wanted_otherwise(ledger, [job_id]) == {job_id: "cancel"}
    assert _job(ledger, job_id).status == "running"
    assert _finish(ledger, claim, Status.FAILED, retries=5, repeat=Repeat.COUNTED) == Status.CANCELLED


def test_a_retry_forgives_the_failures_and_keeps_the_attempts(ledger: Ledger) -> None:
    (job_id,) = _add(ledger)
    _finish(ledger, _claimed(ledger), Status.FAILED, error="crashed", message="why")
    jobs.retry(ledger, [job_id], LATER)
    job = _job(ledger, job_id)
    assert (job.status, job.failures, job.error, job.message, job.ended_at) == ("queued", 0, None, None, None)
    assert _claimed(ledger).number == 2
    assert [attempt.status for attempt in _attempts(ledger, job_id)] == ["failed", "running"]


# Dependents


@pytest.mark.parametrize("end", [Status.FAILED, Status.BLOCKED, Status.CANCELLED])
def test_whoever_waits_for_a_job_without_success_is_cancelled_with_the_reason(ledger: Ledger, end: Status) -> None:
    first, second, third = _chain(ledger, Status.QUEUED, Status.HELD, Status.QUEUED)
    _finish(ledger, _claimed(ledger), end)
    for job_id, cause in ((second, first), (third, second)):
        job = _job(ledger, job_id)
        assert (job.status, job.error) == ("cancelled", "dependency")
        assert job.message == f"job {cause}, which it depends on, did not succeed"


def test_dependents_wait_on_while_their_job_is_repeated(ledger: Ledger) -> None:
    _, second = _chain(ledger, Status.QUEUED, Status.QUEUED)
    _finish(ledger, _claimed(ledger), Status.FAILED, retries=1, repeat=Repeat.COUNTED)
    assert _job(ledger, second).status == "queued"


@pytest.mark.parametrize("backwards", [False, True])
def test_a_job_and_its_dependents_are_cancelled_in_one_go(ledger: Ledger, backwards: bool) -> None:
    ids = _chain(ledger, Status.QUEUED, Status.HELD, Status.QUEUED)
    named = ids[::-1] if backwards else ids
    assert jobs.cancel(ledger, named, LATER) == (named, [])
    assert [_job(ledger, job_id).status for job_id in ids] == ["cancelled"] * 3


# Phases, leases, taking over


def test_the_seconds_of_each_phase_are_booked(ledger: Ledger) -> None:
    _add(ledger)
    claim = _claimed(ledger)
    for seconds, phase in ((3, Phase.UPLOADING), (4, Phase.WAITING), (10, Phase.GENERATING), (5, Phase.GENERATING)):
        claims.enter(ledger, claim, phase, NOW + timedelta(seconds=seconds))
    _finish(ledger, claim, Status.SUCCEEDED)
    (attempt,) = _attempts(ledger, claim.job_id)
    assert (attempt.preparing_s, attempt.uploading_s, attempt.waiting_s) == (3, 1, 6)
    assert attempt.generating_s == (LATER - NOW).total_seconds() - 10


def test_a_clock_that_is_set_back_books_no_negative_seconds(ledger: Ledger) -> None:
    _add(ledger)
    claim = _claimed(ledger)
    claims.enter(ledger, claim, Phase.UPLOADING, NOW - timedelta(hours=1))
    assert _attempts(ledger, claim.job_id)[0].preparing_s == 0


def test_running_jobs_of_a_host_are_taken_over_where_they_are(ledger: Ledger) -> None:
    _add(ledger)
    _add(ledger, host="gpu")
    claim = _claimed(ledger)
    _claim(ledger, host="gpu")
    (adopted,) = claims.adopt(ledger, "sim", "new", now=LATER)
    assert (adopted.job_id, adopted.attempt_id, adopted.number) == (claim.job_id, claim.attempt_id, 1)
    assert adopted.owner == _job(ledger, claim.job_id).lease_owner == "new"
    assert len(_attempts(ledger, claim.job_id)) == 1
    assert _events(ledger, claim.job_id) == ["running", "adopted"]


# Removal


def test_a_removed_job_leaves_no_row_anywhere_and_its_neighbour_all(ledger: Ledger) -> None:
    def fill() -> int:
        with ledger.write() as session:
            job = make_ended_job(session, labels={"night": "1"})
            attempt = session.scalars(select(Attempt).where(Attempt.job_id == job.id)).one()
            artifact = make_artifact(session, attempt, kind="log")
            session.merge(
                Video(
                    sha256="1" * 64, path="a", bytes=1, width=1, height=1, fps=1, frames=1, duration_s=1, created_at=NOW
                )
            )
            session.flush()
            session.add_all(
                [
                    JobInput(job_id=job.id, role="input", sha256="1" * 64, path="a"),
                    Measurement(artifact_id=artifact.id, name="psnr", value=1.0, created_at=NOW),
                    Event(at=NOW, event="phase", job_id=job.id, attempt_id=attempt.id, data={}),
                ]
            )
            return job.id

    kept = fill()
    before = rows(ledger.path)
    job_id = fill()
    jobs.remove(ledger, [job_id])
    after = rows(ledger.path)
    assert {name: found for name, found in after.items() if name != "sqlite_sequence"} == {
        name: found for name, found in before.items() if name != "sqlite_sequence"
    }
    with ledger.read() as session:
        assert session.scalars(select(JobLabel.job_id)).all() == [kept]
    assert _add(ledger) == [job_id + 1], "an id is never used again"


def test_a_running_job_and_one_that_is_needed_are_not_removed(ledger: Ledger) -> None:
    first, second = _chain(ledger, Status.QUEUED, Status.QUEUED)
    (running,) = _add(ledger, status=Status.RUNNING)
    before = rows(ledger.path)
    refusals = {
        (second, running): f"job {running} is running: `cosmosq cancel {running}` first",
        (first,): f"job {first} is what job {second} depends on: remove that one too",
    }
    for ids, message in refusals.items():
        with pytest.raises(CosmosqError) as refused:
            jobs.remove(ledger, ids)
        assert str(refused.value) == message
        assert rows(ledger.path) == before
    jobs.remove(ledger, [first, second])
    assert [row[0] for row in rows(ledger.path)["jobs"]] == [running]
