"""What is in the ledger by name or id, for a shell that completes a word: without the ORM, and without waiting.

A ledger that is missing, locked, damaged or of another cosmosq holds nothing: pressing Tab changes no file and says no
error.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from cosmosq.revision import REVISION

Named = tuple[str, str]
"""A name or id, and what it is."""

PATIENCE_S = 0.2
MOST_JOBS = 100


_JOBS = """
    SELECT jobs.id, jobs.status, coalesce(prompts.name, prompts.text)
    FROM jobs JOIN prompts ON prompts.id = jobs.prompt_id
    WHERE CAST(jobs.id AS TEXT) LIKE :digits
    AND (:statuses = '[]' OR jobs.status IN (SELECT value FROM json_each(:statuses)))
    ORDER BY jobs.id DESC LIMIT :most
"""


def jobs(ledger: Path, digits: str, statuses: Sequence[str] = ()) -> list[Named]:
    """The newest jobs whose id begins so, of these statuses or of all."""
    found = _rows(ledger, _JOBS, {"digits": f"{digits}%", "statuses": json.dumps(statuses), "most": MOST_JOBS})
    return [(str(job_id), f"{status}: {prompt}") for job_id, status, prompt in found]


def prompts(ledger: Path) -> list[Named]:
    """By name; those without one, by id."""
    return _rows(ledger, "SELECT coalesce(name, id), text FROM prompts ORDER BY created_at DESC")


def prompt_ids(ledger: Path) -> list[Named]:
    """By id, also those that have a name."""
    return _rows(ledger, "SELECT id, coalesce(name, text) FROM prompts ORDER BY created_at DESC")


def clips(ledger: Path) -> list[Named]:
    """With the roles of their videos."""
    return _rows(
        ledger,
        "SELECT name, (SELECT group_concat(role, ' ') FROM clip_videos WHERE clip_id = clips.id) FROM clips"
        " ORDER BY name",
    )


def sweeps(ledger: Path) -> list[Named]:
    """The newest first, with their method."""
    return _rows(ledger, "SELECT name, method FROM sweeps ORDER BY changed_at DESC")


def schedules(ledger: Path) -> list[Named]:
    """With the times at which they fire."""
    return _rows(ledger, "SELECT name, expression || ' ' || zone FROM schedules ORDER BY name")


def hosts_of_jobs(ledger: Path) -> list[str]:
    """Hosts that jobs name, also those that cosmosq.toml no longer has."""
    return [name for (name,) in _rows(ledger, "SELECT DISTINCT host FROM jobs ORDER BY host")]


def labels(ledger: Path) -> list[Named]:
    """As `key=value`, with the number of jobs that have them."""
    counted = "SELECT key || '=' || value, count(*) FROM job_labels GROUP BY key, value ORDER BY max(job_id) DESC"
    return [(label, f"{jobs} job{'s' if jobs != 1 else ''}") for label, jobs in _rows(ledger, counted)]


def measurements(ledger: Path) -> list[str]:
    """What was measured of any video."""
    return [name for (name,) in _rows(ledger, "SELECT DISTINCT name FROM measurements ORDER BY name")]


def _rows(ledger: Path, statement: str, values: Mapping[str, object] | None = None) -> list[Any]:
    try:
        with closing(sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True, timeout=PATIENCE_S)) as connection:
            if connection.execute("SELECT version_num FROM alembic_version").fetchone() != (REVISION,):
                return []
            return connection.execute(statement, values or {}).fetchall()
    except sqlite3.Error:
        return []
