"""How one parameter varies: each distribution is a function from a quantile to a value.

Written as in Hydra's sweeper (`str()`) and as in W&B's sweep configuration (`document()`).
"""

import bisect
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Protocol

from cosmosq.errors import InvalidInput

DIGITS = 6
"""Significant digits of a drawn number: a person can type it again, and no machine rounds it otherwise."""
MOST_VALUES = 100_000
"""A distribution with more values than that counts as one without end."""
MOST_STEPS = 1e12
"""A number further from 0 than so many multiples of `q` cannot be told from its neighbours."""


class Distribution(Protocol):
    """How one parameter varies."""

    @property
    def values(self) -> Sequence[Any] | None:
        """All values in order; None for more than MOST_VALUES."""

    def at(self, u: float) -> Any:
        """The value at quantile `u`, 0 ≤ u < 1: uniform quantiles give the distribution."""

    def __contains__(self, value: object) -> bool: ...

    def document(self) -> dict[str, Any]:
        """As a sweep file has it."""


@dataclass(frozen=True)
class Choice:
    """One of some values, equally likely unless `probabilities` are given."""

    values: tuple[Any, ...]
    probabilities: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not self.values:
            raise InvalidInput("the list of values is empty: give at least one")
        if self.probabilities is None:
            return
        if len(self.probabilities) != len(self.values):
            count = f"{len(self.probabilities)} probabilities for {len(self.values)} values"
            raise InvalidInput(f"{count}: give one each")
        if min(self.probabilities) < 0 or not math.isclose(sum(self.probabilities), 1.0, abs_tol=1e-6):
            raise InvalidInput("the probabilities must be at least 0 and sum up to 1")

    @cached_property
    def _cumulative(self) -> list[float]:
        return list(itertools.accumulate(self.probabilities or ()))

    def at(self, u: float) -> Any:
        if self.probabilities is None:
            return self.values[int(u * len(self.values))]
        # The last sum may fall short of 1 by a rounding error.
        likely = max(i for i, p in enumerate(self.probabilities) if p > 0)
        return self.values[min(bisect.bisect_right(self._cumulative, u), likely)]

    def __contains__(self, value: object) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ",".join(map(written, self.values))

    def document(self) -> dict[str, Any]:
        plain = [list(value) if isinstance(value, tuple) else value for value in self.values]
        odds = {} if self.probabilities is None else {"probabilities": list(self.probabilities)}
        return {"values": plain, **odds}


@dataclass(frozen=True)
class Interval:
    """What distributions between two numbers share."""

    min: float
    max: float

    values = None

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise InvalidInput(f"min {plain(self.min)} is above max {plain(self.max)}: swap them")

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.min <= value <= self.max

    def _tidy(self, value: float) -> float:
        return min(max(float(f"{value:.{DIGITS}g}"), self.min), self.max)


@dataclass(frozen=True)
class Uniform(Interval):
    """Any number from `min` to `max`."""

    def at(self, u: float) -> float:
        return self._tidy(self.min + u * (self.max - self.min))

    def __str__(self) -> str:
        return f"uniform({plain(self.min)},{plain(self.max)})"

    def document(self) -> dict[str, Any]:
        return {"distribution": "uniform", "min": self.min, "max": self.max}


@dataclass(frozen=True)
class LogUniform(Interval):
    """Any number from `min` to `max`, its logarithm uniform: 1 to 10 as likely as 10 to 100."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min <= 0:
            raise InvalidInput(f"min {plain(self.min)} has no logarithm: give bounds above 0")

    def at(self, u: float) -> float:
        low, high = math.log(self.min), math.log(self.max)
        return self._tidy(math.exp(low + u * (high - low)))

    def __str__(self) -> str:
        return f"loguniform({plain(self.min)},{plain(self.max)})"

    def document(self) -> dict[str, Any]:
        return {"distribution": "log_uniform_values", "min": self.min, "max": self.max}


@dataclass(frozen=True)
class Normal(Interval):
    """A bell around `mu`, cut off at `min` and `max` (and not heaped up there)."""

    mu: float
    sigma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sigma <= 0:
            raise InvalidInput(f"sigma {plain(self.sigma)} is not above 0: give the width of the bell")
        if self._share[1] - self._share[0] < 1e-9:
            raise InvalidInput(f"nothing of normal({plain(self.mu)},{plain(self.sigma)}) lies within its bounds")

    @cached_property
    def _bell(self) -> statistics.NormalDist:
        return statistics.NormalDist(self.mu, self.sigma)

    @cached_property
    def _share(self) -> tuple[float, float]:
        return self._bell.cdf(self.min), self._bell.cdf(self.max)

    def at(self, u: float) -> float:
        low, high = self._share
        # The bell has no value at 0 and 1 themselves.
        return self._tidy(self._bell.inv_cdf(min(max(low + u * (high - low), 1e-15), 1 - 1e-15)))

    def __str__(self) -> str:
        return f"normal({plain(self.mu)},{plain(self.sigma)},{plain(self.min)},{plain(self.max)})"

    def document(self) -> dict[str, Any]:
        bounds = {"min": self.min, "max": self.max}
        return {"distribution": "normal", "mu": self.mu, "sigma": self.sigma, **bounds}


@dataclass(frozen=True)
class Integers:
    """Any integer from `min` to `max`, both included."""

    min: int
    max: int

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise InvalidInput(f"min {self.min} is above max {self.max}: swap them")

    @property
    def values(self) -> Sequence[int] | None:
        found = range(self.min, self.max + 1)
        return found if self.max - self.min < MOST_VALUES else None

    def at(self, u: float) -> int:
        return self.min + int(u * (self.max - self.min + 1))

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and value == int(value) and self.min <= value <= self.max

    def __str__(self) -> str:
        return f"randint({self.min},{self.max})"

    def document(self) -> dict[str, Any]:
        return {"distribution": "int_uniform", "min": self.min, "max": self.max}


@dataclass(frozen=True)
class Quantised:
    """The multiple of `q` that is nearest to what `inner` draws, among those within its bounds."""

    inner: Uniform | LogUniform
    q: float

    def __post_init__(self) -> None:
        if self.q <= 0:
            raise InvalidInput(f"q {plain(self.q)} is not above 0: give the distance between two values")
        if max(abs(self.inner.min), abs(self.inner.max)) / self.q > MOST_STEPS:
            raise InvalidInput(f"q {self.q} is too small beside its bounds: give a larger one, or none")
        if self._first > self._last:
            bounds = f"{plain(self.inner.min)} and {plain(self.inner.max)}"
            raise InvalidInput(f"no multiple of {plain(self.q)} lies between {bounds}: give a smaller q")

    @cached_property
    def _first(self) -> int:
        return math.ceil(_exact(self.inner.min) / _exact(self.q))

    @cached_property
    def _last(self) -> int:
        return math.floor(_exact(self.inner.max) / _exact(self.q))

    def _multiple(self, count: int) -> float:
        # In decimals, as it was written: 3 * 0.1 is 0.3.
        return float(_exact(self.q) * count)

    @property
    def values(self) -> Sequence[float] | None:
        if self._last - self._first >= MOST_VALUES:
            return None
        return [self._multiple(count) for count in range(self._first, self._last + 1)]

    def at(self, u: float) -> float:
        return self._multiple(min(max(round(self.inner.at(u) / self.q), self._first), self._last))

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float):
            return False
        count = round(value / self.q)
        return self._first <= count <= self._last and math.isclose(value, self._multiple(count), rel_tol=1e-9)

    def __str__(self) -> str:
        name = "quniform" if isinstance(self.inner, Uniform) else "qloguniform"
        return f"{name}({plain(self.inner.min)},{plain(self.inner.max)},{plain(self.q)})"

    def document(self) -> dict[str, Any]:
        name = "q_uniform" if isinstance(self.inner, Uniform) else "q_log_uniform_values"
        return {"distribution": name, "min": self.inner.min, "max": self.inner.max, "q": self.q}


def stepped(start: float, stop: float, step: float = 1) -> Choice:
    """From `start` on in steps, without `stop`, as Python's range has it.

    Raises:
        InvalidInput: it leads nowhere, or through too many values.
    """
    if step == 0 or (stop - start) / step <= 0:
        raise InvalidInput(f"range from {plain(start)} to {plain(stop)} in steps of {plain(step)} holds no value")
    count = math.ceil((_exact(stop) - _exact(start)) / _exact(step))
    _refuse_flood(count)
    return Choice(tuple(_number(_exact(start) + i * _exact(step)) for i in range(count)))


def spaced(start: float, stop: float, count: float) -> Choice:
    """So many values at equal distances, both ends included.

    Raises:
        InvalidInput: fewer than one, or too many.
    """
    if count < 1 or count != int(count):
        raise InvalidInput(f"linspace takes a number of values of at least 1, not {plain(count)}")
    _refuse_flood(int(count))
    if count == 1:
        return Choice((start,))
    width = _exact(stop) - _exact(start)
    return Choice(tuple(_number(round(_exact(start) + width * i / (int(count) - 1), 9)) for i in range(int(count))))


def _refuse_flood(count: int) -> None:
    if count > MOST_VALUES:
        raise InvalidInput(f"{count:,} values are too many: give at most {MOST_VALUES:,}")


def _exact(number: float) -> Decimal:
    """The number as a person wrote it."""
    return Decimal(repr(number))


def _number(exact: Decimal) -> int | float:
    return int(exact) if exact == int(exact) else float(exact)


def plain(number: float) -> str:
    """Without needless decimals."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else str(number)


def written(value: object) -> str:
    """A value as a person types it; a combination of hints as `[edge,depth]`."""
    if isinstance(value, tuple | list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return plain(value)
    text = str(value)
    return f"'{text}'" if set(text) & set(",()[]'\"") else text
