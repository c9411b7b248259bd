"""The command line as a person types it: in this process where that is enough, as a real one where it matters."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cosmosq.cli import main

COSMOSQ = (sys.executable, "-m", "cosmosq")
IN_A_FILE = ("ledger.db", "ledger.db-wal", "ledger.db-shm", "queue.db", "queue.db-wal", "queue.db-shm")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def ids(self) -> list[int]:
        return [row["id"] for row in self.json]

    @property
    def statuses(self) -> list[str]:
        return [row["status"] for row in self.json]


@dataclass(frozen=True)
class Shell:
    """A person in a folder."""

    folder: Path

    def run(self, *arguments: object, stdin: str | bytes | None = None, env: Mapping[str, str] | None = None) -> Answer:
        """Run a command in this process."""
        with (
            contextlib.chdir(self.folder),
            CliRunner().isolation(input=stdin, env=dict(env or {})) as (out, err, _),
        ):
            code = main([str(argument) for argument in arguments])
            return Answer(code=code, out=out.getvalue().decode(), err=err.getvalue().decode())

    def ok(self, *arguments: object, **more: Any) -> Answer:
        """Run a command that must succeed."""
        answer = self.run(*arguments, **more)
        assert answer.code == 0, answer.err
        return answer

    def refused(self, code: int, *arguments: object, **more: Any) -> str:
        """Run a command that must be refused with one line on stderr and nothing on stdout; returns the line."""
        return one_line(self.run(*arguments, **more), code)

    def spawn(
        self,
        *arguments: object,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Answer:
        """Run a command as a process of its own, behind the words of `prefix`."""
        argv = [os.fsencode(str(word)) for word in (*prefix, *COSMOSQ, *arguments)]
        environment = {**os.environ, **(env or {})}
        done = subprocess.run(
            argv, cwd=self.folder, input=stdin or b"", env=environment, capture_output=True, timeout=60, check=False
        )
        return Answer(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def one_line(answer: Answer, code: int) -> str:
    """The error that a command gave, which must be all that it said."""
    assert (answer.code, answer.out) == (code, ""), answer
    assert answer.err.startswith("cosmosq: "), answer.err
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.endswith("\n"), answer.err
    return answer.err.removeprefix("cosmosq: ").removesuffix("\n")


def traces(root: Path) -> dict[str, Any]:
    """Everything that a workspace holds: every row of its ledger and its queue, every other file."""
    files = {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
        if path.name not in IN_A_FILE
    }
    return {"files": files, **{name: rows(root / ".cosmosq" / name) for name in ("ledger.db", "queue.db")}}


def rows(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a database by table."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}  # noqa: S608
