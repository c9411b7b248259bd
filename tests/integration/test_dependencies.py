"""Jobs that wait for others: until those succeeded, or ended however."""

import inspect
import sys
import tomllib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cosmosq import claims, dependencies, jobs, upsampling, waiting
from cosmosq.claims import Outcome
from cosmosq.config import parse_config
from cosmosq.db import Ledger
from cosmosq.engines.assignment import complete
from cosmosq.enqueue import enqueue
from cosmosq.errors import InvalidInput, MoveRefused, NotFound
from cosmosq.models import Dependency, Job, Prompt, Video
from cosmosq.report import rows
from cosmosq.report.query import Filter
from cosmosq.status import Kind, Need, Status
from cosmosq.template import TEMPLATE
from cosmosq.upsampling import Answer
from cosmosq.wishes import Wish, wish_of, wishes_for
from tests.integration.test_reorder import fresh_line
from tests.ledger_rows import NOW, make_prompt
from tests.night import Night, now

HOST = parse_config(tomllib.loads(TEMPLATE), source="template").host()
VIDEO = {"input": ("1" * 64, "/videos/shot.mp4")}


def wish(ledger: Ledger, seed: int) -> Wish:
    with ledger.write() as session:
        if session.get(Video, "1" * 64) is None:
            shape = {"width": 1, "height": 1, "fps": 24.0, "frames": 9, "duration_s": 1.0}
            session.add(Video(sha256="1" * 64, path="/videos/shot.mp4", bytes=1, created_at=NOW, **shape))
        prompt_id = session.scalars(select(Prompt.id)).first() or make_prompt(session).id
    return wish_of(prompt_id, complete(Kind.TRANSFER, {"edge.weight": 0.5, "seed": seed}), VIDEO)


def put(ledger: Ledger, seed: int, *, after: Sequence[int] = (), after_any: Sequence[int] = ()) -> int:
    needs = {**dict.fromkeys(after_any, Need.END), **dict.fromkeys(after, Need.SUCCESS)}
    return enqueue(ledger, HOST, [wish(ledger, seed)], now=NOW, after=needs)[0].id


def end(ledger: Ledger, job_id: int, status: Status) -> None:
    claim = claims.claim(ledger, "sim", "me", simulated=True, now=NOW, only=[job_id])
    assert claim is not None, "it could not start"
    claims.finish(ledger, claim, Outcome(status=status, error="why"), retries=0, now=NOW)


def can_start(ledger: Ledger, job_id: int) -> bool:
    return waiting.next_in_line(ledger, "sim", now=NOW, only=[job_id]) is not None


def status(ledger: Ledger, job_id: int) -> str:
    with ledger.read() as session:
        return session.get_one(Job, job_id).status


@pytest.fixture
def pair(ledger: Ledger) -> tuple[int, int]:
    """Two jobs."""
    return put(ledger, 0), put(ledger, 1)


def test_a_job_starts_once_all_that_it_waits_for_have_succeeded(ledger: Ledger, pair: tuple[int, int]) -> None:
    late = put(ledger, 2, after=pair)
    assert not can_start(ledger, late)
    end(ledger, pair[1], Status.SUCCEEDED)
    assert not can_start(ledger, late)
    end(ledger, pair[0], Status.SUCCEEDED)
    assert can_start(ledger, late)


@pytest.mark.parametrize("ending", [Status.FAILED, Status.BLOCKED])
def test_without_success_it_is_cancelled_or_with_after_any_started(
    ledger: Ledger, pair: tuple[int, int], ending: Status
) -> None:
    strict = put(ledger, 2, after=pair)
    behind_strict = put(ledger, 3, after=[strict])
    any_way = put(ledger, 4, after_any=[pair[0], behind_strict])
    end(ledger, pair[0], ending)
    assert [status(ledger, job_id) for job_id in (strict, behind_strict, any_way)] == ["cancelled"] * 2 + ["queued"]
    assert can_start(ledger, any_way)


def test_a_cancelled_job_has_ended_and_a_held_one_is_waited_for(ledger: Ledger, pair: tuple[int, int]) -> None:
    jobs.hold(ledger, [pair[0]], NOW)
    strict, any_way = put(ledger, 2, after=[pair[0]]), put(ledger, 3, after_any=[pair[0]])
    assert not can_start(ledger, strict)
    assert not can_start(ledger, any_way)
    jobs.cancel(ledger, [pair[0]], NOW)
    assert status(ledger, strict) == "cancelled"
    assert can_start(ledger, any_way)


def test_what_needs_success_and_an_end_needs_success(ledger: Ledger, pair: tuple[int, int]) -> None:
    late = put(ledger, 2, after=[pair[0]], after_any=[pair[0]])
    end(ledger, pair[0], Status.FAILED)
    assert status(ledger, late) == "cancelled"


def test_retrying_brings_back_those_that_were_cancelled_for_want_of_it_alone(
    ledger: Ledger, pair: tuple[int, int]
) -> None:
    strict = put(ledger, 2, after=[pair[0]])
    mixed = put(ledger, 3, after=[pair[1]], after_any=[pair[0]])
    end(ledger, pair[0], Status.FAILED)
    end(ledger, pair[1], Status.FAILED)
    assert jobs.retry(ledger, [pair[0]], NOW) == [pair[0], strict]
    assert status(ledger, mixed) == "cancelled"
    with pytest.raises(MoveRefused, match=f"job {mixed} depends on job {pair[1]}, which is failed"):
        jobs.retry(ledger, [mixed], NOW)
    assert sorted(jobs.retry(ledger, [pair[1]], NOW)) == [pair[1], mixed]
    assert not can_start(ledger, mixed), "what is retried has not ended"


def test_a_long_chain_is_cancelled_and_retried_as_a_whole(ledger: Ledger, pair: tuple[int, int]) -> None:
    with ledger.write() as session:
        row = session.get_one(Job, pair[0])
        shared = {c.name: getattr(row, c.name) for c in Job.__table__.columns if c.name != "id"}
        chain = [pair[0], *jobs.add(session, [shared] * 120, NOW)]
        session.add_all(
            Dependency(job_id=late, depends_on_id=early, need=Need.SUCCESS) for early, late in pairwise(chain)
        )
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 150)
    try:
        end(ledger, pair[0], Status.FAILED)
        assert [status(ledger, chain[place]) for place in (0, 1, 60, 120)] == ["failed"] + ["cancelled"] * 3
        assert jobs.retry(ledger, [pair[0]], NOW) == chain
    finally:
        sys.setrecursionlimit(usual)


def test_nobody_can_wait_for_what_is_not_there_or_has_failed(ledger: Ledger, pair: tuple[int, int]) -> None:
    end(ledger, pair[0], Status.FAILED)
    with pytest.raises(NotFound, match="99 is no job"):
        put(ledger, 2, after=[99])
    with pytest.raises(InvalidInput, match=f"job {pair[0]} is failed: .*--after-any {pair[0]}"):
        put(ledger, 2, after=[pair[0]])
    with pytest.raises(InvalidInput, match="1,001 jobs to wait for are more than 1,000"):
        put(ledger, 2, after=range(1, 1_002))
    assert can_start(ledger, put(ledger, 2, after_any=[pair[0]]))


def test_a_job_that_others_wait_for_stays_and_one_that_they_waited_for_may_go(
    ledger: Ledger, pair: tuple[int, int]
) -> None:
    late = put(ledger, 2, after=[pair[0]])
    end(ledger, pair[0], Status.SUCCEEDED)
    with pytest.raises(MoveRefused, match=f"is what job {late} depends on"):
        jobs.remove(ledger, [pair[0]])
    end(ledger, late, Status.SUCCEEDED)
    jobs.remove(ledger, [pair[0]])
    with ledger.read() as session:
        assert session.scalars(select(Dependency)).all() == []


def test_unmet_needs_are_told(ledger: Ledger, pair: tuple[int, int]) -> None:
    strict, any_way = put(ledger, 2, after=pair), put(ledger, 3, after_any=pair)
    with ledger.read() as session:
        assert dependencies.unmet(session) == {strict: list(pair), any_way: list(pair)}
        assert dependencies.unmet(session, [strict]) == {strict: list(pair)}
    end(ledger, pair[0], Status.FAILED)
    with ledger.read() as session:
        assert dependencies.unmet(session) == {any_way: [pair[1]]}


@settings(max_examples=5)
@given(st.lists(st.sets(st.integers(0, 9), max_size=3), min_size=1, max_size=6))
def test_jobs_wait_for_older_ones_alone_so_that_there_is_no_circle(wanted: list[set[int]]) -> None:
    with fresh_line(0) as (ledger, _):
        made: list[int] = []
        for seed, places in enumerate(wanted):
            after = {made[place] for place in places if place < len(made)}
            made.append(put(ledger, seed, after=sorted(after)))
            if seed == 1:
                # Ids are never used again.
                jobs.remove(ledger, [made.pop()])
        with ledger.read() as session:
            pairs = session.execute(select(Dependency.job_id, Dependency.depends_on_id)).all()
        assert all(needed < waiting for waiting, needed in pairs)
        while made:
            ready = [job_id for job_id in made if can_start(ledger, job_id)]
            assert ready, "a circle"
            for job_id in ready:
                end(ledger, job_id, Status.SUCCEEDED)
                made.remove(job_id)


def test_a_job_that_only_waits_for_an_upsampling_keeps_its_own_prompt(make: Callable[..., Night]) -> None:
    night = make()
    (prompt,) = night.add("a quiet kitchen")
    (transfer,) = night.enqueue_upsampled(prompt)
    (upsampling_id,) = night.job(transfer)["depends_on"]
    host = night.config.host()
    wishes = wishes_for(night.ledger, [prompt], {"edge.weight": 0.5})
    (other,) = enqueue(night.ledger, host, wishes, now=now(), after={upsampling_id: Need.SUCCESS})
    answer = Answer(text="a longer one", model="m", frames=(0,), width=1, height=1, tokens=1, upsample_s=0.1)
    with night.ledger.write() as session:
        upsampling.keep(session, upsampling_id, answer, simulated=True, now=now())
    end(night.ledger, upsampling_id, Status.SUCCEEDED)
    assert can_start(night.ledger, other.id)
    assert [night.job(each)["upsampled_text"] for each in (transfer, other.id)] == ["a longer one", None]
    with night.ledger.read() as session:
        told = {row["id"]: (row["upsampled"], row["upsampled_prompt"]) for row in rows.stream(session, Filter())}
    assert (told[transfer], told[other.id]) == ((True, "a longer one"), (False, None))
