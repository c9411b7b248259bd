"""The moves as data."""

from cosmosq.status import ENDED, MOVES, UNSUCCESSFUL, Status, sources


def test_every_status_says_what_it_may_become() -> None:
    assert set(MOVES) == set(Status)


def test_nothing_becomes_what_it_is() -> None:
    assert all(status not in targets for status, targets in MOVES.items())


def test_sources_are_the_moves_read_backwards() -> None:
    for target in Status:
        assert set(sources(target)) == {status for status in Status if target in MOVES[status]}


def test_a_success_is_final_and_every_other_end_can_be_retried() -> None:
    assert MOVES[Status.SUCCEEDED] == frozenset()
    assert all(MOVES[status] == {Status.QUEUED} for status in UNSUCCESSFUL)
    assert ENDED - {Status.SUCCEEDED} == UNSUCCESSFUL


def test_only_a_queued_job_starts_and_only_a_running_one_succeeds() -> None:
    assert sources(Status.RUNNING) == [Status.QUEUED]
    assert sources(Status.SUCCEEDED) == [Status.RUNNING]
    assert sources(Status.BLOCKED) == [Status.RUNNING]
