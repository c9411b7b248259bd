"""What sessions cost, and whose share of it is whose."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from cosmosq.db import Ledger
from cosmosq.report import costs
from cosmosq.report.query import Filter
from cosmosq.report.spending import cost_of_jobs, spent, told
from tests.ledger_rows import NOW, make_ended_job, make_session

HOUR = timedelta(hours=1)


@pytest.fixture
def night(ledger: Ledger) -> Ledger:
    """An hour at 2 EUR with two jobs, one of which took three quarters; half an hour at 3 USD; one for free."""
    with ledger.write() as session:
        euros = make_session(session, ended_at=NOW + HOUR, end="exited 0", price_per_hour=2.0, currency="EUR")
        dollars = make_session(session, ended_at=NOW + HOUR / 2, end="exited 0", price_per_hour=3.0, currency="USD")
        free = make_session(session, host="free", ended_at=NOW + HOUR, end="exited 0")
        for labels, row, seconds in [
            ({"part": "a"}, euros, 900.0),
            ({"part": "b"}, euros, 300.0),
            ({"part": "b"}, dollars, 60.0),
            ({"part": "b"}, free, 60.0),
        ]:
            make_ended_job(session, labels=labels, attempt={"session_id": row.id, "generate_s": seconds})
    return ledger


def _cost(ledger: Ledger, **labels: str) -> dict[str, float]:
    with ledger.read() as session:
        return {name: round(sum_, 4) for name, sum_ in cost_of_jobs(session, Filter(labels=labels), NOW + HOUR).items()}


def test_a_session_costs_from_its_start_to_its_end(night: Ledger) -> None:
    with night.read() as session:
        found = spent(session, ["sim"], NOW + 5 * HOUR)
    assert (found.held_s, found.costs) == (5400, {"EUR": 2.0, "USD": 1.5})
    assert told(found.costs) == "2.00 EUR + 1.50 USD"


def test_from_a_moment_on_only_what_comes_after_it_counts(night: Ledger) -> None:
    with night.read() as session:
        found = spent(session, ["sim", "free"], NOW + 5 * HOUR, since=NOW + HOUR / 2)
    assert (found.held_s, found.costs) == (3600, {"EUR": 1.0})


def test_an_open_session_costs_until_now(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_session(session, price_per_hour=2.0, currency="EUR")
    with ledger.read() as session:
        assert spent(session, ["sim"], NOW + 3 * HOUR).costs == {"EUR": 6.0}


def test_jobs_have_a_share_in_a_session_by_their_generating_time(night: Ledger) -> None:
    assert _cost(night, part="a") == {"EUR": 1.5}
    assert _cost(night, part="b") == {"EUR": 0.5, "USD": 1.5}
    assert _cost(night) == {"EUR": 2.0, "USD": 1.5}


def test_a_session_that_only_failed_is_paid_by_its_jobs(ledger: Ledger) -> None:
    with ledger.write() as session:
        failed = make_session(session, load_s=None, ended_at=NOW + HOUR, price_per_hour=2.0, currency="EUR")
        nothing = {"session_id": failed.id, "generate_s": None, "generating_s": 0.0}
        make_ended_job(session, labels={"part": "a"}, attempt=nothing)
        make_ended_job(session, labels={"part": "b"}, attempt=nothing)
    assert _cost(ledger, part="a") == _cost(ledger, part="b") == {"EUR": 1.0}


def test_a_session_that_served_nobody_is_in_the_sum_of_all(ledger: Ledger) -> None:
    with ledger.write() as session:
        make_session(session, ended_at=NOW + HOUR, price_per_hour=2.0, currency="EUR")
    assert _cost(ledger) == {"EUR": 2.0}
    assert _cost(ledger, part="a") == {}


def test_the_jobs_of_a_table_have_together_what_the_sessions_cost(night: Ledger) -> None:
    with night.read() as session:
        each = costs.spent()
        found = session.scalars(select(each.c.cost).order_by(each.c.job_id)).all()
    assert [cost and round(cost, 3) for cost in found] == [1.5, 0.5, 1.5, None]
