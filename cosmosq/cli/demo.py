"""`cosmosq demo`: a small night on the simulated engine, from rendered frames to the report."""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.enqueue import Placement, place
from cosmosq.cli.init import create
from cosmosq.cli.selection import show_pairs
from cosmosq.cli.worker import work
from cosmosq.errors import InvalidInput, JobFailed
from cosmosq.report.durations import duration
from cosmosq.status import Status

CLIP = "blocks"
FRAMES = 48
"""Two seconds; the engine takes 121 frames at once."""
REFUSED = "forbidden-words"
"""The prompt that the stand-in's guardrail is told to block."""

SETTINGS = """\
# The workspace that `cosmosq demo` made. Everything in it is SIMULATED: no GPU worked here.
default_host = "sim"

# A demo is to be over soon: `cosmosq measure --pending` measures its videos.
measure = false

[hosts.sim]
transport = "local"
engine = "simulated"

# What the stand-in is told; docs/simulator.md lists all of it.
[hosts.sim.simulator]
# Half the engine's width and height, so that a demo takes seconds.
scale = 0.5
# Loading the model takes a second, a step a hundredth of one.
load_s = 1.0
step_s = 0.01
# A guardrail that blocks one prompt, to show what becomes of it.
faults = [{ match = "forbidden", do = "block" }]
"""

PROMPTS = {
    "terrace": "Painted wooden blocks and polished spheres on a terrace of pale stone tiles in the early morning. Low "
    "sun from the left, long soft shadows, dew on the stone. The camera glides past at the height of a child.",
    "neon-rain": "Blocks of wet black glass and chrome spheres on a city square at night, in the rain. Neon signs in "
    "magenta and cyan mirror in the puddles. The camera glides past slowly.",
    REFUSED: "A forbidden scene, which the guardrail of this demo is told to refuse.",
}

BASE = {"edge.weight": "0.5", "depth.weight": "0.3"}
WISHES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("terrace", "base", BASE),
    ("terrace", "seed", {**BASE, "seed": "7"}),
    ("terrace", "weights", {**BASE, "edge.weight": "1", "depth.weight": "0.1"}),
    ("neon-rain", "prompt", BASE),
    (REFUSED, "guardrail", BASE),
    ("terrace", "hints", {**BASE, "seg.weight": "0.6"}),
)
"""Prompt, the label `varies`, and parameters of each transfer; the first is upscaled too."""


@dataclass(frozen=True, kw_only=True)
class Night:
    """What a demo made."""

    root: Path
    page: Path
    jobs: list[dict[str, Any]]
    """As `cosmosq report --csv` has them."""
    sessions: list[dict[str, Any]]
    """Id, hints, load_s, and how many attempts each served."""

    @property
    def surprises(self) -> list[int]:
        """Ids of jobs that did not end as they were meant to."""
        meant = {REFUSED: Status.BLOCKED}
        return [job["id"] for job in self.jobs if job["status"] != meant.get(job["prompt_name"], Status.SUCCEEDED)]


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), required=False)
@click.option(
    "--frames",
    type=click.IntRange(2, 121),
    default=FRAMES,
    show_default=True,
    metavar="N",
    help="Length of the clip; 24 are a second.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def demo(directory: Path | None, frames: int, as_json: bool) -> None:
    """Run a small night on the simulated engine.

    It goes into a fresh workspace DIRECTORY (by default demo/<date-time>).

    Renders frames of a little scene, makes a clip and prompts of them, works on seven jobs, and writes the report. One
    job is blocked on purpose, and the exit code is 0 all the same. No GPU is needed, and every video says SIMULATED.
    """
    night = run_night(directory or Path("demo") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}", frames=frames)
    if as_json:
        page, root = str(night.page), str(night.root)
        output.emit_json({"workspace": root, "page": page, "jobs": night.jobs, "sessions": night.sessions})
    else:
        _show(night)
    if night.surprises:
        first = night.surprises[0]
        raise JobFailed(f"job {first} did not end as it should: `cosmosq -w {night.root} show {first}` says why")


def run_night(root: Path, *, frames: int = FRAMES) -> Night:
    """Make the workspace `root`, work on the demo's jobs until none is left, and write the report.

    Call it in the main thread, as the worker needs.

    Raises:
        InvalidInput: there is something in `root` already.
        StorageFailed: it cannot be written.
    """
    app = _fresh_workspace(root)
    _add_clip(app, frames)
    _add_prompts(app)
    _enqueue(app)
    output.say("working until the queue is empty")
    work(app, hosts=("sim",), until_empty=True)
    return _told(app)


def _fresh_workspace(root: Path) -> App:
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InvalidInput(f"{root} is not empty: name a new folder for the demo")
    workspace = create(root, SETTINGS)
    output.say(f"workspace {workspace.root}: everything in it is SIMULATED, no GPU works")
    return App(named_workspace=workspace.root)


def _add_clip(app: App, count: int) -> None:
    from cosmosq import clips, scene
    from cosmosq.moments import utc_now

    frames = app.workspace.root / "frames"
    output.say(f"rendering {count} frames of a little scene in colour, depth and segmentation")
    scene.write_frames(frames, frames=count)
    clip = clips.add(app.ledger, app.workspace, CLIP, [str(frames)], now=utc_now())
    output.say(f"clip {clip.name}: {', '.join(video.role for video in clip.videos)}")


def _add_prompts(app: App) -> None:
    from cosmosq import prompts
    from cosmosq.moments import utc_now

    drafts = [prompts.Draft(text=text, clip=CLIP, name=name) for name, text in PROMPTS.items()]
    prompts.add(app.ledger, drafts, utc_now())


def _enqueue(app: App) -> None:
    from cosmosq.upscale_wishes import upscales_for
    from cosmosq.wishes import wishes_for

    placed = []
    for prompt, varies, parameters in WISHES:
        wishes = wishes_for(app.ledger, [prompt], parameters)
        placed += place(app, wishes, Placement(labels=[f"varies={varies}"]))
    larger = upscales_for(app.ledger, [placed[0].id], {})
    placed += place(app, larger, Placement(labels=["varies=size"]))
    output.say(f"{len(placed)} jobs queued, one of which the guardrail will block")


def _told(app: App) -> Night:
    """Write the page and read what became of the jobs."""
    from cosmosq.moments import utc_now
    from cosmosq.report import page, rows
    from cosmosq.report.query import Filter

    root, everything = app.workspace.root, Filter()
    with app.ledger.read() as session:
        jobs, sessions = list(rows.stream(session, everything)), _sessions(session)
        contents = page.read(session, app.workspace, everything, title="A demo night", now=utc_now())
    index = page.write(root / "report", app.workspace, contents)
    return Night(root=root, page=index, jobs=jobs, sessions=sessions)


def _sessions(session: Any) -> list[dict[str, Any]]:
    from sqlalchemy import func, select

    from cosmosq.models import Attempt, EngineSession

    statement = (
        select(EngineSession.id, EngineSession.key, EngineSession.load_s, func.count(Attempt.id))
        .join(Attempt, Attempt.session_id == EngineSession.id)
        .group_by(EngineSession.id)
        .order_by(EngineSession.started_at)
    )
    return [
        {"id": identity, "hints": json.loads(key)["hints"], "load_s": load_s, "attempts": attempts}
        for identity, key, load_s, attempts in session.execute(statement)
    ]


def _show(night: Night) -> None:
    headers = ["id", "status", "kind", "prompt", "parameters", "GPU", "result"]
    output.emit_table(headers, [_cells(job) for job in night.jobs])
    output.emit("")
    loads = [[s["id"], " ".join(s["hints"]), duration(s["load_s"]), s["attempts"]] for s in night.sessions]
    output.emit_table(["session", "hints", "model load", "jobs served"], loads)
    output.say(f"\njob {_blocked(night)} was blocked on purpose, and all of this was SIMULATED")
    # After `make demo` the command is not on the person's path.
    program = "cosmosq" if shutil.which("cosmosq") else sys.argv[0]
    output.say(f"look around: `{program} -w {night.root} status`, `… show 1`, `… log 1`; the report, for a browser:")
    output.emit(str(night.page))


def _cells(job: Mapping[str, Any]) -> list[object]:
    from cosmosq.engines.assignment import differences, from_columns

    changed = show_pairs(differences(from_columns(job)))
    result = job["output_path"] or output.one_line(job["message"] or job["error"] or "", 48)
    seconds = duration(job["generate_s"])
    return [job["id"], output.coloured(job["status"]), job["kind"], job["prompt_name"], changed, seconds, result]


def _blocked(night: Night) -> str:
    return ", ".join(str(job["id"]) for job in night.jobs if job["status"] == Status.BLOCKED) or "none"
