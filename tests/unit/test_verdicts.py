"""What becomes of items without a video: who is blamed, who is blocked, who is made again."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.box_tools import SCRIPTS

sys.path.insert(0, str(SCRIPTS))
from failures import Failure, failure_in
from outcome import Blocked
from verdicts import Again, Trace, judge

CRASH = Failure("crashed", "the engine ended with exit code 1", False)
OOM = Failure("out_of_memory", "CUDA out of memory", False)
NONE = Failure("engine_error", "TypeError: cannot unpack non-iterable NoneType object", False)
REASON = "GUARDRAIL BLOCKED: BLOCKLIST: word"


def trace(**changes: Any) -> Trace:
    whole = {
        "count": 4,
        "batch_size": 1,
        "offload": False,
        "finished": frozenset(),
        "reached": 4,
        "is_generating": True,
        "unsafe": {},
        "reasons": {},
        "failure": None,
    }
    return Trace(**{**whole, **changes})


def test_a_crash_blames_the_item_that_was_made_and_gives_the_rest_back() -> None:
    assert judge(trace(finished={0}, reached=2, failure=CRASH)) == {1: CRASH, 2: Again(), 3: Again()}


def test_of_several_at_once_half_are_made_next_time() -> None:
    found = judge(trace(batch_size=2, finished={0, 1}, reached=4, count=5, failure=CRASH))
    assert found == {2: Again(cap=1), 3: Again(cap=1), 4: Again()}


def test_a_crash_while_items_are_prepared_blames_the_one_that_was() -> None:
    found = judge(trace(batch_size=4, reached=2, is_generating=False, failure=CRASH))
    assert found == {0: Again(), 1: CRASH, 2: Again(), 3: Again()}


def test_a_blocked_item_is_no_crash() -> None:
    found = judge(trace(finished={0}, reached=2, unsafe={1: REASON}, reasons={1: [REASON]}, failure=NONE))
    assert found == {1: Blocked(REASON), 2: Again(), 3: Again()}


def test_a_batch_that_is_blocked_as_a_whole_blocks_all_of_it() -> None:
    found = judge(trace(batch_size=2, reached=2, reasons={0: [REASON, REASON]}, failure=NONE))
    assert found == {0: Blocked(REASON), 1: Blocked(REASON), 2: Again(), 3: Again()}


def test_a_crash_after_one_was_blocked_blames_only_the_others() -> None:
    found = judge(trace(batch_size=4, unsafe={0: REASON}, reasons={0: [REASON]}, failure=CRASH))
    assert found == {0: Blocked(REASON), **dict.fromkeys((1, 2, 3), Again(cap=2))}


def test_what_is_missing_from_a_batch_that_ended_is_blocked_if_the_guardrail_says_so() -> None:
    assert judge(trace(batch_size=4, finished={0, 1, 3}, reasons={0: [REASON]})) == {2: Blocked(REASON)}
    later = judge(trace(batch_size=2, finished={0, 2, 3}, reasons={0: [REASON]}, failure=CRASH))
    assert later == {1: Blocked(REASON)}


def test_where_it_does_not_say_whom_each_is_made_by_itself() -> None:
    found = judge(trace(batch_size=4, finished={0, 1}, reasons={0: [REASON]}))
    assert found == {2: Again(alone=True), 3: Again(alone=True)}


def test_a_video_that_is_nobodys_is_made_again_alone_and_then_given_up() -> None:
    assert judge(trace(finished={0, 2, 3})) == {1: Again(alone=True)}
    (given_up,) = judge(trace(count=1, reached=1)).values()
    assert isinstance(given_up, Failure)
    assert given_up.error == "engine_error"


def test_memory_is_saved_by_halving_then_by_offloading_then_not() -> None:
    halved = judge(trace(count=8, batch_size=4, reached=4, failure=OOM))
    assert halved == dict.fromkeys(range(8), Again(cap=2))
    assert judge(trace(count=2, reached=1, failure=OOM)) == {0: Again(cap=1, offload=True), 1: Again()}
    assert judge(trace(count=2, reached=1, failure=OOM, offload=True)) == {0: OOM, 1: Again()}


def test_a_model_that_does_not_fit_is_offloaded() -> None:
    assert judge(trace(count=2, reached=0, failure=OOM)) == dict.fromkeys(range(2), Again(cap=1, offload=True))


def test_a_process_that_was_ended_for_a_cancellation_is_nobodys_fault() -> None:
    assert judge(trace(finished={0, 1}, reached=2, failure=CRASH, ended_by_us=True)) == {2: Again(), 3: Again()}


@given(st.data(), st.integers(1, 9), st.integers(1, 4), st.sampled_from([None, CRASH, OOM, NONE]), st.booleans())
def test_nothing_good_is_judged_and_nobody_unreached_is_blamed(
    data: st.DataObject, count: int, batch_size: int, failure: Failure | None, offload: bool
) -> None:
    reached = data.draw(st.integers(0, count)) if failure else count
    finished = data.draw(st.sets(st.integers(0, max(reached - 1, 0)))) if reached else set()
    found = judge(
        trace(
            count=count,
            batch_size=batch_size,
            offload=offload,
            finished=finished,
            reached=reached,
            is_generating=data.draw(st.booleans()),
            failure=failure,
        )
    )
    assert set(found) == set(range(count)) - finished
    if reached:
        last = (reached - 1) // batch_size
        assert all(isinstance(found[item], Again) for item in found if item // batch_size > last)
        blamed = [item for item, verdict in found.items() if isinstance(verdict, Failure) and count > 1]
        assert len(blamed) <= 1


WRAPPED = """
Traceback (most recent call last):
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
Root Cause (first observed failure):
  exitcode  : {code} (pid: 77)
"""
PRINTED = [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", 1, "out_of_memory", "2 GiB"),
    ("[rank0]: torch.OutOfMemoryError: CUDA out of memory.", 1, "out_of_memory", "CUDA"),
    ("", -9, "out_of_memory", "signal 9"),
    ("FileNotFoundError: [Errno 2] No such file: 'checkpoints/base_model.pt'", 1, "missing_checkpoint", "base_model"),
    ("OSError: [Errno 28] No space left on device: 'x.mp4'", 1, "disk_full", "No space"),
    ("ValueError: Invalid hint_key: egde. Must be one of {}", 1, "invalid_spec", "egde"),
    ("RuntimeError: shapes do not match", 1, "engine_error", "RuntimeError: shapes do not match"),
    ("a line about an Error: nothing", 1, "crashed", "exit code 1"),
]


@pytest.mark.parametrize(("printed", "code", "error", "shown"), PRINTED, ids=[error for _, _, error, _ in PRINTED])
def test_why_a_process_died_is_read_out_of_what_it_printed(printed: str, code: int, error: str, shown: str) -> None:
    found = failure_in(printed + WRAPPED.format(code=code), 1)
    assert found.error == error
    assert shown in found.message
    assert not found.fatal
    assert failure_in(printed, code).error == error
