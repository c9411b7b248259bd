"""`cosmosq show`."""

from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import OBJECT, job_argument
from cosmosq.cli.rate import in_words
from cosmosq.cli.selection import named_jobs, show_pairs
from cosmosq.errors import InvalidInput
from cosmosq.report.durations import duration
from cosmosq.retries import Repeat
from cosmosq.status import Phase, Status

if TYPE_CHECKING:
    from cosmosq.config import Config

_TOLD_ELSEWHERE = ("attempt", "artifacts", "controls", "prompt")


@click.command()
@job_argument
@OBJECT
@click.pass_obj
def show(app: App, job: str, as_json: bool) -> None:
    """Show one job in full.

    Prompt, parameters that are not the default, attempts with their phases, artifacts, measurements and events of JOB.
    """
    from cosmosq.report import detail

    ids = named_jobs(app, [job])
    if len(ids) != 1:
        raise InvalidInput(f"{job} names {len(ids)} jobs: show one at a time")
    with app.ledger.read() as session:
        found = detail.job(session, ids[0])
    found["repeat"] = _repeat(found, app.config) if found["error"] else None
    if as_json:
        output.emit_json(found)
        return
    _fields(found, app.config.retries)
    _attempts(found["attempts"])
    _artifacts(found["artifacts"])
    _measurements(found["measurements"], found["not_measured"])
    _events(found["events"])


def _repeat(job: dict[str, Any], config: "Config") -> Repeat:
    """How the job is repeated after its error."""
    # One that failed with retries left was found to be hopeless, e.g. out of memory with all models offloaded.
    is_final = job["status"] == Status.FAILED and job["failures"] <= config.retries
    return Repeat.NEVER if is_final else config.repeat_of(job["error"])


def _fields(job: dict[str, Any], retries: int) -> None:
    output.emit_fields(
        {
            "job": job["id"],
            "status": job["status"],
            "error": ": ".join(word for word in (job["error"], job["message"]) if word),
            "repeated": _repeated(job, retries),
            "not before": output.clock(job["due_at"]) if job["status"] in (Status.HELD, Status.QUEUED) else "",
            "kind": job["kind"],
            "prompt": f"{job['prompt_id']} {job['prompt_name'] or ''}",
            "text": output.one_line(job["text"], 200),
            "upsampled to": output.one_line(job["upsampled_text"] or "", 200),
            "made longer by the engine": output.one_line(job["engine_text"] or "", 200),
            "asked": show_pairs({key: value for key, value in (job["upsampling"] or {}).items() if value is not None}),
            "host": f"{job['host']} ({job['engine']})",
            "priority": job["priority"],
            "labels": show_pairs(job["labels"]),
            "depends on": ", ".join(f"{d['need']} of job {d['job_id']} ({d['status']})" for d in job["dependencies"]),
            "parameters": show_pairs({name: _short(value) for name, value in job["changed"].items()}),
            "rating": in_words(job["rating"]) if job["rating"] else "",
            "enqueued": output.clock(job["created_at"]),
            "started": output.clock(job["started_at"]),
            "ended": output.clock(job["ended_at"]),
        }
    )
    if job["inputs"]:
        output.emit("\ninputs")
        rows = [[needed["role"], needed["sha256"][:12], needed["path"]] for needed in job["inputs"]]
        output.emit_table(["role", "sha256", "path"], rows)


def _repeated(job: dict[str, Any], retries: int) -> str:
    if job["repeat"] in (None, Repeat.NEVER):
        return job["repeat"] or ""
    return f"{job['repeat']}, {job['failures']} of {retries} retries used"


def _short(value: object) -> str:
    return output.one_line(str(value), 40)


def _attempts(attempts: list[dict[str, Any]]) -> None:
    if attempts:
        output.emit("\nattempts")
        rows = [
            [
                a["number"],
                output.coloured(a["status"]),
                a["session_id"],
                *(duration(a[f"{phase}_s"] or None) for phase in Phase),
                duration(a["generate_s"]),
                output.one_line(a["message"] or a["error"] or "", 50),
            ]
            for a in attempts
        ]
        output.emit_table(["", "status", "session", *Phase, "GPU", "error"], rows)


def _artifacts(artifacts: list[dict[str, Any]]) -> None:
    if artifacts:
        output.emit("\nartifacts")
        rows = [[a["kind"], _measures(a), a["bytes"], a["sha256"][:12], _path(a)] for a in artifacts]
        output.emit_table(["kind", "", "bytes", "sha256", "path"], rows)


def _path(artifact: dict[str, Any]) -> str:
    return f"pruned {output.clock(artifact['pruned_at'])}" if artifact["pruned_at"] else str(artifact["path"])


def _measures(artifact: dict[str, Any]) -> str:
    if artifact["kind"] != "video":
        return ""
    marked = " SIMULATED" if artifact["simulated"] else ""
    return f"{artifact['width']}×{artifact['height']} {artifact['fps']:g} fps {artifact['frames']} frames{marked}"


def _measurements(values: dict[str, float], reasons: dict[str, str]) -> None:
    if values or reasons:
        output.emit("\nmeasurements")
        rows = [*((name, f"{value:.6g}") for name, value in values.items()), *reasons.items()]
        output.emit_table(["name", "value"], rows)


def _events(events: list[dict[str, Any]]) -> None:
    output.emit("\nevents")
    rows = []
    for event in events:
        told = {key: value for key, value in event["data"].items() if key not in _TOLD_ELSEWHERE}
        source = "session" if event["session_id"] else "worker"
        rows.append([output.clock(event["at"]), source, event["event"], output.one_line(show_pairs(told), 80)])
    output.emit_table(["when", "told by", "event", ""], rows)
