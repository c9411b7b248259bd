"""What an end without a word leaves behind: each case is found, named, mended, and then no longer found."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from cosmosq import claims, pauses
from cosmosq.config import load_config
from cosmosq.db import Ledger
from cosmosq.models import Attempt, Dependency, Job, Worker
from cosmosq.paths import Workspace
from cosmosq.queue import Queue
from cosmosq.recovery.scene import Finding, Presence, Scene, Seen
from cosmosq.recovery.table import CASES, look
from cosmosq.session import remote
from cosmosq.status import Status
from cosmosq.worker.checkup import ask, examine, scene_of
from tests.ledger_rows import NOW, make_attempt, make_ended_job, make_job, make_session, make_workspace
from tests.night import KEY, Night, now, site_of, wait_for

HELD: dict[str, Any] = {"lease_owner": "gone"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Workspace, Ledger, Queue]]:
    workspace, ledger = make_workspace(tmp_path / "ws")
    queue = Queue(workspace.queue_path)
    yield workspace, ledger, queue
    queue.close()
    ledger.close()


@pytest.fixture
def scene(place: tuple[Workspace, Ledger, Queue]) -> Callable[..., Scene]:
    """The workspace as the doctor sees it."""
    workspace, ledger, queue = place

    def make(**more: Any) -> Scene:
        return scene_of(workspace, ledger, load_config(workspace.config_path), queue, now=NOW, **more)

    return make


Make = Callable[[Session, Workspace], Any]


def unsent(session: Session, _: Workspace) -> None:
    make_attempt(session, make_job(session, status=Status.RUNNING, **HELD))


def orphaned(session: Session, _: Workspace) -> None:
    job = make_job(session, status=Status.RUNNING, **HELD)
    make_attempt(session, job, session_id=make_session(session).id)


def worker_gone(session: Session, _: Workspace) -> None:
    started = NOW - timedelta(days=9)
    row: dict[str, Any] = {"machine": "far-away", "pid": 1, "process_started_at": started, "heartbeat_at": started}
    session.add(Worker(host="sim", owner="gone", **row))


def lost_ticket(session: Session, _: Workspace) -> None:
    make_job(session)


def hopeless(session: Session, _: Workspace) -> None:
    failed, waiting, last = make_ended_job(session, Status.FAILED), make_job(session), make_job(session)
    session.add(Dependency(job_id=waiting.id, depends_on_id=failed.id))
    session.add(Dependency(job_id=last.id, depends_on_id=waiting.id))


def no_attempt(session: Session, _: Workspace) -> None:
    make_job(session, status=Status.RUNNING, attempt=3, **HELD)
    succeeded = make_ended_job(session)
    succeeded.status = Status.RUNNING


def loose_attempt(session: Session, _: Workspace) -> None:
    make_attempt(session, make_job(session, status=Status.CANCELLED))


def stray_lease(session: Session, _: Workspace) -> None:
    make_ended_job(session, **HELD)


def half_file(session: Session, workspace: Workspace) -> None:
    running = make_job(session, status=Status.RUNNING)
    make_attempt(session, running)
    for job_id, number in ((make_ended_job(session).id, 1), (running.id, 1), (77, 1)):
        path = workspace.outputs_path / "2026-11-22" / f"{job_id}-kitchen" / f"attempt-{number}" / "output.mp4.part"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")


FOUND: dict[str, tuple[Make, list[str]]] = {
    "unsent": (unsent, ["job 1 was claimed by a worker that is gone"]),
    "orphaned": (orphaned, ["job 1 runs, and no living worker follows it"]),
    "worker_gone": (worker_gone, ["the worker with pid 1 on far-away is gone"]),
    "lost_ticket": (lost_ticket, ["job 1 is queued, and no ticket rings for the host"]),
    "hopeless": (hopeless, ["job 2 waits for job 1, which did not succeed"]),
    "no_attempt": (
        no_attempt,
        [f"job {job_id} is running, and none of its attempts is" for job_id in (1, 2)],
    ),
    "loose_attempt": (loose_attempt, ["attempt 1 of job 1 is running, and the job is not in it"]),
    "stray_lease": (stray_lease, ["job 1 is succeeded under a lease"]),
    "half_file": (half_file, ["outputs/2026-11-22/2-kitchen/attempt-1/output.mp4.part is half a file"]),
}


def findings(scene: Scene, case: str) -> list[str]:
    return [finding.what for found, finding in look(scene) if found.name == case]


@pytest.mark.parametrize("case", FOUND)
def test_each_case_is_found_mended_and_found_no_more(
    case: str, place: tuple[Workspace, Ledger, Queue], scene: Callable[..., Scene]
) -> None:
    workspace, ledger, _ = place
    make, expected = FOUND[case]
    with ledger.write() as session:
        make(session, workspace)
    assert findings(scene(), case) == expected
    told = list(examine(scene(), fix=True))
    assert all(each.fixed for each in told), told
    assert list(look(scene())) == []


def test_all_cases_have_a_test_here() -> None:
    assert {case.name for case in CASES} == {*FOUND, "stale_ticket", "idle_session", "ended_session"}


def test_what_is_mended_is_what_it_should_be(
    place: tuple[Workspace, Ledger, Queue], scene: Callable[..., Scene]
) -> None:
    workspace, ledger, _ = place
    with ledger.write() as session:
        unsent(session, workspace)
        orphaned(session, workspace)
        hopeless(session, workspace)
        no_attempt(session, workspace)
        loose_attempt(session, workspace)
    list(examine(scene(), fix=True))
    with ledger.read() as session:
        jobs = [session.get_one(Job, number) for number in range(1, 9)]
        assert [job.status for job in jobs] == [
            *("queued", "running", "failed", "cancelled", "cancelled", "queued", "succeeded", "cancelled")
        ]
        assert {job.lease_owner for job in jobs} == {None}
        assert [(jobs[0].attempt, jobs[0].failures), (jobs[5].attempt, jobs[5].failures)] == [(0, 0), (0, 0)]
        lost = session.query(Attempt).where(Attempt.job_id == 8).one()
        assert (lost.status, lost.error, lost.ended_at) == ("failed", "lost", NOW)


def test_tickets_of_what_is_not_queued_are_dropped_and_no_other(
    place: tuple[Workspace, Ledger, Queue], scene: Callable[..., Scene]
) -> None:
    _, ledger, queue = place
    with ledger.write() as session:
        make_ended_job(session)
        make_job(session)
    queue.ring([1, 1, 2, 99])
    assert [each.what for each in examine(scene(), fix=True)] == ["3 tickets are of jobs that are not queued"]
    assert list(queue.tickets().values()) == [2]


def test_a_paused_host_and_one_with_a_worker_need_no_ticket(
    place: tuple[Workspace, Ledger, Queue], scene: Callable[..., Scene]
) -> None:
    _, ledger, _ = place
    with ledger.write() as session:
        make_job(session)
    pauses.pause(ledger, "sim", reason="", at_once=False, now=NOW)
    assert list(look(scene())) == []


def test_what_a_living_worker_sees_to_is_left_to_it(
    place: tuple[Workspace, Ledger, Queue], scene: Callable[..., Scene]
) -> None:
    workspace, ledger, _ = place
    with ledger.write() as session:
        stray_lease(session, workspace)
    seen = scene()
    living = {"sim": Presence(host="sim", owner="me", machine="here", pid=7)}
    watched = Scene(**{**vars(seen), "living": living})
    (told,) = examine(watched, fix=True)
    assert (told.case, told.fixed, told.left_to) == ("stray_lease", False, "the worker with pid 7")
    assert findings(seen, "stray_lease") == ["job 1 is succeeded under a lease"]


def test_sessions_are_ended_as_their_hosts_say(scene: Callable[..., Scene]) -> None:
    ended: list[str] = []

    def seen(name: str, state: str, *, is_needed: bool = False) -> Seen:
        return Seen(id=name, host="sim", state=state, is_needed=is_needed, end=lambda: ended.append(name))

    sessions = [seen("a", "running"), seen("b", "running", is_needed=True), seen("c", "lost: rebooted")]
    told = [each.what for each in examine(scene(sessions=sessions), fix=True)]
    assert told == [
        "session a lives, and no job needs it",
        "session c is open in the ledger and lost: rebooted",
    ]
    assert ended == ["a", "c"]


def test_a_host_that_is_asked_tells_which_sessions_live_and_they_are_ended(make: Callable[..., Night]) -> None:
    night = make()
    site = site_of(night)
    killed, idle = remote.start(site, KEY), remote.start(site, KEY)
    wait_for(lambda: len(night.loads) == 2, "both models")
    told = json.loads(site.host.read(killed.folder.path / "session.json"))
    for name in ("wrapper_pid", "pid"):
        os.kill(told[name], signal.SIGKILL)
    wait_for(lambda: remote.state_of(site, killed) == "lost: killed", "its end")
    queue = Queue(night.workspace.queue_path)
    try:
        asked = scene_of(night.workspace, night.ledger, night.config, queue, now=now(), sessions=list(ask(site)))
        assert [(each.case, each.what, each.fixed) for each in examine(asked, fix=True)] == [
            ("idle_session", f"session {idle.id} lives, and no job needs it", True),
            ("ended_session", f"session {killed.id} is open in the ledger and lost: killed", True),
        ]
    finally:
        queue.close()
    assert list(ask(site)) == []
    assert dict(night.sql('SELECT id, "end" FROM sessions')) == {idle.id: "exited 0", killed.id: "lost: killed"}
    wait_for(lambda: night.session_pids() == [], "the end of its process")


def test_a_remedy_that_comes_too_late_changes_nothing(
    place: tuple[Workspace, Ledger, Queue], scene: Callable[..., Scene]
) -> None:
    workspace, ledger, _ = place
    with ledger.write() as session:
        for case in ("unsent", "orphaned", "no_attempt", "loose_attempt", "stray_lease"):
            FOUND[case][0](session, workspace)
    late: list[tuple[Any, Finding]] = list(look(scene()))
    list(examine(scene(), fix=True))
    before = dump(ledger)
    again = scene()
    for case, finding in late:
        if case.name != "unsent":
            case.mend(again, finding)
    assert dump(ledger) == before


def test_a_worker_mends_what_it_finds_while_it_works(make: Callable[..., Night]) -> None:
    night = make()
    night.worker(first="from cosmosq.worker import worker; worker.RECOVER_S = 0.2")
    wait_for(lambda: night.sql("SELECT pid FROM workers"), "the worker")
    pauses.pause(night.ledger, "sim", reason="", at_once=False, now=now())
    for seed in range(2):
        night.enqueue(seed=seed)
        # Whoever claims asks no pause, and this worker dies at once.
        claims.claim(night.ledger, "sim", "gone", simulated=True, now=now())
    with night.ledger.write() as session:
        session.execute(update(Job).where(Job.id == 2).values(lease_owner=None))
    wait_for(lambda: night.statuses() == ["queued", "queued"], "both in the queue")
    pauses.resume(night.ledger, "sim")
    wait_for(lambda: night.statuses() == ["succeeded", "succeeded"], "both videos")
    assert [night.job(job_id)["attempt"] for job_id in (1, 2)] == [1, 1]


def dump(ledger: Ledger) -> list[Any]:
    with ledger.read() as session:
        return [{k: v for k, v in vars(row).items() if k[0] != "_"} for m in (Job, Attempt) for row in session.query(m)]
