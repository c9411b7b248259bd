"""Old results go, here and on the host; what somebody needs, changed or never recorded stays."""

import tomllib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cosmosq import jobs, pruning
from cosmosq.config import parse_config
from cosmosq.db import Ledger
from cosmosq.enqueue import enqueue
from cosmosq.errors import InvalidInput
from cosmosq.files import sha256_of
from cosmosq.models import Artifact, Clip, ClipVideo, EngineSession, Job, Rating, Video
from cosmosq.paths import Workspace
from cosmosq.report import query, rows
from cosmosq.session import leavings
from cosmosq.status import Status
from cosmosq.template import TEMPLATE
from cosmosq.upscale_wishes import upscales_for
from tests.ledger_rows import NOW, make_ended_job, make_workspace
from tests.night import Night, now, site_of, wait_for

MakeNight = Callable[..., Night]

NEWEST = select(Artifact).order_by(Artifact.id.desc()).limit(1)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Workspace, Ledger]]:
    workspace, ledger = make_workspace(tmp_path / "ws")
    yield workspace, ledger
    ledger.close()


def made(workspace: Workspace, ledger: Ledger, **more: Any) -> tuple[int, Path]:
    """A succeeded job whose video is on the disk."""
    with ledger.write() as session:
        job = make_ended_job(session, **more)
        path = workspace.outputs_path / "2026-11-22" / f"{job.id}-kitchen" / "output.mp4"
        path.parent.mkdir(parents=True)
        path.write_bytes(f"video {job.id}".encode())
        told = {"path": workspace.relative(path), "sha256": sha256_of(path), "bytes": path.stat().st_size}
        for name, value in told.items():
            setattr(session.scalars(NEWEST).one(), name, value)
        return job.id, path


def prune(workspace: Workspace, ledger: Ledger, **more: Any) -> list[pruning.Leaving]:
    told = {"before": NOW + timedelta(days=1), "keep_rated": False, "now": NOW + timedelta(days=9), **more}
    return pruning.prune(ledger, workspace, **told)


def test_old_results_go_and_the_ledger_keeps_what_they_were(home: tuple[Workspace, Ledger]) -> None:
    workspace, ledger = home
    old, path = made(workspace, ledger)
    young, kept = made(workspace, ledger, ended_at=NOW + timedelta(days=2))
    (told,) = prune(workspace, ledger, dry_run=True)
    assert (told.job_id, told.kind, told.bytes, told.kept) == (old, "video", 7, None)
    assert path.exists()
    assert prune(workspace, ledger) == [told]
    assert (path.parent.exists(), kept.exists()) == (False, True)
    with ledger.read() as session:
        row, other = rows.stream(session, query.Filter())
        assert (row["output_path"], row["pruned_at"]) == (None, NOW + timedelta(days=9))
        assert (other["output_path"], other["pruned_at"]) == (workspace.relative(kept), None)
        assert query.video_of(session, old) is None
        assert {row.sha256 for row in session.query(Artifact)}.isdisjoint({"0" * 64})
    with pytest.raises(InvalidInput, match=f"the video of job {old} was pruned"):
        upscales_for(ledger, [old], {})
    assert upscales_for(ledger, [young], {})
    assert prune(workspace, ledger) == []


def test_what_is_rated_is_kept_if_it_was_liked(home: tuple[Workspace, Ledger]) -> None:
    workspace, ledger = home
    ids = [made(workspace, ledger)[0] for _ in range(4)]
    with ledger.write() as session:
        session.add(Rating(job_id=ids[0], stars=2, rated_at=NOW))
        session.add(Rating(job_id=ids[1], verdict="pick", rated_at=NOW))
        session.add(Rating(job_id=ids[2], verdict="reject", rated_at=NOW))
    assert [each.job_id for each in prune(workspace, ledger, keep_rated=True)] == ids[2:]
    assert [each.job_id for each in prune(workspace, ledger)] == ids[:2]


def test_what_is_not_the_recorded_file_stays(home: tuple[Workspace, Ledger]) -> None:
    workspace, ledger = home
    _, changed = made(workspace, ledger)
    changed.write_bytes(b"cut by hand")
    _, linked = made(workspace, ledger)
    elsewhere = workspace.root / "elsewhere.mp4"
    linked.rename(elsewhere)
    linked.symlink_to(elsewhere)
    outside, path = made(workspace, ledger)
    path.rename(workspace.root / "mine.mp4")
    with ledger.write() as session:
        session.scalars(NEWEST).one().path = "outputs/../mine.mp4"
    _, missing = made(workspace, ledger)
    missing.unlink()
    foreign = missing.with_name("notes.txt")
    foreign.write_text("mine")
    told = prune(workspace, ledger)
    assert [each.kept for each in told] == [
        "it is not the file that came home",
        "it lies outside of outputs/",
        "it lies outside of outputs/",
        None,
    ]
    for path in (changed, linked, elsewhere, workspace.root / "mine.mp4", foreign):
        assert path.exists(), path
    assert outside


def test_what_waiting_jobs_and_clips_need_stays(home: tuple[Workspace, Ledger]) -> None:
    workspace, ledger = home
    source, path = made(workspace, ledger)
    again, _ = made(workspace, ledger)
    clip, used = made(workspace, ledger)
    with ledger.write() as session:
        session.get_one(Job, again).status = Status.QUEUED
    host = parse_config(tomllib.loads(TEMPLATE), source="template").host()
    upscale = enqueue(ledger, host, upscales_for(ledger, [source], {}), now=NOW)[0].id
    with ledger.write() as session:
        sha256 = sha256_of(used)
        shape = {"width": 1, "height": 1, "fps": 24.0, "frames": 9, "duration_s": 1.0}
        session.add(Video(sha256=sha256, path=str(used), bytes=1, created_at=NOW, **shape))
        session.add(Clip(id=77, name="of a result", created_at=NOW))
        session.flush()
        session.add(ClipVideo(clip_id=77, role="input", sha256=sha256))
    assert [(each.job_id, each.kept) for each in prune(workspace, ledger)] == [
        (clip, "a clip or a waiting job uses it")
    ]
    jobs.cancel(ledger, [upscale], NOW)
    assert [each.job_id for each in prune(workspace, ledger) if each.kept is None] == [source]
    assert (path.exists(), used.exists()) == (False, True)


def on_host(night: Night, **more: Any) -> dict[str, list[str | None]]:
    """Why each kind of thing on the host stays, None if it goes."""
    found: dict[str, list[str | None]] = {}
    for each in leavings.prune(site_of(night), before=more.pop("before", now()), **more):
        assert each.bytes > 0
        found.setdefault(each.kind, []).append(each.kept)
    return found


def test_a_host_is_pruned_beside_a_living_session(make: MakeNight) -> None:
    night = make(roles=("input", "depth"))
    night.enqueue(seed=1)
    night.work()
    first = {path.name for path in night.box.glob("sessions/*")}
    stranger = night.box / "sessions" / "s-of-somebody"
    stranger.mkdir()
    foreign = night.box / "videos" / f"{'a' * 64}.mp4"
    foreign.write_bytes(b"theirs")
    (night.box / "controls" / "mine.mp4").write_bytes(b"mine")
    assert on_host(night, before=now() - timedelta(hours=1)) == {}
    waiting = night.enqueue(seed=2)
    assert on_host(night, dry_run=True) == {"session": [None]}, "the queued job needs input and control"
    assert {path.name for path in night.box.glob("sessions/*")} == first | {stranger.name}
    worker = night.worker()
    wait_for(lambda: night.job(waiting)["status"] == "succeeded", "the second job")
    assert night.session_pids()
    assert on_host(night) == {"session": [None], "input": [None], "control": [None]}
    (living,) = {path.name for path in night.box.glob("sessions/*")} - {stranger.name}
    assert living not in first
    assert {path.name for path in night.box.glob("videos/*")} == {foreign.name}
    assert {path.name for path in night.box.glob("controls/*")} == {"mine.mp4"}
    third = night.enqueue(seed=3)
    wait_for(lambda: night.job(third)["status"] == "succeeded", "the third job, which sends and makes what it needs")
    assert len(night.loads) == 2
    assert [attempt["session_id"] for attempt in night.job(third)["attempts"]] == [living]
    with night.ledger.write() as session:
        ended = {row.id: row.pruned_at is not None for row in session.query(EngineSession)}
        # The same folder as another workspace would see it: it knows nothing of the session that lives there.
        session.get_one(EngineSession, living).host = "another"
    assert ended == {**dict.fromkeys(first, True), living: False}
    kept = "a session of somebody else lives there"
    assert on_host(night) == {"input": [kept], "control": [kept]}
    worker.kill()


def test_a_job_that_comes_while_its_input_is_put_aside_gets_it_back(
    make: MakeNight, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = make()
    night.enqueue(seed=1)
    night.work()
    site = site_of(night)
    kinds = {each.kind: each for each in leavings.prune(site, before=now(), dry_run=True)}
    real = pruning.needed_videos
    before = {path.name for path in night.box.glob("videos/*")}

    def and_now(session: Any) -> set[str]:
        if list(night.box.glob("videos/*.pruned")) and night.statuses() == ["succeeded"]:
            night.enqueue(seed=2)
        with night.ledger.read() as fresh:
            return real(fresh)

    monkeypatch.setattr(leavings, "needed_videos", and_now)
    kept = {each.kind: each.kept for each in leavings.prune(site, before=now())}
    assert set(kinds) == {"session", "input", "control"}
    assert kept == {"session": None, "input": "a job came for it just now", "control": "a job came for it just now"}
    assert {path.name for path in night.box.glob("videos/*")} == before
