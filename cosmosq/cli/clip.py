"""`cosmosq clip`: named sets of input videos."""

from typing import TYPE_CHECKING

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, OBJECT, name_argument
from cosmosq.cli.parsing import CommandGroup
from cosmosq.report.durations import duration

if TYPE_CHECKING:
    from cosmosq.clips import ClipRecord


@click.group(cls=CommandGroup)
def clip() -> None:
    """Name sets of input videos.

    A clip is a colour video and the controls that go with it.
    """


@clip.command()
@name_argument(suggest.clips)
@click.argument("paths", nargs=-1, required=True, metavar="PATH…", shell_complete=suggest.files)
@click.option(
    "--fps",
    type=click.IntRange(1, 240),
    default=24,
    show_default=True,
    metavar="N",
    help="So many numbered frames a second.",
)
@click.option("--replace", is_flag=True, help="Replace the clip of that name.")
@OBJECT
@click.pass_obj
def add(app: App, name: str, paths: tuple[str, ...], fps: int, replace: bool, as_json: bool) -> None:
    """Add clip NAME from folders, videos, numbered frames, or ROLE=PATH.

    Roles are told by name: color, rgb or input; depth; seg or segmentation; edge or canny; vis or blur; keypoint; also
    as in `shot1_depth.mp4`. Numbered frames (`depth.0001.png …` in a folder, or `depth.####.png`) are encoded once.
    """
    from cosmosq import clips
    from cosmosq.moments import utc_now

    record = clips.add(app.ledger, app.workspace, name, paths, fps=fps, replace=replace, now=utc_now())
    for note in record.notes:
        output.say(note)
    if as_json:
        output.emit_json(record.as_json())
    else:
        _show(record)


@clip.command(name="list")
@ARRAY
@click.pass_obj
def list_(app: App, as_json: bool) -> None:
    """List the clips."""
    from cosmosq import clips

    records = clips.list_clips(app.ledger)
    if as_json:
        output.emit_json([record.as_json() for record in records])
        return
    rows = [[r.name, " ".join(v.role for v in r.videos), output.clock(r.created_at)] for r in records]
    output.emit_table(["clip", "videos", "added"], rows)


@clip.command()
@name_argument(suggest.clips)
@OBJECT
@click.pass_obj
def show(app: App, name: str, as_json: bool) -> None:
    """Show the videos of clip NAME."""
    from cosmosq import clips

    record = clips.get(app.ledger, name)
    if as_json:
        output.emit_json(record.as_json())
    else:
        _show(record)


def _show(record: "ClipRecord") -> None:
    rows = [
        [v.role, f"{v.width}×{v.height}", f"{v.fps:g}", v.frames, duration(v.duration_s), v.sha256[:12], v.path]
        for v in record.videos
    ]
    output.emit(record.name)
    output.emit_table(["role", "size", "fps", "frames", "length", "sha256", "path"], rows)


@clip.command()
@name_argument(suggest.clips)
@OBJECT
@click.pass_obj
def remove(app: App, name: str, as_json: bool) -> None:
    """Forget clip NAME, which no prompt may use; its files stay."""
    from cosmosq import clips

    record = clips.get(app.ledger, name)
    clips.remove(app.ledger, name)
    if as_json:
        output.emit_json(record.as_json())
    else:
        output.say(f"clip {name} is forgotten")
