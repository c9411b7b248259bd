"""Every drawn value lies in its distribution, and uniform quantiles give the distribution that was asked for."""

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cosmosq.errors import InvalidInput
from cosmosq.sweep.distribution import (
    Choice,
    Distribution,
    Integers,
    LogUniform,
    Normal,
    Quantised,
    Uniform,
    spaced,
    stepped,
)

DRAWS = 2_000

quantiles = st.floats(0, 1, exclude_max=True)
numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))
positive = st.floats(0.001, 1e6).map(lambda number: round(number, 3))


def ordered(bounds: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, float]]:
    return st.tuples(bounds, bounds).map(lambda pair: (min(pair), max(pair)))


uniforms = ordered(numbers).map(lambda pair: Uniform(*pair))
log_uniforms = ordered(positive).map(lambda pair: LogUniform(*pair))


def quantised(inner: Uniform | LogUniform, parts: int) -> Quantised:
    """With a `q` of which at least one multiple lies within the bounds."""
    return Quantised(inner, round(max(abs(inner.min), abs(inner.max), 0.001) / parts, 6) or 0.001)


def fits(inner: Uniform | LogUniform, parts: int) -> bool:
    try:
        quantised(inner, parts)
    except InvalidInput:
        return False
    return True


quantiseds = (
    st.tuples(st.one_of(uniforms, log_uniforms), st.integers(1, 50))
    .filter(lambda pair: fits(*pair))
    .map(lambda pair: quantised(*pair))
)
normals = (
    ordered(st.floats(-5, 5))
    .filter(lambda pair: pair[1] - pair[0] > 0.1)
    .flatmap(lambda pair: st.floats(0.5, 3).map(lambda sigma: Normal(*pair, sum(pair) / 2, sigma)))
)
integers = ordered(st.integers(-1000, 1000)).map(lambda pair: Integers(int(pair[0]), int(pair[1])))
choices = st.lists(st.integers(0, 99), min_size=1, max_size=9).map(lambda values: Choice(tuple(values)))
any_distribution: st.SearchStrategy[Any] = st.one_of(uniforms, log_uniforms, quantiseds, normals, integers, choices)


@given(any_distribution, quantiles)
def test_every_drawn_value_lies_in_its_distribution(distribution: Distribution, u: float) -> None:
    assert distribution.at(u) in distribution


@given(quantiseds, quantiles)
def test_a_quantised_value_sits_on_its_grid_within_the_bounds(distribution: Quantised, u: float) -> None:
    value = distribution.at(u)
    assert math.isclose(value / distribution.q, round(value / distribution.q), abs_tol=1e-6)
    assert distribution.inner.min <= value <= distribution.inner.max
    if distribution.values is not None:
        assert value in distribution.values


@given(st.one_of(integers, choices))
def test_every_value_that_is_listed_can_be_drawn(distribution: Integers | Choice) -> None:
    values = list(distribution.values or ())
    count = len(values)
    drawn = {distribution.at((number + 0.5) / count) for number in range(count)}
    assert drawn == set(values)


@given(any_distribution)
def test_larger_quantiles_never_give_smaller_numbers(distribution: Distribution) -> None:
    if not isinstance(distribution, Choice):
        drawn = [distribution.at(number / 50) for number in range(50)]
        assert drawn == sorted(drawn)


def draws(distribution: Distribution) -> list[float]:
    generator = random.Random(20261125)
    return [distribution.at(generator.random()) for _ in range(DRAWS)]


def test_uniform_passes_a_kolmogorov_smirnov_test() -> None:
    assert stats.kstest(draws(Uniform(0.2, 1.0)), stats.uniform(0.2, 0.8).cdf).pvalue > 0.05


def test_log_uniform_passes_a_kolmogorov_smirnov_test_and_uniform_does_not() -> None:
    drawn = draws(LogUniform(0.5, 80.0))
    assert stats.kstest(drawn, stats.loguniform(0.5, 80).cdf).pvalue > 0.05
    assert stats.kstest(drawn, stats.uniform(0.5, 79.5).cdf).pvalue < 1e-6


def test_a_cut_bell_passes_a_kolmogorov_smirnov_test() -> None:
    cut = stats.truncnorm(-1, 2, loc=5, scale=2)
    assert stats.kstest(draws(Normal(3, 9, 5, 2)), cut.cdf).pvalue > 0.05


def test_probabilities_are_kept() -> None:
    drawn = draws(Choice(("a", "b", "c"), (0.7, 0.3, 0.0)))
    counts = [drawn.count(value) for value in ("a", "b", "c")]  # type: ignore[arg-type]
    assert counts[2] == 0
    assert stats.chisquare(counts[:2], [0.7 * DRAWS, 0.3 * DRAWS]).pvalue > 0.05


def test_integers_are_equally_likely_at_both_ends() -> None:
    drawn = draws(Integers(1, 6))
    assert stats.chisquare([drawn.count(value) for value in range(1, 7)]).pvalue > 0.05


def test_ranges_leave_their_end_out_and_do_not_gather_errors() -> None:
    assert stepped(0, 1, 0.1).values == (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert stepped(1, 5).values == (1, 2, 3, 4)
    assert stepped(5, 1, -2).values == (5, 3)
    assert Quantised(Uniform(0.2, 0.6), 0.1).values == [0.2, 0.3, 0.4, 0.5, 0.6]


def test_linspace_has_both_ends() -> None:
    assert spaced(0.2, 1, 5).values == (0.2, 0.4, 0.6, 0.8, 1)
    assert spaced(3, 9, 1).values == (3,)
    assert spaced(0, 1, 4).values == (0, 0.333333333, 0.666666667, 1)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Uniform(2, 1), "min 2 is above max 1"),
        (lambda: Integers(2, 1), "min 2 is above max 1"),
        (lambda: LogUniform(0, 1), "min 0 has no logarithm"),
        (lambda: LogUniform(-1, 1), "min -1 has no logarithm"),
        (lambda: Normal(0, 1, 0.5, 0), "sigma 0 is not above 0"),
        (lambda: Normal(50, 60, 0, 1), "nothing of normal(0,1) lies within its bounds"),
        (lambda: Quantised(Uniform(0, 1), 0), "q 0 is not above 0"),
        (lambda: Quantised(Uniform(0.1, 0.4), 0.5), "no multiple of 0.5 lies between 0.1 and 0.4"),
        (lambda: Choice(()), "the list of values is empty"),
        (lambda: Choice((1, 2), (1.0,)), "1 probabilities for 2 values"),
        (lambda: Choice((1, 2), (0.5, 0.6)), "sum up to 1"),
        (lambda: Choice((1, 2), (1.5, -0.5)), "at least 0"),
        (lambda: stepped(5, 1), "range from 5 to 1 in steps of 1 holds no value"),
        (lambda: stepped(1, 5, 0), "holds no value"),
        (lambda: stepped(0, 1e9), "too many"),
        (lambda: spaced(0, 1, 0), "a number of values of at least 1"),
        (lambda: spaced(0, 1, 2.5), "a number of values of at least 1"),
    ],
)
def test_what_is_no_distribution_is_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("(", r"\(").replace(")", r"\)")):
        make()
