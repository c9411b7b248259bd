"""When failures in a row tell against a host, and when it is tried again; without a ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from cosmosq.retries import LONGEST_PAUSE_S, Fault, fault_of

Failure = tuple[str, str]
"""Whose it was, as in `job 12`, and its error."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What `cosmosq.toml` says."""

    stop_after_failures: int = 0
    """So many failures in a row pause a host; 0: none do."""
    probe_after_s: float = 0.0


def add(streak: Sequence[Failure], whose: str, error: str) -> tuple[Failure, ...]:
    """The failures in a row with one more, if it tells against the host.

    Of a job that may be to blame itself the first alone does: however often it is repeated, it is one job.
    """
    fault = fault_of(error)
    known = any(whose == other for other, _ in streak)
    counts = fault == Fault.HOST or (fault == Fault.DOUBT and not known)
    return (*streak, (whose, error)) if counts else tuple(streak)


def trips(streak: Sequence[Failure], rule: Rule) -> bool:
    """Whether these are too many."""
    return 0 < rule.stop_after_failures <= len(streak)


def probe_s(rule: Rule, tries: int) -> float:
    """Seconds before a job is let through, after so many that failed: twice as long each time, up to an hour."""
    longest = max(LONGEST_PAUSE_S, rule.probe_after_s)
    return min(longest, rule.probe_after_s * 2.0 ** min(tries, 30))


def reason(streak: Sequence[Failure]) -> str:
    """The failures in words, e.g. `3 failures in a row: crashed (job 4), out_of_memory (job 5, job 6)`."""
    whose: dict[str, dict[str, None]] = {}
    for who, error in streak:
        whose.setdefault(error, {})[who] = None
    told = ", ".join(f"{error} ({', '.join(list(who)[-3:])})" for error, who in whose.items())
    return f"{len(streak)} failure{'s' if len(streak) != 1 else ''} in a row: {told}"
