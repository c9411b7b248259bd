"""People move jobs within the line, and the worker keeps to it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from cosmosq import claims, jobs, reorder, waiting
from cosmosq.claims import Outcome
from cosmosq.db import Ledger
from cosmosq.errors import MoveRefused
from cosmosq.models import Dependency, Job
from cosmosq.status import Phase, Status
from tests.integration.test_feeding import is_waiting, order_of
from tests.ledger_rows import NOW, make_job, make_ledger
from tests.night import Night, now, wait_for

MakeNight = Callable[..., Night]


def add(session: Session, *priorities: int, **more: Any) -> list[int]:
    """Jobs as `enqueue` makes them, one a priority."""
    row = make_job(session, status=Status.CANCELLED)
    shared = {name: getattr(row, name) for name in ("kind", "prompt_id", "parameter_set_id", "engine", "host")}
    told = {"digest": "0" * 64, "session_key": "a", "status": Status.QUEUED, **shared, **more}
    return jobs.add(session, [{**told, "priority": priority} for priority in priorities], NOW)


def claim(ledger: Ledger, **more: Any) -> claims.Claim | None:
    return claims.claim(ledger, "sim", "me", simulated=True, now=NOW, **more)


def order(ledger: Ledger) -> list[int]:
    """The ids as a worker would take them; takes them."""
    return [found.job_id for found in iter(lambda: claim(ledger), None) if found]


@pytest.fixture
def line(ledger: Ledger) -> list[int]:
    """Six queued jobs, the fifth of priority 3."""
    with ledger.write() as session:
        return add(session, 0, 0, 0, 0, 3, 0)


def test_first_means_before_every_priority(ledger: Ledger, line: list[int]) -> None:
    moved = reorder.first(ledger, [line[5], line[2]], NOW)
    assert moved == reorder.Moved(ids=(line[5], line[2]), recalled=())
    assert order(ledger) == [line[5], line[2], line[4], line[0], line[1], line[3]]


def test_first_means_before_those_that_fit_the_open_session(ledger: Ledger, line: list[int]) -> None:
    with ledger.write() as session:
        (other,) = add(session, 0, session_key="b")
    reorder.first(ledger, [other], NOW)
    found = waiting.next_in_line(ledger, "sim", now=NOW, open_key="a", max_overtake=100)
    assert found is not None
    assert (found.id, found.priority) == (other, 4)


def test_who_is_first_already_keeps_its_priority(ledger: Ledger, line: list[int]) -> None:
    reorder.first(ledger, [line[4]], NOW)
    reorder.first(ledger, [line[4]], NOW)
    with ledger.read() as session:
        assert session.get_one(Job, line[4]).priority == 3


def test_last_means_behind_every_priority_and_before_those_that_come_later(ledger: Ledger, line: list[int]) -> None:
    with ledger.write() as session:
        lowest = add(session, -5)
    reorder.last(ledger, [line[0], line[4]], NOW)
    with ledger.write() as session:
        late = add(session, -5)
    assert order(ledger) == [line[1], line[2], line[3], line[5], *lowest, line[0], line[4], *late]


@contextmanager
def fresh_line(count: int) -> Iterator[tuple[Ledger, list[int]]]:
    """A ledger for each example."""
    with TemporaryDirectory() as folder:
        ledger = make_ledger(Path(folder) / "ledger.db")
        with ledger.write() as session:
            ids = add(session, *[0] * count)
        yield ledger, ids
        ledger.close()


@settings(max_examples=5)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=12))
def test_before_puts_a_job_right_before_another_whatever_was_moved_earlier(wanted: Sequence[tuple[int, int]]) -> None:
    expected = list(range(8))
    with fresh_line(8) as (ledger, ids):
        for job, other in wanted:
            if job == other:
                continue
            reorder.before(ledger, [ids[job]], ids[other], NOW)
            expected.remove(job)
            expected.insert(expected.index(other), job)
        assert order(ledger) == [ids[number] for number in expected]


def test_several_go_before_another_in_the_order_in_which_they_are_named(ledger: Ledger, line: list[int]) -> None:
    reorder.before(ledger, [line[5], line[4], line[0]], line[2], NOW)
    assert order(ledger) == [line[1], line[5], line[4], line[0], line[2], line[3]]


def test_a_held_job_can_be_moved_and_takes_its_place_when_it_is_released(ledger: Ledger, line: list[int]) -> None:
    jobs.hold(ledger, [line[5]], NOW)
    reorder.before(ledger, [line[5]], line[1], NOW)
    jobs.release(ledger, [line[5]], NOW)
    assert order(ledger) == [line[4], line[0], line[5], line[1], line[2], line[3]]


def test_what_a_moved_job_waits_for_goes_with_it(ledger: Ledger, line: list[int]) -> None:
    a, b, c, d, e, f = line
    with ledger.write() as session:
        session.add_all(
            [
                Dependency(job_id=f, depends_on_id=d),
                Dependency(job_id=f, depends_on_id=c),
                Dependency(job_id=d, depends_on_id=c),
            ]
        )
    assert reorder.first(ledger, [f], NOW).ids == (c, d, f)
    with pytest.raises(MoveRefused, match=f"waits for job {c}: it cannot go before it"):
        reorder.before(ledger, [f], c, NOW)
    assert reorder.before(ledger, [f], b, NOW).ids == (f,), "they stand before it already"
    assert reorder.before(ledger, [f], a, NOW).ids == (f,)
    assert reorder.last(ledger, [c], NOW).ids == (c,)
    assert reorder.before(ledger, [f], b, NOW).ids == (c, f)
    with ledger.read() as session:
        places = {job.id: (-job.priority, job.position) for job in session.query(Job).where(Job.id.in_(line))}
    assert sorted(line, key=places.__getitem__) == [d, e, a, c, f, b]


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.CANCELLED])
def test_what_has_ended_cannot_be_moved(ledger: Ledger, line: list[int], status: Status) -> None:
    with ledger.write() as session:
        session.get_one(Job, line[0]).status = status
    for act in (reorder.first, reorder.last):
        with pytest.raises(MoveRefused, match=f"job {line[0]} is {status} and cannot be moved"):
            act(ledger, [line[1], line[0]], NOW)
    with pytest.raises(MoveRefused, match="cannot be moved"):
        reorder.before(ledger, [line[1]], line[0], NOW)
    assert order(ledger)[0] == line[4], "all or none"


def test_jobs_of_two_hosts_do_not_meet(ledger: Ledger, line: list[int]) -> None:
    with ledger.write() as session:
        (elsewhere,) = add(session, 0, host="box")
    with pytest.raises(MoveRefused, match="they never meet"):
        reorder.before(ledger, [elsewhere], line[0], NOW)
    assert reorder.first(ledger, [elsewhere, line[0]], NOW).ids == (elsewhere, line[0])
    with ledger.read() as session:
        assert [session.get_one(Job, job_id).priority for job_id in (elsewhere, line[0])] == [0, 4]


@settings(max_examples=5)
@given(st.randoms(use_true_random=False))
def test_nobody_is_overtaken_too_often_however_others_are_moved(random: Any) -> None:
    """One job needs another model; people move the others about before it and behind it."""
    most = 2
    with fresh_line(7) as (ledger, ids):
        with ledger.write() as session:
            session.get_one(Job, ids[2]).session_key = "b"
        behind_when_it_began = 0
        for seconds in itertools.count(1):
            at = NOW + timedelta(seconds=seconds)
            queued = [job_id for job_id in ids if status(ledger, job_id) == Status.QUEUED and job_id != ids[2]]
            if len(queued) > 1:
                job, other = random.sample(queued, 2)
                reorder.before(ledger, [job], other, at)
            found = waiting.next_in_line(ledger, "sim", now=at, open_key="a", max_overtake=most)
            assert found is not None
            if found.id == ids[2]:
                break
            with ledger.read() as session:
                behind_when_it_began += session.get_one(Job, found.id).position > session.get_one(Job, ids[2]).position
            taken = claims.claim(ledger, "sim", "me", simulated=True, now=at, only=[found.id])
            assert taken is not None
            claims.finish(ledger, taken, Outcome(status=Status.SUCCEEDED), retries=0, now=at)
        assert behind_when_it_began <= most


def status(ledger: Ledger, job_id: int) -> str:
    with ledger.read() as session:
        return session.get_one(Job, job_id).status


def test_a_claimed_job_that_has_not_begun_is_asked_back_and_one_that_has_is_not(
    ledger: Ledger, line: list[int]
) -> None:
    (begun, waits) = (claim(ledger, only=[line[0]]), claim(ledger, only=[line[1]]))
    assert begun is not None
    assert waits is not None
    claims.enter(ledger, begun, Phase.GENERATING, NOW)
    with pytest.raises(MoveRefused, match="is running and cannot be moved"):
        reorder.last(ledger, [line[0]], NOW)
    # It stands behind, and must give way; so must it when it is moved itself.
    assert reorder.before(ledger, [line[3]], line[1], NOW).recalled == (line[1],)
    assert claims.wanted_otherwise(ledger, line) == {line[1]: "recall"}
    claims.give_back(ledger, waits, "the line was moved", NOW)
    assert claims.wanted_otherwise(ledger, line) == {}
    assert order(ledger) == [line[4], line[3], line[1], line[2], line[5]]


def test_moving_while_a_worker_works(make: MakeNight) -> None:
    night = make(simulator={"step_s": 0.05}, host={"prefetch": 2})
    ids = [night.enqueue(seed=seed, num_steps=1000 if seed == 0 else 3) for seed in range(6)]
    worker = night.worker("--until-empty")
    wait_for(lambda: night.job(ids[0])["step"] and is_waiting(night, *ids[1:3]), "two in the inbox")
    assert reorder.before(night.ledger, [ids[5]], ids[1], now()).recalled == tuple(ids[1:3])
    wait_for(lambda: is_waiting(night, ids[5], ids[1]), "the moved one in the inbox")
    assert reorder.last(night.ledger, [ids[1]], now()).recalled == (ids[1],)
    wait_for(lambda: is_waiting(night, ids[5], ids[2]), "the next one in the inbox")
    assert reorder.first(night.ledger, [ids[4]], now()).recalled == ()
    wait_for(lambda: is_waiting(night, ids[4], ids[5]), "the first one in the inbox")
    jobs.cancel(night.ledger, [ids[0]], now())
    out, _ = worker.communicate(timeout=120)
    assert night.statuses() == ["cancelled"] + ["succeeded"] * 5, out
    assert order_of(night) == [4, 5, 2, 3, 1]
    assert len(night.loads) == 1
    reasons = [event["data"]["reason"] for event in night.job(ids[2])["events"] if event["event"] == "returned"]
    assert reasons == ["the line was moved", f"job {ids[4]} goes first"]
