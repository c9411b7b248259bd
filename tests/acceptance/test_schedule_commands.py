"""`cosmosq schedule` as a person types it."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.command_line import COSMOSQ, Shell, rows, traces

NIGHTLY = ("schedule", "add", "nightly", "0 22 * * 1-5", "--tz", "Europe/Berlin")
LINE = ("--", "enqueue", "kitchen", "--again")


def test_a_schedule_is_added_listed_disabled_enabled_and_removed(shell: Shell) -> None:
    added = shell.ok(*NIGHTLY, *LINE)
    assert added.out.startswith("nightly fires at ")
    assert added.out.count("22:00 CE") == 3
    assert added.err == ""
    (told,) = shell.ok("schedule", "list", "--json").json
    assert (told["expression"], told["zone"], told["catch_up"]) == ("0 22 * * 1-5", "Europe/Berlin", "once")
    assert (told["line"], told["folder"], told["enabled"], told["last"]) == (["kitchen", "--again"], ".", True, None)
    times = [datetime.fromisoformat(time) for time in told["next_at"]]
    assert len(times) == 3
    assert all(time.weekday() < 5 and time > datetime.now(UTC) for time in times)
    table = shell.ok("schedule", "list").out
    assert "enqueue kitchen --again" in table
    assert "never" in table
    assert shell.ok("schedule", "disable", "nightly", "--json").json["enabled"] is False
    assert "disabled" in shell.ok("schedule", "list").out
    assert shell.ok("schedule", "next").err.startswith("nothing will fire")
    assert "nightly is enabled, next at " in shell.ok("schedule", "enable", "nightly").err
    shell.ok("schedule", "remove", "nightly")
    assert shell.ok("schedule", "list", "--json").json == []
    assert shell.ok("schedule", "list").err == "no schedules: `cosmosq schedule add` makes one\n"


def test_what_fires_next_is_told_over_all_schedules_in_order(shell: Shell) -> None:
    shell.ok("schedule", "add", "hours", "@hourly", "--tz", "UTC", *LINE)
    shell.ok("schedule", "add", "minutes", "*/30 * * * *", "--tz", "UTC", *LINE)
    told = shell.ok("schedule", "next", "-n", 4, "--json").json
    assert [one["due_at"] for one in told] == sorted(one["due_at"] for one in told)
    assert [one["name"] for one in told].count("minutes") in (2, 3)
    assert {one["name"] for one in shell.ok("schedule", "next", "hours", "--json").json} == {"hours"}
    assert "enqueue kitchen --again" in shell.ok("schedule", "next").out
    assert shell.refused(3, "schedule", "next", "days").startswith("days is no schedule")


def test_the_zone_is_that_of_the_machine_unless_it_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":America/New_York")
    told = shell.ok("schedule", "add", "here", "@daily", "--json", *LINE).json
    assert told["zone"] == "America/New_York"


def test_run_queues_now_what_the_schedule_queues_also_when_it_is_disabled(shell: Shell) -> None:
    shell.ok(*NIGHTLY, *LINE, "-p", "guidance=3,5", "--label", "mood=calm")
    shell.ok("schedule", "disable", "nightly")
    before = shell.ok("schedule", "list", "--json").json[0]
    assert shell.ok("schedule", "run", "nightly", "--json").ids == [1, 2]
    shell.ok("schedule", "run", "nightly")
    assert shell.ok("show", 4, "--json").json["labels"] == {"mood": "calm", "schedule": "nightly"}
    assert shell.ok("status", "--label", "schedule=nightly", "--json").ids == [1, 2, 3, 4]
    told = shell.ok("schedule", "list", "--json").json[0]
    last = told.pop("last")
    assert (last["by_hand"], last["jobs"], last["first_job_id"], last["last_job_id"]) == (True, 2, 3, 4)
    assert told == {name: value for name, value in before.items() if name != "last"}
    assert "2 jobs: 3-4, by hand" in shell.ok("schedule", "list").out


def test_a_file_is_found_from_wherever_the_schedule_is_run(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "my sweeps"
    folder.mkdir()
    (folder / "overnight.yaml").write_text("parameters: {guidance: [3, 5]}\n")
    here = Shell(folder)
    here.ok("-w", shell.folder, *NIGHTLY, *LINE, "--sweep", "overnight.yaml")
    assert shell.ok("schedule", "run", "nightly", "--json").ids == [1, 2]
    (folder / "overnight.yaml").write_text("parameters: {guidance: [3]}\n")
    assert shell.ok("schedule", "run", "nightly", "--json").ids == [3], "the file as it is then"
    folder.rename(tmp_path / "gone")
    assert "my sweeps of nightly is gone" in shell.refused(3, "schedule", "run", "nightly")


def test_two_that_fire_the_same_time_queue_it_once(shell: Shell) -> None:
    shell.ok("schedule", "add", "minutes", "* * * * *", "--tz", "UTC", *LINE)
    due_at = shell.ok("schedule", "next", "-n", 1, "--json").json[0]["due_at"]
    command = [*COSMOSQ, "enqueue", "--firing", f"minutes@{due_at}", "kitchen", "--again"]
    both = [
        subprocess.Popen(command, cwd=shell.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in "12"
    ]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    assert f"schedule minutes is not due for {due_at}" in "".join(said)
    assert shell.ok("status", "--json").ids == [1]
    assert len(rows(shell.folder / ".cosmosq" / "ledger.db")["firings"]) == 1


def test_without_again_a_schedule_says_that_it_repeats_nothing(shell: Shell) -> None:
    assert "without --again" in shell.ok(*NIGHTLY, "--", "enqueue", "kitchen").err


REFUSED = [
    (3, ("--", "enqueue", "nobody"), "nobody is no prompt"),
    (3, ("--", "enqueue", "kitchen", "--host", "box"), "box is no host"),
    (3, ("--", "enqueue", "kitchen", "--sweep", "lost.yaml"), "no such file: lost.yaml"),
    (2, ("--", "enqueue", "kitchen", "-s", "guidanc=3"), "guidanc is no parameter"),
    (2, ("--", "enqueue", "kitchen", "-p", "guidance=uniform(3,5)"), "-n: how many?"),
    (2, ("--", "enqueue"), "name prompts, or give --all for every one"),
    (2, ("--", "enqueue", "kitchen", "--nightly"), "--nightly is no option: `cosmosq enqueue --help` lists them"),
    (2, ("--", "status"), "a schedule enqueues, and status does not: write `-- enqueue …`"),
    (2, ("--", "enqueue", "kitchen", "--dry-run", "-p", "guidance=3"), "--dry-run queues nothing"),
    (2, ("--", "enqueue", "--sweep", "-"), "nobody will be there to write to stdin"),
    (2, ("--", "enqueue", "kitchen", "--at", "2036-12-01"), "--at 2036-12-01 comes only once: write a time of day"),
    (2, ("--", "enqueue", "kitchen", "--label", "schedule=x"), "the label schedule tells which schedule"),
    (2, ("--", "enqueue", "kitchen", "--firing", "x"), "--firing and --only-check are for the worker"),
    (2, ("--tz", "Mars", *LINE), "'Mars' is no time zone"),
    (2, ("--catch-up", "twice", *LINE), "Invalid value for '--catch-up'"),
    (2, (), "Missing argument '-- enqueue …'"),
]


@pytest.mark.parametrize(("code", "words", "line"), REFUSED)
def test_a_schedule_that_could_never_work_is_refused_when_it_is_added(
    shell: Shell, code: int, words: tuple[str, ...], line: str
) -> None:
    before = traces(shell.folder)
    assert line in shell.refused(code, "schedule", "add", "nightly", "0 22 * * *", *words)
    assert traces(shell.folder) == before


def test_a_time_a_name_or_a_schedule_that_is_none_is_refused(shell: Shell) -> None:
    shell.ok(*NIGHTLY, *LINE)
    before = traces(shell.folder)
    assert "'0 25 * * *' cannot be a schedule: '25' is no hour" in shell.refused(
        2, "schedule", "add", "x", "0 25 * * *", *LINE
    )
    assert shell.refused(2, *NIGHTLY, *LINE) == "nightly is a schedule already: `cosmosq schedule remove nightly` first"
    assert "is no name of a schedule" in shell.refused(2, "schedule", "add", "two words", "@daily", *LINE)
    for command in ("enable", "disable", "remove", "run"):
        assert shell.refused(3, "schedule", command, "nigtly").startswith(
            "nigtly is no schedule (did you mean nightly?)"
        )
    assert traces(shell.folder) == before


def test_a_line_of_every_kind_can_be_a_schedule(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen")
    lines = (
        ("--all", "--at", "23:30", "--tz", "Europe/Berlin"),
        ("--upscale", "1", "-s", "num_steps=2"),
        ("kitchen", "--upsample", "--hold", "--priority", "-5"),
        ("kitchen", "-p", "guidance=uniform(3,9)", "-n", "3", "--method", "sobol", "--name", "nights", "--json"),
    )
    for number, line in enumerate(lines):
        shell.ok("schedule", "add", f"s{number}", "@daily", "--tz", "UTC", "--", "enqueue", *line, "--again")
        shell.ok("schedule", "run", f"s{number}")
    assert [each["last"]["jobs"] for each in shell.ok("schedule", "list", "--json").json] == [1, 1, 2, 3]
