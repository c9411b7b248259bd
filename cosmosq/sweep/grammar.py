"""Hydra's words for how a parameter varies: `3,5,7`, `choice(a,b)`, `range(1,5)`, `uniform(0.2,1)`, ….

Source: https://hydra.cc/docs/advanced/override_grammar/extended/ and the words of its Optuna and Ax sweepers.
"""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest
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

_CALL = re.compile(r"\s*([A-Za-z_]\w*)\((.*)\)\s*", re.DOTALL)
LARGEST_NUMBER = 1e15
_QUOTES = "'\""
_CLOSING = {"(": ")", "[": "]"}


@dataclass(frozen=True, kw_only=True)
class Function:
    """One word of the grammar."""

    usage: str
    meaning: str
    make: Callable[..., Distribution]
    least: int
    most: int


def _between(low: float, high: float) -> Integers:
    if low != int(low) or high != int(high):
        raise InvalidInput("randint takes integers: give uniform for any number")
    return Integers(int(low), int(high))


def _bell(mu: float, sigma: float, low: float = -math.inf, high: float = math.inf) -> Normal:
    return Normal(low, high, mu, sigma)


def _range(first: float, stop: float | None = None, step: float = 1) -> Choice:
    return stepped(0, first, step) if stop is None else stepped(first, stop, step)


FUNCTIONS: dict[str, Function] = {
    "range": Function(
        usage="range(a,b) or range(a,b,step)", meaning="a, a + 1, …; b is left out.", make=_range, least=1, most=3
    ),
    "linspace": Function(
        usage="linspace(a,b,n)", meaning="n values from a to b at equal distances.", make=spaced, least=3, most=3
    ),
    "uniform": Function(usage="uniform(a,b)", meaning="Any number from a to b.", make=Uniform, least=2, most=2),
    "loguniform": Function(
        usage="loguniform(a,b)",
        meaning="Likewise, with a uniform logarithm: small ones are as likely as large ones.",
        make=LogUniform,
        least=2,
        most=2,
    ),
    "quniform": Function(
        usage="quniform(a,b,q)",
        meaning="The multiple of q nearest to what uniform draws.",
        make=lambda a, b, q: Quantised(Uniform(a, b), q),
        least=3,
        most=3,
    ),
    "qloguniform": Function(
        usage="qloguniform(a,b,q)",
        meaning="The multiple of q nearest to what loguniform draws.",
        make=lambda a, b, q: Quantised(LogUniform(a, b), q),
        least=3,
        most=3,
    ),
    "randint": Function(
        usage="randint(a,b)", meaning="Any integer from a to b, both included.", make=_between, least=2, most=2
    ),
    "normal": Function(
        usage="normal(mu,sigma) or normal(mu,sigma,a,b)",
        meaning="A bell around mu, cut off at a and b, or where the parameter ends.",
        make=_bell,
        least=2,
        most=4,
    ),
}
"""Words whose arguments are numbers; `choice` and `subsets` beside them take values and hints."""

CHOICE, SUBSETS = "choice", "subsets"


def parse(text: str) -> Distribution:
    """What a person typed behind `NAME=`.

    Raises:
        InvalidInput: an unknown word, a wrong argument, or brackets and quotes that do not close.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        return Choice(tuple(map(value_of, split(text))))
    name, inside = match[1], split(match[2])
    if name == CHOICE:
        return Choice(tuple(map(value_of, inside)))
    if name == SUBSETS:
        return _subsets(inside)
    if name not in FUNCTIONS:
        known = [CHOICE, SUBSETS, *FUNCTIONS]
        near = nearest(name, known)
        raise InvalidInput(f"{name} is no distribution{near}: there are {', '.join(known)}; put a text in quotes")
    return call(name, [_number(word, FUNCTIONS[name]) for word in inside])


def call(name: str, arguments: Sequence[float]) -> Distribution:
    """What a word of `FUNCTIONS` means with these arguments.

    Raises:
        InvalidInput: there are too many or too few, or they make no distribution.
    """
    function = FUNCTIONS[name]
    if not function.least <= len(arguments) <= function.most:
        raise InvalidInput(f"{name} with {len(arguments)} arguments: write {function.usage}")
    return function.make(*arguments)


def split(text: str) -> list[str]:
    """The words between commas; what stands in brackets or quotes stays together."""
    words, open_brackets, quote = [""], list[str](), ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        elif letter in _CLOSING:
            open_brackets.append(_CLOSING[letter])
        elif letter in _CLOSING.values() and (not open_brackets or open_brackets.pop() != letter):
            raise InvalidInput(f"{text[:60]}: {letter} closes nothing: check the brackets, or quote the text")
        if letter == "," and not quote and not open_brackets:
            words.append("")
        else:
            words[-1] += letter
    if quote or open_brackets:
        raise InvalidInput(f"{text[:60]}: {quote or open_brackets[-1]} is missing: close it")
    return [word.strip() for word in words]


def value_of(word: str) -> Any:
    """A value without its quotes; `[edge,depth]` becomes a tuple."""
    if len(word) > 1 and word[0] in _QUOTES and word[-1] == word[0]:
        return word[1:-1]
    if word.startswith("[") and word.endswith("]"):
        return tuple(value_of(inner) for inner in split(word[1:-1]) if inner)
    if not word:
        raise InvalidInput("a value between the commas is empty: remove the comma, or write ''")
    return word


def _subsets(words: Sequence[str]) -> Choice:
    """Hints, then, if wanted, the smallest and the largest number of them."""
    sizes = [int(word) for word in words if re.fullmatch("[0-9]{1,4}", word)]
    hints = [word for word in words if not re.fullmatch("[0-9]{1,4}", word)]
    if not all(hints) or [*hints, *map(str, sizes)] != list(words) or len(sizes) > 2:
        raise InvalidInput("write subsets(edge,depth,seg) or subsets(edge,depth,seg,min,max)")
    low, high = [*sizes, *[1, len(hints)][len(sizes) :]]
    return subsets(hints, low, high)


def subsets(hints: Sequence[str], low: int, high: int) -> Choice:
    """Every combination of `low` to `high` hints, fewest first.

    Raises:
        InvalidInput: no hints, or numbers that fit none.
    """
    if not hints or not 1 <= low <= high <= len(hints):
        raise InvalidInput(
            f"subsets of {low} to {high} among {len(hints)} hints: give 1 to {len(hints)}, smaller first"
        )
    return Choice(tuple(c for size in range(low, high + 1) for c in itertools.combinations(hints, size)))


def _number(word: str, function: Function) -> int | float:
    try:
        number: int | float = int(word)
    except ValueError:
        try:
            number = float(word)
        except ValueError:
            number = math.nan
    if not abs(number) <= LARGEST_NUMBER:
        raise InvalidInput(f"{word[:40] or 'nothing'} is no number: write {function.usage}")
    return number
