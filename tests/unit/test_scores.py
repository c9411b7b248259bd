"""Scores from comparisons: known truths, an independent fit, and graphs that hang together nowhere."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from cosmosq.report.scores import PRIOR_VARIANCE, fit

pairs = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).filter(lambda p: p[0] != p[1]), min_size=1, max_size=40
)


def by_hand(told: list[tuple[int, int]]) -> dict[int, float]:
    """The same by the definition: likelihood of every answer, times a normal distribution for every score."""
    ids = sorted({job for pair in told for job in pair})

    def loss(values: np.ndarray) -> float:
        x = dict(zip(ids, values, strict=True))
        answers = sum(math.log1p(math.exp(x[worse] - x[better])) for better, worse in told)
        return float(answers + sum(v * v for v in values) / (2 * PRIOR_VARIANCE))

    found = minimize(loss, np.zeros(len(ids)), method="BFGS", options={"gtol": 1e-7})
    return dict(zip(ids, map(float, found.x), strict=True))


@given(pairs)
def test_scores_are_those_of_the_definition(told: list[tuple[int, int]]) -> None:
    assert fit(told) == pytest.approx(by_hand(told), abs=1e-4)


def test_nothing_compared_is_no_score() -> None:
    assert fit([]) == {}


def test_who_always_wins_is_first_and_has_a_finite_score() -> None:
    found = fit([(3, 1)] * 50 + [(1, 2)])
    assert max(found, key=found.__getitem__) == 3
    assert all(map(math.isfinite, found.values()))


def test_groups_that_were_never_compared_with_one_another_have_scores_of_their_own() -> None:
    apart = fit([(1, 2), (2, 3), (7, 9)])
    assert apart == pytest.approx({**fit([(1, 2), (2, 3)]), **fit([(7, 9)])}, abs=1e-6)


def test_contradictory_answers_are_a_draw() -> None:
    assert fit([(1, 2), (2, 1)]) == pytest.approx({1: 0, 2: 0}, abs=1e-9)


def test_many_answers_bring_back_the_order_that_made_them() -> None:
    rng = random.Random(7)
    truth = {job: job / 2 for job in range(8)}
    told = []
    for _ in range(1500):
        first, second = rng.sample(sorted(truth), 2)
        wins = rng.random() < 1 / (1 + math.exp(truth[second] - truth[first]))
        told.append((first, second) if wins else (second, first))
    found = fit(told)
    assert sorted(found, key=found.__getitem__) == sorted(truth)
    steps = [found[later] - found[earlier] for earlier, later in pairwise(sorted(truth))]
    assert np.mean(steps) == pytest.approx(0.5, abs=0.15)
