"""Who takes which alarm to a person on which way, and how that ended; the only writer of deliveries."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from cosmosq.db import Ledger, insert_rows
from cosmosq.liveness import is_alive
from cosmosq.models import Alarm, Delivery, Worker
from cosmosq.notify.message import Notice
from cosmosq.occasions import Occasion

STALE = timedelta(days=1)
"""An alarm that could not be told for so long is none any more."""
MOST = 1000
"""So many alarms at a time, so that the ledger is not locked for long; the rest waits for the next message."""


@dataclass(frozen=True, kw_only=True)
class Post:
    """One way, as the ledger must know it."""

    way: str
    ways: tuple[str, ...]
    """All that are configured: an alarm is done with when each has had its try."""
    on: tuple[str, ...]
    owner: str
    silent_s: float
    """A worker on another machine that was silent for so long is taken to be gone."""
    bundle_s: float


def take(ledger: Ledger, post: Post, now: datetime, *, at_once: bool = False) -> list[Notice]:
    """The alarms of the next message, marked as taken; empty where there is none, or where it is too early.

    Args:
        at_once: do not wait for the next bundle.
    """
    with ledger.read() as session:
        if not _is_any(session) or not (at_once or _may_speak(session, post, now)) or not _open(session, post, now):
            return []
    with ledger.write() as session:
        # Again, under the lock: another worker may have come first.
        if not (at_once or _may_speak(session, post, now)):
            return []
        waiting = _open(session, post, now)
        wanted = [alarm for alarm in waiting if alarm.occasion in (*post.on, Occasion.TEST)]
        for alarm in waiting:
            if alarm.occasion not in (*post.on, Occasion.TEST):
                alarm.delivered_at = now
        stale = [alarm for alarm in wanted if now - alarm.at > STALE]
        fresh = [alarm for alarm in wanted if now - alarm.at <= STALE]
        _take(session, post, fresh, now)
        _take(session, post, stale, now, ended_at=now, error="nobody could be told for a day")
        _settle(session, post, [alarm.id for alarm in stale], now)
        return [_notice(alarm) for alarm in fresh]


def end(ledger: Ledger, post: Post, notices: Sequence[Notice], *, tries: int, error: str | None, now: datetime) -> None:
    """Record how a message ended; `error` is why it was given up."""
    ids = [notice.id for notice in notices]
    mine = (Delivery.alarm_id.in_(ids), Delivery.way == post.way, Delivery.owner == post.owner)
    with ledger.write() as session:
        told = update(Delivery).where(*mine).values(ended_at=now, tries=tries, error=error)
        session.execute(told, execution_options={"synchronize_session": False})
        _settle(session, post, ids, now)


def note_test(ledger: Ledger, text: str, now: datetime) -> Notice:
    """A test alarm that no worker takes."""
    with ledger.write() as session:
        alarm = Alarm(at=now, occasion=Occasion.TEST, text=text, data={}, delivered_at=now)
        session.add(alarm)
        session.flush()
        return _notice(alarm)


def note_result(ledger: Ledger, notice: Notice, way: str, *, error: str | None, now: datetime) -> None:
    """How a test ended on one way."""
    ended = {"tries": 1, "ended_at": now, "error": error}
    with ledger.write() as session:
        session.add(Delivery(alarm_id=notice.id, way=way, owner="notify test", taken_at=notice.at, **ended))


def newest(session: Session, count: int) -> list[dict[str, Any]]:
    """The last alarms with their deliveries, oldest first, as `--json` has them."""
    alarms = session.scalars(select(Alarm).order_by(Alarm.id.desc()).limit(count)).all()[::-1]
    rows = session.scalars(select(Delivery).where(Delivery.alarm_id.in_([alarm.id for alarm in alarms]))).all()
    found: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row.way):
        told = {name: getattr(row, name) for name in DELIVERY_FIELDS}
        found.setdefault(row.alarm_id, []).append(told)
    return [
        {**{name: getattr(alarm, name) for name in ALARM_FIELDS}, "deliveries": found.get(alarm.id, [])}
        for alarm in alarms
    ]


ALARM_FIELDS = ("id", "at", "occasion", "text", "host", "job_id", "data", "delivered_at")
DELIVERY_FIELDS = ("way", "taken_at", "tries", "ended_at", "error")


def _is_any(session: Session) -> bool:
    return session.scalar(select(Alarm.id).where(Alarm.delivered_at.is_(None)).limit(1)) is not None


def _open(session: Session, post: Post, now: datetime) -> list[Alarm]:
    """Alarms that nobody has told on this way, nor is about to."""
    theirs = [owner for owner in _living(session, now, post.silent_s) if owner != post.owner]
    had: ColumnElement[bool] = or_(Delivery.ended_at.is_not(None), Delivery.owner.in_(theirs))
    on_this_way = select(Delivery.alarm_id).where(Delivery.alarm_id == Alarm.id, Delivery.way == post.way, had)
    undelivered = select(Alarm).where(Alarm.delivered_at.is_(None), ~on_this_way.exists())
    return list(session.scalars(undelivered.order_by(Alarm.id).limit(MOST)))


def _living(session: Session, now: datetime, silent_s: float) -> set[str]:
    return {worker.owner for worker in session.scalars(select(Worker)) if is_alive(worker, now, silent_s)}


def _may_speak(session: Session, post: Post, now: datetime) -> bool:
    """Whether the last message on this way is long enough ago, whoever sent it."""
    said = or_(Delivery.tries > 0, Delivery.ended_at.is_(None))
    last = session.scalar(select(func.max(Delivery.taken_at)).where(Delivery.way == post.way, said))
    # One in the future is from before the clock was set back.
    return last is None or not timedelta(0) <= now - last < timedelta(seconds=post.bundle_s)


def _take(session: Session, post: Post, alarms: Collection[Alarm], now: datetime, **values: Any) -> None:
    known = select(Delivery).where(Delivery.way == post.way, Delivery.alarm_id.in_([alarm.id for alarm in alarms]))
    before = {row.alarm_id: row for row in session.scalars(known)}
    for row in before.values():
        row.owner, row.taken_at = post.owner, now
        for name, value in values.items():
            setattr(row, name, value)
    taken = {"way": post.way, "owner": post.owner, "taken_at": now, "ended_at": None, "error": None, **values}
    insert_rows(session, Delivery, [{**taken, "alarm_id": alarm.id} for alarm in alarms if alarm.id not in before])


def _settle(session: Session, post: Post, ids: Sequence[int], now: datetime) -> None:
    """Those that every way has had its try with are done."""
    ended = (
        select(Delivery.alarm_id)
        .where(Delivery.alarm_id.in_(ids), Delivery.way.in_(post.ways), Delivery.ended_at.is_not(None))
        .group_by(Delivery.alarm_id)
        .having(func.count() == len(post.ways))
    )
    done = update(Alarm).where(Alarm.id.in_(session.scalars(ended).all())).values(delivered_at=now)
    session.execute(done, execution_options={"synchronize_session": False})


def _notice(alarm: Alarm) -> Notice:
    return Notice(
        id=alarm.id,
        at=alarm.at,
        occasion=alarm.occasion,
        text=alarm.text,
        host=alarm.host,
        job_id=alarm.job_id,
        data=alarm.data,
    )
