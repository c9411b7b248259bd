"""`cosmosq export` and `import`."""

from dataclasses import asdict
from pathlib import Path

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument
from cosmosq.cli.selection import named_jobs
from cosmosq.status import Status


@click.command()
@jobs_argument(Status.SUCCEEDED, required=True)
@click.option(
    "--to", "folder", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the folders go."
)
@ARRAY
@click.pass_obj
def export(app: App, jobs: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Write jobs as folders that stand for themselves.

    Each JOB is an id or a range such as 3-9, and succeeded. In a folder of its own below DIR: its video, controlnet
    spec and log, the inputs, the prompt, and manifest.json with every parameter, what was recorded of the attempt,
    all hashes, and the commands that ask for the same again.
    """
    from cosmosq import exports
    from cosmosq.moments import utc_now

    ids = named_jobs(app, jobs)
    written = exports.export(app.ledger, app.workspace, ids, folder.absolute(), now=utc_now())
    if as_json:
        output.emit_json([{"id": job_id, "folder": str(path)} for job_id, path in zip(ids, written, strict=True)])
    else:
        for path in written:
            output.emit(str(path))


@click.command(name="import")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DIR…")
@ARRAY
@click.pass_obj
def import_(app: App, folders: tuple[Path, ...], as_json: bool) -> None:
    """Take exported jobs into this workspace.

    Each DIR is a folder that `cosmosq export` made, or holds such folders. The job is recorded as succeeded on the host
    `imported`, with its prompt, clip and video; `cosmosq enqueue --again` of its prompt makes it anew. What is here
    already is skipped, and nothing is believed that does not have its hash.
    """
    from cosmosq import imports
    from cosmosq.moments import utc_now

    done = imports.import_all(app.ledger, app.workspace, folders, now=utc_now())
    if as_json:
        output.emit_json([asdict(each) for each in done])
        return
    for each in done:
        output.emit(f"job {each.id} {'imported from' if each.new else 'is the same as'} {each.folder}")
    fresh = sum(each.new for each in done)
    output.say(f"{fresh} imported, {len(done) - fresh} skipped")
