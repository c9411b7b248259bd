"""A value somewhere in a sweep's document, which can say where it stands."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest

Path = tuple[str | int, ...]
"""Keys and indices from the top of the document."""


def dotted(path: Path) -> str:
    """`parameters.guidance.values`, for people."""
    return ".".join(map(str, path))


class Misplaced(InvalidInput):
    """A refusal that names its place already."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A value, the way to it, and who knows how that place is called."""

    value: Any
    path: Path = ()
    place: Callable[[Path], str] = dotted
    """The place in the words of where the document comes from, e.g. `weights.yaml:7: parameters.guidance`."""

    def child(self, key: str | int, value: Any) -> "Node":
        return Node(value=value, path=(*self.path, key), place=self.place)

    def children(self) -> Iterator["Node"]:
        """The items of a list."""
        return (self.child(number, item) for number, item in enumerate(self.value))

    def refusal(self, message: object) -> Misplaced:
        """An error that names the place."""
        where = self.place(self.path)
        return Misplaced(f"{where}: {message}" if where else str(message))

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Whatever is refused within the block is refused at this place, if at no closer one."""
        try:
            yield
        except Misplaced:
            raise
        except InvalidInput as error:
            raise self.refusal(error) from error

    def mapping(
        self, known: Collection[str] | None = None, remedies: Mapping[str, str] | None = None
    ) -> dict[str, "Node"]:
        """The nodes below by key.

        Args:
            known: the keys that are allowed; None for any.
            remedies: what to say about others that people try.
        """
        if not isinstance(self.value, dict):
            raise self.refusal(f"{shown(self.value)} is not what belongs here: write keys with values below it")
        for key, value in self.value.items():
            if not isinstance(key, str):
                raise self.refusal(f"the key {shown(key)} is no text: put it in quotes")
            if known is not None and key not in known:
                remedy = (remedies or {}).get(
                    key
                ) or f"there is no such key{nearest(key, known)}: give {', '.join(known)}"
                raise self.child(key, value).refusal(remedy)
        return {key: self.child(key, value) for key, value in self.value.items()}

    def listing(self) -> list["Node"]:
        """The items of a list that must not be empty."""
        if not isinstance(self.value, list):
            raise self.refusal(f"{shown(self.value)} is no list: write [{shown(self.value)}]")
        if not self.value:
            raise self.refusal("the list is empty: give at least one value")
        return list(self.children())

    def text(self) -> str:
        if not isinstance(self.value, str) or not self.value.strip() or "\x00" in self.value:
            raise self.refusal(f"{shown(self.value)} is no text: write a word, in quotes if need be")
        return self.value

    def one_of(self, *words: str) -> str:
        if self.value not in words:
            raise self.refusal(
                f"{shown(self.value)} is not allowed{nearest(str(self.value), words)}: give {', '.join(words)}"
            )
        return str(self.value)

    def whole(self, least: int, most: int) -> int:
        if type(self.value) is not int or not least <= self.value <= most:
            raise self.refusal(f"{shown(self.value)} is not allowed: give an integer from {least} to {most:,}")
        return self.value

    def number(self) -> float | int:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or abs(self.value) > 1e15:
            raise self.refusal(f"{shown(self.value)} is no number: give one")
        if self.value != self.value:
            raise self.refusal("not-a-number is no value: give a number")
        return self.value


def shown(value: object) -> str:
    """A value as an error message has it."""
    if isinstance(value, int) and value.bit_length() > 1000:
        # Python refuses to write down more than 4,300 digits.
        return "a number of very many digits"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def hashable(value: Any) -> Any:
    """A list as a tuple."""
    return tuple(value) if isinstance(value, list) else value
