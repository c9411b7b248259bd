"""What a host still has before it, from what was made there."""

import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.engines.engine import text_digest
from cosmosq.models import Job
from cosmosq.report.outlook import Outlook, Rules, hosts, outlook
from cosmosq.status import Phase, Status
from cosmosq.windows import parse_windows
from tests.ledger_rows import NOW, make_attempt, make_ended_job, make_job, make_session

TEN_STEPS = {"num_steps": 10}
KEY = text_digest("{}")


def _job(session: Session, key: str = KEY, **overrides: Any) -> Job:
    return make_job(session, parameters=TEN_STEPS, session_key=key, **overrides)


def _look(ledger: Ledger, **options: Any) -> Outlook:
    with ledger.read() as session:
        return outlook(session, "sim", max_overtake=100, now=NOW, **options)


def _seconds(found: Outlook) -> dict[int, float]:
    return {job_id: (at - NOW).total_seconds() for job_id, at in found.expected_at.items()}


def _past(session: Session) -> None:
    """A video of ten steps in a hundred seconds, by a session that loaded for forty."""
    gone = make_session(session, load_s=40.0, end="exited 0")
    make_ended_job(session, parameters=TEN_STEPS, attempt={"generate_s": 100.0, "session_id": gone.id})


def test_nothing_is_known_before_the_first_video(ledger: Ledger) -> None:
    with ledger.write() as session:
        _job(session)
    found = _look(ledger)
    assert (found.queued, found.loads, found.left_s, found.ends_at, found.expected_at) == (1, 1, None, None, {})


def test_one_slow_video_and_one_slow_load_do_not_make_the_host_slow(ledger: Ledger) -> None:
    with ledger.write() as session:
        for load_s, generate_s in ((40.0, 100.0), (400.0, 9000.0), (40.0, 100.0)):
            gone = make_session(session, load_s=load_s, end="exited 0")
            attempt = {"generate_s": generate_s, "session_id": gone.id}
            make_ended_job(session, parameters=TEN_STEPS, attempt=attempt)
        job = _job(session)
    assert _seconds(_look(ledger)) == {job.id: 140}


def test_a_load_is_counted_once_for_all_that_share_it(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        first, other, second = (_job(session, key) for key in ("a", "b", "a"))
    found = _look(ledger)
    assert _seconds(found) == {first.id: 140, second.id: 240, other.id: 380}
    assert (found.loads, found.left_s, found.ends_at) == (2, 380, NOW + timedelta(seconds=380))


def test_an_open_session_spares_a_load_and_what_runs_is_half_done(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        current = make_session(session)
        running = _job(session, status=Status.RUNNING)
        half = {"phase": Phase.GENERATING, "session_id": current.id, "clip": 1, "clips": 1, "step": 5, "steps": 10}
        make_attempt(session, running, **half)
        waiting = _job(session, status=Status.RUNNING)
        make_attempt(session, waiting, phase=Phase.WAITING, session_id=current.id)
        queued = _job(session)
    found = _look(ledger)
    assert _seconds(found) == {running.id: 50, waiting.id: 150, queued.id: 250}
    assert (found.session_id, found.session, found.loads, found.running) == (current.id, "ready", 0, 2)
    assert _seconds(_look(ledger, queued=False)) == {running.id: 50, waiting.id: 150}


def test_what_is_left_of_a_load_under_way_counts(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        current = make_session(session, load_s=None, started_at=NOW - timedelta(seconds=30))
        running = _job(session, status=Status.RUNNING)
        make_attempt(session, running, phase=Phase.WAITING, session_id=current.id)
    found = _look(ledger)
    assert (found.session, found.loads, _seconds(found)) == ("loading", 1, {running.id: 110})


def test_a_job_that_is_not_due_is_not_expected_before(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        job = _job(session, due_at=NOW + timedelta(seconds=1000))
    assert _seconds(_look(ledger)) == {job.id: 1140}


def test_without_a_past_the_steps_so_far_tell_the_pace(ledger: Ledger) -> None:
    with ledger.write() as session:
        current = make_session(session)
        running = _job(session, status=Status.RUNNING)
        begun = {"phase": Phase.GENERATING, "phase_at": NOW - timedelta(seconds=20), "session_id": current.id}
        make_attempt(session, running, **begun, clip=1, clips=1, step=2, steps=10)
    assert _seconds(_look(ledger)) == {running.id: 80}


def test_only_hosts_with_something_to_do_are_listed(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_ended_job(session, host="idle")
        make_job(session, host="held", status=Status.HELD)
        make_job(session, host="b")
        make_job(session, host="a", status=Status.RUNNING)
    with ledger.read() as session:
        assert hosts(session) == ["a", "b"]


def test_a_job_that_is_due_later_keeps_no_other_waiting(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        later = _job(session, due_at=NOW + timedelta(seconds=1000))
        soon, other = _job(session), _job(session)
        latest = _job(session, due_at=NOW + timedelta(seconds=1050))
    found = _look(ledger)
    assert _seconds(found) == {soon.id: 140, other.id: 240, later.id: 1100, latest.id: 1200}


NIGHT = Rules(windows=parse_windows("03:00-04:00@UTC"))
"""NOW is half past three: half an hour is left of it, and the next one is in 23 and a half."""
LEFT_S, PAUSE_S = 1800, 23 * 3600


def _night(ledger: Ledger, **options: Any) -> Outlook:
    with ledger.read() as session:
        return outlook(session, "sim", NIGHT, max_overtake=100, now=NOW, **options)


def test_what_does_not_fit_into_the_window_waits_for_the_next_with_a_load_of_its_own(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        jobs = [_job(session) for _ in range(20)]
    found = _night(ledger)
    # Forty seconds of loading and seventeen jobs of a hundred each; then the session is closed.
    ends = {job.id: 40 + 100 * (number + 1) for number, job in enumerate(jobs[:17])}
    ends |= {job.id: LEFT_S + PAUSE_S + 40 + 100 * (number + 1) for number, job in enumerate(jobs[17:])}
    assert _seconds(found) == ends
    assert (found.loads, found.busy_s) == (2, 2080)
    assert found.ends_at == NOW + timedelta(seconds=LEFT_S + PAUSE_S + 340)


def test_outside_the_window_nothing_begins_before_it_opens(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        job = _job(session)
    with ledger.read() as session:
        found = outlook(session, "sim", NIGHT, max_overtake=100, now=NOW - timedelta(hours=2))
    assert found.expected_at == {job.id: NOW - timedelta(seconds=LEFT_S - 140)}


def test_a_shorter_job_goes_before_one_that_is_too_long_for_the_rest_of_the_window(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        long = make_job(session, parameters={"num_steps": 200}, session_key=KEY)
        short = _job(session)
    assert _seconds(_night(ledger)) == {short.id: 140, long.id: LEFT_S + PAUSE_S + 2040}


def test_what_no_window_has_room_for_has_no_end(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        make_job(session, parameters={"num_steps": 400}, session_key=KEY)
        short = _job(session)
    found = _night(ledger)
    assert _seconds(found) == {short.id: 140}
    assert (found.left_s, found.ends_at, found.busy_s) == (None, None, 140)


def test_grace_lets_the_last_job_end_after_the_window(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        job = make_job(session, parameters={"num_steps": 180}, session_key=KEY)
    assert _seconds(_night(ledger)) == {job.id: LEFT_S + PAUSE_S + 1840}
    rules = Rules(windows=NIGHT.windows, grace=timedelta(seconds=40))
    with ledger.read() as session:
        found = outlook(session, "sim", rules, max_overtake=100, now=NOW)
    assert _seconds(found) == {job.id: 1840}


def test_a_job_that_is_due_tomorrow_waits_for_the_window_after_that(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        job = _job(session, due_at=NOW + timedelta(hours=30))
    assert _seconds(_night(ledger)) == {job.id: 2 * 86400 - 1800 + 140}


def test_the_jobs_that_no_window_has_room_for_yet_are_not_looked_at_one_by_one_in_each(ledger: Ledger) -> None:
    with ledger.write() as session:
        _past(session)
        first = _job(session)
        values = {c.name: getattr(first, c.name) for c in Job.__table__.columns if c.name != "id"}
        session.execute(insert(Job), [values] * 9999)
    plain, without = _calls(lambda: _look(ledger))
    found, with_windows = _calls(lambda: _night(ledger))
    assert with_windows < 2 * without
    assert (len(plain.expected_at), found.left_s) == (10_000, None)
    assert len(found.expected_at) == 17 + 99 * 35


def _calls(look: Callable[[], Outlook]) -> tuple[Outlook, int]:
    """What it finds, and how many calls of functions that took: the same on each machine."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return look(), calls
    finally:
        sys.setprofile(before)
