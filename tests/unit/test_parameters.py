"""The parameter table: what each row allows, and how it says what it does not."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.engines.assignment import check_all
from cosmosq.engines.parameter import Parameter, Value
from cosmosq.engines.parameters import BY_NAME, HINTS, KIND_DEFAULTS, PARAMETERS
from cosmosq.errors import InvalidInput
from cosmosq.models import ParameterSet
from cosmosq.status import Kind

every_parameter = pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)


def _outside(parameter: Parameter) -> list[Any]:
    """Values that this parameter must refuse."""
    if parameter.type is bool:
        return ["maybe", "", 2, None, 0.5, [], {}]
    if parameter.type is not str:
        below, above = [], []
        if parameter.minimum is not None:
            below = [parameter.minimum - 1, str(parameter.minimum - 1), math.nextafter(parameter.minimum, -math.inf)]
        if parameter.maximum is not None:
            above = [parameter.maximum + 1, math.nextafter(parameter.maximum, math.inf), f"1{'0' * 400}", 10**400]
        never = [math.nan, math.inf, -math.inf, "nan", "inf", "-Infinity", "", "much", None, True, [1], {"a": 1}]
        return [*below, *above, *never, *([1.5, "1.5"] if parameter.type is int else [])]
    never = [None, 3, 1.0, True, "with\x00nul", "half a surrogate \ud800"]
    if parameter.json:
        return [*never, "{}", "[1]", "words", "[" * 100_000, '[{"a": NaN}]', [1], {"a": 1}, f"[{'9' * 5000}]"]
    return [*never, ["a"], *(["loud", "MEDIUM", ""] if parameter.choices else []), *(["", " \n"] * parameter.required)]


@every_parameter
def test_a_default_is_allowed_by_its_own_check(parameter: Parameter) -> None:
    checked = parameter.check(parameter.default)
    assert checked == parameter.default
    assert type(checked) is parameter.type


@every_parameter
def test_a_value_outside_is_refused_by_name_value_and_what_is_allowed(parameter: Parameter) -> None:
    for value in _outside(parameter):
        with pytest.raises(InvalidInput) as refused:
            parameter.check(value)
        message = str(refused.value)
        assert message.startswith(f"{parameter.name} = ")
        assert message.endswith(f"is not allowed: give {parameter.allowed}")
        if isinstance(value, int | float) and abs(value) < 10**9:
            assert json.dumps(value) in message
        assert len(message) < 500


@every_parameter
def test_the_ends_of_a_range_are_allowed_as_numbers_and_as_text(parameter: Parameter) -> None:
    for end in (parameter.minimum, parameter.maximum):
        if end is not None:
            assert parameter.check(end) == parameter.check(f"{end!r}") == end
            assert type(parameter.check(str(end))) is parameter.type


@every_parameter
def test_every_choice_is_allowed(parameter: Parameter) -> None:
    for choice in parameter.choices:
        assert parameter.check(choice) == choice


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("Yes", True), ("1", True), ("FALSE", False), ("0", False)]
)
def test_yes_and_no_are_told_in_several_words(word: str, value: bool) -> None:
    assert BY_NAME["use_distilled"].check(word) is value


def test_a_list_of_regions_has_one_spelling() -> None:
    regional = BY_NAME["regional_prompts"]
    listed = [{"prompt": "a cup 🎬", "mask_prompt": "cup"}]
    written = '[ {"mask_prompt":"cup",\n "prompt": "a cup \\ud83c\\udfac"} ]'
    assert regional.check(listed) == regional.check(written) == regional.check(regional.check(listed))
    assert json.loads(str(regional.check(listed))) == listed
    assert regional.check([]) == regional.check("[]") == regional.check("") == ""


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.text(st.characters(codec=None)),
    st.from_regex(r"\A-?\d{1,6}(\.\d{1,3})?([eE]-?\d{1,4})?\Z"),
    st.lists(st.dictionaries(st.text(max_size=5), st.integers(), max_size=2), max_size=2),
    st.recursive(st.integers(), lambda inner: st.lists(inner, max_size=3)),
)


@given(parameter=st.sampled_from(PARAMETERS), value=anything)
def test_whatever_is_given_is_taken_in_its_type_or_refused(parameter: Parameter, value: object) -> None:
    try:
        checked: Value = parameter.check(value)
    except InvalidInput as refused:
        assert str(refused).startswith(parameter.name)  # noqa: PT017
    else:
        assert type(checked) is parameter.type
        assert parameter.check(checked) == checked
        assert parameter.check(json.loads(json.dumps(checked))) == checked


@every_parameter
def test_a_misspelt_name_suggests_the_nearest(parameter: Parameter) -> None:
    misspelt = parameter.name[:-1]
    with pytest.raises(InvalidInput, match=rf"^{misspelt} is no parameter \(did you mean {parameter.name}\?\)"):
        check_all({misspelt: parameter.default})


def test_a_name_like_no_other_suggests_nothing() -> None:
    with pytest.raises(InvalidInput, match=r"^qqqqq is no parameter: `cosmosq parameters` lists them$"):
        check_all({"qqqqq": 1})


def test_the_ledger_has_a_column_of_its_type_for_every_parameter_and_no_other() -> None:
    columns = {column.name: column.type.python_type for column in ParameterSet.__table__.columns}
    assert columns.pop("id") is int
    assert columns.pop("digest") is str
    assert columns == {parameter.column: parameter.type for parameter in PARAMETERS}


def test_names_and_columns_are_unique_and_each_has_a_meaning() -> None:
    assert len(BY_NAME) == len({parameter.column for parameter in PARAMETERS}) == len(PARAMETERS)
    for parameter in PARAMETERS:
        assert parameter.meaning.endswith(".")
        assert parameter.allowed


def test_every_hint_has_a_weight_and_a_checkpoint() -> None:
    for hint in HINTS:
        assert BY_NAME[f"{hint}.weight"].default == 0
        assert f"{hint}.checkpoint" in BY_NAME


def test_the_defaults_of_a_kind_are_allowed() -> None:
    assert set(KIND_DEFAULTS) == {kind.value for kind in Kind}
    for defaults in KIND_DEFAULTS.values():
        assert check_all(defaults) == defaults
