"""Windows, limits and costs on the command line."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from cosmosq.db import Ledger, open_ledger
from cosmosq.models import Standstill, Worker
from cosmosq.paths import Workspace
from tests.acceptance.command_line import Shell
from tests.ledger_rows import make_ended_job, make_job, make_session
from tests.night import now

HOUR = timedelta(hours=1)


@pytest.fixture
def priced(workspace: Workspace) -> Iterator[Ledger]:
    """A host at 2 EUR an hour with a past: ten steps took a quarter of an hour, in a session of an hour."""
    path = workspace.config_path
    path.write_text(
        path.read_text().replace("idle_close = 60", 'idle_close = 60\nprice_per_hour = 2\ncurrency = "EUR"')
    )
    ledger = open_ledger(workspace.ledger_path)
    with ledger.write() as session:
        begin = now() - 2 * HOUR
        gone = make_session(
            session,
            started_at=begin,
            ended_at=begin + HOUR,
            end="exited 0",
            price_per_hour=2,
            currency="EUR",
            load_s=0.0,
        )
        make_ended_job(session, parameters={"num_steps": 10}, attempt={"generate_s": 900.0, "session_id": gone.id})
    yield ledger
    ledger.close()


def _stand_still(ledger: Ledger, reason: str, until_at: datetime | None = None) -> None:
    with ledger.write() as session:
        session.add(Standstill(host="sim", reason=reason, since_at=now(), until_at=until_at))


def test_status_tells_what_is_spent_and_to_come_and_why_nothing_starts(priced: Ledger, shell: Shell) -> None:
    assert "sim: 2.00 EUR spent\n" in shell.ok("status").err
    with priced.write() as session:
        make_job(session, parameters={"num_steps": 20})
    _stand_still(priced, "outside the window until 22:00", now() + HOUR)
    said = shell.ok("status").err
    assert "sim: nothing starts: outside the window until 22:00, all done in about 30:00, at " in said
    assert ", 2.00 EUR spent, about 1.00 EUR to come\n" in said
    table = shell.ok("status", "--queue")
    assert table.out.splitlines()[0].split()[-3:] == ["spent", "to", "come"]
    assert table.out.splitlines()[-1].endswith("2.00 EUR  1.00 EUR")
    assert "sim: nothing starts: outside the window until 22:00\n" in table.err
    (host,) = shell.ok("status", "--queue", "--json").json
    assert (host["spent"], host["to_spend"], host["currency"]) == ({"EUR": 2.0}, 1.0, "EUR")
    assert (host["standstill"], host["window"], host["busy_s"]) == ("outside the window until 22:00", "always", 1800)


def test_a_reason_that_has_passed_is_not_told(priced: Ledger, shell: Shell) -> None:
    with priced.write() as session:
        make_job(session)
    _stand_still(priced, "outside the window until 22:00", now() - HOUR)
    assert "nothing starts" not in shell.ok("status").err


def test_without_a_price_nothing_is_told_of_costs(workspace: Workspace, shell: Shell) -> None:
    shell.ok("enqueue", "kitchen")
    answer = shell.ok("status", "--queue")
    assert "spent" not in answer.out + shell.ok("status").err
    assert "cost" not in shell.ok("report").out
    assert json.loads(shell.ok("report", "--json").out)["costs"] == {}


def test_report_sums_up_the_costs(priced: Ledger, shell: Shell, workspace: Workspace) -> None:
    assert re.search(r"^cost +2.00 EUR$", shell.ok("report").out, re.MULTILINE)
    assert shell.ok("report", "--json").json["costs"] == {"EUR": 2.0}
    shell.ok("report", "--html", workspace.root / "report")
    assert '"costs":{"EUR":2.0}' in (workspace.root / "report" / "data.js").read_text()


def test_times_are_told_by_the_window_of_the_worker_or_else_of_the_settings(
    priced: Ledger, shell: Shell, workspace: Workspace
) -> None:
    begin, end = (f"{(now() + hours * HOUR):%H:%M}" for hours in (2, 4))
    path = workspace.config_path
    path.write_text(path.read_text().replace("idle_close = 60", f'idle_close = 60\nwindow = "{begin}-{end}@UTC"'))
    with priced.write() as session:
        make_job(session, parameters={"num_steps": 20})
    (host,) = shell.ok("status", "--queue", "--json").json
    assert host["window"] == f"{begin}-{end}@UTC"
    assert 1.9 * 3600 < host["left_s"] - 1800 <= 2 * 3600
    with priced.write() as session:
        row = {"owner": "me", "machine": "here", "pid": 1, "process_started_at": now(), "heartbeat_at": now()}
        session.add(Worker(host="sim", limits={"windows": {"sim": "always"}}, **row))
    (host,) = shell.ok("status", "--queue", "--json").json
    assert host["window"] == "always"
    assert host["left_s"] == pytest.approx(1800, abs=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--window", "22-07"), "'22-07' is no run window: write 22:00-07:00"),
        (("--window", "22:00-07:00@Mars"), "'Mars' is no time zone"),
        (("--until", "soon"), "'soon' is no moment"),
        (("--budget", "20"), "--budget needs a price: set price_per_hour of sim in cosmosq.toml"),
        (("--budget", "0"), "Invalid value for '--budget'"),
        (("--max-jobs", "0"), "Invalid value for '--max-jobs'"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(shell: Shell, options: tuple[str, ...], message: str) -> None:
    answer = shell.run("worker", *options)
    assert answer.code == 2
    assert message in answer.err


def test_a_budget_is_in_one_currency(shell: Shell, workspace: Workspace) -> None:
    path = workspace.config_path
    path.write_text(
        path.read_text().replace("idle_close = 60", "price_per_hour = 1")
        + '\n[hosts.box]\nprice_per_hour = 2\ncurrency = "EUR"\n'
    )
    answer = shell.run("worker", "--budget", "20")
    assert answer.code == 2
    assert "the hosts have prices in EUR, USD: name --host" in answer.err
