"""`cosmosq edit`."""

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument, label_option, priority_option, settings_option
from cosmosq.cli.selection import named_jobs, parse_labels, parse_pairs
from cosmosq.errors import InvalidInput
from cosmosq.status import Status


@click.command()
@jobs_argument(Status.HELD, Status.QUEUED, required=True)
@settings_option("A parameter with another value")
@click.option(
    "--prompt",
    metavar="PROMPT",
    shell_complete=suggest.prompts,
    help="Another prompt; what was set over the old one's parameters stays.",
)
@priority_option(None)
@label_option
@click.option("--again", is_flag=True, help="Also if another job is then the same.")
@ARRAY
@click.pass_obj
def edit(
    app: App,
    jobs: tuple[str, ...],
    settings: tuple[str, ...],
    prompt: str | None,
    priority: int | None,
    label: tuple[str, ...],
    again: bool,
    as_json: bool,
) -> None:
    """Change what waiting jobs are asked.

    All of them or none. Each JOB is an id or a range such as 3-9, queued or held; `cosmosq show` tells what was
    changed.
    """
    from cosmosq import edits
    from cosmosq.moments import utc_now
    from cosmosq.report import query

    wanted = edits.Edit(
        parameters=parse_pairs(settings, "-s"), prompt=prompt, priority=priority, labels=parse_labels(label)
    )
    if not (wanted.is_about_the_video or label) and priority is None:
        raise InvalidInput("what is to be changed? give -s, --prompt, --priority or --label")
    ids = named_jobs(app, jobs)
    changed = edits.edit(app.ledger, ids, wanted, again=again, now=utc_now())
    if as_json:
        with app.ledger.read() as session:
            output.emit_json(query.jobs(session, query.Filter(ids=ids)))
    else:
        output.say(f"{len(changed)} changed, {len(ids) - len(changed)} as they were")
