"""`cosmosq prune`."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, hosts_option
from cosmosq.errors import CosmosqError, InvalidInput

if TYPE_CHECKING:
    from cosmosq.pruning import Leaving


@click.command()
@click.option("--older-than", required=True, metavar="SPAN", help="What ended so long ago: 30d, 12h.")
@click.option("--keep-rated", is_flag=True, help="Keep the results of jobs with stars, or that were picked.")
@hosts_option("Only what lies on this host; may be repeated.")
@click.option("--no-hosts", is_flag=True, help="Only outputs/ here.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and touch nothing.")
@ARRAY
@click.pass_obj
def prune(
    app: App, older_than: str, keep_rated: bool, hosts: tuple[str, ...], no_hosts: bool, dry_run: bool, as_json: bool
) -> None:
    """Remove old results, here and on the hosts.

    In outputs/ the files of jobs that have ended; on hosts the folders of sessions, inputs and controls that no job
    needs any more. Only what the ledger names is touched, and the ledger keeps what it was. Jobs that are queued, held
    or running keep all that they need.
    """
    from cosmosq import pruning
    from cosmosq.moments import parse_span, utc_now

    if hosts and no_hosts:
        raise InvalidInput("--host and --no-hosts do not go together")
    names = [app.config.host(name).name for name in hosts] or ([] if no_hosts else list(app.config.hosts))
    now = utc_now()
    span = parse_span(older_than)
    try:
        before = now - span
    except OverflowError as error:
        raise InvalidInput(f"--older-than {older_than}: that is before all times") from error
    found = []
    if not hosts:
        found += pruning.prune(
            app.ledger, app.workspace, before=before, keep_rated=keep_rated, now=now, dry_run=dry_run
        )
    failures = []
    for name in names:
        try:
            found += _on_host(app, name, before, dry_run)
        except CosmosqError as error:
            failures.append(error)
    if as_json:
        output.emit_json([asdict(each) for each in found])
    else:
        _tell(found, dry_run)
    for failure in failures[1:]:
        output.say(str(failure))
    if failures:
        raise failures[0]


def _on_host(app: App, name: str, before: datetime, dry_run: bool) -> "list[Leaving]":
    from cosmosq.cli.host import open_site
    from cosmosq.session import leavings

    with open_site(app, name, patience_s=0.0) as site:
        return leavings.prune(site, before=before, dry_run=dry_run)


def _tell(found: "list[Leaving]", dry_run: bool) -> None:
    kinds = dict.fromkeys((each.place, each.kind) for each in found)
    rows = []
    for place, kind in kinds:
        going = [each for each in found if (each.place, each.kind) == (place, kind) and each.kept is None]
        rows.append([place, kind, len(going), f"{sum(each.bytes for each in going) / 1e6:.1f} MB"])
    if rows:
        output.emit_table(["place", "kind", "to go" if dry_run else "removed", ""], rows)
    for each in found:
        if each.kept is not None:
            output.say(f"{each.path} stays: {each.kept}")
    if not rows:
        output.say("nothing is old enough and no more needed")
