"""Complete sets of values: layers, hints, digests, and combinations that the engine would refuse."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.engines.assignment import (
    check_all,
    check_combination,
    complete,
    differences,
    digest_of,
    from_columns,
    hints_of,
    irrelevant,
    relevant,
    to_columns,
)
from cosmosq.engines.parameter import Parameter, Value
from cosmosq.engines.parameters import BY_NAME, HINTS, PARAMETERS
from cosmosq.errors import InvalidInput
from cosmosq.status import Kind
from tests.unit.values import other_value, some_values

every_parameter = pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)


def _values(**given: Value) -> dict[str, Value]:
    """A complete set; `edge_weight` stands for `edge.weight`."""
    by_column = {parameter.column: parameter.name for parameter in PARAMETERS}
    return complete(Kind.TRANSFER, check_all({by_column[column]: value for column, value in given.items()}))


def test_a_complete_set_has_every_parameter_and_later_layers_win() -> None:
    values = complete(Kind.TRANSFER, {"guidance": 3.0, "seed": 5}, {"guidance": 4.0})
    assert list(values) == list(BY_NAME)
    assert (values["guidance"], values["seed"], values["num_steps"]) == (4.0, 5, 35)


def test_an_upscale_begins_with_its_own_defaults() -> None:
    assert differences(complete(Kind.UPSCALE)) == {"num_steps": 10, "upscale.weight": 0.5}


def test_hints_come_in_canonical_order_however_they_were_given() -> None:
    assert HINTS == ("vis", "edge", "depth", "seg", "keypoint", "hdmap", "lidar", "upscale")
    for seed in range(10):
        names = list(BY_NAME)
        random.Random(seed).shuffle(names)
        values = {name: 0.5 if name.endswith(".weight") else BY_NAME[name].default for name in names}
        assert hints_of(values) == HINTS


def test_a_weight_of_nought_is_no_hint() -> None:
    assert hints_of(_values(edge_weight=0.0, seg_weight=1e-9)) == ("seg",)


def test_a_digest_ignores_values_that_are_the_default_and_their_order() -> None:
    told = {"edge.weight": 0.5, "seed": 7}
    full = complete(Kind.TRANSFER, told)
    assert digest_of(full) == digest_of(told) == digest_of(dict(reversed(full.items())))
    assert digest_of({}) == digest_of(complete(Kind.TRANSFER))


@every_parameter
def test_a_digest_differs_for_each_single_changed_parameter(parameter: Parameter) -> None:
    changed = complete(Kind.TRANSFER, {parameter.name: other_value(parameter)})
    assert differences(changed) == {parameter.name: other_value(parameter)}
    others = [
        complete(Kind.TRANSFER),
        *(complete(Kind.TRANSFER, {p.name: other_value(p)}) for p in PARAMETERS if p is not parameter),
    ]
    assert digest_of(changed) not in {digest_of(other) for other in others}


@given(first=some_values(), second=some_values())
def test_two_sets_share_a_digest_only_if_they_are_equal(
    first: Mapping[str, Value], second: Mapping[str, Value]
) -> None:
    full = complete(Kind.TRANSFER, first), complete(Kind.TRANSFER, second)
    assert (digest_of(full[0]) == digest_of(full[1])) == (full[0] == full[1])


@given(given_values=some_values())
def test_columns_and_back_loses_nothing(given_values: Mapping[str, Value]) -> None:
    values = complete(Kind.TRANSFER, given_values)
    assert from_columns({"id": 1, "digest": "", **to_columns(values)}) == values


@pytest.mark.parametrize(
    ("given_values", "roles", "message"),
    [
        ({}, {"input"}, "no hint has a weight: give at least one"),
        ({"upscale_weight": 0.5, "edge_weight": 0.1}, {"input"}, "upscale.weight goes with no other weight"),
        ({"use_distilled": True, "edge_weight": 1, "vis_weight": 1}, {"input"}, "use_distilled takes one hint, not 2"),
        ({"use_distilled": True, "vis_weight": 1}, {"input"}, "needs vis.checkpoint"),
        ({"hdmap_weight": 1}, {"input", "hdmap"}, "hdmap.weight needs the driving model"),
        ({"lidar_weight": 1, "is_av_sample": True}, {"input"}, "lidar.weight needs a lidar video"),
        ({"edge_weight": 1}, {"edge"}, "the clip has no input video"),
        ({"edge_weight": 1, "seg_weight": 1, "sigma_max": 80}, {"edge"}, "neither an input nor a seg video"),
    ],
)
def test_a_combination_that_the_engine_would_refuse_is_refused(
    given_values: dict[str, Value], roles: set[str], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        check_combination(_values(**given_values), roles)


@pytest.mark.parametrize(
    ("given_values", "roles"),
    [
        ({"edge_weight": 0.5}, {"input"}),
        ({"edge_weight": 0.5, "depth_weight": 1, "seg_weight": 2, "vis_weight": 0.1}, {"input"}),
        ({"edge_weight": 0.5, "sigma_max": 80}, {"edge"}),
        ({"use_distilled": True, "edge_weight": 1}, {"input"}),
        ({"use_distilled": True, "vis_weight": 1, "vis_checkpoint": "vis.pt"}, {"input"}),
        ({"hdmap_weight": 1, "lidar_weight": 1, "is_av_sample": True}, {"input", "hdmap", "lidar"}),
        ({"upscale_weight": 0.5}, {"input"}),
    ],
)
def test_a_combination_that_the_engine_takes_is_allowed(given_values: dict[str, Value], roles: set[str]) -> None:
    check_combination(_values(**given_values), roles)


@given(names=st.lists(st.sampled_from(list(BY_NAME)), unique=True))
def test_every_given_value_is_checked(names: list[str]) -> None:
    assert check_all({name: BY_NAME[name].default for name in names}) == {n: BY_NAME[n].default for n in names}


def test_what_cannot_act_depends_on_hints_and_on_the_clips_controls() -> None:
    edge = complete(Kind.TRANSFER, {"edge.weight": 1})
    assert "canny_threshold" not in irrelevant(edge, {"input"})
    assert "canny_threshold" in irrelevant(edge, {"input", "edge"})
    assert {"blur_strength", "seg.weight_prompt", "vis.checkpoint"} <= irrelevant(edge, {"input"})
    assert "edge.checkpoint" not in irrelevant(edge, {"input", "edge"})
    assert {"num_steps", "negative_prompt"} <= irrelevant({**edge, "use_distilled": True}, {"input"})


@given(some_values())
def test_values_without_what_cannot_act_have_nothing_more_to_lose(values: dict[str, Any]) -> None:
    whole = complete(Kind.TRANSFER, values)
    once = relevant(whole, {"input"})
    assert relevant(once, {"input"}) == once
    assert hints_of(once) == hints_of(whole)
