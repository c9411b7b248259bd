"""When failures in a row tell against a host, on its own."""

import pytest

from cosmosq.breaker import Failure, Rule, add, probe_s, reason, trips

RULE = Rule(stop_after_failures=3, probe_after_s=300)


def streak(*failures: Failure) -> tuple[Failure, ...]:
    found: tuple[Failure, ...] = ()
    for whose, error in failures:
        found = add(found, whose, error)
    return found


@pytest.mark.parametrize(
    ("failures", "trip"),
    [
        ([("job 1", "out_of_memory"), ("job 2", "out_of_memory"), ("job 3", "out_of_memory")], True),
        ([("job 1", "crashed"), ("job 2", "stalled"), ("job 3", "engine_error")], True),
        ([("job 1", "crashed"), ("job 1", "crashed"), ("job 1", "crashed")], False),
        ([("job 1", "crashed"), ("job 1", "crashed"), ("job 2", "crashed"), ("job 2", "crashed")], False),
        ([("job 1", "lost"), ("job 1", "lost"), ("job 1", "lost")], True),
        ([("job 1", "lost"), ("session s-1", "lost"), ("job 2", "crashed")], True),
        ([("job 1", "blocked"), ("job 2", "blocked"), ("job 3", "invalid_spec"), ("job 4", "bad_input")], False),
        ([("job 1", "crashed"), ("job 2", "blocked"), ("job 3", "crashed"), ("job 4", "crashed")], True),
        ([("job 1", "never heard of"), ("job 2", "never heard of"), ("job 3", "never heard of")], True),
    ],
)
def test_so_many_failures_that_tell_against_the_host_are_too_many(failures: list[Failure], trip: bool) -> None:
    assert trips(streak(*failures), RULE) == trip


def test_none_are_too_many_when_the_breaker_is_off() -> None:
    assert not trips(streak(*((f"job {number}", "lost") for number in range(50))), Rule(stop_after_failures=0))


def test_probes_come_ever_more_seldom_but_at_least_every_hour() -> None:
    assert [probe_s(RULE, tries) for tries in range(6)] == [300, 600, 1200, 2400, 3600, 3600]
    assert probe_s(Rule(probe_after_s=7200), 9) == 7200
    assert probe_s(RULE, 10**6) == 3600


def test_the_reason_names_each_error_and_whose_it_was() -> None:
    found = streak(("job 4", "crashed"), ("job 5", "out_of_memory"), ("session s-1", "lost"), ("job 6", "crashed"))
    assert reason(found) == ("4 failures in a row: crashed (job 4, job 6), out_of_memory (job 5), lost (session s-1)")
