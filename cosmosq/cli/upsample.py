"""`cosmosq prompt upsample`: short prompts and frames of their clips into long prompts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.enqueue import Placement, place, show
from cosmosq.cli.guard import INTERRUPTED
from cosmosq.cli.options import ARRAY, again_option, host_option, priority_option, prompts_argument
from cosmosq.engines.upsampling import AUTO, MOST_VARIANTS
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from cosmosq.enqueue import Enqueued
    from cosmosq.upsample_wishes import Asked

_SHOWN = 20


@click.command()
@prompts_argument("references")
@click.option("--all-missing", is_flag=True, help="Every prompt that was not upsampled yet.")
@click.option(
    "--variants",
    type=click.IntRange(1, MOST_VARIANTS),
    default=1,
    show_default=True,
    metavar="N",
    help="So many answers for each prompt.",
)
@click.option(
    "--frames",
    metavar="WHICH",
    default="first",
    show_default=True,
    shell_complete=suggest.words("first", "first-last", "spread"),
    help="Which frames are shown.",
)
@click.option("--max-size", metavar="WxH", default=AUTO, show_default=True, help="The size that frames stay within.")
@priority_option()
@host_option()
@again_option
@click.option("--dry-run", is_flag=True, help="Print size, frames and tokens for each prompt, and queue nothing.")
@click.option("--follow", is_flag=True, help="Stay until they have ended; do the work here if no worker does.")
@ARRAY
@click.pass_obj
def upsample(
    app: App,
    references: tuple[str, ...],
    all_missing: bool,
    variants: int,
    frames: str,
    max_size: str,
    priority: int,
    host: str | None,
    again: bool,
    dry_run: bool,
    follow: bool,
    as_json: bool,
) -> int:
    """Queue jobs that make prompts longer.

    The prompt upsampler on the host is shown PROMPT and one or two frames of its clip's input video, and what it writes
    becomes a new prompt; the original stays. The same request again is reported and skipped.

    WHICH is first (the engine's own choice), first-last, spread, one of these with `:1` behind it for a single frame,
    or indices from 0 such as 0,60. The model answers differently each time: --variants makes several on purpose.
    """
    from cosmosq.engines.upsampling import request
    from cosmosq.upsample_wishes import upsamplings_for

    if not references and not all_missing:
        raise InvalidInput("name prompts, or give --all-missing for every one that was not upsampled")
    requests = [request(frames, max_size, number) for number in range(1, variants + 1)]
    asked = upsamplings_for(app.ledger, references, requests, missing=all_missing)
    if dry_run:
        _preview(asked, as_json)
        answers: list[Enqueued] = []
    else:
        answers = place(app, asked.wishes, Placement(host=host, priority=priority, again=again))
        if not as_json or not follow:
            show(answers, as_json)
    if follow and not _follow(app, app.config.host(host).name, answers, as_json):
        return INTERRUPTED
    _refuse(asked.refused)
    return 0


def _preview(asked: "Asked", as_json: bool) -> None:
    told: list[dict[str, Any]] = [
        {
            "prompt_id": record.id,
            "prompt_name": record.name,
            "frames": list(found.frames),
            "width": found.width,
            "height": found.height,
            "prompt_tokens": found.prompt_tokens,
            "tokens": found.tokens,
        }
        for record, found in asked.previews
    ]
    if as_json:
        output.emit_json(told)
        return
    rows = [
        [
            row["prompt_id"],
            output.one_line(row["prompt_name"] or "", 30),
            ",".join(map(str, row["frames"])),
            f"{row['width']}x{row['height']}",
            row["prompt_tokens"],
            row["tokens"],
        ]
        for row in told
    ]
    output.emit_table(["id", "name", "frames", "size", "prompt tokens, at most", "tokens, at most"], rows)


def _follow(app: App, host: str, answers: "Sequence[Enqueued]", as_json: bool) -> bool:
    """Until all have ended; false if it was interrupted. What could not be made raises at the end."""
    from cosmosq import upsampling
    from cosmosq.cli.run import work_or_follow
    from cosmosq.cli.wait import raise_for_failures
    from cosmosq.report import query
    from cosmosq.status import Status

    ids = [answer.id for answer in answers]
    if not ids:
        return True
    if not work_or_follow(app, host, ids):
        return False
    made = upsampling.results(app.ledger, ids)
    with app.ledger.read() as session:
        found = {job_id: query.status_of(session, job_id) for job_id in ids}
    told = [
        {"id": a.id, "status": found[a.id], "prompt_id": a.prompt_id, "upsampled_id": made.get(a.id)} for a in answers
    ]
    if as_json:
        output.emit_json(told)
    else:
        for row in told:
            if row["status"] == Status.SUCCEEDED:
                output.emit(f"{row['prompt_id']} → {row['upsampled_id']}")
    raise_for_failures(found)
    return True


def _refuse(refused: Sequence[str]) -> None:
    """After all the others were queued: those that cannot be upsampled."""
    for reason in refused[:_SHOWN]:
        output.say(reason)
    if len(refused) > _SHOWN:
        output.say(f"… and {len(refused) - _SHOWN} more")
    if refused:
        raise InvalidInput(f"{len(refused)} prompts cannot be upsampled and were left out: mend them, see above")
