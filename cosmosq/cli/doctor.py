"""`cosmosq doctor`."""

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY
from cosmosq.errors import HostFailed, Unreachable

if TYPE_CHECKING:
    from cosmosq.queue import Queue
    from cosmosq.recovery.scene import Seen
    from cosmosq.worker.checkup import Found


@click.command()
@click.option("--fix", is_flag=True, help="Mend what is found, where no living worker does.")
@click.option("--hosts", "ask_hosts", is_flag=True, help="Ask the hosts for sessions that have ended or idle as well.")
@ARRAY
@click.pass_obj
def doctor(app: App, fix: bool, ask_hosts: bool, as_json: bool) -> int:
    """Look for what a crash has left behind, and mend it.

    Or a power cut, or a lost host. A worker looks by itself when it starts and every minute, and what is on a host with
    a living worker is left to that one. The exit code is 1 if something is found that was not mended.
    """
    from cosmosq.queue import Queue

    queue = Queue(app.workspace.queue_path)
    try:
        found = _examine(app, queue, fix=fix, ask_hosts=ask_hosts)
    finally:
        queue.close()
    if as_json:
        output.emit_json([each.as_json() for each in found])
    else:
        _show(found, fix)
    return 0 if all(each.fixed for each in found) else 1


def _examine(app: App, queue: "Queue", *, fix: bool, ask_hosts: bool) -> "list[Found]":
    from cosmosq.worker.checkup import examine, in_place_of_a_worker, scene_of

    now = datetime.now(UTC)
    with ExitStack() as stack:
        sessions = _ask(app, stack) if ask_hosts else []
        scene = scene_of(app.workspace, app.ledger, app.config, queue, now=now, sessions=sessions)
        if fix:
            free = [name for name in scene.hosts if name not in scene.living]
            guard = in_place_of_a_worker(app.ledger, free, silent_s=app.config.lease_s, now=now)
            if not stack.enter_context(guard):
                raise Unreachable("a worker has just started, and looks for itself: `cosmosq doctor` says what is left")
        return list(examine(scene, fix=fix))


def _ask(app: App, stack: ExitStack) -> "list[Seen]":
    from cosmosq.cli.host import open_site
    from cosmosq.worker.checkup import ask

    seen: list[Seen] = []
    for name in app.config.hosts:
        site = stack.enter_context(open_site(app, name))
        try:
            seen += ask(site)
        except (Unreachable, HostFailed) as error:
            output.say(f"{name} was not asked: {error}")
    return seen


def _show(found: "list[Found]", fix: bool) -> None:
    if not found:
        output.say("nothing is found")
        return
    rows = [[each.case, each.host or "", each.what, _remedy(each)] for each in found]
    output.emit_table(["case", "host", "what is found", "remedy"], rows)
    left = sum(not each.fixed for each in found)
    mine = [each for each in found if not each.fixed and each.left_to is None]
    if mine and not fix:
        output.say(f"{left} found: `cosmosq doctor --fix` mends what it can, and so does the next worker")
    elif left:
        output.say(f"{left} left to a worker that lives")


def _remedy(each: "Found") -> str:
    if each.left_to is not None:
        return f"left to {each.left_to}"
    return f"done: {each.remedy}" if each.fixed else each.remedy
