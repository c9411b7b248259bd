"""`cosmosq run`: one command for the full cycle, generation alone, and upscaling after it."""

import time
from datetime import UTC, datetime

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.enqueue import Placement, place, tell
from cosmosq.cli.guard import INTERRUPTED
from cosmosq.cli.options import ARRAY, again_option, host_option, label_option, prompts_argument, settings_option
from cosmosq.cli.selection import parse_pairs
from cosmosq.cli.wait import raise_for_failures
from cosmosq.cli.worker import work
from cosmosq.engines.parameters import BY_NAME
from cosmosq.errors import WorkerBusy
from cosmosq.status import ENDED, Status

STANDSTILL_S = 3.0
"""What a worker says of a host is a second old, and from before these jobs were enqueued."""


@click.command()
@prompts_argument("names", required=True)
@settings_option("A parameter of these jobs")
@click.option(
    "--upscale",
    is_flag=False,
    flag_value="",
    metavar="[WEIGHT]",
    help="Upscale each video too; put a weight right behind it, as in --upscale=0.5.",
)
@host_option()
@label_option
@again_option
@ARRAY
@click.pass_obj
def run(
    app: App,
    names: tuple[str, ...],
    settings: tuple[str, ...],
    upscale: str | None,
    host: str | None,
    label: tuple[str, ...],
    again: bool,
    as_json: bool,
) -> int:
    """Enqueue, work and follow in the foreground.

    One job a PROMPT; the exit code is 1 if one did not succeed. If a worker serves the host already, it does the
    work and this command follows, or ends with 4 if that worker starts nothing now. Without one the jobs start at
    once, outside run windows too.
    """
    from cosmosq.report import query
    from cosmosq.upscale_wishes import upscales_for
    from cosmosq.wishes import wishes_for

    weight = float(BY_NAME["upscale.weight"].check(upscale)) if upscale else None
    wishes = wishes_for(app.ledger, names, parse_pairs(settings, "-s"))
    placement = Placement(host=host, labels=label, again=again)
    answers = place(app, wishes, placement)
    if upscale is not None:
        larger = upscales_for(app.ledger, [answer.id for answer in answers], {}, weight=weight)
        answers += place(app, larger, placement)
    ids = [answer.id for answer in answers]
    if there_already := [answer for answer in answers if not answer.new]:
        tell(there_already)
    if not work_or_follow(app, app.config.host(host).name, ids):
        return INTERRUPTED
    with app.ledger.read() as session:
        rows = query.jobs(session, query.Filter(ids=ids))
        videos = [query.video_of(session, row["id"]) for row in rows]
    found = {row["id"]: Status(row["status"]) for row in rows}
    if as_json:
        output.emit_json([{**row, "output_path": video} for row, video in zip(rows, videos, strict=True)])
    else:
        for video in filter(None, videos):
            output.emit(str(app.workspace.root / video))
    raise_for_failures(found)
    return 0


def work_or_follow(app: App, host: str, ids: list[int]) -> bool:
    """Follow the host's worker for as long as it serves, else do its work at any time; False if interrupted.

    Raises:
        WorkerBusy: the worker starts nothing now.
    """
    from cosmosq.cli.follow import follow_until_ended
    from cosmosq.moments import utc_now
    from cosmosq.worker import registry

    def worker() -> int | None:
        return registry.serving(app.ledger, host, silent_s=app.config.lease_s, now=utc_now())

    standstill = _Standstill(app, host, ids)
    while pid := worker():
        output.say(f"the worker with pid {pid} serves {host}: following")
        found = follow_until_ended(app, ids, meanwhile=lambda: worker() is not None and not standstill.lasts())
        if all(status in ENDED for status in found.values()):
            return True
        if standstill.lasts():
            raise WorkerBusy(
                f"the worker with pid {pid} serves {host} and starts nothing: {standstill.reason}: "
                "the jobs stay queued, `cosmosq wait` waits for them"
            )
    try:
        return work(app, hosts=(host,), only=ids, until_empty=True)
    except WorkerBusy:
        # Another one began in between.
        return work_or_follow(app, host, ids)


class _Standstill:
    """Whether some of the jobs wait, none runs, and the worker has said for a while why it starts nothing."""

    def __init__(self, app: App, host: str, ids: list[int]) -> None:
        self._app, self._host, self._ids = app, host, ids
        self._since: float | None = None
        self.reason = ""

    def lasts(self) -> bool:
        """Look again."""
        from cosmosq.report import query
        from cosmosq.report.standing import standstill

        with self._app.ledger.read() as session:
            found = standstill(session, self._host, datetime.now(UTC))
            counts = query.counts(session, query.Filter(ids=self._ids))
        if found is None or not counts.get(Status.QUEUED) or counts.get(Status.RUNNING):
            self._since = None
            return False
        self.reason = found.reason
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since >= STANDSTILL_S
