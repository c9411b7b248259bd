"""Which job next: priority first; within one, the open session's key up to a bounded overtaking; then upsamplings, for
which others may wait; then position, which is age unless a person moved the job."""

from bisect import bisect_left, insort
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A job that could start now."""

    id: int
    priority: int
    position: int = 0
    """Among those of its priority, smallest first; people may move it."""
    key: str
    """Digest of what a session must have loaded to serve it."""
    overtaken: int = 0
    """How many jobs of its priority that stand behind it began since it could."""
    is_early: bool = False
    """Whether it stands before all others of its priority."""

    @property
    def place(self) -> tuple[int, bool, int, int]:
        """Sorts jobs as they stand in the line."""
        return (-self.priority, not self.is_early, *self.spot)

    @property
    def spot(self) -> tuple[int, int]:
        """Sorts jobs of one priority."""
        return (self.position, self.id)


def choose(waiting: Iterable[Waiting], open_key: str | None, max_overtake: int) -> Waiting | None:
    """The job to start next; of those with the highest priority, the first and the first that fits are enough.

    Args:
        open_key: key of the open session, None for none.
        max_overtake: so many jobs behind it may be preferred to a job because they need no other model.
    """
    ordered = sorted(waiting, key=lambda job: job.place)
    if not ordered:
        return None
    head = ordered[0]
    if head.overtaken >= max_overtake:
        return head
    fitting = (job for job in ordered if job.priority == head.priority and job.key == open_key)
    return next(fitting, head)


def line_up(waiting: Iterable[Waiting], open_key: str | None, max_overtake: int) -> Iterator[Waiting]:
    """All jobs in the order in which `choose` would take them if none came or failed meanwhile."""
    ordered = sorted(waiting, key=lambda job: job.place)
    for _, group in groupby(ordered, key=lambda job: job.priority):
        queues: defaultdict[str, deque[Waiting]] = defaultdict(deque)
        for job in group:
            queues[job.key].append(job)
        begun: list[tuple[int, int]] = []
        while queues:
            head = min((queue[0] for queue in queues.values()), key=lambda job: job.place)
            overtaken = head.overtaken + len(begun) - bisect_left(begun, head.spot)
            # The rule of `choose`, without making it look at the same heads anew for each of thousands.
            key = open_key if open_key is not None and open_key in queues and overtaken < max_overtake else head.key
            chosen = queues[key].popleft()
            open_key = chosen.key
            if not queues[open_key]:
                del queues[open_key]
            insort(begun, chosen.spot)
            yield chosen


def behind_their_needs(
    line: Iterable[Waiting], needs: Mapping[int, Collection[int]], begun: Iterable[int] = ()
) -> Iterator[Waiting]:
    """The same line, but each job only after those that it waits for; without those whose needs are not in it.

    Args:
        needs: what a job still waits for, by id.
        begun: jobs that go before the whole line.
    """
    before = set(begun)
    stalled: defaultdict[int, list[Waiting]] = defaultdict(list)
    for job in line:
        ready = deque([job])
        while ready:
            following = ready.popleft()
            missing = next((needed for needed in needs.get(following.id, ()) if needed not in before), None)
            if missing is not None:
                stalled[missing].append(following)
                continue
            before.add(following.id)
            yield following
            ready.extend(stalled.pop(following.id, ()))


def loads(line: Iterable[Waiting], open_key: str | None) -> int:
    """How often the model is loaded for jobs in this order."""
    count = 0
    for job in line:
        count += job.key != open_key
        open_key = job.key
    return count
