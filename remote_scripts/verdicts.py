"""What becomes of the items of a process that has ended and that have no video yet. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from failures import Failure
from outcome import Blocked


@dataclass(frozen=True)
class Trace:
    """What is known of the process. Items count from 0, batches too.

    `finished` are those with a video or cancelled; `reached` says how many were begun to be prepared, `is_generating`
    whether the last batch was being generated; `unsafe` has the guardrail's reason by item, `reasons` by batch;
    `failure` is None if the process ended well; `ended_by_us` says that it was ended for a cancellation.
    """

    count: int
    batch_size: int
    offload: bool
    finished: Collection[int]
    reached: int
    is_generating: bool
    unsafe: Mapping[int, str]
    reasons: Mapping[int, Sequence[str]]
    failure: Failure | None
    ended_by_us: bool = False

    @property
    def last_batch(self) -> int:
        return (self.reached - 1) // self.batch_size

    def missing_in(self, batch: int) -> list[int]:
        first = batch * self.batch_size
        return [i for i in range(first, min(first + self.batch_size, self.count)) if i not in self.finished]


@dataclass(frozen=True)
class Again:
    """To be generated again: with at most `cap` at once if given, with the models offloaded, by itself."""

    cap: int | None = None
    offload: bool = False
    alone: bool = False


Verdict = Blocked | Failure | Again


def judge(trace: Trace) -> dict[int, Verdict]:
    """A verdict for each unfinished item. Nothing is blamed that was not being made when the process died."""
    if trace.ended_by_us:
        return {item: Again() for item in range(trace.count) if item not in trace.finished}
    verdicts: dict[int, Verdict] = {}
    for batch in range((trace.count - 1) // trace.batch_size + 1):
        missing = trace.missing_in(batch)
        if trace.failure is None or batch < trace.last_batch:
            verdicts.update(without_output(trace, batch, missing))
        elif batch == trace.last_batch:
            verdicts.update(died_with(trace, trace.failure, batch, missing))
        else:
            verdicts.update((item, Again()) for item in missing)
    if trace.reached == 0 and trace.failure is not None:
        verdicts.update((item, died_loading(trace, trace.failure)) for item in range(trace.count) if item in verdicts)
    if trace.failure is not None and trace.failure.error == "out_of_memory":
        verdicts = {item: smaller(trace, verdict) for item, verdict in verdicts.items()}
    return verdicts


def without_output(trace: Trace, batch: int, missing: Sequence[int]) -> Iterator[tuple[int, Verdict]]:
    """Their batch was generated, and they have no video: the guardrail took it, or nobody knows."""
    reasons = trace.reasons.get(batch, ())
    # What is blocked without a number is known only where nothing else is missing.
    is_certain = len(reasons) == len(missing)
    for item in missing:
        if item in trace.unsafe:
            yield item, Blocked(trace.unsafe[item])
        elif is_certain and reasons:
            yield item, Blocked(reasons[-1])
        elif trace.count == 1:
            yield item, Failure("engine_error", "the engine ended well and made no video of this prompt", False)
        else:
            yield item, Again(alone=True)


def died_with(trace: Trace, failure: Failure, batch: int, missing: Sequence[int]) -> Iterator[tuple[int, Verdict]]:
    """The process died while it prepared or generated their batch."""
    if not trace.is_generating:
        # It prepares one item after another.
        for item in missing:
            yield item, blame(trace, failure, 1) if item == trace.reached - 1 else Again()
        return
    reasons = trace.reasons.get(batch, ())
    # Blocked as a whole, a batch is None, and that kills the process.
    if reasons and "NoneType" in failure.message and len(reasons) >= len(missing):
        for item in missing:
            yield item, Blocked(trace.unsafe.get(item, reasons[-1]))
        return
    suspects = [item for item in missing if item not in trace.unsafe]
    for item in missing:
        yield item, Blocked(trace.unsafe[item]) if item in trace.unsafe else blame(trace, failure, len(suspects))


def blame(trace: Trace, failure: Failure, suspects: int) -> Verdict:
    """One alone did it; of several, the half that holds it is found by generating fewer at once."""
    if suspects > 1:
        return Again(cap=(suspects + 1) // 2)
    if failure.error == "out_of_memory" and not trace.offload:
        return Again(cap=1, offload=True)
    return failure


def died_loading(trace: Trace, failure: Failure) -> Verdict:
    """No item had its turn. The model itself may need the offloading; a spec may have been wrong for the engine."""
    if failure.error == "out_of_memory" and not trace.offload:
        return Again(cap=1, offload=True)
    if failure.error == "invalid_spec" and trace.count > 1:
        return Again(alone=True)
    return failure


def smaller(trace: Trace, verdict: Verdict) -> Verdict:
    """After an out-of-memory the items behind it, too, are generated fewer at once."""
    if isinstance(verdict, Again) and verdict.cap is None and trace.batch_size > 1:
        return Again(cap=trace.batch_size // 2, offload=verdict.offload, alone=verdict.alone)
    return verdict
