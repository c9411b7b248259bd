"""Hydra's words on the command line: what they mean, and what is said of those that are wrong."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import InvalidInput
from cosmosq.sweep.distribution import Choice, Distribution, Integers, LogUniform, Normal, Quantised, Uniform, written
from cosmosq.sweep.grammar import parse, split, value_of
from tests.unit.test_distributions import integers, log_uniforms, quantiseds, uniforms


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("3,5,7", Choice(("3", "5", "7"))),
        ("choice(3, 5 ,7)", Choice(("3", "5", "7"))),
        ("7", Choice(("7",))),
        ("low,'a, b',\"c\"", Choice(("low", "a, b", "c"))),
        ("range(1,5)", Choice((1, 2, 3, 4))),
        ("range(3)", Choice((0, 1, 2))),
        ("range(0,1,0.25)", Choice((0, 0.25, 0.5, 0.75))),
        ("linspace(0,1,3)", Choice((0, 0.5, 1))),
        ("uniform(0.2,1)", Uniform(0.2, 1)),
        (" uniform( 0.2 , 1 ) ", Uniform(0.2, 1)),
        ("loguniform(1e-1,80)", LogUniform(0.1, 80)),
        ("quniform(0,1,0.1)", Quantised(Uniform(0, 1), 0.1)),
        ("qloguniform(1,64,2)", Quantised(LogUniform(1, 64), 2)),
        ("randint(20,50)", Integers(20, 50)),
        ("normal(5,2,3,9)", Normal(3, 9, 5, 2)),
        ("[edge],[edge,depth]", Choice((("edge",), ("edge", "depth")))),
        ("edge+depth", Choice(("edge+depth",))),
        ("subsets(edge,depth)", Choice((("edge",), ("depth",), ("edge", "depth")))),
        ("subsets(vis,edge,depth,2,2)", Choice((("vis", "edge"), ("vis", "depth"), ("edge", "depth")))),
        ("a night (of rain)", Choice(("a night (of rain)",))),
    ],
)
def test_a_word_means_what_hydra_says(text: str, meant: Distribution) -> None:
    assert parse(text) == meant


@given(st.one_of(uniforms, log_uniforms, quantiseds, integers))
def test_what_is_shown_can_be_typed_again(distribution: Any) -> None:
    assert parse(str(distribution)) == distribution


@given(
    st.lists(
        st.text(st.characters(exclude_characters="'\"", exclude_categories=["Cs", "Z", "C"]), min_size=1), min_size=1
    )
)
def test_texts_with_commas_and_brackets_can_be_typed_again(texts: list[str]) -> None:
    assert parse(str(Choice(tuple(texts)))) == Choice(tuple(texts))


@given(st.text(max_size=30))
def test_whatever_is_typed_is_taken_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("unifrom(1,2)", "unifrom is no distribution (did you mean uniform?)"),
        ("glob(*)", "glob is no distribution"),
        ("uniform(1)", "uniform with 1 arguments: write uniform(a,b)"),
        ("uniform(1,2,3)", "uniform with 3 arguments"),
        ("uniform(a,b)", "a is no number: write uniform(a,b)"),
        ("uniform(1,inf)", "inf is no number"),
        ("uniform(1,nan)", "nan is no number"),
        ("uniform(,2)", "nothing is no number"),
        ("uniform(3,1)", "min 3 is above max 1"),
        ("loguniform(0,1)", "min 0 has no logarithm"),
        ("randint(1.5,3)", "randint takes integers"),
        ("3,,5", "a value between the commas is empty"),
        ("", "a value between the commas is empty"),
        ("choice()", "a value between the commas is empty"),
        ("choice(a", ") is missing: close it"),
        ("a,'b", "' is missing: close it"),
        ("[edge,depth", "] is missing: close it"),
        ("edge]", "] closes nothing"),
        ("(a]", "] closes nothing"),
        ("subsets()", "write subsets("),
        ("subsets(edge,depth,3)", "subsets of 3 to 2 among 2 hints"),
        ("subsets(edge,depth,0,1)", "subsets of 0 to 1 among 2 hints"),
        ("subsets(1,edge)", "write subsets("),
        (f"normal(5,1{'0' * 400})", "is no number: write normal("),
        (f"range(0,1{'0' * 400})", "is no number: write range("),
    ],
)
def test_a_wrong_word_is_refused_with_its_remedy(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert said in str(refused.value)


def test_brackets_and_quotes_keep_words_together() -> None:
    assert split("a,[b,c],'d,e',f(1,2)") == ["a", "[b,c]", "'d,e'", "f(1,2)"]
    assert value_of("[b,'c,d']") == ("b", "c,d")
    assert written(("edge", "depth")) == "[edge,depth]"
