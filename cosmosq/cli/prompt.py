"""`cosmosq prompt`: texts, and NVIDIA's controlnet specs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import ARRAY, OBJECT, json_option, prompts_argument, settings_option
from cosmosq.cli.parsing import CommandGroup
from cosmosq.cli.reading import read_text
from cosmosq.cli.selection import parse_pairs, show_pairs
from cosmosq.cli.upsample import upsample
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from cosmosq.upsampling import Made


@click.group(cls=CommandGroup)
def prompt() -> None:
    """Record prompts, or import controlnet specs."""


@prompt.command()
@click.argument("text", required=False)
@click.option(
    "--from",
    "source",
    metavar="FILE|-",
    shell_complete=suggest.files,
    help="Many prompts: a text a line, or JSONL; - is stdin.",
)
@click.option("--clip", metavar="CLIP", shell_complete=suggest.clips, help="The clip that is guided by it.")
@click.option("--name", metavar="NAME", help="A name beside its id.")
@click.option("--negative", metavar="TEXT", help="What the video should not look like.")
@settings_option("A parameter of its own")
@json_option("an object, with --from an array of objects")
@click.pass_obj
def add(
    app: App,
    text: str | None,
    source: str | None,
    clip: str | None,
    name: str | None,
    negative: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Record the prompt TEXT, or the one in a file with @FILE.

    A line of a JSONL file for --from is an object with text and, if you like, clip, name, negative and parameters.
    """
    from cosmosq import prompts
    from cosmosq.moments import utc_now

    if (text is None) == (source is None):
        raise InvalidInput("give the text of a prompt, @FILE, or --from FILE for many")
    parameters = parse_pairs(settings, "-s")
    if source is not None:
        if name is not None:
            raise InvalidInput("--name names one prompt: with --from, give names in a JSONL file")
        drafts = [_draft(row, clip, negative, parameters) for row in _rows(source)]
    else:
        drafts = [_draft({"text": _text(text or ""), "name": name}, clip, negative, parameters)]
    records = prompts.add(app.ledger, drafts, utc_now())
    if as_json:
        shown = [record.as_json() for record in records]
        output.emit_json(shown if source is not None else shown[0])
    else:
        for record in records:
            output.emit(record.id)
        if not any(name.endswith(".weight") for record in records for name in record.parameters):
            output.say("no hint has a weight yet: give one when you enqueue, e.g. -s edge.weight=0.5")


def _text(text: str) -> str:
    return read_text(text[1:]) if text.startswith("@") else text


def _rows(source: str) -> list[dict[str, object]]:
    """One dict a prompt; lines that begin with `{` are JSON."""
    rows: list[dict[str, object]] = []
    for number, line in enumerate(read_text(source).split("\n"), start=1):
        if not line.strip():
            continue
        rows.append(_json_row(source, number, line) if line.lstrip().startswith("{") else {"text": line.strip("\r")})
    if not rows:
        raise InvalidInput(f"{source} holds no prompt: write one a line")
    return rows


def _json_row(source: str, number: int, line: str) -> dict[str, object]:
    allowed = {"text", "clip", "name", "negative", "parameters"}
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{source}:{number}: broken JSON ({error.msg}): mend the line") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{source}:{number}: broken JSON ({error}): mend the line") from error
    if unknown := set(row) - allowed:
        raise InvalidInput(f"{source}:{number}: {unknown.pop()} is no key: there are {', '.join(sorted(allowed))}")
    texts = all(isinstance(row.get(key, ""), str) for key in allowed - {"parameters"})
    if "text" not in row or not texts or not isinstance(row.get("parameters", {}), dict):
        raise InvalidInput(f"{source}:{number}: text, clip, name and negative are texts, parameters an object")
    return dict(row)


def _draft(row: dict[str, object], clip: str | None, negative: str | None, parameters: dict[str, str]) -> Any:
    from cosmosq.prompts import Draft

    named = row.get("clip", clip)
    if named is None:
        raise InvalidInput("which clip? give --clip NAME: `cosmosq clip list` shows them")
    name = row.get("name")
    own = row.get("parameters", {})
    against = row.get("negative", negative)
    return Draft(
        text=str(row["text"]),
        clip=str(named),
        name=None if name is None else str(name),
        negative_text=None if against is None else str(against),
        parameters={**(own if isinstance(own, dict) else {}), **parameters},
    )


@prompt.command(name="import")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC.json…", type=click.Path(path_type=Path))
@click.option(
    "--root", type=click.Path(path_type=Path), metavar="DIR", help="The folder of the videos that specs name."
)
@ARRAY
@click.pass_obj
def import_(app: App, specs: tuple[Path, ...], root: Path | None, as_json: bool) -> None:
    """Record what controlnet specs ask for.

    Prompt, parameters and videos, as NVIDIA's transfer.py would take them.
    """
    from cosmosq import prompts
    from cosmosq.moments import utc_now

    records = prompts.import_specs(app.ledger, app.workspace, specs, root=root, now=utc_now())
    for spec, record in zip(specs, records, strict=True):
        for note in record.notes:
            output.say(f"{spec.name}: {note}")
        if not as_json:
            output.emit(f"{record.id}  {record.name or ''}")
    if as_json:
        output.emit_json([record.as_json() for record in records])


@prompt.command(name="list")
@click.option("--upsampled", is_flag=True, help="Only those that were made of others.")
@ARRAY
@click.pass_obj
def list_(app: App, upsampled: bool, as_json: bool) -> None:
    """List the prompts."""
    from cosmosq import prompts

    records = [each for each in prompts.list_prompts(app.ledger) if each.upsampled or not upsampled]
    if as_json:
        output.emit_json([record.as_json() for record in records])
        return
    rows = [[r.id, output.one_line(r.name or "", 30), r.clip, output.one_line(r.text)] for r in records]
    output.emit_table(["id", "name", "clip", "text"], rows)


@prompt.command()
@click.argument("reference", metavar="PROMPT", shell_complete=suggest.prompts)
@OBJECT
@click.pass_obj
def show(app: App, reference: str, as_json: bool) -> None:
    """Show PROMPT, named by its id, the beginning of that, or its name.

    Of one that was upsampled also its original, and what changed: `[-went-]{+came+}`.
    """
    from cosmosq import prompts, upsampling
    from cosmosq.cli.word_diff import word_diff

    record = prompts.get(app.ledger, reference)
    made = upsampling.made(app.ledger, record.id)
    if as_json:
        output.emit_json({**record.as_json(), "upsampling": made.as_json() if made else None})
        return
    output.emit_fields(
        {
            "id": record.id,
            "name": record.name,
            "clip": record.clip,
            "parameters": show_pairs(record.parameters),
            "added": output.clock(record.created_at),
            **({} if made is None else _how(made)),
        }
    )
    output.emit(f"\n{record.text}")
    if record.negative_text:
        output.emit(f"\nnot: {record.negative_text}")
    if made is not None:
        output.emit(f"\noriginal: {made.original_text}")
        output.emit_changes("\nchanges: ", word_diff(made.original_text, record.text))


def _how(made: "Made") -> dict[str, object]:
    marked = " SIMULATED" if made.simulated else ""
    return {
        "original": made.original_id,
        "upsampled by": f"{made.model}{marked} (job {made.job_id})",
        "frames": f"{made.frames} at {made.width}x{made.height}",
        "tokens": made.tokens,
        "seconds": f"{made.upsample_s:.1f}",
    }


@prompt.command()
@prompts_argument("references", required=True)
@ARRAY
@click.pass_obj
def remove(app: App, references: tuple[str, ...], as_json: bool) -> None:
    """Forget prompts that no job uses."""
    from cosmosq import prompts

    removed = prompts.remove(app.ledger, references)
    if as_json:
        output.emit_json([record.as_json() for record in removed])
    else:
        output.say(f"{len(removed)} forgotten")


prompt.add_command(upsample)
