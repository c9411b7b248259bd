"""`cosmosq demo`: a small night on the simulated engine, from rendered frames to the report."""

import json
import shutil
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cosmosq.cli import output, sweep_view
from cosmosq.cli.app import App
from cosmosq.cli.enqueue import Placement, place, place_sweep, plan_sweep
from cosmosq.cli.init import create
from cosmosq.cli.report_page import has_desktop, open_page
from cosmosq.cli.selection import show_pairs
from cosmosq.cli.sweep_input import Asked, read_sweep
from cosmosq.cli.worker import work
from cosmosq.errors import InvalidInput, JobFailed
from cosmosq.report.durations import duration
from cosmosq.status import Kind, Status

CLIP = "blocks"
FRAMES = 48
"""Two seconds; the engine takes 121 frames at once."""
SHORT = "neon-rain"
"""The prompt that is made longer."""
REFUSED = "forbidden-words"
"""The prompt that the stand-in's guardrail is told to block."""

SETTINGS = """\
# The workspace that `cosmosq demo` made. Everything in it is SIMULATED: no GPU worked here.
default_host = "sim"

# The demo measures what takes a second, once the queue is empty: `cosmosq measure --pending` does the rest.
measure = false

[hosts.sim]
transport = "local"
engine = "simulated"

# What the stand-in is told; docs/simulator.md lists all of it.
[hosts.sim.simulator]
# Half the engine's width and height, so that a demo takes seconds.
scale = 0.5
# Loading a model takes a second, a step a hundredth of one.
load_s = 1.0
step_s = 0.01
upsampler_load_s = 1.0
upsample_s = 0.5
# The GPU pretends to have 64 GB: enough for a transfer (56), too little for an upscale (82) until all models are
# offloaded (58). That job runs out of memory and is repeated so.
memory_gb = 64
# A guardrail that blocks one prompt, to show what becomes of it.
faults = [{ match = "forbidden", do = "block" }]
"""

PROMPTS = {
    "terrace": "Painted wooden blocks and polished spheres on a terrace of pale stone tiles in the early morning. Low "
    "sun from the left, long soft shadows, dew on the stone. The camera glides past at the height of a child.",
    SHORT: "Blocks of wet black glass on a city square at night, in the rain. Neon signs in magenta and cyan.",
    REFUSED: "A forbidden scene, which the guardrail of this demo is told to refuse.",
}

BASE = {"edge.weight": "0.6", "depth.weight": "0.3", "guidance": "7"}
"""As one of the sweep's trials, so that what these jobs show is the prompt's doing."""
SWEEP = Asked(
    name="weights",
    prompts=("terrace",),
    parameters=("edge.weight=0.2,0.6,1", "guidance=3,7"),
    settings=("depth.weight=0.3",),
)
MEASURES = ("picture", "canny")
"""Those that take no more than a second a video."""
HEALED = {"out_of_memory": "ran out of memory, and was repeated with all models offloaded"}
"""What happened to a job with this error that succeeded nevertheless."""
LOOK_AROUND = ("status", "show 1", "report --sweep weights --by edge.weight --measure canny_f1")
"""Commands that the summary names."""


@dataclass(frozen=True, kw_only=True)
class Night:
    """What a demo made."""

    root: Path
    page: Path
    jobs: list[dict[str, Any]]
    """As `cosmosq report --csv` has them."""
    healed: dict[int, list[str]]
    """What went wrong with jobs that succeeded nevertheless: the errors of their earlier attempts."""
    sessions: list[dict[str, Any]]
    """Id, model, load_s, and how many attempts each served."""

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

    Renders frames of a little scene, makes a clip and prompts of them, works on a sweep of two parameters, a prompt
    that is made longer and an upscale, measures the videos and writes the report. One job is blocked on purpose, one
    runs out of memory and heals itself, and the exit code is 0 all the same. No GPU is needed, and every video says
    SIMULATED.

    At a terminal on a desktop the report is opened in the browser.
    """
    night = run_night(directory or Path("demo") / f"{datetime.now():%Y-%m-%d_%H-%M-%S}", frames=frames)
    if as_json:
        told = {**vars(night), "workspace": str(night.root), "page": str(night.page)}
        output.emit_json({name: told[name] for name in ("workspace", "page", "jobs", "healed", "sessions")})
    else:
        _show(night)
    if night.surprises:
        first = night.surprises[0]
        raise JobFailed(f"job {first} did not end as it should: `cosmosq -w {night.root} show {first}` says why")
    if output.has_terminal() and has_desktop():
        open_page(night.page)


def run_night(root: Path, *, frames: int = FRAMES) -> Night:
    """Make the workspace `root`, work on the demo's jobs until none is left, and write the report.

    Call it in the main thread, as the worker needs.

    Raises:
        InvalidInput: there is something in `root` already.
        StorageFailed: it cannot be written.
    """
    with closing(_fresh_workspace(root)) as app:
        _add_clip(app, frames)
        _add_prompts(app)
        _enqueue(app)
        output.say("working until the queue is empty")
        work(app, hosts=("sim",), until_empty=True)
        _measure(app)
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
    from cosmosq.engines.upsampling import Request
    from cosmosq.upscale_wishes import upscales_for
    from cosmosq.wishes import wishes_for

    here = Placement()
    read = read_sweep(SWEEP)
    plan = plan_sweep(app, read, here, yes=False)
    sweep_view.tell(plan)
    swept = place_sweep(app, plan, read.text, here)
    place(app, wishes_for(app.ledger, [SHORT, REFUSED], BASE), here)
    place(app, wishes_for(app.ledger, [SHORT], BASE, Request()), here)
    place(app, upscales_for(app.ledger, [swept[0].id], {}), here)
    output.say(f"and queued: {SHORT} as it is and made longer, {REFUSED} to be blocked, an upscale short of memory")


def _measure(app: App) -> None:
    from cosmosq.measure_jobs import measure_all
    from cosmosq.measures.catalogue import chosen
    from cosmosq.moments import utc_now

    output.say("measuring the videos")
    for _ in measure_all(app.ledger, app.workspace, chosen(MEASURES), utc_now):
        """Each is recorded as it comes; what fails is missing in the report."""


def _told(app: App) -> Night:
    """Write the page and read what became of the jobs."""
    from cosmosq.moments import utc_now
    from cosmosq.report import page, rows
    from cosmosq.report.query import Filter

    root, everything = app.workspace.root, Filter()
    with app.ledger.read() as session:
        jobs, healed, sessions = list(rows.stream(session, everything)), _healed(session), _sessions(session)
        contents = page.read(session, app.workspace, everything, title="A demo night", now=utc_now())
    index = page.write(root / "report", app.workspace, contents)
    return Night(root=root, page=index, jobs=jobs, healed=healed, sessions=sessions)


def _healed(session: Any) -> dict[int, list[str]]:
    from sqlalchemy import select

    from cosmosq.models import Attempt, Job

    statement = (
        select(Attempt.job_id, Attempt.error)
        .join(Job, Job.id == Attempt.job_id)
        .where(Job.status == Status.SUCCEEDED, Attempt.error.is_not(None))
        .order_by(Attempt.id)
    )
    healed: dict[int, list[str]] = {}
    for job_id, error in session.execute(statement):
        healed.setdefault(job_id, []).append(error)
    return healed


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
        {"id": identity, "model": _model(json.loads(key)), "load_s": load_s, "attempts": attempts}
        for identity, key, load_s, attempts in session.execute(statement)
    ]


def _model(key: Mapping[str, Any]) -> str:
    """What a session has loaded, from its key."""
    if key["pipeline"] == Kind.UPSAMPLE:
        return "prompt upsampler"
    return " ".join(key["hints"]) + (", all offloaded" if key.get("offloaded") else "")


def _show(night: Night) -> None:
    headers = ["id", "status", "kind", "prompt", "parameters", "GPU", "result"]
    output.emit_table(headers, [_cells(job) for job in night.jobs])
    output.emit("")
    loads = [[s["id"], s["model"], duration(s["load_s"]), s["attempts"]] for s in night.sessions]
    output.emit_table(["session", "model", "load", "jobs served"], loads)
    output.say("")
    for job in night.jobs:
        if job["status"] == Status.BLOCKED:
            output.say(f"job {job['id']} was blocked on purpose")
        for error in night.healed.get(job["id"], ()):
            output.say(f"job {job['id']} healed itself: it {HEALED.get(error, f'ended as {error}, and was repeated')}")
    output.say("all of this was SIMULATED")
    # After `make demo` the command is not on the person's path.
    program = "cosmosq" if shutil.which("cosmosq") else sys.argv[0]
    first, *others = LOOK_AROUND
    output.say(f"look around: `{program} -w {night.root} {first}`, {', '.join(f'`… {o}`' for o in others)}")
    output.say("the report, for a browser:")
    output.emit(str(night.page))


def _cells(job: Mapping[str, Any]) -> list[object]:
    from cosmosq.engines.assignment import differences, from_columns

    changed = show_pairs(differences(from_columns(job)))
    result = job["output_path"] or output.one_line(job["message"] or job["error"] or "", 48)
    seconds = duration(job["generate_s"])
    prompt = job["prompt_name"] + (", made longer" if job["upsampled"] else "")
    return [job["id"], output.coloured(job["status"]), job["kind"], prompt, changed, seconds, result]
