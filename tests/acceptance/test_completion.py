"""Pressing Tab: what a shell is told, by the protocol of its script and in a real bash."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from cosmosq.cli import suggest
from cosmosq.cli.completion import SCRIPTS
from cosmosq.cli.parsing import OneOf
from cosmosq.paths import Workspace
from tests.acceptance.command_line import Answer, Shell, traces
from tests.acceptance.test_commands import EVERY_COMMAND


@pytest.fixture(scope="module")
def template(_initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jobs 1 (queued), 2 (held) and 3 (of the sweep `night`), two labels, a prompt without a name, a schedule."""
    folder = tmp_path_factory.mktemp("tab") / "ws"
    shutil.copytree(_initialised, folder)
    shell = Shell(folder)
    shell.ok("prompt", "add", "a harbour, at noon", "--clip", "shot", "-s", "edge.weight=1")
    shell.ok("enqueue", "kitchen", "-s", "seed=1", "--label", "half=first", "--label", "who=Ann B")
    shell.ok("enqueue", "kitchen", "-s", "seed=2", "--hold")
    shell.ok("enqueue", "kitchen", "-p", "guidance=3", "--name", "night")
    shell.ok("schedule", "add", "nightly", "@daily", "--", "enqueue", "kitchen", "--again")
    return folder


def press_tab(shell: Shell, line: str, kind: str = "bash") -> Answer:
    """What the script of a shell is answered behind this line."""
    last = line.rpartition(" ")[2]
    told = {"COMP_WORDS": line if last else f"{line}''", "COMP_CWORD": last if kind == "fish" else "-1"}
    return shell.spawn(env={"_COSMOSQ_COMPLETE": f"{kind}_complete", **told})


def suggested(shell: Shell, line: str) -> list[str]:
    """The words that may stand at the end of the line."""
    answer = press_tab(shell, line)
    assert (answer.code, answer.err) == (0, "")
    return [word.removeprefix("plain,") for word in answer.out.splitlines() if word]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cosmosq st", ["status"]),
        ("cosmosq sweep e", ["extend", "export"]),
        ("cosmosq move --b", ["--before"]),
        # From the ledger
        ("cosmosq show ", ["3", "2", "1"]),
        ("cosmosq release ", ["2"]),
        ("cosmosq hold 1 ", ["3"]),
        ("cosmosq retry ", []),
        ("cosmosq status 2-", ["2-3"]),
        ("cosmosq enqueue kitchen --after 1,", ["1,3", "1,2", "1,1"]),
        ("cosmosq show x", []),
        ("cosmosq enqueue k", ["kitchen"]),
        ("cosmosq prompt remove kitchen k", []),
        ("cosmosq enqueue --upscale ", []),
        ("cosmosq prompt add x --clip ", ["shot"]),
        ("cosmosq sweep show ", ["night"]),
        ("cosmosq status --sweep n", ["night"]),
        ("cosmosq schedule next ", ["nightly"]),
        ("cosmosq status --label ", ["half=first", "who=Ann B"]),
        ("cosmosq enqueue kitchen --label=who=", ["who=Ann B"]),
        # From cosmosq.toml
        ("cosmosq host check ", ["sim"]),
        ("cosmosq status --host ", ["sim"]),
        # Known beforehand
        ("cosmosq enqueue -s edge.", ["edge.weight=", "edge.checkpoint="]),
        ("cosmosq enqueue -s blur_strength=very", ["blur_strength=very_low", "blur_strength=very_high"]),
        ("cosmosq enqueue -s use_distilled=", ["use_distilled=true", "use_distilled=false"]),
        ("cosmosq enqueue -s guidance=", []),
        ("cosmosq enqueue -p co", ["controls="]),
        ("cosmosq enqueue --method o", ["one_at_a_time"]),
        ("cosmosq status --status=f", ["failed"]),
        ("cosmosq report --by controls,guid", ["controls,guidance"]),
        ("cosmosq report --measure gen", ["generate_s"]),
        ("cosmosq measure --only can", ["canny"]),
        ("cosmosq host add box me@box --engine cos", ["cosmos_transfer1"]),
        ("cosmosq schedule add x @daily --tz Europe/Berl", ["Europe/Berlin"]),
        ("cosmosq enqueue --sweep o", ["file,o"]),
    ],
)
def test_what_fits_is_suggested(shell: Shell, line: str, words: list[str]) -> None:
    assert suggested(shell, line) == words


def test_prompts_are_suggested_by_name_and_by_id(shell: Shell) -> None:
    kitchen, harbour = (record["id"] for record in shell.ok("prompt", "list", "--json").json)
    assert suggested(shell, "cosmosq enqueue ") == [harbour, "kitchen"]
    assert set(suggested(shell, "cosmosq enqueue ps_")) == {kitchen, harbour}


def test_shells_that_show_help_are_told_what_a_job_is(shell: Shell) -> None:
    assert press_tab(shell, "cosmosq show 2", "zsh").out == "plain\n2\nheld: kitchen\n"
    assert press_tab(shell, "cosmosq show 2", "fish").out == "plain,2\theld: kitchen\n"
    assert press_tab(shell, "cosmosq canc", "fish").out == "plain,cancel\tCancel jobs.\n"


def test_a_workspace_that_is_named_on_the_line_is_asked(shell: Shell, tmp_path: Path) -> None:
    assert suggested(Shell(tmp_path), f"cosmosq -w {shell.folder} show ") == ["3", "2", "1"]


# Broken workspaces


def _no_workspace(workspace: Workspace) -> None:
    workspace.config_path.unlink()


def _no_ledger(workspace: Workspace) -> None:
    workspace.ledger_path.unlink()


def _no_sqlite(workspace: Workspace) -> None:
    workspace.ledger_path.write_bytes(b"no database" * 1000)


def _older(workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.ledger_path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")


def _newer(workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.ledger_path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")


@pytest.mark.parametrize("harm", [_no_workspace, _no_ledger, _no_sqlite, _older, _newer])
def test_a_broken_ledger_suggests_nothing_says_nothing_and_stays_as_it_is(
    shell: Shell, workspace: Workspace, harm: Callable[[Workspace], None]
) -> None:
    harm(workspace)
    before = _files(workspace.root)
    for line in ("cosmosq show ", "cosmosq enqueue ", "cosmosq status --label ", "cosmosq report --measure canny"):
        assert suggested(shell, line) == []
    assert _files(workspace.root) == before


def test_broken_settings_suggest_no_host_and_say_nothing(shell: Shell, workspace: Workspace) -> None:
    workspace.config_path.write_text("hosts = [")
    assert suggested(shell, "cosmosq host check ") == []
    assert suggested(shell, "cosmosq show ") == ["3", "2", "1"]


def _files(root: Path) -> dict[str, bytes]:
    """All but what SQLite keeps beside a file that is read."""
    kept = (path for path in root.rglob("*") if path.is_file() and path.suffix not in (".db-wal", ".db-shm"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in kept}


@pytest.fixture
def locked(workspace: Workspace) -> Iterator[None]:
    """The ledger, as an upgrade or a restore would have it for itself."""
    with closing(sqlite3.connect(workspace.ledger_path, isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.usefixtures("locked")
def test_a_locked_ledger_suggests_nothing(shell: Shell) -> None:
    assert suggested(shell, "cosmosq show ") == []


def test_what_is_written_at_the_moment_keeps_nobody_waiting(shell: Shell, workspace: Workspace) -> None:
    with closing(sqlite3.connect(workspace.ledger_path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM job_labels")
        assert suggested(shell, "cosmosq show ") == ["3", "2", "1"]
        connection.execute("ROLLBACK")


def test_tab_changes_nothing(shell: Shell, workspace: Workspace) -> None:
    before = traces(workspace.root)
    assert suggested(shell, "cosmosq show ") == ["3", "2", "1"]
    assert traces(workspace.root) == before


def test_jobs_are_suggested_without_the_orm(shell: Shell) -> None:
    program = (
        "import sys; from cosmosq.cli import main; main(); "
        "print([m for m in sys.modules if m.split('.')[0] in ('sqlalchemy', 'huey', 'av', 'alembic', 'fabric')])"
    )
    environment = {"_COSMOSQ_COMPLETE": "bash_complete", "COMP_WORDS": "cosmosq show 2", "COMP_CWORD": "-1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=shell.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["plain,2", "[]"]


# The scripts


@pytest.mark.parametrize("kind", SCRIPTS)
def test_the_script_says_where_it_belongs(shell: Shell, kind: str) -> None:
    answer = shell.ok("completion", kind)
    assert answer.out == SCRIPTS[kind]
    assert f"cosmosq completion {kind} > ~/." in answer.out
    assert answer.err == ""


TYPED = [
    ("cosmosq rele", ["release"]),
    ("cosmosq show ", ["3", "2", "1"]),
    # Bash has taken these words apart at the equal sign, and wants what is behind it.
    ("cosmosq status --label who=", ["Ann\\ B"]),
    ("cosmosq status --label=half=", ["first"]),
    ("cosmosq status --label 'who=A", ["who=Ann B"]),
    ("cosmosq enqueue -s blur_strength=very_l", ["very_low"]),
    ("cosmosq enqueue -s edge.w", ["edge.weight="]),
    ("cosmosq enqueue kitchen --after 1,", ["1,3", "1,2", "1,1"]),
]


@pytest.mark.parametrize(("line", "words"), TYPED)
def test_a_real_bash_completes(shell: Shell, line: str, words: list[str]) -> None:
    script = (
        'source <("$1" completion bash); complete -p cosmosq; COMP_LINE=$2 COMP_POINT=${#2}; compopt() { echo "$@"; };'
        ' _cosmosq_completion "$1"; printf "<%s>\\n" "${COMPREPLY[@]}"'
    )
    cosmosq = Path(sys.executable).with_name("cosmosq")
    if not cosmosq.exists():
        pytest.skip("not installed with its command")
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", cosmosq, line],
        cwd=shell.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    registered, *found = done.stdout.splitlines()
    assert registered == "complete -o nosort -F _cosmosq_completion cosmosq"
    # What goes on behind the equal sign gets no space.
    no_space = ["-o nospace"] if words == ["edge.weight="] else []
    assert found == [*no_space, *(f"<{word}>" for word in words)]
    assert done.stderr == ""


# The whole command line

COMPLETED = ("JOB", "PROMPT", "CLIP", "HOST", "STATUS", "NAME=", "KEY", "ZONE", "FILE", "DIR", "METHOD", "ORDER")


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_whatever_names_what_is_there_is_completed(words: tuple[str, ...]) -> None:
    for parameter in EVERY_COMMAND[words].params:
        metavar = (parameter.metavar or "").strip("[")
        own = parameter._custom_shell_complete is not None or isinstance(parameter.type, click.Path | OneOf)
        assert own or not metavar.startswith(COMPLETED), f"{' '.join(words)} {parameter.name}"


def test_names_with_line_breaks_are_left_out() -> None:
    assert [item.value for item in suggest._items([("a\nb", ""), ("c", "")])] == ["c"]
