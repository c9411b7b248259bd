"""Jobs as they go: bars on a terminal, and a line for each that ends."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.status import expected_times, left_of, progress_of
from cosmosq.status import ENDED, Phase, Status

if TYPE_CHECKING:
    from rich.progress import TaskID
    from sqlalchemy.orm import Session

REFRESH_S = 0.3


class Follower:
    """Shows jobs until it is closed; `ids` narrows it to some."""

    def __init__(self, app: App, ids: Sequence[int] = ()) -> None:
        from cosmosq.report import query

        self.app, self.ids = app, list(ids)
        self._bars = output.progress_bars()
        self._tasks: dict[int, TaskID] = {}
        with app.ledger.read() as session:
            self._seen = query.newest_event(session)

    def __enter__(self) -> "Follower":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def refresh(self) -> None:
        """Print what ended since the last look, and draw what runs."""
        from cosmosq.report import query

        with self.app.ledger.read() as session:
            for move in query.moves_since(session, self._seen, self.ids):
                self._seen = move["id"]
                if move["event"] in ENDED:
                    self._say_end(move, query.video_of(session, move["job_id"]))
                elif move["event"] == Status.QUEUED and "error" in move["data"]:
                    self._say(f"job {move['job_id']} is queued again: {_why(move)}")
            if not self._bars.disable:
                self._draw_all(session)

    def _draw_all(self, session: "Session") -> None:
        from cosmosq.report import query

        running = query.jobs(session, query.Filter(ids=self.ids, statuses=[Status.RUNNING]))
        expected = expected_times(self.app, session, {row["host"] for row in running}, queued=False)
        for row in running:
            self._draw(row, expected.get(row["id"]))
        for job_id in set(self._tasks) - {row["id"] for row in running}:
            self._bars.remove_task(self._tasks.pop(job_id))

    def _say_end(self, move: dict[str, Any], video: str | None) -> None:
        # An upsampling makes no video.
        told = (f": {video}" if video else "") if move["event"] == Status.SUCCEEDED else f": {_why(move)}"
        self._say(f"job {move['job_id']} {move['event']}{told}")

    def _say(self, text: str) -> None:
        # Rich moves the bars out of the way of what is printed through its console.
        if self._bars.disable:
            output.say(text)
        else:
            self._bars.console.print(output.clean(text), markup=False, highlight=False)

    def _draw(self, row: dict[str, Any], expected_at: datetime | None) -> None:
        if row["id"] not in self._tasks:
            name = output.one_line(row["prompt_name"] or row["prompt_id"], 24)
            self._tasks[row["id"]] = self._bars.add_task(f"job {row['id']} {name}", total=None, detail="", left="")
        self._bars.update(
            self._tasks[row["id"]],
            total=(row["steps"] or 0) * (row["clips"] or 1) or None,
            completed=_steps_done(row),
            detail=progress_of(row),
            left=left_of(expected_at) if row["phase"] == Phase.GENERATING else "",
        )


def _steps_done(row: dict[str, Any]) -> int:
    """Steps of the clips that are finished, and of the one under way."""
    return (max(row["clip"] or 1, 1) - 1) * (row["steps"] or 0) + (row["step"] or 0)


def _why(move: dict[str, Any]) -> str:
    words = [move["data"].get("error"), move["data"].get("message")]
    if words[0] == move["event"]:
        del words[0]
    return output.one_line(": ".join(str(word) for word in words if word), 200)


def follow_until_ended(
    app: App, ids: Sequence[int], timeout_s: float | None = None, meanwhile: Callable[[], bool] = lambda: True
) -> dict[int, Status]:
    """Show the jobs until all have ended, the time is up or `meanwhile` is false; returns where each stands."""
    from cosmosq.report import query

    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    with Follower(app, ids) as follower:
        while True:
            with app.ledger.read() as session:
                rows = query.jobs(session, query.Filter(ids=ids))
            follower.refresh()
            found = {row["id"]: Status(row["status"]) for row in rows}
            late = deadline is not None and time.monotonic() >= deadline
            if late or not meanwhile() or all(status in ENDED for status in found.values()):
                return found
            time.sleep(REFRESH_S)


def while_following(app: App, ids: Sequence[int], work: Callable[[], bool]) -> bool:
    """Do `work` in this thread and show the jobs from another one."""
    ended = threading.Event()

    def show() -> None:
        while not ended.wait(REFRESH_S):
            follower.refresh()

    with Follower(app, ids) as follower:
        thread = threading.Thread(target=show, name="follower", daemon=True)
        thread.start()
        try:
            return work()
        finally:
            ended.set()
            thread.join()
            follower.refresh()
