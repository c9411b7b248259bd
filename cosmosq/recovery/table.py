"""What is found, and what is done: the table of docs/architecture.md, and what walks it.

Tickets come last: mending jobs changes which are queued. Lines without cases are the story of an attempt that is taken
over: `session.attempt` and `session.watch` tell it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cosmosq.recovery import leases, parts, rows, tickets
from cosmosq.recovery.scene import Case, Finding, Scene


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table."""

    found: str
    done: str
    cases: tuple[Case, ...] = ()


TABLE = (
    Line(
        found="a worker that is gone; a `running` job that no living worker holds",
        done="taken out; the host's worker, or else the next one, takes it over:",
        cases=(leases.GONE, leases.ORPHANED),
    ),
    Line(found="… its attempt has no session", done="given back", cases=(leases.UNSENT,)),
    Line(
        found="… the session lives",
        done="followed from the stored offset; sent again if it was not accepted, and the session takes it once",
    ),
    Line(
        found="… the session's events name the ending already, or its last ones do",
        done="files are fetched and recorded",
    ),
    Line(
        found="… the session ended because it could not load",
        done="the first in line fails with the session's own error",
    ),
    Line(
        found="… it ended without a word, or was ended: silent for `stall_s`, deaf when `timeout_s` was over",
        done="who was generated: `lost`, `crashed`, `stalled`, `timed_out`, repeated as `retries` says; "
        "the others are given back and it does not count",
    ),
    Line(
        found="a session that no job needs",
        done="kept for the next jobs if it lives and is the only one; else its end is recorded",
        cases=(leases.IDLE, leases.ENDED),
    ),
    Line(
        found="a job that waits for one that did not succeed; half a file of an attempt that has ended",
        done="cancelled; deleted",
        cases=(rows.HOPELESS, parts.HALF_FILE),
    ),
    Line(
        found="a `running` job without a `running` attempt; the reverse; a lease on a job that is not `running`",
        done="ended as its attempt or queued; the attempt is `lost`; the lease goes",
        cases=(rows.NO_ATTEMPT, rows.LOOSE_ATTEMPT, rows.STRAY_LEASE),
    ),
    Line(
        found="a queued job without a ticket; a ticket without a job",
        done="rung for by the clock; dropped",
        cases=(tickets.LOST, tickets.STALE),
    ),
    Line(
        found="this disk is full while results come home; a ledger of an older cosmosq, of a newer one",
        done="the worker stops, the job stays `running`, the next start goes on; backed up and upgraded, refused",
    ),
)

CASES = tuple(case for line in TABLE for case in line.cases)


def look(scene: Scene, cases: Sequence[Case] = CASES) -> Iterator[tuple[Case, Finding]]:
    """All that is found, case after case."""
    for case in cases:
        for finding in list(case.find(scene)):
            yield case, finding
