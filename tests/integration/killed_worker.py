"""A real worker that is killed, as by `kill -9`, right at a chosen commit of its ledger.

    python -m tests.integration.killed_worker WORKSPACE before|after N      the Nth commit
    python -m tests.integration.killed_worker WORKSPACE after PHASE         the one that enters a phase

The observer only counts the commits that SQLAlchemy announces; the worker is the product's own.
"""

import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from cosmosq.cli import main
from cosmosq.paths import Workspace

_counted = 0
_lock = threading.Lock()


def kill_at(workspace: Workspace, when: str, moment: str) -> None:
    def observe(session: Session) -> None:
        bind: Any = session.bind
        if not bind.get_execution_options().get("write"):
            return
        with _lock:
            if is_due(workspace, moment):
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, f"{when}_commit", observe)


def is_due(workspace: Workspace, moment: str) -> bool:
    global _counted
    if moment.isdigit():
        _counted += 1
        return _counted == int(moment)
    connection = sqlite3.connect(workspace.ledger_path)
    try:
        return connection.execute("SELECT 1 FROM attempts WHERE phase = ?", (moment,)).fetchone() is not None
    finally:
        connection.close()


if __name__ == "__main__":
    root, when, moment = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    kill_at(Workspace(root=root), when, moment)
    sys.exit(main(["-w", str(root), "worker", "--poll", "0.02", "--until-empty"]))
