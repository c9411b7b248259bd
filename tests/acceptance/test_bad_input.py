"""Whatever is wrong: one line with the remedy, the right exit code, and nothing written."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cosmosq.paths import Workspace
from tests.acceptance.command_line import COSMOSQ, Answer, Shell, one_line, traces
from tests.media import make_sound, make_video


@pytest.fixture(scope="module")
def template(_initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with jobs of several statuses, and files that are not what they should be."""
    folder = tmp_path_factory.mktemp("wrong") / "ws"
    shutil.copytree(_initialised, folder)
    shell = Shell(folder)
    shell.ok("prompt", "add", "no hint yet", "--clip", "shot", "--name", "bare")
    shell.ok("enqueue", "kitchen")
    shell.ok("enqueue", "kitchen", "-s", "seed=2", "--hold")
    (folder / "text.mp4").write_text("not a video\n")
    (folder / "empty.mp4").touch()
    make_sound(folder / "sound.mp4")
    (folder / "broken.json").write_text('{"prompt": "x",\n "edge": {"control_weight": 1,}\n}')
    (folder / "edgy.json").write_text('{"prompt": "x", "edgy": {"control_weight": 1}}')
    (folder / "lost.json").write_text('{"prompt": "x", "input_video_path": "a/lost.mp4", "edge": {}}')
    (folder / "map.json").write_text('{"prompt": "x", "edge": {"control_weight": "map.pt"}}')
    (folder / "list.json").write_text("[1]")
    (folder / "nul.txt").write_bytes(b"a\x00b")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "blank.txt").write_bytes(b"\n \n")
    (folder / "rows.jsonl").write_text('{"text": "fine"}\n{"text": "x", "colour": 1}\n')
    (folder / "cut.jsonl").write_text('{"text": "fine"}\n{"text": \n')
    (folder / "number.jsonl").write_text('{"text": 3}\n')
    return folder


ADD = ("prompt", "add", "--clip", "shot")
ENQUEUE = ("enqueue", "kitchen")

REFUSED: list[tuple[int, tuple[str, ...], str]] = [
    # Unknown prompts, parameters, hosts, clips, jobs
    (3, ("enqueue", "kichten"), "kichten is no prompt (did you mean kitchen?): `cosmosq prompt list` shows them"),
    (3, ("enqueue", "kitchen", "nobody"), "nobody is no prompt"),
    (3, ("enqueue", "ps_000000000000"), "ps_000000000000 is no prompt"),
    (3, ("run", "kichten"), "kichten is no prompt (did you mean kitchen?)"),
    (3, ("prompt", "show", "kichten"), "kichten is no prompt (did you mean kitchen?)"),
    (3, ("prompt", "remove", "bare", "kichten"), "kichten is no prompt"),
    (3, ("status", "--prompt", "kichten"), "kichten is no prompt"),
    (2, (*ENQUEUE, "-s", "guidnace=7"), "guidnace is no parameter (did you mean guidance?): `cosmosq parameters`"),
    (2, (*ENQUEUE, "-s", "edge.wieght=7"), "edge.wieght is no parameter (did you mean edge.weight?)"),
    (2, (*ADD, "x", "-s", "guidnace=7"), "guidnace is no parameter (did you mean guidance?)"),
    (3, (*ENQUEUE, "-s", "seed=3", "--host", "gpu"), "gpu is no host: cosmosq.toml has sim"),
    (3, ("run", "kitchen", "-s", "seed=3", "--host", "gpu"), "gpu is no host: cosmosq.toml has sim"),
    (3, ("worker", "--host", "gpu"), "gpu is no host: cosmosq.toml has sim"),
    (3, ("status", "--host", "gpu"), "gpu is no host"),
    (3, ("host", "check", "smi"), "smi is no host (did you mean sim?): cosmosq.toml has sim"),
    (2, ("measure", "1", "--only", "cany"), "cany is no measure (did you mean canny?): there are"),
    (3, ("clip", "show", "shto"), "shto is no clip (did you mean shot?): `cosmosq clip list` shows them"),
    (3, ("clip", "remove", "shto"), "shto is no clip"),
    (3, ("prompt", "add", "x", "--clip", "shto"), "shto is no clip (did you mean shot?)"),
    *((3, (*words, "99"), "99 is no job: `cosmosq status` shows them") for words in (
        ("show",), ("log",), ("wait",), ("cancel",), ("retry",), ("hold",), ("release",), ("remove",), ("status",),
        ("enqueue", "--upscale"), ("cancel", "1"), ("hold", "1"), ("remove", "1"),
    )),
    (3, ("cancel", "50-60"), "50-60 is no job"),
    (2, ("cancel", "x"), "x is no job: give ids or ranges such as 3-9"),
    (2, ("cancel", "9-3"), "9-3 is no range of jobs: write the smaller id first"),
    (2, ("show", "1-2"), "1-2 names 2 jobs: show one at a time"),
    (2, ("log", "1-2"), "1-2 names 2 jobs"),
    # Values
    (2, (*ENQUEUE, "-s", "edge.weight=-0.1"), "edge.weight = -0.1 is not allowed: give a number from 0 to 100"),
    (2, (*ENQUEUE, "-s", "edge.weight=strong"), "edge.weight = strong is not allowed: give a number from 0 to 100"),
    (2, (*ENQUEUE, "-s", "edge.weight=nan"), "edge.weight = nan is not allowed"),
    (2, (*ENQUEUE, "-s", "edge.weight=inf"), "edge.weight = inf is not allowed"),
    (2, (*ENQUEUE, "-s", f"edge.weight=1{'0' * 400}"), "edge.weight = 1000"),
    (2, (*ENQUEUE, "-s", "num_steps=0"), "num_steps = 0 is not allowed: give an integer from 1 to 1000"),
    (2, (*ENQUEUE, "-s", "num_steps=1.5"), "num_steps = 1.5 is not allowed: give an integer from 1 to 1000"),
    (2, (*ENQUEUE, "-s", "blur_strength=loud"), "blur_strength = loud is not allowed: give very_low, low, medium"),
    (2, (*ENQUEUE, "-s", "negative_prompt= "), "negative_prompt = is not allowed: give text, not empty"),
    (2, (*ENQUEUE, "-s", "negative_prompt=a\udcffb"), "negative_prompt = a\\udcffb is not allowed"),
    (2, (*ENQUEUE, "-s", f"regional_prompts={'[' * 50_000}"), "regional_prompts = [[[["),
    (2, (*ENQUEUE, "-s", "guidance"), "-s 'guidance': write it as name=value"),
    (2, (*ENQUEUE, "--label", "night"), "--label 'night': write it as name=value"),
    (2, (*ENQUEUE, "-s", "seed=3", "--label", f"k={'v' * 201}"), "--label k: a key has at most 60 characters"),
    (2, (*ENQUEUE, "-s", "seed=3", "--label", "k=\udcff"), "is not valid UTF-8"),
    (2, (*ENQUEUE, "--priority", "high"), "Invalid value for '--priority': 'high' is not a valid integer"),
    (2, (*ENQUEUE, "--again", "--priority", "9" * 20), "is not in the range -1000000<=x<=1000000"),
    (2, ("run", "kitchen", "--upscale=big"), "upscale.weight = big is not allowed: give a number from 0 to 100"),
    (2, ("worker", "--poll", "0"), "Invalid value for '--poll'"),
    (2, ("status", "-n", "0"), "Invalid value for '-n'"),
    (2, ("status", "--status", "done"), "Invalid value for '--status': done is not allowed: give held, queued"),
    (2, ("status", "--status", "succeded"), "succeded is not allowed (did you mean succeeded?): give held, queued"),
    # Combinations
    (2, ("enqueue", "bare"), "prompt bare: no hint has a weight: give at least one, e.g. -s edge.weight=0.5"),
    (2, (*ENQUEUE, "-s", "edge.weight=0"), "prompt kitchen: no hint has a weight"),
    (2, ("enqueue", "kitchen", "bare", "-s", "seed=3"), "prompt bare: no hint has a weight"),
    (2, (*ENQUEUE, "-s", "hdmap.weight=1"), "prompt kitchen: hdmap.weight needs the driving model"),
    (2, ("enqueue",), "name prompts, or give --all for every one"),
    (2, (*ENQUEUE, "--all"), "name prompts, or give --all for every one"),
    (2, ("cancel",), "name jobs (ids or ranges such as 3-9) or give --all"),
    (2, ("remove", "1", "--all"), "name jobs (ids or ranges such as 3-9) or give --all"),
    # Prompts
    (2, (*ADD, ""), "the text of a prompt is empty: the guardrail would block it; write what the video should show"),
    (2, (*ADD, " \n "), "the text of a prompt is empty"),
    (2, (*ADD, "x", "--negative", ""), "the negative text of a prompt is empty"),
    (2, (*ADD, "a\udcffb"), "the text of a prompt is not valid UTF-8: save it as UTF-8"),
    (2, (*ADD, "@nul.txt"), "the text of a prompt holds a NUL byte: remove it"),
    (2, (*ADD, "@latin.txt"), "latin.txt cannot be read as UTF-8 text"),
    (2, (*ADD, "@blank.txt"), "the text of a prompt is empty"),
    (3, (*ADD, "@none.txt"), "no such file: none.txt"),
    (2, (*ADD, "@."), ". cannot be read as UTF-8 text"),
    (3, (*ADD, "--from", "none.txt"), "no such file: none.txt"),
    (2, (*ADD, "--from", "blank.txt"), "blank.txt holds no prompt: write one a line"),
    (2, (*ADD, "--from", "latin.txt"), "latin.txt cannot be read as UTF-8 text"),
    (2, (*ADD, "--from", "rows.jsonl"), "rows.jsonl:2: colour is no key: there are clip, name, negative"),
    (2, (*ADD, "--from", "cut.jsonl"), "cut.jsonl:2: broken JSON"),
    (2, (*ADD, "--from", "number.jsonl"), "number.jsonl:1: text, clip, name and negative are texts"),
    (2, (*ADD, "--from", "rows.jsonl", "--name", "n"), "--name names one prompt: with --from, give names in a JSONL"),
    (2, ADD, "give the text of a prompt, @FILE, or --from FILE for many"),
    (2, ("prompt", "add", "x"), "which clip? give --clip NAME: `cosmosq clip list` shows them"),
    (2, (*ADD, "x", "--name", "kitchen"), "the name kitchen is taken by ps_"),
    (2, ("prompt", "remove", "kitchen"), "kitchen is used by job 1: remove its jobs first"),
    # Specs
    (2, ("prompt", "import", "broken.json"), "broken.json:2: broken JSON (Expecting property name"),
    (2, ("prompt", "import", "edgy.json"), "edgy.json: edgy is no hint (did you mean edge?): the engine knows vis"),
    (2, ("prompt", "import", "map.json"), "map.json: edge.control_weight is a weight map (map.pt): only numbers"),
    (2, ("prompt", "import", "list.json"), "list.json: a controlnet spec is a JSON object, not list"),
    (3, ("prompt", "import", "lost.json"), "a/lost.mp4 is missing: put it there or name its folder with --root"),
    (3, ("prompt", "import", "none.json"), "no such spec: none.json"),
    # Clips
    (2, ("clip", "add", "c", "input=text.mp4"), "text.mp4 is no video"),
    (2, ("clip", "add", "c", "input=empty.mp4"), "empty.mp4 is no video"),
    (2, ("clip", "add", "c", "input=sound.mp4"), "sound.mp4 is no video: it has no video stream"),
    (3, ("clip", "add", "c", "input=none.mp4"), "none.mp4 does not exist: check the path"),
    (2, ("clip", "add", "shot", "input=text.mp4"), "there is a clip shot already"),
    (2, ("clip", "add", "", "input=text.mp4"), "a clip needs a name"),
    (2, ("clip", "remove", "shot"), "the clip shot is used by prompts"),
    (2, ("clip", "show", "\udcff"), "is not valid UTF-8"),
    # Moves
    (2, ("release", "1"), "job 1 is queued and cannot become queued: see `cosmosq status`"),
    (2, ("retry", "1"), "job 1 is queued and cannot become queued"),
    (2, ("hold", "1-2"), "job 2 is held and cannot become held"),
    (3, ("log", "1"), "job 1 is queued and has no log"),
    # Commands
    (2, ("statsu",), "statsu is no command (did you mean status?): `cosmosq --help` lists them"),
    (2, ("qqq",), "qqq is no command: `cosmosq --help` lists them"),
    (2, ("clip", "lst"), "lst is no command (did you mean list?): `cosmosq clip --help` lists them"),
    (2, ("status", "--hots", "sim"), "--hots is no option (did you mean --host?): `cosmosq status --help` lists them"),
    (2, ("--verbose", "status"), "--verbose is no option"),
    (2, ("show",), "Missing argument 'JOB': see `cosmosq show --help`"),
    (2, ("a\nb",), "a b is no command"),
    (2, ("init", "."), "is a workspace already: edit its cosmosq.toml"),
    (2, ("init", "text.mp4/inside"), "cannot be made (Not a directory): choose another path"),
    (3, ("-w", "elsewhere", "status"), "elsewhere is no workspace (no cosmosq.toml in it): create one with"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "words", "message"), REFUSED, ids=[" ".join(w)[:60] for _, w, _ in REFUSED])
def test_what_is_wrong_is_refused_in_one_line_and_nothing_is_written(
    shell: Shell, workspace: Workspace, code: int, words: tuple[str, ...], message: str
) -> None:
    before = traces(workspace.root)
    assert message in shell.refused(code, *words)
    assert traces(workspace.root) == before


@pytest.mark.parametrize(
    ("words", "code"),
    [(("enqueue", "kichten"), 3), ((*ENQUEUE, "-s", "edge.weight=-1"), 2), ((*ADD, b"a\xffb"), 2), (("statsu",), 2)],
)
def test_a_real_process_is_refused_likewise(
    shell: Shell, workspace: Workspace, words: tuple[str | bytes, ...], code: int
) -> None:
    before = traces(workspace.root)
    one_line(shell.spawn(*(os.fsdecode(word) for word in words)), code)
    assert traces(workspace.root) == before


def test_outside_of_any_workspace_the_remedy_is_named(tmp_path: Path) -> None:
    for words in (("status",), ("enqueue", "x"), ("worker",), ("clip", "list"), ("db", "check")):
        message = Shell(tmp_path).refused(3, *words)
        assert message.endswith("create one with `cosmosq init`, or name it with -w")
    assert list(tmp_path.iterdir()) == []


# Settings

SETTINGS = [
    ("retries = -1", "retries = -1 is not allowed: give an integer from 0 to 100"),
    (
        "retrys = 1",
        "retrys = 1: no such key; there are default_host, retries, backoff_s, repeat, stop_after_failures,",
    ),
    ('default_host = "gpu"', "default_host = 'gpu' is no host: give sim"),
    ("[hosts.sim]\nengine = 'sora'", "hosts.sim.engine = 'sora' is not allowed: give simulated, cosmos_transfer1"),
    ("[hosts.sim]\nidle = 3", "hosts.sim.idle = 3: no such key; there are transport, "),
    ("retries = ", "broken TOML: Invalid value (at line 1, column 11)"),
]


@pytest.mark.parametrize(("text", "message"), SETTINGS)
def test_wrong_settings_are_refused_by_file_key_value_and_what_is_allowed(
    shell: Shell, workspace: Workspace, text: str, message: str
) -> None:
    workspace.config_path.write_text(text if "[hosts" in text else f"{text}\n[hosts.sim]\n")
    before = traces(workspace.root)
    for words in (("enqueue", "kitchen", "-s", "seed=3"), ("worker",), ("run", "kitchen", "-s", "seed=3")):
        assert shell.refused(2, *words).startswith(f"{workspace.config_path}: {message}")
    assert traces(workspace.root) == before


# The ledger


@pytest.mark.parametrize("kind", ["text", "another database", "cut", "newer"])
def test_a_ledger_that_is_not_one_is_refused_and_left_as_it_is(shell: Shell, workspace: Workspace, kind: str) -> None:
    path = workspace.ledger_path
    if kind == "text":
        path.write_text("my shopping list\n" * 50)
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        if kind == "another database":
            path.unlink()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "CREATE TABLE mine (x)" if kind != "newer" else "UPDATE alembic_version SET version_num = '9999'"
            )
            connection.commit()
    before = {p.name: p.read_bytes() for p in workspace.folder.iterdir() if p.is_file()}
    for words in (("status",), ENQUEUE, (*ADD, "x"), ("clip", "list"), ("db", "upgrade"), ("db", "check"), ("worker",)):
        message = shell.refused(2, *words)
        assert str(path) in message
        assert "restore" in message or "upgrade cosmosq" in message
    assert {p.name: p.read_bytes() for p in workspace.folder.iterdir() if p.is_file()} == before


def test_a_ledger_that_is_gone_is_not_replaced_by_an_empty_one(shell: Shell, workspace: Workspace) -> None:
    workspace.ledger_path.unlink()
    assert "no ledger at" in shell.refused(3, "status")
    assert not workspace.ledger_path.exists()


# A disk that takes no more


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine does not let us mount: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    if shutil.which("mount") is None:
        pytest.skip("no mount on this system")
    folder = tmp_path / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=2m", "none", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk: Path, left: int = 0) -> Path:
    """Fill the disk but for some bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        while True:
            try:
                if stream.write(bytes(4096)) < 4096:
                    break
            except OSError:
                break
    os.truncate(filler, filler.stat().st_size - left)
    return filler


WRITES: tuple[tuple[str, ...], ...] = (
    ("enqueue", "kitchen", "-s", "seed=3"),
    ("prompt", "add", "x" * 50_000, "--clip", "shot"),
    ("clip", "add", "again", "input=input.mp4"),
    ("hold", "1"),
    ("cancel", "1"),
    ("remove", "1"),
    ("db", "backup"),
)


def _stocked(workspace: Workspace, folder: Path) -> Shell:
    """A copy of the workspace with a video."""
    shutil.copytree(workspace.root, folder / "ws")
    make_video(folder / "ws" / "input.mp4", seed=50)
    return Shell(folder / "ws")


@pytest.mark.parametrize("words", WRITES, ids=lambda words: words[0] + " " + words[1][:10])
def test_a_full_disk_is_said_and_changes_nothing(workspace: Workspace, disk: Path, words: tuple[str, ...]) -> None:
    shell = _stocked(workspace, disk)
    before = traces(disk / "ws")
    filler = _fill(disk)
    answer = shell.run(*words)
    filler.unlink()
    message = one_line(answer, 2)
    assert message.startswith("the disk of ")
    assert message.endswith(" is full: free some space and repeat")
    left = traces(disk / "ws")
    left["files"].pop(".cosmosq/backups", None)
    assert left == before
    shell.ok(*words)


def test_a_workspace_is_not_begun_on_a_full_disk(disk: Path) -> None:
    for left in (0, 8192, 100_000):
        filler = _fill(disk, left)
        message = Shell(disk).refused(2, "init", "ws")
        assert message.endswith(" is full: free some space and repeat")
        filler.unlink()
        assert not (disk / "ws" / "cosmosq.toml").exists()
    Shell(disk).ok("init", "ws")
    Shell(disk / "ws").ok("db", "check")


def test_a_log_that_does_not_fit_is_said(workspace: Workspace, disk: Path) -> None:
    shell = _stocked(workspace, disk)
    shell.ok("cancel", "1")
    filler = _fill(disk)
    answer = shell.run("worker", "--until-empty")
    filler.unlink()
    assert (answer.code, answer.out) == (2, "")
    assert "is full: free some space and repeat" in answer.err.splitlines()[-1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_behind_stdout_is_one_line_too(shell: Shell) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COSMOSQ, "parameters"], cwd=shell.folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "full" in done.stderr or "No space left" in done.stderr


# A workspace that may not be written


@pytest.fixture
def unwritable(workspace: Workspace, tmp_path: Path) -> Iterator[Shell]:
    """A workspace on a disk that was remounted for reading alone; for anyone but root, one without write permission."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    shell = _stocked(workspace, folder)
    if os.geteuid() == 0:
        _mount("--bind", str(folder), str(folder))
        _mount("-o", "remount,bind,ro", str(folder))
        yield shell
        subprocess.run(["umount", "-l", str(folder)], check=True)
    else:
        paths = [folder / "ws", *(folder / "ws").rglob("*")]
        for path in paths:
            path.chmod(0o500 if path.is_dir() else 0o400)
        yield shell
        for path in paths:
            path.chmod(0o700)


@pytest.mark.parametrize("words", WRITES, ids=lambda words: words[0] + " " + words[1][:10])
def test_an_unwritable_workspace_is_said_and_not_taken_for_a_broken_one(
    unwritable: Shell, words: tuple[str, ...]
) -> None:
    before = _bytes(unwritable.folder)
    message = unwritable.refused(2, *words)
    assert str(unwritable.folder) in message
    assert "cannot be written" in message
    assert "check its permissions" in message
    assert _bytes(unwritable.folder) == before


def test_a_workspace_is_not_begun_where_nothing_may_be_written(unwritable: Shell) -> None:
    assert "cannot be written" in unwritable.refused(2, "init", "inside")
    assert "cannot be written" in unwritable.refused(2, "worker")
    assert "cannot be written" in unwritable.refused(2, "run", "kitchen", "-s", "seed=3")


def _bytes(folder: Path) -> dict[str, Any]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# What is not foreseen


def test_an_error_of_our_own_is_one_line_with_a_code_of_its_own(shell: Shell, workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.ledger_path)) as connection:
        connection.execute("ALTER TABLE jobs RENAME TO lost")
        connection.commit()
    message = shell.refused(70, "status")
    assert message.startswith("internal error: OperationalError: ")
    assert message.endswith("please report it with --debug's output")


def test_debug_shows_where_it_went_wrong(shell: Shell) -> None:
    answer: Answer = shell.run("--debug", "show", "99")
    assert answer.code == 3
    assert "Traceback" in answer.err
    assert answer.err.splitlines()[-1] == "cosmosq: 99 is no job: `cosmosq status` shows them"
