"""What a process of Python imports first where its folder is on PYTHONPATH: `kill -9` of the command line that fires.

KILLED_FIRING is `before` or `after`: killed at that side of the commit that queues its jobs, and with `-both` behind it
the worker that started it as well. The command line itself is the product's own; it is killed once.
"""

import os
import signal
import sys
from pathlib import Path

if "--firing" in sys.orig_argv and (told := os.environ.get("KILLED_FIRING")):
    from sqlalchemy import event
    from sqlalchemy.orm import Session

    when, _, both = told.partition("-")

    def kill(session: Session) -> None:
        bind = session.bind
        if bind is not None and bind.get_execution_options().get("write"):
            mark = Path(os.environ["KILLED_MARK"])
            if not mark.exists():
                mark.touch()
                if both:
                    os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, f"{when}_commit", kill)
