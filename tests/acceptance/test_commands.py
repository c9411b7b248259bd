"""Each command as it is typed: help, JSON, prompts byte for byte, and jobs in bulk."""

import contextlib
import json
import os
import re
import sqlite3
import stat
import subprocess
import sys
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

import click
import pytest

from cosmosq import __version__
from cosmosq.cli import COMMANDS, GROUPS, cli
from cosmosq.config import HostConfig
from cosmosq.engines.parameters import PARAMETERS
from cosmosq.paths import Workspace
from cosmosq.report.query import JOB_FIELDS, PROGRESS_FIELDS
from tests.acceptance.command_line import COSMOSQ, Shell, one_line, rows, traces
from tests.acceptance.terminal import on_a_terminal
from tests.media import make_video

# Help


def _all_commands() -> dict[tuple[str, ...], click.Command]:
    """Every command and subcommand by its words."""
    context = click.Context(cli)
    found: dict[tuple[str, ...], click.Command] = {}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found[(name,)] = command
        if isinstance(command, click.Group):
            found |= {(name, inner): subcommand for inner, subcommand in command.commands.items()}
    return found


EVERY_COMMAND = _all_commands()


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help(tmp_path: Path, words: tuple[str, ...], flag: str) -> None:
    answer = Shell(tmp_path).ok(*words, flag)
    assert answer.out.startswith(f"Usage: cosmosq {' '.join(words)} ")
    assert answer.err == ""
    for parameter in EVERY_COMMAND[words].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{' '.join(words)} {parameter.name} says nothing"
            assert parameter.hidden or parameter.opts[0] in answer.out


TWO_MEANINGS = {
    # A sweep is a file before it is queued, and a name afterwards.
    "--sweep": {"FILE|-", "NAME"},
    # Of the demo's clip, and for the prompt upsampler.
    "--frames": {"N", "WHICH"},
    # Here, and on a host.
    "--root": {"DIR", "PATH"},
    # Of jobs that are there, and of those that are enqueued with it.
    "--upscale": {"flag", "[WEIGHT]"},
}


def test_options_of_the_same_name_take_the_same_and_all_are_told_in_sentences() -> None:
    taken: dict[str, set[str]] = {}
    for words, command in EVERY_COMMAND.items():
        for option in command.params:
            if not isinstance(option, click.Option) or option.hidden:
                continue
            assert re.fullmatch(r"(?s)[\w-].*\.", option.help or ""), (words, option.name)
            assert option.is_flag or option.metavar, (words, option.name)
            assert not option.multiple or "may be repeated" in (option.help or ""), (words, option.name)
            taken.setdefault(option.opts[-1], set()).add("flag" if option.is_flag else option.metavar or "")
    assert {name: kinds for name, kinds in taken.items() if len(kinds) > 1} == TWO_MEANINGS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_is_the_first_sentence_of_the_commands_own_help(name: str) -> None:
    sentence = re.split(r"(?<=\.)\s", EVERY_COMMAND[(name,)].help or "", maxsplit=1)[0]
    assert sentence == COMMANDS[name][1]


def test_help_lists_every_command_among_those_for_the_same_purpose(tmp_path: Path) -> None:
    out = Shell(tmp_path).ok("--help").out
    for title, group in GROUPS.items():
        _, _, listed = out.partition(f"\n{title}:\n")
        for name, (_, text) in group.items():
            assert re.search(rf"^  {name} +{re.escape(text)}$", listed.partition("\n\n")[0], re.MULTILINE)


def test_help_imports_no_command_and_no_database(tmp_path: Path) -> None:
    program = (
        "import sys; from cosmosq.cli import main; main(['--help']); "
        "print([m for m in sys.modules if m.split('.')[0] in ('sqlalchemy', 'huey', 'av', 'alembic', 'fabric')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_command_at_all_shows_the_help_and_is_no_success(tmp_path: Path) -> None:
    for words in ((), ("clip",), ("prompt",)):
        answer = Shell(tmp_path).run(*words)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.startswith("Usage: cosmosq ")


def test_the_version_is_told(tmp_path: Path) -> None:
    assert Shell(tmp_path).ok("--version").out == f"cosmosq, version {__version__}\n"


def test_it_runs_as_a_module_and_as_a_command(tmp_path: Path) -> None:
    assert Shell(tmp_path).spawn("--version").out == f"cosmosq, version {__version__}\n"
    script = Path(sys.executable).with_name("cosmosq")
    if not script.exists():
        pytest.skip("not installed with its command")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"cosmosq, version {__version__}\n"


# The workspace


def test_init_makes_settings_and_a_private_folder_and_touches_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    answer = Shell(tmp_path).ok("init")
    assert answer.out == ""
    assert answer.err.startswith(f"workspace {tmp_path}: next, ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".cosmosq", "cosmosq.toml", "mine.txt"]
    assert stat.S_IMODE((tmp_path / ".cosmosq").stat().st_mode) == 0o700
    Shell(tmp_path).ok("status")


def test_init_makes_the_folders_that_lack_and_closes_one_that_was_open(tmp_path: Path) -> None:
    (tmp_path / "a" / ".cosmosq").mkdir(parents=True, mode=0o755)
    Shell(tmp_path).ok("init", "a")
    Shell(tmp_path).ok("init", tmp_path / "b c" / "d")
    for folder in (tmp_path / "a", tmp_path / "b c" / "d"):
        assert stat.S_IMODE((folder / ".cosmosq").stat().st_mode) == 0o700


def test_a_workspace_is_found_upwards_by_name_and_by_the_environment(
    shell: Shell, workspace: Workspace, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (workspace.root / "deep" / "er").mkdir(parents=True)
    wanted = shell.ok("prompt", "list", "--json").out
    environment = {"COSMOSQ_WORKSPACE": str(workspace.root)}
    assert Shell(workspace.root / "deep" / "er").ok("prompt", "list", "--json").out == wanted
    assert Shell(elsewhere).ok("-w", workspace.root, "prompt", "list", "--json").out == wanted
    assert Shell(elsewhere).ok("--workspace", "../ws", "prompt", "list", "--json").out == wanted
    assert Shell(elsewhere).ok("prompt", "list", "--json", env=environment).out == wanted
    assert Shell(elsewhere).spawn("prompt", "list", "--json", env=environment).out == wanted
    Shell(elsewhere).ok("init", "other")
    assert Shell(elsewhere).ok("-w", "other", "prompt", "list", "--json", env=environment).json == []


# JSON

PROMPT_FIELDS = {
    "id", "name", "text", "negative_text", "clip", "parameters", "upsampled", "original_id", "created_at", "notes",
}  # fmt: skip
VIDEO_FIELDS = {"role", "sha256", "path", "bytes", "width", "height", "fps", "frames", "duration_s"}
CLIP_FIELDS = {"id", "name", "created_at", "videos", "notes"}
ENQUEUED_FIELDS = {"id", "status", "prompt_id", "kind", "host", "new", "upsample_job_id"}
HOST_FIELDS = {field.name for field in fields_of(HostConfig)}
ROW_FIELDS = {*JOB_FIELDS, *PROGRESS_FIELDS, "prompt_name", "phase_at"}
SHOW_FIELDS = {
    *ROW_FIELDS, "text", "negative_text", "digest", "labels", "depends_on", "parameters", "changed", "inputs",
    "attempts", "artifacts", "events", "upsampled_text", "engine_text", "upsampling", "repeat",
    "dependencies", "rating", "measurements", "not_measured",
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (("parameters",), {"name", "type", "allowed", "default", "meaning"}),
        (("clip", "list"), CLIP_FIELDS),
        (("prompt", "list"), PROMPT_FIELDS),
        (("status",), {*ROW_FIELDS, "expected_at", "waits_for"}),
        (("enqueue", "kitchen"), ENQUEUED_FIELDS),
        (("hold", "1"), ROW_FIELDS),
        (("cancel", "--all"), ROW_FIELDS),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_lists_prints_an_array_of_objects(shell: Shell, words: tuple[str, ...], fields: set[str]) -> None:
    shell.ok("enqueue", "kitchen")
    answer = shell.ok(*words, "--json")
    assert isinstance(answer.json, list)
    assert answer.json
    assert all(set(row) == fields for row in answer.json)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (("clip", "show", "shot"), CLIP_FIELDS),
        (("clip", "add", "new", "input=input.mp4"), CLIP_FIELDS),
        (("prompt", "show", "kitchen"), {*PROMPT_FIELDS, "upsampling"}),
        (("prompt", "add", "a harbour", "--clip", "shot"), PROMPT_FIELDS),
        (("show", "1"), SHOW_FIELDS),
        (("db", "check"), {"path", "ok", "problems"}),
        (("db", "backup"), {"path"}),
        (("db", "upgrade"), {"path", "backup"}),
        (("init", "new"), {"workspace"}),
        (("host", "show"), {*HOST_FIELDS, "default"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_shows_or_adds_prints_an_object(
    shell: Shell, workspace: Workspace, words: tuple[str, ...], fields: set[str]
) -> None:
    shell.ok("enqueue", "kitchen")
    make_video(workspace.root / "input.mp4", seed=8)
    assert set(shell.ok(*words, "--json").json) == fields


PRINT_NO_DATA = {
    ("completion",): "a script",
    ("worker",): "words about what happens",
    ("log",): "the log",
    ("host", "shell"): "a shell",
    ("sweep", "export"): "CSV",
}


def test_every_command_prints_json_but_those_that_have_nothing_to_print() -> None:
    lacking = {
        words
        for words, command in EVERY_COMMAND.items()
        if not isinstance(command, click.Group) and not any("--json" in option.opts for option in command.params)
    }
    assert lacking == set(PRINT_NO_DATA)


def test_what_is_removed_is_printed_as_it_was(shell: Shell, workspace: Workspace) -> None:
    shell.ok("enqueue", "kitchen")
    (job,) = shell.ok("status", "--json").json
    (removed,) = shell.ok("remove", "1", "--json").json
    assert removed == {name: job[name] for name in ROW_FIELDS}
    prompt = shell.ok("prompt", "show", "kitchen", "--json").json
    assert shell.ok("prompt", "remove", "kitchen", "--json").json == [{n: prompt[n] for n in PROMPT_FIELDS}]
    clip = shell.ok("clip", "show", "shot", "--json").json
    assert shell.ok("clip", "remove", "shot", "--json").json == clip
    text = workspace.config_path.read_text() + "\n[hosts.second]\n"
    workspace.config_path.write_text(text)
    host = shell.ok("host", "show", "second", "--json").json
    assert shell.ok("host", "remove", "second", "--json").json == host
    listed = [shell.ok(*words, "--json").json for words in (("status",), ("prompt", "list"), ("clip", "list"))]
    assert listed == [[], [], []]


def test_a_clip_tells_its_videos(shell: Shell) -> None:
    videos = shell.ok("clip", "show", "shot", "--json").json["videos"]
    assert [video["role"] for video in videos] == ["input", "depth", "seg"]
    assert all(set(video) == VIDEO_FIELDS for video in videos)
    assert (videos[0]["width"], videos[0]["fps"], videos[0]["frames"]) == (64, 24.0, 12)


@pytest.mark.parametrize("words", [("clip", "list"), ("prompt", "list"), ("status",), ("cancel", "--all")])
def test_an_empty_listing_is_an_empty_array(tmp_path: Path, words: tuple[str, ...]) -> None:
    Shell(tmp_path).ok("init")
    assert Shell(tmp_path).ok(*words, "--json").json == []


def test_importing_prints_an_array_and_notes_on_stderr(shell: Shell, workspace: Workspace) -> None:
    make_video(workspace.root / "color.mp4", seed=3)
    (workspace.root / "dusk.json").write_text(
        json.dumps({"prompt": "dusk", "input_video_path": "color.mp4", "edge": {"colour": 1}, "num_gpus": 8})
    )
    answer = shell.ok("prompt", "import", "dusk.json", "--json")
    (record,) = answer.json
    notes = [
        "edge.colour is left out: the engine reads no such key there",
        "num_gpus is left out: it belongs to the host, not to the prompt",
    ]
    assert (record["name"], record["parameters"], record["notes"]) == ("dusk", {"edge.weight": 0.5}, notes)
    assert answer.err == "".join(f"dusk.json: {note}\n" for note in notes)
    assert shell.ok("prompt", "import", "dusk.json").out == f"{record['id']}  dusk\n"


def test_parameters_are_listed_with_what_is_allowed(shell: Shell) -> None:
    listed = shell.ok("parameters", "--json").json
    assert [row["name"] for row in listed] == [parameter.name for parameter in PARAMETERS]
    table = shell.ok("parameters").out.splitlines()
    assert len(table) == len(PARAMETERS) + 2
    assert re.search(r"^num_steps +an integer from 1 to 1000 +35 ", "\n".join(table), re.MULTILINE)


# Prompts, byte for byte

NASTY = (
    "\"quotes\" 'single' `ticks` $(touch owned) ${HOME} %s {0} \\n \\ ; rm -rf / && # -- !!\n"
    "second line\r\nthird\ttabbed\n\n  indented \u202eRTL\u202c مطبخ في المساء עברית 視 \ufeff "
    "🎬 \U0001f469\u200d\U0001f467 e\u0301 \x1b[31m\x7f "
)
LONG = (NASTY * 200)[:20_000]


def _stored(workspace: Workspace) -> list[str]:
    with contextlib.closing(sqlite3.connect(workspace.ledger_path)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM prompts")]


def _jsonl(text: str) -> bytes:
    return json.dumps({"text": text, "negative": text[::-1]}, ensure_ascii=False).encode()


@pytest.mark.parametrize("way", ["argument", "file", "stdin", "jsonl", "escaped jsonl"])
def test_a_long_prompt_of_nasty_characters_arrives_byte_for_byte(
    shell: Shell, workspace: Workspace, tmp_path: Path, way: str
) -> None:
    assert len(LONG) == 20_000
    path = tmp_path / "prompts"
    words: tuple[str, ...] = (f"@{path}",)
    stdin = None
    match way:
        case "argument":
            words = (LONG,)
        case "file":
            path.write_bytes(LONG.encode())
        case "stdin":
            words, stdin = ("@-",), LONG.encode()
        case "jsonl":
            path.write_bytes(_jsonl(LONG) + b"\n")
            words = ("--from", str(path))
        case _:
            path.write_text(json.dumps({"text": LONG}))
            words = ("--from", str(path))
    answer = shell.spawn("prompt", "add", *words, "--clip", "shot", "--json", stdin=stdin)
    assert answer.code == 0, answer.err
    assert LONG in _stored(workspace)
    shown = answer.json if isinstance(answer.json, dict) else answer.json[0]
    assert shown["text"] == LONG
    assert shell.ok("prompt", "show", shown["id"], "--json").json["text"] == LONG
    assert not (workspace.root / "owned").exists()


def test_a_negative_text_arrives_likewise(shell: Shell) -> None:
    answer = shell.ok("prompt", "add", "x", "--clip", "shot", "--negative", LONG, "--json")
    assert answer.json["negative_text"] == LONG


def test_the_line_end_that_an_editor_adds_is_not_part_of_a_prompt(shell: Shell, workspace: Workspace) -> None:
    for data, text in ((b"one\n", "one"), (b"two\r\n", "two"), (b"three\n\n", "three\n"), (b"four\r\nx", "four\r\nx")):
        (workspace.root / "p.txt").write_bytes(data)
        assert shell.ok("prompt", "add", "@p.txt", "--clip", "shot", "--json").json["text"] == text


@pytest.mark.parametrize("data", [b"a\x00b", b"a\xffb", b"\xed\xa0\x80"])
def test_nul_and_what_is_no_utf_8_are_refused_from_wherever_they_come(
    shell: Shell, workspace: Workspace, data: bytes
) -> None:
    (workspace.root / "p.txt").write_bytes(data)
    (workspace.root / "p.jsonl").write_bytes(b'{"text": "' + data + b'"}')
    before = traces(workspace.root)
    words = [("@p.txt",), ("--from", "p.txt"), ("--from", "p.jsonl")]
    for source in words:
        shell.refused(2, "prompt", "add", *source, "--clip", "shot")
    if b"\x00" not in data:
        one_line(shell.spawn("prompt", "add", os.fsdecode(data), "--clip", "shot"), 2)
    assert traces(workspace.root) == before


def test_escapes_in_jsonl_cannot_smuggle_them_in(shell: Shell, workspace: Workspace) -> None:
    before = traces(workspace.root)
    for text in ("a\\u0000b", "a\\ud800b"):
        shell.refused(2, "prompt", "add", "--from", "-", "--clip", "shot", stdin=f'{{"text": "{text}"}}')
    assert traces(workspace.root) == before


def test_a_terminal_is_not_driven_by_a_prompt(shell: Shell) -> None:
    prompt_id = shell.ok("prompt", "add", "a \x1b[2J\x07 b", "--clip", "shot", "--name", "x\x1b[31m").out.strip()
    shell.ok("enqueue", prompt_id, "-s", "edge.weight=1")
    for words in (("prompt", "list"), ("prompt", "show", prompt_id), ("show", "1"), ("status",)):
        out = shell.ok(*words).out
        assert "\x1b" not in out
        assert "\\x1b" in out


# Many prompts and jobs


def test_a_file_holds_a_prompt_a_line_with_fields_of_its_own(shell: Shell, workspace: Workspace) -> None:
    (workspace.root / "p").write_bytes(
        b'plain one\r\n\n  \n{"text": "own", "name": "mine", "negative": "blur", "parameters": {"seed": 7}}\nlast'
    )
    answer = shell.ok(
        "prompt", "add", "--from", "p", "--clip", "shot", "--negative", "text", "-s", "edge.weight=0.5", "--json"
    )
    assert [(r["text"], r["name"], r["negative_text"], r["parameters"]) for r in answer.json] == [
        ("plain one", None, "text", {"edge.weight": 0.5}),
        ("own", "mine", "blur", {"seed": 7, "edge.weight": 0.5}),
        ("last", None, "text", {"edge.weight": 0.5}),
    ]


def test_a_thousand_prompts_are_enqueued_by_one_command_or_not_at_all(shell: Shell, workspace: Workspace) -> None:
    lines = "".join(f"prompt number {number}\n" for number in range(1000))
    shell.ok("prompt", "add", "--from", "-", "--clip", "shot", stdin=lines)
    before = traces(workspace.root)
    # The thousand have no hint yet, and kitchen has: nothing of it may be queued.
    shell.refused(2, "enqueue", "--all", "--label", "night=1")
    assert traces(workspace.root) == before
    answer = shell.ok("enqueue", "--all", "-s", "edge.weight=0.5", "--label", "night=1")
    assert answer.out.count("\n") == 21
    assert answer.out.endswith("… and 981 more\n")
    assert answer.err == "1001 queued, 0 skipped\n"
    found = rows(workspace.ledger_path)
    assert len(found["jobs"]) == len(found["job_inputs"]) == len(found["job_labels"]) == len(found["events"]) == 1001
    assert len(rows(workspace.queue_path)["task"]) == 1001
    assert len({row[16] for row in found["jobs"]}) == 1, "one moment, one transaction"
    assert shell.ok("enqueue", "--all", "-s", "edge.weight=0.5").err == "0 queued, 1001 skipped\n"
    assert len(rows(workspace.queue_path)["task"]) == 1001


def test_a_thousand_lines_of_which_one_is_bad_add_none(shell: Shell, workspace: Workspace) -> None:
    before = traces(workspace.root)
    lines = [json.dumps({"text": f"prompt {n}", "parameters": {"seed": n}}) for n in range(1000)]
    lines[700] = json.dumps({"text": "prompt", "parameters": {"seed": -1}})
    message = shell.refused(2, "prompt", "add", "--from", "-", "--clip", "shot", stdin="\n".join(lines))
    assert message.startswith("seed = -1 is not allowed")
    assert traces(workspace.root) == before


def test_the_same_job_is_reported_and_again_repeats_it(shell: Shell) -> None:
    first = shell.ok("enqueue", "kitchen", "-s", "guidance=7", "--priority", "5", "--label", "a=b")
    assert re.fullmatch(r"job 1 queued: transfer of ps_\w{12} on sim\n", first.out)
    assert first.err == "1 queued, 0 skipped\n"
    again = shell.ok("enqueue", "kitchen", "-s", "guidance=7.0", "--priority", "9")
    assert again.out == "job 1 is the same and queued already: give --again to repeat it\n"
    assert again.err == "0 queued, 1 skipped\n"
    assert shell.ok("enqueue", "kitchen", "-s", "guidance=7", "--again", "--json").json[0]["id"] == 2
    assert shell.ok("enqueue", "kitchen", "-s", "guidance=7", "--json").json == [
        {**shell.ok("enqueue", "kitchen", "-s", "guidance=7", "--json").json[0], "id": 2, "new": False}
    ]
    assert shell.ok("show", "1", "--json").json["priority"] == 5


def test_a_result_is_upscaled_after_its_job(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen")
    (upscale,) = shell.ok("enqueue", "--upscale", "1", "-s", "upscale.weight=0.7", "--json").json
    assert upscale["kind"] == "upscale"
    job = shell.ok("show", str(upscale["id"]), "--json").json
    assert (job["depends_on"], job["changed"]) == ([1], {"num_steps": 10, "upscale.weight": 0.7})


def test_show_tells_parameters_as_a_difference_from_the_defaults(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "-s", "seed=7", "-s", "num_steps=35", "--label", "k=v")
    out = shell.ok("show", "1").out
    assert re.search(r"^parameters +seed=7 edge.weight=1.0$", out, re.MULTILINE)
    assert re.search(r"^labels +k=v$", out, re.MULTILINE)
    job = shell.ok("show", "1", "--json").json
    assert job["changed"] == {"seed": 7, "edge.weight": 1.0}
    assert job["parameters"]["num_steps"] == 35
    assert [event["event"] for event in job["events"]] == ["queued"]


# The ledger's own commands


def test_the_ledger_is_checked_upgraded_and_copied(shell: Shell, workspace: Workspace) -> None:
    assert shell.ok("db", "check").err == "the ledger is in order\n"
    assert shell.ok("db", "upgrade").err == "the ledger is up to date\n"
    copy = Path(shell.ok("db", "backup").out.strip())
    assert copy.parent == workspace.backups_path
    assert rows(copy) == rows(workspace.ledger_path)


def test_a_check_that_finds_something_fails_and_names_it(shell: Shell, workspace: Workspace) -> None:
    with contextlib.closing(sqlite3.connect(workspace.ledger_path)) as connection:
        connection.execute("DELETE FROM clips")
        connection.commit()
    assert "broken reference in" in shell.refused(2, "db", "check")
    answer = shell.run("db", "check", "--json")
    assert answer.code == 2
    assert (answer.json["ok"], answer.json["problems"][0][:16]) == (False, "broken reference")


# Streams and terminals


def test_data_goes_to_stdout_and_words_to_stderr(shell: Shell) -> None:
    answer = shell.spawn("enqueue", "kitchen", "--json")
    assert [row["id"] for row in answer.json] == [1]
    assert shell.spawn("hold", "1").out == ""


@pytest.mark.parametrize("words", [("parameters",), ("parameters", "--json"), ("status", "--json"), ("--help",)])
def test_a_reader_that_has_seen_enough_is_no_error(shell: Shell, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [*COSMOSQ, *words], cwd=shell.folder, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_statuses_are_coloured_on_a_terminal_unless_no_color_is_set(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--hold")
    assert "\x1b[33mheld" in on_a_terminal(shell, "status")
    assert "\x1b" not in on_a_terminal(shell, "status", NO_COLOR="1")
    assert "\x1b" not in shell.spawn("status").out


def test_json_is_never_coloured(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--hold")
    seen: Any = json.loads(on_a_terminal(shell, "status", "--json"))
    assert seen[0]["status"] == "held"
