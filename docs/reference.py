"""Writes REFERENCE.md, and drawing and table in docs/architecture.md, from the code.

python docs/reference.py            write both
python docs/reference.py --check    exit 1 and name the difference if one is stale
"""

import ast
import difflib
import importlib
import inspect
import pkgutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from reference_alarms import alarms
from reference_json import json_fields
from reference_sweeps import sweeps
from reference_tables import anchor, table

from cosmosq import config_keys, errors, models, notify_keys, retries, status
from cosmosq.cli import GROUPS, cli, guard
from cosmosq.engines.parameters import KIND_DEFAULTS, PARAMETERS
from cosmosq.measures.catalogue import OURS
from cosmosq.recovery.table import CASES, TABLE
from cosmosq.report import rows
from cosmosq.session import outcome
from cosmosq.template import TEMPLATE

ROOT = Path(__file__).resolve().parents[1]
REMOTE = ROOT / "remote_scripts"
REFERENCE = ROOT / "REFERENCE.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- written by docs/reference.py -->", "<!-- until here -->"
"""Between two such lines is written, in docs/architecture.md first the drawing, then the table of recovery."""

INTRODUCTION = """\
# Reference

Written from the code by `docs/reference.py`: run `make docs` after a change, `make check` refuses a stale page. What
cannot be read here is not there.
"""

EVENTS = {
    "starting": "The process of the session runs.",
    "loading": "It loads the model.",
    "ready": "The model is loaded, and jobs can be served.",
    "idle": "Nothing waits in the inbox.",
    "accepted": "An attempt was taken from the inbox, and its turn has come.",
    "phase": "A step within the attempt begins: what the engine does, finer than the phases above.",
    "step": "So many steps of a clip are done; kept as progress and not as an event.",
    "invoked": "Command mode: one process of the engine begins to make these attempts, so many at once.",
    "done": "The attempt made a video or a longer prompt; `artifacts` have name, bytes and sha256.",
    "blocked": "The guardrail refused the prompt or the video.",
    "failed": "The attempt failed, or without `attempt` the session itself; after a `fatal` one it ends.",
    "stopping": "The session ends: asked to, idle for too long, or terminated.",
}
"""What each event of a session says; that the list is whole is checked against the code."""

ERRORS = {
    "out_of_memory": "The GPU, or the host, had not enough memory; the session ends.",
    "disk_full": "The host's disk is full.",
    "missing_checkpoint": "A checkpoint file is not on the host.",
    "bad_input": "An input video is missing on the host or cannot be decoded there.",
    "prompt_too_long": "Beside the prompt there is no room for a frame in the upsampler: shorten it.",
    "invalid_spec": "The engine does not take the controlnet spec.",
    "engine_error": "The engine failed in another way: the log says how.",
    "cancelled": "A person cancelled the job.",
    "blocked": "The guardrail refused the prompt or the video.",
    "dependency": "A job that this one depends on did not succeed.",
    "paused": "`cosmosq pause --now` stopped it while it was generated.",
    "lost": "The session is gone without a word: the host rebooted, or somebody killed it.",
    "crashed": "The session's process ended without a word about the attempt.",
    "stalled": "The session said nothing for `stall_s` seconds and was ended.",
    "timed_out": "It was generated for longer than `timeout_s`, and stopped.",
    "input_changed": "An input video is missing or is not the file that was enqueued.",
    "bad_output": "The video did not come home whole, or cannot be decoded.",
    "host_failed": "A command on the host failed.",
    "internal_error": "cosmosq itself failed: `.cosmosq/logs/worker.jsonl` says where. Please report it.",
}
"""What each error class of a job means; likewise checked."""


def main(arguments: Sequence[str]) -> int:
    """Write or check both files; returns the exit code."""
    wanted = {REFERENCE: reference(), ARCHITECTURE: architecture()}
    if "--check" not in arguments:
        for path, text in wanted.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [line for path, text in wanted.items() for line in difference(path, text)]
    if stale:
        sys.stderr.write("\n".join(["stale: run `make docs`", *stale]) + "\n")
    return 1 if stale else 0


def difference(path: Path, wanted: str) -> list[str]:
    """The beginning of what tells the file from what it should be."""
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    name = path.relative_to(ROOT).as_posix()
    lines = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), name, f"{name} as it should be", "", "", 1, ""
    )
    return list(lines)[:40]


def architecture() -> str:
    """docs/architecture.md with the drawing of statuses and the table of recovery renewed."""
    written, rest = "", ARCHITECTURE.read_text(encoding="utf-8")
    for make in (drawing, remains):
        before, _, rest = rest.partition(BEGIN)
        _, _, rest = rest.partition(END)
        written += f"{before}{BEGIN}\n{make()}{END}"
    return written + rest


def reference() -> str:
    """The whole of REFERENCE.md."""
    sections: tuple[tuple[str, Callable[[], str]], ...] = (
        ("Commands", commands),
        ("Exit codes", exit_codes),
        ("cosmosq.toml", settings),
        ("Parameters", parameters),
        ("Sweeps", sweeps),
        ("Statuses", statuses),
        ("Phases", phases),
        ("Errors of jobs", job_errors),
        ("Events of a session", session_events),
        ("Measures", measures),
        ("Alarms", alarms),
        ("Findings of the doctor", findings),
        ("CSV columns", csv_columns),
        ("JSON", json_fields),
        ("Tables of the ledger", tables),
    )
    contents = "".join(f"- [{title}](#{anchor(title)})\n" for title, _ in sections)
    return "\n".join([INTRODUCTION, contents, *(f"## {title}\n\n{make()}" for title, make in sections)])


# Commands


def commands() -> str:
    """Every command with its subcommands, usage, text and options, by what people do."""
    parts = list(walk(cli, None, "cosmosq"))
    told = described(*parts[0])
    for title, group in GROUPS.items():
        told += f"\n### {title}\n"
        told += "".join(
            f"\n{described(context, command)}" for context, command in parts if group_name(context) in group
        )
    return told


def group_name(context: click.Context) -> str:
    """The command below `cosmosq` that this one is, or belongs to."""
    return [*context.command_path.split(), ""][1]


def walk(
    command: click.Command, parent: click.Context | None, name: str
) -> Iterator[tuple[click.Context, click.Command]]:
    """The command and all below it, in the order in which `--help` lists them."""
    context = click.Context(command, info_name=name, parent=parent, **(command.context_settings if not parent else {}))
    yield context, command
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None and not found.hidden:
                yield from walk(found, context, below)


def described(context: click.Context, command: click.Command) -> str:
    """One command."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    named = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    records = [option.get_help_record(context) for option in named]
    options = [(f"`{left}`", right) for left, right in filter(None, records) if "--help" not in left]
    text = inspect.cleandoc(command.help or "")
    listed = "\n" + table(("option", "meaning"), options) if options else ""
    return f"#### {context.command_path}\n\n`{usage}`\n\n{text}\n{listed}"


def exit_codes() -> str:
    """0, what the errors carry, and what is no error of a kind."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.CosmosqError)]
    lines: list[tuple[object, str, str]] = [(0, "", "Done.")]
    lines += [(kind.exit_code, f"`{kind.__name__}`", inspect.getdoc(kind) or "") for kind in kinds[1:]]
    lines.append((2, "", "The command line is wrong: no such command or option, or a value is missing."))
    lines.append(
        (guard.INTERRUPTED, "", "Interrupted; what runs on a host goes on, and the next worker takes it over.")
    )
    return table(("code", "error", "when"), sorted(lines, key=lambda line: int(str(line[0]))))


# Settings and parameters


def settings() -> str:
    """The keys of the file, and the file that `init` writes."""
    headers = ("key", "default", "allowed", "meaning")
    top = table(headers, (key_line(key) for key in config_keys.TOP_KEYS))
    host = table(headers, (key_line(key) for key in config_keys.HOST_KEYS))
    notify = table(headers, (key_line(key) for key in notify_keys.NOTIFY_KEYS))
    hosts = ", ".join(f"`{name}`" for name in tomllib.loads(TEMPLATE)["hosts"])
    written = f"`cosmosq init` writes this, with the host {hosts}:\n\n```toml\n{TEMPLATE}```\n"
    tables = f"In each `[hosts.NAME]` table:\n\n{host}\nIn the `[notify]` table:\n\n{notify}"
    return f"At the top:\n\n{top}\n{tables}\n{written}"


def key_line(key: config_keys.Key) -> tuple[str, ...]:
    return f"`{key.name}`", f"`{key.default!r}`".replace("'", '"'), key.allowed, key.meaning


def parameters() -> str:
    """The parameter table, and what a kind of job changes of it."""
    lines = ((f"`{p.name}`", p.allowed, default_of(p.default), f"`{p.column}`", p.meaning) for p in PARAMETERS)
    listed = table(("name", "allowed", "default", "column", "meaning"), lines)
    changed = [
        f"Jobs of kind `{kind}` begin with {', '.join(f'`{name}={value}`' for name, value in values.items())}.\n"
        for kind, values in KIND_DEFAULTS.items()
        if values
    ]
    return "\n".join([listed, *changed])


def default_of(value: object) -> str:
    if value == "":
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if len(text) < 40 else "the engine's own"


# Statuses, phases, errors, events


def statuses() -> str:
    """What each status means, and the moves."""
    docs = member_docs(status)["Status"]
    moves = {
        source: ", ".join(f"`{s}`" for s in status.Status if s in targets) for source, targets in status.MOVES.items()
    }
    lines = ((f"`{s}`", docs[s.name], moves[s] or "none") for s in status.Status)
    return f"{table(('status', 'meaning', 'may become'), lines)}\n{drawing()}"


def drawing() -> str:
    """The moves as a Mermaid diagram."""
    arrows = [f"    {a} --> {b}\n" for a in status.Status for b in status.Status if b in status.MOVES[a]]
    begin = f"    [*] --> {status.Status.QUEUED}\n    [*] --> {status.Status.HELD}\n"
    begin += f"    [*] --> {status.Status.SUCCEEDED}: imported\n"
    return f"```mermaid\nstateDiagram-v2\n{begin}{''.join(arrows)}```\n"


def remains() -> str:
    """What is found after an end without a word, and what is done."""
    return table(("what is found", "what is done"), ((line.found, line.done) for line in TABLE))


def findings() -> str:
    """What `cosmosq doctor` may find."""
    lines = ((f"`{case.name}`", case.remedy, "" if case.is_slow else "yes") for case in CASES)
    heading = "What `cosmosq doctor` and a worker look for; docs/architecture.md says more.\n"
    return f"{heading}\n{table(('case', 'remedy', 'every minute'), lines)}"


def phases() -> str:
    """The phases of an attempt in their order."""
    named = " → ".join(f"`{phase}`" for phase in status.Phase)
    return f"An attempt goes through {named}; the seconds spent in each are recorded.\n"


def job_errors() -> str:
    """The error classes; fails if the list above has not all that the code uses, or more."""
    used = error_names()
    refuse_gap("ERRORS", set(ERRORS), used)
    refuse_gap("FAULTS", set(retries.FAULTS), used)
    lines = (
        (
            f"`{name}`",
            f"`{retries.REPEATS.get(name, retries.Repeat.NEVER)}`",
            f"`{retries.FAULTS[name]}`",
            ERRORS[name],
        )
        for name in sorted(used)
    )
    docs = member_docs(retries)
    rules = table(("repeated", "meaning"), ((f"`{rule}`", docs["Repeat"][rule.name]) for rule in retries.Repeat))
    faults = table(("tells against", "meaning"), ((f"`{f}`", docs["Fault"][f.name]) for f in retries.Fault))
    heading = (
        "What `error` says of a job that did not succeed, how the job is repeated unless `repeat` says otherwise, and\n"
        "whom it tells against.\n"
    )
    listed = table(("error", "repeated", "tells against", "meaning"), lines)
    return f"{heading}\n{listed}\n{rules}\n{faults}"


def error_names() -> set[str]:
    """Every error class that the code knows."""
    ours = {*retries.REPEATS, *outcome.ERRORS.values(), "blocked", "cancelled", "dependency", "internal_error"}
    tree = ast.parse((REMOTE / "failures.py").read_text(encoding="utf-8"))
    function = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "error_of")
    returned = (node.value for node in ast.walk(function) if isinstance(node, ast.Return))
    return ours | {str(value.value) for value in returned if isinstance(value, ast.Constant)}


def session_events() -> str:
    """The events and their fields, as the remote scripts write them."""
    found = written_events()
    refuse_gap("EVENTS", set(EVENTS), set(found))
    lines = ((f"`{name}`", ", ".join(f"`{f}`" for f in found[name]), meaning) for name, meaning in EVENTS.items())
    heading = "Lines of `events.jsonl` in the session's folder, each an object with `event`, `at` and:\n"
    return f"{heading}\n{table(('event', 'fields', 'meaning'), lines)}"


def written_events() -> dict[str, list[str]]:
    """Fields by event, from the calls that write them."""
    found: dict[str, list[str]] = {}
    for path in sorted(REMOTE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and is_event(node):
                names = found.setdefault(ast.literal_eval(node.args[0]), [])
                names += [name for name in field_names(node) if name not in names]
    return found


def is_event(call: ast.Call) -> bool:
    target = ast.unparse(call.func)
    constant = bool(call.args) and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    return constant and target.endswith("events.write")


def field_names(call: ast.Call) -> Iterator[str]:
    """The keywords of a call; `**asdict(step)` stands for the fields of a Step, any other for those of a Failure."""
    for keyword in call.keywords:
        if keyword.arg is not None:
            yield keyword.arg
        elif ast.unparse(keyword.value) == "asdict(step)":
            yield from dataclass_fields("progress.py", "Step")
        else:
            yield from dataclass_fields("failures.py", "Failure")


def dataclass_fields(module: str, name: str) -> list[str]:
    tree = ast.parse((REMOTE / module).read_text(encoding="utf-8"))
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == name)
    return [ast.unparse(line.target) for line in found.body if isinstance(line, ast.AnnAssign)]


def refuse_gap(what: str, described: set[str], used: set[str]) -> None:
    if gap := sorted(described ^ used):
        sys.exit(f"docs/reference.py: {what} and the code differ in {', '.join(gap)}: describe it, or take it out")


# What is recorded


def csv_columns() -> str:
    """The columns of `cosmosq report --csv`."""
    heading = (
        "`cosmosq report --csv` writes one line a job. Columns may be added, but none is renamed. A text that a\n"
        "spreadsheet would take for a formula begins with an apostrophe.\n"
    )
    told = [*((column.name, column.meaning) for column in rows.TABLE), *rows.BEHIND.items()]
    return f"{heading}\n{table(('column', 'meaning'), ((f'`{name}`', meaning) for name, meaning in told))}"


def measures() -> str:
    """What is measured of each video, by the names that measurements have."""
    heading = "How each is defined and where it comes from: [docs/measures.md](docs/measures.md).\n"
    lines = (
        (f"`{name}`", f"`{measure.name}`", str(measure.version), meaning)
        for measure in OURS
        for name, meaning in measure.values.items()
    )
    return f"{heading}\n{table(('measurement', 'measure', 'version', 'meaning'), lines)}"


def tables() -> str:
    """Tables and columns, with the words that the models have for them."""
    docs = {name: text for part in parts_of(models) for name, text in member_docs(part).items()}
    mapped = sorted(models.Base.registry.mappers, key=lambda mapper: str(mapper.local_table))
    return "\n".join(table_of(mapper.class_, docs.get(mapper.class_.__name__, {})) for mapper in mapped)


def table_of(model: type[Any], docs: dict[str, str]) -> str:
    lines = [
        (f"`{c.name}`", str(c.type).lower(), "" if not c.nullable else "may be null", key_of(c), docs.get(c.name, ""))
        for c in model.__table__.columns
    ]
    about = inspect.getdoc(model) or ""
    return f"### {model.__tablename__}\n\n{about}\n\n{table(('column', 'type', '', 'key', ''), lines)}"


def key_of(column: Any) -> str:
    foreign = [f"→ `{key.target_fullname}`" for key in column.foreign_keys]
    return " ".join([*(["primary"] if column.primary_key else []), *foreign])


def parts_of(package: ModuleType) -> list[ModuleType]:
    """The modules of a package."""
    return [
        importlib.import_module(f"{package.__name__}.{part.name}") for part in pkgutil.iter_modules(package.__path__)
    ]


def member_docs(module: ModuleType) -> dict[str, dict[str, str]]:
    """By class and member: the text that stands below a member in the source."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            pairs = zip(node.body, node.body[1:], strict=False)
            found[node.name] = {member_of(a): text for a, b in pairs if member_of(a) and (text := text_of(b))}
    return found


def member_of(line: ast.stmt) -> str:
    if isinstance(line, ast.AnnAssign):
        return ast.unparse(line.target)
    return ast.unparse(line.targets[0]) if isinstance(line, ast.Assign) else ""


def text_of(line: ast.stmt) -> str:
    is_text = isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    return inspect.cleandoc(ast.literal_eval(line.value)) if is_text and isinstance(line, ast.Expr) else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
