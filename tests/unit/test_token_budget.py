"""The upsampler's limits as arithmetic: what was measured elsewhere, and what must hold for any size and prompt."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.integration.box_tools import SCRIPTS

sys.path.insert(0, str(SCRIPTS))
import token_budget
from token_budget import PATCH, PromptTooLong, Size, fit, image_tokens, most_prompt_tokens, total_tokens

SIDES = st.integers(16, 8192)
SIZES = st.builds(Size, SIDES, SIDES)
FRAMES = st.sampled_from([1, 2])
PROMPTS = st.integers(0, 2000) | st.integers(0, 3787)
LIMIT = token_budget.MAX_MODEL_LEN - token_budget.OUTPUT_TOKENS


@pytest.mark.parametrize(("size", "tokens"), [((940, 529), 4089), ((960, 540), 4157), ((1280, 720), 4689)])
def test_two_frames_cost_what_was_measured(size: tuple[int, int], tokens: int) -> None:
    assert total_tokens(Size(*size), 2) == tokens
    assert image_tokens(Size(1280, 720)) == 2340


@pytest.mark.parametrize("source", [Size(1280, 720), Size(1920, 1080), Size(3840, 2160)])
def test_a_wide_picture_beside_500_tokens_is_848_by_480(source: Size) -> None:
    assert fit(source, 2, 500) == Size(848, 480)


def test_the_sizes_in_the_documentation_are_those_that_fit() -> None:
    page = (Path(__file__).parents[2] / "docs" / "questions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+)×(\d+) \| (.*) \|$", page, re.MULTILINE)
    assert len(rows) == 5
    for width, height, told in rows:
        fitting = [fit(Size(int(width), int(height)), 2, tokens) for tokens in (200, 500, 1000, 2000)]
        fitting.append(fit(Size(int(width), int(height)), 1, 500))
        assert told.replace("×", "x").split(" | ") == [str(size) for size in fitting]


def test_a_picture_that_fits_stays_as_it_is() -> None:
    assert fit(Size(640, 480), 2, 500) == Size(640, 480)
    assert fit(Size(333, 251), 1, 10) == Size(333, 251)


def test_a_given_size_is_a_bound_and_the_budget_another() -> None:
    assert fit(Size(1280, 704), 2, 500, Size(320, 320)) == Size(320, 176)
    assert fit(Size(1280, 704), 2, 500, Size(4000, 4000)) == fit(Size(1280, 704), 2, 500)


def test_a_prompt_beside_which_nothing_fits_is_refused_by_name() -> None:
    with pytest.raises(PromptTooLong, match=r"up to 3750 of 4096 tokens.*2 frames: shorten it"):
        fit(Size(1280, 720), 2, 3750)


@pytest.mark.parametrize(("frames", "most"), [(0, None), (3, None), (2, Size(1280, 64))])
def test_what_the_upsampler_cannot_take_is_no_size(frames: int, most: Size | None) -> None:
    with pytest.raises(ValueError, match=r"takes 1 to 2|at least 128x128"):
        fit(Size(1280, 720), frames, 0, most)


@given(SIZES, FRAMES, PROMPTS)
@example(Size(8192, 16), 2, 500)
@example(Size(16, 8192), 1, 0)
@example(Size(1024, 1024), 2, 0)
def test_what_is_sent_never_exceeds_the_limit(source: Size, frames: int, prompt: int) -> None:
    try:
        size = fit(source, frames, prompt)
    except PromptTooLong:
        assert total_tokens(smallest(source), frames, prompt) > LIMIT
    else:
        assert total_tokens(size, frames, prompt) <= LIMIT


@given(SIZES, FRAMES, PROMPTS)
def test_a_frame_is_never_smaller_than_it_must_be_by_more_than_a_patch(source: Size, frames: int, prompt: int) -> None:
    try:
        size = fit(source, frames, prompt)
    except PromptTooLong:
        return
    longest = max(size.width, size.height)
    if size == source or longest + PATCH > min(token_budget.LONGEST_SIDE, max(source.width, source.height)):
        return
    larger = token_budget.scaled(source, longest + PATCH)
    fits = total_tokens(larger, frames, prompt) <= LIMIT
    assert not fits or larger.width > source.width or larger.height > source.height


@given(SIZES, FRAMES, PROMPTS)
def test_a_frame_keeps_its_aspect_to_half_a_patch_and_is_never_enlarged(source: Size, frames: int, prompt: int) -> None:
    try:
        size = fit(source, frames, prompt)
    except PromptTooLong:
        return
    assert size.width <= max(source.width, PATCH)
    assert size.height <= max(source.height, PATCH)
    ratio = max(size.width, size.height) / max(source.width, source.height)
    for ours, theirs in ((size.width, source.width), (size.height, source.height)):
        assert abs(ours - max(theirs * ratio, PATCH)) <= PATCH / 2


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_no_text_is_counted_for_less_than_its_characters(text: str) -> None:
    assert most_prompt_tokens(text) >= len(text)


def smallest(source: Size) -> Size:
    """The last that is tried."""
    longest = max(source.width, source.height)
    return source if longest <= token_budget.SMALLEST_SIDE else token_budget.scaled(source, token_budget.SMALLEST_SIDE)
