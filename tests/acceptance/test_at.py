"""`enqueue --at`: jobs that wait for a time, of every kind, and who is told so."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance.command_line import Shell, traces


def _due(shell: Shell) -> set[datetime | None]:
    jobs = shell.ok("status", "--json").json
    return {datetime.fromisoformat(job["due_at"]) if job["due_at"] else None for job in jobs}


def _soon(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("words", "jobs"),
    [
        (("kitchen",), 1),
        (("kitchen", "-p", "guidance=3,5"), 2),
        (("kitchen", "--upsample"), 2),
        (("kitchen", "-p", "guidance=3,5", "--upsample"), 3),
    ],
)
def test_every_job_of_a_line_waits_until_then(shell: Shell, words: tuple[str, ...], jobs: int) -> None:
    shell.ok("enqueue", *words, "--at", "+2h")
    (due_at,) = _due(shell)
    assert due_at is not None
    assert _soon(118) < due_at < _soon(121)
    assert len(shell.ok("status", "--json").ids) == jobs


def test_an_upscale_waits_until_then_and_not_only_for_its_source(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen")
    shell.ok("enqueue", "--upscale", 1, "--at", "2036-12-01T01:00+02:00")
    assert _due(shell) == {None, datetime(2036, 11, 30, 23, tzinfo=UTC)}


def test_a_time_is_meant_in_the_zone_that_is_named(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--at", "2036-07-01T12:00", "--tz", "Europe/Berlin")
    assert _due(shell) == {datetime(2036, 7, 1, 10, tzinfo=UTC)}


def test_status_and_show_say_when_a_job_is_due(shell: Shell) -> None:
    said = shell.ok("enqueue", "kitchen", "--at", "2036-12-01T01:00").err
    assert said == "1 queued, 0 skipped, not before 2036-12-01 01:00:00\n"
    shell.ok("enqueue", "kitchen", "--at", "2036-12-01T01:00", "-s", "seed=2", "--hold")
    assert shell.ok("status").out.count("not before 2036-12-01 01:00:00") == 2
    for job_id in (1, 2):
        assert "not before  2036-12-01 01:00:00" in shell.ok("show", job_id).out


def test_a_prompt_is_upsampled_for_whoever_wants_it_first(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--upsample", "--at", "+8h")
    shell.ok("enqueue", "kitchen", "--upsample", "--at", "+9h", "-s", "seed=2")
    upsampling, first, second = shell.ok("status", "--json").json
    assert upsampling["due_at"] == first["due_at"] < second["due_at"]
    shell.ok("enqueue", "kitchen", "--upsample", "--at", "+2h", "-s", "seed=3")
    jobs = shell.ok("status", "--json").json
    assert jobs[0]["due_at"] == jobs[3]["due_at"] < first["due_at"]
    shell.ok("enqueue", "kitchen", "--upsample", "-s", "seed=4")
    jobs = shell.ok("status", "--json").json
    assert (jobs[0]["due_at"], jobs[4]["due_at"]) == (None, None)
    assert jobs[1]["due_at"] == first["due_at"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--at", "noon"), "'noon' is no moment: write 22:00, 2026-12-01"),
        (("--at", "2020-01-01"), "--at 2020-01-01 has passed (2020-01-01 00:00:00): leave it out to start at once"),
        (("--at", "22:00", "--tz", "Mars"), "'Mars' is no time zone: write an IANA name"),
        (("--tz", "UTC"), "--tz says where a time is meant: give --at too"),
    ],
)
def test_a_time_that_is_none_queues_nothing(shell: Shell, words: tuple[str, ...], line: str) -> None:
    before = traces(shell.folder)
    assert shell.refused(2, "enqueue", "kitchen", *words).startswith(line)
    assert traces(shell.folder) == before
