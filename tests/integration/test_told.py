"""What sessions have said about attempts, as the ledger has it."""

import pytest

from cosmosq.db import Ledger
from cosmosq.models import Event
from cosmosq.session import events
from cosmosq.status import Status
from tests.ledger_rows import NOW, make_attempt, make_job, make_session


@pytest.mark.parametrize("order", [("accepted", "done"), ("done", "accepted")])
def test_an_end_stays_an_end_whatever_is_told_after_it(ledger: Ledger, order: tuple[str, str]) -> None:
    with ledger.write() as session:
        ours = make_session(session)
        job = make_job(session, status=Status.RUNNING)
        attempt = make_attempt(session, job, session_id=ours.id)
        ids = {"job_id": job.id, "attempt_id": attempt.id, "session_id": ours.id}
        for name in order:
            session.add(Event(at=NOW, event=name, data={}, **ids))
            session.flush()
    ending = events.told(ledger, [attempt.id])[attempt.id].ending
    assert ending is not None
    assert ending.event == "done"
