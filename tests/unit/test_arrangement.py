"""The order of a sweep's jobs: few model loads, or an even picture early."""

import itertools
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cosmosq.sweep.arrangement import ROUNDS, arrange
from cosmosq.sweep.definition import ORDERS

Item = tuple[str, str, int]
"""Model, prompt, number."""

items = st.lists(
    st.tuples(st.sampled_from("mn"), st.sampled_from("pqr"), st.integers(0, 10**6)), unique=True, max_size=60
)


def arranged(given_items: list[Item], order: str, seed: int = 1) -> list[Item]:
    return arrange(given_items, order, model=lambda i: i[0], share=lambda i: i[1], generator=random.Random(seed))


def loads(ordered: list[Item]) -> int:
    """How often the model changes."""
    return sum(1 for _ in itertools.groupby(ordered, key=lambda item: item[0]))


@given(items, st.sampled_from(sorted(ORDERS)), st.integers(0, 99))
def test_no_order_loses_or_doubles_a_job_and_each_can_be_repeated(found: list[Item], order: str, seed: int) -> None:
    assert Counter(arranged(found, order, seed)) == Counter(found)
    assert arranged(found, order, seed) == arranged(found, order, seed)


@given(items)
def test_grouped_jobs_load_each_model_once_and_keep_their_order_otherwise(found: list[Item]) -> None:
    ordered = arranged(found, "grouped")
    assert loads(ordered) == len({model for model, _, _ in found})
    for model in "mn":
        assert [i for i in ordered if i[0] == model] == [i for i in found if i[0] == model]


def many() -> list[Item]:
    """A grid, model by model and prompt by prompt, as it is drawn."""
    return [(model, prompt, number) for model in "mn" for prompt in "pqr" for number in range(40)]


def test_an_interleaved_sweep_is_an_even_picture_after_each_round() -> None:
    ordered = arranged(many(), "interleave")
    for round_ in range(1, ROUNDS + 1):
        part = ordered[: round_ * len(ordered) // ROUNDS]
        counts = Counter((model, prompt) for model, prompt, _ in part)
        assert set(counts.values()) == {round_ * 40 // ROUNDS}
    first = sorted(number for model, prompt, number in ordered[:60] if (model, prompt) == ("m", "p"))
    assert first[0] < 20 <= first[-1], "not the beginning of the grid alone"
    assert loads(ordered) <= ROUNDS * 2


def test_a_random_order_mixes_the_models() -> None:
    assert loads(arranged(many(), "random")) > 50
    assert arranged(many(), "random", 1) != arranged(many(), "random", 2)
