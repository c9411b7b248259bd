"""Hosts on which nothing new starts: paused by a person, or by the breaker after failures in a row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from cosmosq import breaker
from cosmosq.breaker import Rule
from cosmosq.db import Ledger
from cosmosq.errors import MoveRefused
from cosmosq.models import Job, Pause, Streak
from cosmosq.retries import Fault, fault_of
from cosmosq.status import Status

KEPT = 100
"""So many failures in a row are remembered."""
EVERY = "*"
"""In place of a host's name, which it cannot be: all of them."""


class By(StrEnum):
    """Who paused a host."""

    PERSON = "person"
    BREAKER = "breaker"


def pause(ledger: Ledger, host: str | None, *, reason: str, at_once: bool, now: datetime) -> Pause:
    """Let nothing new start on a host, or on any; an earlier pause keeps its time.

    Args:
        reason: a person's own words; empty leaves an earlier pause's.
        at_once: stop what is generated as well.
    """
    with ledger.write() as session:
        found = session.get(Pause, (host or EVERY, By.PERSON))
        if found is None:
            found = Pause(host=host or EVERY, paused_by=By.PERSON, since=now, reason=reason, at_once=at_once)
            session.add(found)
        found.reason, found.at_once = reason or found.reason, at_once or found.at_once
        return found


def resume(ledger: Ledger, host: str | None) -> list[Pause]:
    """Lift the pauses of a host, whoever made them, or all that there are; returns them.

    Raises:
        MoveRefused: the host is paused with all others alone.
    """
    with ledger.write() as session:
        lifted = in_force(session) if host is None else [p for p in in_force(session, host) if p.host == host]
        if not lifted and in_force(session, host):
            raise MoveRefused(f"{host} is paused with all hosts: `cosmosq resume` lifts that")
        for each in lifted:
            session.delete(each)
            session.execute(delete(Streak).where(Streak.host == each.host))
    return lifted


def in_force(session: Session, host: str | None = None) -> list[Pause]:
    """The pauses that hold for a host, a person's first; for None all that there are."""
    statement = select(Pause).order_by(Pause.paused_by.desc(), Pause.host)
    if host is not None:
        statement = statement.where(Pause.host.in_([host, EVERY]))
    return list(session.scalars(statement))


def holding(session: Session, host: str, now: datetime) -> list[Pause]:
    """Those of them that let no job start now: not the breaker's when it is time for a probe."""
    return [each for each in in_force(session, host) if not _lets_through(session, each, now)]


def _lets_through(session: Session, each: Pause, now: datetime) -> bool:
    if each.paused_by != By.BREAKER or each.probe_at is None or each.probe_at > now:
        return False
    return not is_probing(session, each)


def is_probing(session: Session, each: Pause) -> bool:
    """Whether the job that the breaker let through is under way."""
    running = select(Job.id).where(Job.id == each.probe_job_id, Job.status == Status.RUNNING)
    return session.scalar(running) is not None


def why_not(ledger: Ledger, host: str, now: datetime) -> str | None:
    """Why no job may start on the host now; None if one may."""
    with ledger.read() as session:
        found = holding(session, host, now)
    return words(found[0]) if found else None


def words(each: Pause) -> str:
    """One pause for people, without its host and times."""
    told = "paused by the breaker" if each.paused_by == By.BREAKER else "paused"
    return f"{told}: {each.reason}" if each.reason else told


def let_through(session: Session, host: str, job_id: int, now: datetime) -> None:
    """Note which job the breaker lets through, in the transaction of its claim."""
    found = session.get(Pause, (host, By.BREAKER))
    if found is not None and _lets_through(session, found, now):
        found.probe_job_id = job_id


def spared(found: Sequence[Pause]) -> int | None:
    """The job that may begin all the same: the breaker's probe, if nobody else paused the host."""
    by_breaker = all(each.paused_by == By.BREAKER for each in found)
    return found[0].probe_job_id if found and by_breaker else None


# The breaker


def note_success(session: Session, host: str) -> None:
    """A job succeeded there: no failure before it counts any more, and the breaker's pause is over."""
    session.execute(delete(Streak).where(Streak.host == host))
    session.execute(delete(Pause).where(Pause.host == host, Pause.paused_by == By.BREAKER))


def note_failure(session: Session, host: str, error: str, rule: Rule, now: datetime, *, job: int | str) -> None:
    """An attempt failed there, or a session before any had begun: pause the host if these are too many in a row.

    Args:
        job: the attempt's job, or the id of the session.
    """
    whose = f"job {job}" if isinstance(job, int) else f"session {job}"
    row = session.get(Streak, host) or Streak(host=host, failures=[])
    before = [(str(who), str(what)) for who, what in row.failures]
    streak = breaker.add(before, whose, error)
    row.failures = [list(failure) for failure in streak[-KEPT:]]
    session.add(row)
    found = session.get(Pause, (host, By.BREAKER))
    if found is None:
        if len(streak) > len(before) and breaker.trips(streak, rule):
            _trip(session, host, breaker.reason(streak), rule, now)
    elif fault_of(error) != Fault.JOB and (found.probe_job_id == job or is_probing(session, found)):
        found.tries += 1
        found.probe_at = now + timedelta(seconds=breaker.probe_s(rule, found.tries))
        found.reason = f"{found.reason.partition('; ')[0]}; a probe failed: {error} ({whose})"


def _trip(session: Session, host: str, reason: str, rule: Rule, now: datetime) -> None:
    wait_s = breaker.probe_s(rule, 0)
    values = {"since": now, "reason": reason, "probe_at": now + timedelta(seconds=wait_s)}
    session.add(Pause(host=host, paused_by=By.BREAKER, **values))
    remedy = f"a job is tried in {wait_s:g} s, `cosmosq resume --host {host}` goes on at once"
    # Whoever only looks at pauses needs none of it.
    from cosmosq.alarms import Occasion, sound

    sound(session, Occasion.HOST_PAUSED, f"host {host} is paused: {reason}: {remedy}", now, host=host, reason=reason)
