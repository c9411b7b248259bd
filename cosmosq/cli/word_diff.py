"""What changed between two texts, word by word."""

import difflib
import re
from collections.abc import Iterator

_WORDS = re.compile(r"\s+|[^\W_]+|.", re.DOTALL)


def word_diff(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The pieces of both texts in order: `=` stayed, `-` went, `+` came."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    for change, start, end, new_start, new_end in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        if change == "equal":
            yield "=", "".join(after[new_start:new_end])
            continue
        if went := "".join(before[start:end]):
            yield "-", went
        if came := "".join(after[new_start:new_end]):
            yield "+", came
