"""What each command prints with `--json`, for REFERENCE.md."""

from dataclasses import fields

from reference_alarms import DELIVERY_JSON, TEST_JSON
from reference_alarms import LIST_JSON as NOTIFY_JSON
from reference_sweeps import LIST_JSON, PREVIEW_JSON
from reference_sweeps import SHOW_JSON as SWEEP_JSON
from reference_tables import names, table

from cosmosq import checks, clips, enqueue, imports, models, prompts, pruning, ratings, schedules, upsampling
from cosmosq.config import HostConfig
from cosmosq.report import failures, forecast, measures, outlook, pulse, query, scores, standing, tables, totals
from cosmosq.session import census, container, preview
from cosmosq.worker import checkup

STATUS_JSON = (*query.JOB_FIELDS, "prompt_name", *query.PROGRESS_FIELDS, "phase_at")
QUEUE_JSON = (
    *(f.name for f in fields(outlook.Outlook) if f.name not in outlook.OF_JOBS),
    *(f.name for f in fields(standing.Standing)),
    *(f.name for f in fields(pulse.Pulse) if f.name != "host"),
)
SHOW_JSON = (
    *STATUS_JSON,
    *("text", "upsampled_text", "engine_text", "upsampling", "negative_text", "digest", "labels", "depends_on"),
    *("dependencies", "parameters", "changed", "rating", "repeat", "inputs", "attempts", "artifacts"),
    *("measurements", "not_measured", "events"),
)
UPSAMPLE_PREVIEW_JSON = ("prompt_id", "prompt_name", "frames", "width", "height", "prompt_tokens", "tokens")
UPSAMPLE_JSON = ("id", "status", "prompt_id", "upsampled_id")
PARAMETERS_JSON = ("name", "type", "allowed", "default", "meaning")


def json_fields() -> str:
    """The fields of each command's `--json`."""
    lines = (
        (
            "`status`, `run`, `wait`, `cancel`, `retry`, `hold`, `release`, `move`, `edit`, `remove`",
            "array",
            names(STATUS_JSON) + "; `status` also `expected_at` and `waits_for`, `run` also `output_path`",
        ),
        ("`status --queue`", "array", names(QUEUE_JSON)),
        ("`pause`, `resume`", "array", names(column.name for column in models.Pause.__table__.columns)),
        ("`show`", "object", names(SHOW_JSON)),
        ("`measure`", "array", names(("id", "measurements", "not_measured"))),
        ("`enqueue`", "array", names(field.name for field in fields(enqueue.Enqueued))),
        ("`sweep preview`, `enqueue --dry-run`", "object", names(PREVIEW_JSON)),
        ("… its `forecast`", "object", names([*(f.name for f in fields(forecast.Forecast)), "gpu_h"])),
        ("`sweep list`", "array", names(LIST_JSON)),
        ("`sweep show`", "object", names(SWEEP_JSON)),
        ("`sweep extend`; `sweep cancel`, `retry`", "array", "as `enqueue`; as `status`"),
        (
            "`prompt add`, `show`; `list`, `import`, `remove`",
            "object; array",
            names(f.name for f in fields(prompts.PromptRecord)),
        ),
        ("… `upsampling` of `prompt show`", "object", names(f.name for f in fields(upsampling.Made))),
        ("`prompt upsample --dry-run`", "array", names(UPSAMPLE_PREVIEW_JSON)),
        ("`prompt upsample`; with `--follow`", "array", f"as `enqueue`; {names(UPSAMPLE_JSON)}"),
        (
            "`clip add`, `show`, `remove`; `list`",
            "object; array",
            names(field.name for field in fields(clips.ClipRecord)),
        ),
        ("… each of its `videos`", "object", names(field.name for field in fields(clips.ClipVideoRecord))),
        ("`parameters`", "array", names(PARAMETERS_JSON)),
        ("`batch preview`", "array", names(field.name for field in fields(preview.Planned))),
        ("`rate`", "array", names(ratings.FIELDS)),
        ("`rate --import`", "object", names(f.name for f in fields(ratings.Imported))),
        ("`rate --compare`", "object", names(("better", "worse"))),
        ("`report`", "object", names([*(f.name for f in fields(totals.Totals)), "gpu_s", "failures", "comparisons"])),
        ("… each of its `failures`", "object", names(f.name for f in fields(failures.Failure))),
        ("… each of its `comparisons`", "object", names(f.name for f in fields(scores.Score))),
        ("`report --by`", "object", names(("by", "groups"))),
        ("… each of its `groups`", "object", f"the keys by name, {names((*tables.COUNTS, 'measures'))}"),
        ("… each of their `measures`", "object", names(measures.SUMMARY)),
        ("`report --by --pivot`", "object", names(("by", "measure", "rows", "columns", "cells"))),
        ("`report --best`", "object", names(("by", "measure", "best"))),
        ("… each of its `best`", "object", f"the keys by name, {names(tables.BEST)}"),
        ("… each of its `prompts`", "object", names(field.name for field in fields(totals.PromptTotals))),
        (
            "`schedule list`; `add`, `enable`, `disable`, `remove`",
            "array; object",
            names(field.name for field in fields(schedules.ScheduleRecord)),
        ),
        ("… its `last` firing", "object", names(field.name for field in fields(schedules.FiringRecord))),
        ("`schedule next`; `schedule run`", "array", names(("due_at", "name", "line")) + "; as `enqueue`"),
        (
            "`host list`; `host show`, `add`, `remove`",
            "array; object",
            names([*(f.name for f in fields(HostConfig)), "default"]),
        ),
        ("`host check`", "object", names(("host", "ok", "checks"))),
        ("… each of its `checks`", "object", names(field.name for field in fields(checks.Finding))),
        ("`host sessions`", "array", names(field.name for field in fields(census.Resident))),
        ("`host clean`", "array", names(field.name for field in fields(container.Leftover))),
        ("`export`; `import`", "array", "`id`, `folder`; " + names(field.name for field in fields(imports.Imported))),
        ("`prune`", "array", names(field.name for field in fields(pruning.Leaving))),
        ("`notify list`", "array", names(NOTIFY_JSON)),
        ("… each of its `deliveries`; `notify test`", "array", f"{names(DELIVERY_JSON)}; {names(TEST_JSON)}"),
        ("`doctor`", "array", names(field.name for field in fields(checkup.Found))),
        ("`db check`; `db upgrade`", "object", names(("path", "ok", "problems")) + "; " + names(("path", "backup"))),
        ("`db backup`; `init`", "object", "`path`; `workspace`"),
        ("`demo`", "object", names(("workspace", "page", "jobs", "healed", "sessions"))),
    )
    heading = "Field names are those of the ledger, times ISO 8601 in UTC. Fields may be added, but none is renamed.\n"
    return f"{heading}\n{table(('command', 'prints', 'fields'), lines)}"
