"""Reading sweeps: which there are, their trials, and what came of each."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cosmosq import sweeps
from cosmosq.models import Job, Prompt, Sweep, Trial, TrialJob
from cosmosq.report import rows
from cosmosq.report.query import Filter, counts
from cosmosq.sweep.trials_csv import OUTCOMES

FIELDS = ("name", "method", "sweep_seed", "drawn", "host", "created_at", "changed_at")


def list_sweeps(session: Session) -> list[dict[str, Any]]:
    """All sweeps, oldest first: their fields, the number of their trials, their jobs by status."""
    trials = dict(session.execute(select(Trial.sweep_id, func.count()).group_by(Trial.sweep_id)).all())
    found = []
    for sweep in session.scalars(select(Sweep).order_by(Sweep.id)):
        by_status = counts(session, Filter(sweep=sweep.name))
        told = {name: getattr(sweep, name) for name in FIELDS}
        found.append(
            {**told, "trials": trials.get(sweep.id, 0), "jobs": sum(by_status.values()), "by_status": by_status}
        )
    return found


def sweep(session: Session, name: str) -> dict[str, Any]:
    """One sweep: its fields, its text, its definition, its trials and their jobs.

    Raises:
        NotFound: there is none of that name.
    """
    stored = sweeps.get(session, name)
    told = {field: getattr(stored, field) for field in FIELDS}
    by_status = counts(session, Filter(sweep=name))
    return {
        **told,
        "jobs": sum(by_status.values()),
        "by_status": by_status,
        "text": stored.text,
        "definition": stored.definition,
        "trials": _trials(session, stored.id),
    }


def _trials(session: Session, sweep_id: int) -> list[dict[str, Any]]:
    statement = (
        select(Trial.number, Trial.assignment, Job.id, Job.status, Job.prompt_id, Prompt.name.label("prompt_name"))
        .outerjoin(TrialJob, TrialJob.trial_id == Trial.id)
        .outerjoin(Job, Job.id == TrialJob.job_id)
        .outerjoin(Prompt, Prompt.id == Job.prompt_id)
        .where(Trial.sweep_id == sweep_id)
        .order_by(Trial.number, Job.id)
    )
    found: dict[int, dict[str, Any]] = {}
    for number, assignment, job_id, status, prompt_id, prompt_name in session.execute(statement):
        trial = found.setdefault(number, {"trial": number, "assignment": json.loads(assignment), "jobs": []})
        if job_id is not None:
            told = {"id": job_id, "status": status, "prompt_id": prompt_id, "prompt_name": prompt_name}
            trial["jobs"].append(told)
    return list(found.values())


def export(session: Session, name: str) -> tuple[list[str], Iterator[dict[str, Any]]]:
    """Column names and a row for each job of a sweep: what varies, what is fixed, what came of it.

    `--trials` takes them back.

    Raises:
        NotFound: there is no sweep of that name.
    """
    stored = sweeps.get(session, name)
    trials = _trials(session, stored.id)
    assigned = dict.fromkeys(column for trial in trials for column in trial["assignment"])
    fixed = {key: in_words(value) for key, value in stored.definition.get("fixed", {}).items()}
    varied = [n for n in dict.fromkeys((*stored.definition.get("parameters", {}), *assigned)) if n in assigned]
    names = [*varied, *(key for key in fixed if key not in assigned)]
    jobs = {row["id"]: row for row in rows.stream(session, Filter(sweep=name))}

    def told() -> Iterator[dict[str, Any]]:
        for trial in trials:
            shown = {key: in_words(value) for key, value in trial["assignment"].items()}
            for job in trial["jobs"]:
                row = {**jobs[job["id"]], "sweep": name, "trial": trial["trial"], "job": job["id"]}
                yield {**{column: row[column] for column in OUTCOMES}, **dict.fromkeys(names), **fixed, **shown}

    before = OUTCOMES[: OUTCOMES.index("generate_s")]
    return [*before, *names, *OUTCOMES[len(before) :]], told()


def in_words(value: Any) -> Any:
    """A combination of hints as `edge+depth`, anything else as it is."""
    return "+".join(value) if isinstance(value, list | tuple) else value
