"""What a worker looks after beside its hosts, each thing every so often."""

import time
from collections.abc import Callable


class Round:
    """Something to do every so many seconds; one that fails is due again at once."""

    def __init__(self, work: Callable[[], None], every_s: float = 0.0) -> None:
        self._work, self._every_s, self._due_at = work, every_s, 0.0

    def go(self) -> None:
        """Do it if it is due."""
        if time.monotonic() >= self._due_at:
            self._work()
            self._due_at = time.monotonic() + self._every_s
