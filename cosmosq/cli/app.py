"""What every command is handed: the workspace, its settings and its ledger, opened when first asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cosmosq.cli import output
from cosmosq.paths import Workspace, find_workspace

if TYPE_CHECKING:
    from cosmosq.config import Config
    from cosmosq.db import Ledger
    from cosmosq.hosts import Keyring


@dataclass
class App:
    """One invocation of the command line."""

    named_workspace: Path | None = None
    debug: bool = False
    hinted: set[str] = field(default_factory=set)

    @cached_property
    def workspace(self) -> Workspace:
        return find_workspace(self.named_workspace)

    @cached_property
    def config(self) -> "Config":
        from cosmosq.config import load_config

        return load_config(self.workspace.config_path)

    @cached_property
    def ledger(self) -> "Ledger":
        from cosmosq.db import open_ledger

        return open_ledger(self.workspace.ledger_path)

    @cached_property
    def keyring(self) -> "Keyring | None":
        """Asks for passphrases at the terminal; None without one."""
        from cosmosq.hosts import Keyring

        return Keyring(output.ask_passphrase) if output.has_terminal() else None

    def hint(self, text: str) -> None:
        """Say something on stderr, once however often it is found."""
        if text not in self.hinted:
            self.hinted.add(text)
            output.say(text)

    def ring(self, job_ids: Sequence[int]) -> None:
        """Wake the worker for jobs that the ledger holds already."""
        from cosmosq.queue import Queue

        if job_ids:
            queue = Queue(self.workspace.queue_path)
            queue.ring(job_ids)
            queue.close()

    def close(self) -> None:
        """Close what was opened."""
        if "ledger" in vars(self):
            self.ledger.close()
