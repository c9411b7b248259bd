"""`cosmosq measure`."""

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, jobs_argument
from cosmosq.cli.selection import named_jobs
from cosmosq.errors import InvalidInput, NotMeasured
from cosmosq.status import Status

if TYPE_CHECKING:
    from cosmosq.measure_jobs import Done
    from cosmosq.measures.catalogue import Measure

ALONE_S = 3600.0
"""How long what measures goes on after its worker has ended."""


@click.command()
@jobs_argument(Status.SUCCEEDED)
@click.option("--pending", is_flag=True, help="All jobs whose videos lack measurements.")
@click.option("--again", is_flag=True, help="Also what has been measured before.")
@click.option(
    "--only", multiple=True, metavar="NAME", shell_complete=suggest.measures, help="This measure only; may be repeated."
)
@ARRAY
@click.option("--background", type=int, hidden=True, help="Beside the worker with this pid.")
@click.pass_obj
def measure(
    app: App,
    jobs: tuple[str, ...],
    pending: bool,
    again: bool,
    only: tuple[str, ...],
    as_json: bool,
    background: int | None,
) -> None:
    """Measure the videos that jobs made.

    What a worker does beside its work, done now: Canny-F1, Blur SSIM and more. Each JOB is an id or a range such as
    3-9. The exit code is 1 if a video is missing or broken or a measure failed; the others are measured.
    """
    from cosmosq.measures.catalogue import chosen

    if background is not None:
        _measure_in_background(app, background)
        return
    if bool(jobs) == pending:
        raise InvalidInput("name jobs (ids or ranges such as 3-9) or give --pending")
    measures = chosen(only)
    ids = named_jobs(app, jobs) if jobs else None
    done = list(_told(_measured(app, measures, ids, again)))
    _show(app, sorted({one.todo.job_id for one in done}) if ids is None else ids, measures, as_json)
    if failed := sorted({one.todo.job_id for one in done if one.failed}):
        raise NotMeasured(
            f"{len(failed)} videos could not be measured in full: the reasons stand above, the first is "
            f"job {failed[0]}'s"
        )


def _measured(app: App, measures: "Sequence[Measure]", ids: Collection[int] | None, again: bool) -> "Iterable[Done]":
    from cosmosq.measure_jobs import measure_all
    from cosmosq.moments import utc_now

    return measure_all(app.ledger, app.workspace, measures, utc_now, ids=ids, again=again)


def _told(done: "Iterable[Done]") -> "Iterable[Done]":
    for one in done:
        told = f": {one.reason}" if one.reason else ""
        output.say(f"job {one.todo.job_id} {one.todo.measure.name}{told}")
        yield one


def _show(app: App, ids: Sequence[int], measures: "Sequence[Measure]", as_json: bool) -> None:
    from cosmosq import measurements

    def wanted(name: str) -> bool:
        return any(one.owns(name) for one in measures)

    with app.ledger.read() as session:
        numbers, tried = measurements.of_jobs(session, ids), measurements.not_measured(session, ids)
        lacking = measurements.out_of_reach(session, measures, ids)
    shown = {job_id: {name: value for name, value in numbers[job_id].items() if wanted(name)} for job_id in ids}
    if as_json:
        reasons = {n: {**lacking.get(n, {}), **tried[n]} for n in ids}
        output.emit_json([{"id": n, "measurements": shown[n], "not_measured": reasons[n]} for n in ids])
        return
    _say_lacking(lacking)
    if any(shown.values()):
        rows = [[n, name, f"{value:.6g}"] for n in ids for name, value in shown[n].items()]
        output.emit_table(["job", "measurement", "value"], rows)
    elif ids:
        output.say("there is no video to measure: only jobs that succeeded have one")
    else:
        output.say("every video is measured")


def _say_lacking(lacking: dict[int, dict[str, str]]) -> None:
    counted = Counter((name, reason) for reasons in lacking.values() for name, reason in reasons.items())
    for (name, reason), count in counted.items():
        output.say(f"{name} is not measured of {count} video{'s' if count != 1 else ''}: {reason}")


# Beside a worker


def _measure_in_background(app: App, worker_pid: int) -> None:
    """All that is pending, for as long as the worker lives and an hour more."""
    from cosmosq.measure_jobs import measure_all
    from cosmosq.measures.catalogue import chosen
    from cosmosq.moments import utc_now
    from cosmosq.worker.measuring import step_aside, the_only_one

    with the_only_one(app.workspace) as is_alone:
        if not is_alone:
            return
        step_aside()
        goes_on = _while_needed(worker_pid)
        for one in measure_all(app.ledger, app.workspace, chosen(()), utc_now, retry=False, goes_on=goes_on):
            if one.failed:
                output.say(f"job {one.todo.job_id} {one.todo.measure.name}: {one.reason}")


def _while_needed(worker_pid: int) -> Callable[[], bool]:
    left_at: list[float] = []

    def goes_on() -> bool:
        if os.getppid() != worker_pid and not left_at:
            left_at.append(time.monotonic())
        return not left_at or time.monotonic() - left_at[0] < ALONE_S

    return goes_on
