"""A person at a terminal, which is a real one."""

import contextlib
import os
import pty
import subprocess
import termios
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.acceptance.command_line import COSMOSQ, Answer, Shell
from tests.night import wait_for

INTERRUPT = "\x03"


@dataclass
class Terminal:
    """A command whose input and words on stderr are at a terminal, and which has that for its own."""

    shell: Shell
    question: str = "[y/N]"
    """What each question to be answered holds."""
    patience_s: float = 60
    """How long the command may take once all is answered."""
    said: str = ""
    listeners: list[threading.Thread] = field(default_factory=list)

    def run(
        self,
        *arguments: object,
        answers: Sequence[str] = (),
        env: dict[str, str] | None = None,
        after: Callable[[], object] = lambda: None,
    ) -> Answer:
        """Give each answer as soon as one more question was asked.

        Args:
            after: called when all are given.
        """
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            # A passphrase is asked for at the terminal of the session, which must not be that of the tests.
            ["setsid", "--ctty", *COSMOSQ, *map(str, arguments)],
            cwd=self.shell.folder,
            env={**os.environ, **(env or {})},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        listener = threading.Thread(target=self._listen, args=(ours,))
        listener.start()
        try:
            for number, answer in enumerate(answers, start=1):
                wait_for(lambda wanted=number: self._asked(wanted, process), f"question {number}")  # type: ignore[misc]
                os.write(ours, answer.encode() if answer == INTERRUPT else f"{answer}\n".encode())
            after()
            out, _ = process.communicate(timeout=self.patience_s)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
            listener.join()
            os.close(ours)
        return Answer(code=process.returncode, out=out.decode(), err=self.said)

    def _asked(self, times: int, process: "subprocess.Popen[bytes]") -> bool:
        return self.said.count(self.question) >= times or process.poll() is not None

    def _listen(self, ours: int) -> None:
        try:
            while data := os.read(ours, 1 << 12):
                self.said += data.decode()
        except OSError:
            """The other side is closed."""


def on_a_terminal(
    shell: Shell, *words: object, columns: int = 80, codes: Sequence[int] = (0,), **environment: str
) -> str:
    """What a command prints where stdout and stderr are a terminal of that width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = subprocess.Popen(
        [*COSMOSQ, *map(str, words)],
        cwd=shell.folder,
        stdout=theirs,
        stderr=theirs,
        # Tests that run beside one another are told the width of another terminal.
        env={**{k: v for k, v in os.environ.items() if k != "COLUMNS"}, "TERM": "xterm", **environment},
    )
    os.close(theirs)
    seen = b""
    # Linux says EIO once the other side is closed.
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 65536):
            seen += chunk
    os.close(ours)
    assert process.wait(60) in codes
    return seen.decode()
