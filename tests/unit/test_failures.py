"""Messages that differ in numbers, paths and ids alone are one; ids become ranges that name nobody else."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.report.failures import named, normalised, ranges


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        (
            "CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 79.15 GiB total)",
            "CUDA out of memory. Tried to allocate <n> GiB (GPU <n>; <n> GiB total)",
        ),
        ("[Errno 2] No such file: '/box/a b/c.mp4'", "[Errno <n>] No such file: '<path>'"),
        ("missing checkpoints/foo-7b/model.pt of C:\\x\\y", "missing <path> of <path>"),
        ("exit code -9 at /box/x/123.py:33", "exit code <n> at <path>:<n>"),
        ("session s-20261126T023959-f0c270 is gone", "session <id> is gone"),
        ("deadbeef01 != 0xdeadbeef in 1b4e28ba-2fa1-11d2-883f-0016d3cca427", "<id> != <id> in <id>"),
        ("prompt ps_3cbf9c8d3e06 of a facade", "prompt <id> of a facade"),
        ("see https://example.org/a?b=1", "see <url>"),
        ("at 12:03:05\n\n  it   stopped", "at <n> it stopped"),
        ("", ""),
    ],
)
def test_what_differs_from_one_failure_to_the_next_is_left_out(message: str, pattern: str) -> None:
    assert normalised(message) == pattern


@pytest.mark.parametrize("piece", ["/", "a", "'", "0", "a/", "'/", '"\\', "a.b-", "s-1"])
def test_no_message_takes_long(piece: str) -> None:
    began = time.process_time()
    normalised(piece * 100_000)
    assert time.process_time() - began < 0.5


@given(st.sets(st.integers(1, 60)))
def test_ranges_name_these_ids_and_no_others(ids: set[int]) -> None:
    spans = list(ranges(sorted(ids)))
    assert {job for first, last in spans for job in range(first, last + 1)} == ids
    assert all(later[0] > earlier[1] + 1 for earlier, later in itertools.pairwise(spans))


def test_ranges_are_named_as_commands_take_them() -> None:
    assert named([(3, 3), (7, 9)]) == "3 7-9"
