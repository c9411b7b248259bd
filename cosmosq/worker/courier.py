"""Takes alarms to a person: a thread for each way, so that one that hangs delays neither the others nor a job."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cosmosq.config import Config
from cosmosq.db import Ledger
from cosmosq.errors import NotDelivered
from cosmosq.notify import deliveries
from cosmosq.notify.deliveries import Post
from cosmosq.notify.message import Message, Notice, compose
from cosmosq.notify.ways import Way, ways_of
from cosmosq.paths import Workspace

log = logging.getLogger(__name__)

LOOK_S = 1.0
PAUSES_S = (2.0, 10.0)
"""Between the first and the second, and the second and the third try of a message."""
END_S = 4.0
"""So long the end of a worker waits for what is to be told yet; the next worker tells the rest."""


@contextmanager
def delivering(workspace: Workspace, config: Config, ledger: Ledger, owner: str) -> Iterator[None]:
    """Deliver alarms during the block, and what is left at its end."""
    couriers = _couriers(workspace, config, ledger, owner)
    for courier in couriers:
        courier.start()
    try:
        yield
    finally:
        _close(couriers)


def _couriers(workspace: Workspace, config: Config, ledger: Ledger, owner: str) -> "list[Courier]":
    ways = ways_of(config.notify, workspace.root)
    return [
        Courier(
            workspace,
            ledger,
            way,
            Post(
                way=way.name,
                ways=tuple(each.name for each in ways),
                on=config.notify.on,
                owner=owner,
                silent_s=config.lease_s,
                bundle_s=config.notify.bundle_s,
            ),
        )
        for way in ways
    ]


def _close(couriers: "list[Courier]") -> None:
    for courier in couriers:
        courier.closing.set()
    deadline = time.monotonic() + END_S
    for courier in couriers:
        courier.ended.wait(max(0.0, deadline - time.monotonic()))
    for courier in couriers:
        courier.abandoned.set()
    for courier in couriers:
        # For as long as a program needs to be ended.
        courier.ended.wait(max(0.0, deadline + 1 - time.monotonic()))


class Courier:
    """One way: bundle after bundle, each tried a few times."""

    def __init__(
        self,
        workspace: Workspace,
        ledger: Ledger,
        way: Way,
        post: Post,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.closing, self.abandoned, self.ended = threading.Event(), threading.Event(), threading.Event()
        self._workspace, self._ledger, self._way, self._post, self._now = workspace, ledger, way, post, now
        self._complaint: str | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"courier {self._way.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            while not self.closing.wait(LOOK_S):
                self._look()
            # The end of the work is often what there is to tell.
            self._look(at_once=True)
        finally:
            self.ended.set()

    def _look(self, *, at_once: bool = False) -> None:
        # Opening a ledger that was taken away would make an empty one.
        if self.abandoned.is_set() or not self._ledger.path.exists():
            return
        try:
            if notices := deliveries.take(self._ledger, self._post, self._now(), at_once=at_once):
                self._deliver(notices)
        except Exception as error:
            self._complain(f"{type(error).__name__}: {error}")

    def _deliver(self, notices: list[Notice]) -> None:
        message = compose(self._workspace.root, notices, self._now())
        tries, error = 0, None
        for pause_s in (*PAUSES_S, 0.0):
            tries, error = tries + 1, self._try(message)
            if error is None:
                self._complaint = None
                break
            self._complain(error)
            if self.closing.wait(pause_s):
                # The next worker takes it up again.
                return
        deliveries.end(self._ledger, self._post, notices, tries=tries, error=error, now=self._now())

    def _try(self, message: Message) -> str | None:
        """Why it did not work."""
        try:
            self._way.send(message, self.abandoned)
        except NotDelivered as error:
            return str(error)
        except Exception as error:
            log.exception("a mistake on the way %s", self._way.name)
            return f"internal error: {type(error).__name__}: {error}"
        return None

    def _complain(self, reason: str) -> None:
        """Once, and not again until it works or something else is wrong: nights are long."""
        if reason != self._complaint:
            log.warning("alarms do not get out by %s: %s", self._way.name, reason)
            self._complaint = reason
