"""Two texts, word by word."""

from hypothesis import given
from hypothesis import strategies as st

from cosmosq.cli.word_diff import word_diff


def test_what_went_and_what_came_are_told_apart() -> None:
    assert list(word_diff("a quiet kitchen", "a loud kitchen, bright")) == [
        ("=", "a "),
        ("-", "quiet"),
        ("+", "loud"),
        ("=", " kitchen"),
        ("+", ", bright"),
    ]


@given(st.text(max_size=60), st.text(max_size=60))
def test_both_texts_can_be_read_out_of_it(old: str, new: str) -> None:
    pieces = list(word_diff(old, new))
    assert "".join(text for sign, text in pieces if sign in "=-") == old
    assert "".join(text for sign, text in pieces if sign in "=+") == new
