"""An attempt under way, between the thread that lives its story and the feeder that knows what happens around it."""

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass

from cosmosq.claims import Claim
from cosmosq.errors import CosmosqError
from cosmosq.session.events import Ending
from cosmosq.session.remote import RemoteSession


class Abandoned(Exception):
    """The worker must stop at once; the remote work goes on and is adopted later."""


class Returned(CosmosqError):
    """The attempt has not begun and is to be given back; the message says why."""


class JobCancelled(CosmosqError):
    """A person cancelled the job before its session had begun with it."""


class Stopped(CosmosqError):
    """The attempt had begun and was stopped by us; `name` is the error that is recorded."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True)
class Accepted:
    """The session has taken the attempt from its inbox."""


@dataclass(frozen=True)
class Recall:
    """Take the order back if the session has not accepted it, and stop it there unless it is only `Returned`."""

    error: Returned | JobCancelled | Stopped

    @property
    def end(self) -> Returned | JobCancelled:
        """The end of an attempt that was taken back."""
        return Returned(str(self.error)) if isinstance(self.error, Stopped) else self.error


News = Accepted | Ending | Recall | Exception


class Flight:
    """Told by the feeder, listened to by the attempt's own thread; each attribute has one writer."""

    def __init__(self, claim: Claim, stir: Callable[[], None]) -> None:
        """`stir` wakes the feeder."""
        self.claim = claim
        self._stir = stir
        self.session: RemoteSession | None = None
        """Where it is bound to; set by the story."""
        self.is_sent = False
        """Whether its order is in the session's inbox, or was; set by the story."""
        self.is_accepted = False
        """Set by the watch."""
        self.has_landed = False
        """Whether nothing more is expected of the session; set by both."""
        self.has_failed = False
        """Whether it has landed after a failure, which the ledger does not know yet; set by both."""
        self.stopped: Stopped | None = None
        """Why its session is to stop it, and since when; set by the feeder."""
        self.stopped_at = 0.0
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._recalled: set[type] = set()

    def sent(self) -> None:
        """The order is in the inbox: the next attempt may be sent behind it."""
        self.is_sent = True
        self._stir()

    def tell(self, news: News) -> None:
        """Pass something on; a recall of a kind is passed on once."""
        if isinstance(news, Recall):
            kind = type(news.error)
            if kind in self._recalled:
                return
            self._recalled.add(kind)
            if isinstance(news.error, Stopped):
                self.stopped, self.stopped_at = news.error, time.monotonic()
        self._news.put(news)

    def may_be_recalled_again(self) -> None:
        """The last recall came to nothing."""
        self._recalled.clear()

    def listen(self) -> News:
        """The next that was told; waits for it."""
        return self._news.get()

    def heed(self) -> None:
        """Before its session knows of it: end it at once if it is recalled."""
        while self.has_news():
            news = self.listen()
            if isinstance(news, Recall):
                raise news.end

    def has_news(self) -> bool:
        """Whether something was told that nobody has listened to."""
        return not self._news.empty()
