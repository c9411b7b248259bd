"""Which job next, on its own."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cosmosq.policy import Waiting, choose, line_up, loads

WAITING = st.lists(
    st.builds(
        Waiting,
        id=st.integers(1, 60),
        priority=st.integers(-1, 1),
        position=st.integers(-2, 4),
        key=st.sampled_from("abc"),
        overtaken=st.integers(0, 4),
    ),
    max_size=25,
    unique_by=lambda job: job.id,
)
KEYS = st.sampled_from(["a", "b", "c", "other", None])


def job(number: int, key: str = "a", *, priority: int = 0, overtaken: int = 0) -> Waiting:
    return Waiting(id=number, priority=priority, key=key, overtaken=overtaken)


def test_nothing_waits() -> None:
    assert choose([], "a", 9) is None
    assert list(line_up([], "a", 9)) == []


def test_priority_comes_before_the_open_session() -> None:
    assert choose([job(1), job(2, "b", priority=1)], "a", 9) == job(2, "b", priority=1)


def test_the_open_session_comes_before_age() -> None:
    assert choose([job(1, "b"), job(3), job(2)], "a", 9) == job(2)


def test_age_decides_where_no_session_is_open_or_fits() -> None:
    for open_key in (None, "c"):
        assert choose([job(2), job(1, "b")], open_key, 9) == job(1, "b")


def test_position_decides_and_not_age_where_a_person_moved_a_job() -> None:
    moved = Waiting(id=3, priority=0, key="a", position=-1)
    assert choose([job(1), job(2), moved], "a", 9) == moved
    assert [each.id for each in line_up([job(1), job(2), moved], None, 9)] == [3, 1, 2]


def test_a_job_that_was_overtaken_often_enough_is_next() -> None:
    assert choose([job(1, "b", overtaken=9), job(2)], "a", 9) == job(1, "b", overtaken=9)
    assert choose([job(1, "b", overtaken=8), job(2)], "a", 9) == job(2)


def test_four_keys_in_turn_need_four_loads() -> None:
    night = [job(number, "abcd"[number % 4]) for number in range(50)]
    line = list(line_up(night, None, 100))
    assert loads(line, None) == 4
    assert loads(line, line[0].key) == 3
    assert loads(night, None) == 50


@given(WAITING, KEYS, st.integers(0, 5))
def test_the_oldest_and_the_oldest_that_fits_are_all_that_counts(
    waiting: list[Waiting], open_key: str | None, max_overtake: int
) -> None:
    found = choose(waiting, open_key, max_overtake)
    if found is None:
        assert not waiting
        return
    top = [each for each in waiting if each.priority == max(job.priority for job in waiting)]
    few = [min(top, key=lambda each: each.spot)]
    few += sorted((each for each in top if each.key == open_key), key=lambda each: each.spot)[:1]
    assert choose(few, open_key, max_overtake) == found


@given(WAITING, KEYS, st.integers(0, 5))
def test_everybody_is_in_the_line_once_and_nobody_is_overtaken_too_often(
    waiting: list[Waiting], open_key: str | None, max_overtake: int
) -> None:
    line = [each.id for each in line_up(waiting, open_key, max_overtake)]
    assert sorted(line) == sorted(each.id for each in waiting)
    by_id = {each.id: each for each in waiting}
    for place, number in enumerate(line):
        spot = by_id[number].spot
        before = Counter(by_id[other].priority for other in line[:place] if by_id[other].spot > spot)
        # Those that stand before it must go first, each with others behind it.
        older = sum(other.spot < spot and other.priority == by_id[number].priority for other in waiting)
        assert before[by_id[number].priority] <= max_overtake + older
        assert by_id[number].priority <= min((by_id[other].priority for other in line[:place]), default=1)


def test_what_is_early_goes_before_older_jobs_of_its_priority_and_no_other() -> None:
    line = [
        Waiting(id=1, priority=0, key="a"),
        Waiting(id=2, priority=1, key="a"),
        Waiting(id=3, priority=0, key="up", is_early=True),
        Waiting(id=4, priority=0, key="up", is_early=True),
    ]
    assert [job.id for job in line_up(line, None, 100)] == [2, 1, 3, 4]
    assert [job.id for job in line_up(line, None, 0)] == [2, 3, 4, 1]
    assert [job.id for job in line_up(line[:1] + line[2:], None, 100)] == [3, 4, 1]
