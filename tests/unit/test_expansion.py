"""Trials: what is drawn, which constraints hold, and that the same seed always gives the same ones."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

from cosmosq.engines.assignment import hints_of
from cosmosq.errors import InvalidInput
from cosmosq.sweep.definition import Definition
from cosmosq.sweep.document import read
from cosmosq.sweep.expansion import Base, Expansion, expand
from cosmosq.sweep.node import Node

EDGE = Base(own={"edge.weight": 0.5}, roles=frozenset({"input"}))
DRAWN = ("random", "sobol", "lhs")


def define(**keys: Any) -> Definition:
    return read(Node(value=keys))


def trials_of(definition: Definition, base: Base = EDGE, wanted: int | None = None) -> list[Mapping[str, Any]]:
    return [trial.assignment for trial in whole(definition, base, wanted).trials]


def whole(definition: Definition, base: Base = EDGE, wanted: int | None = None) -> Expansion:
    return expand(definition, lambda _: base, wanted=wanted if wanted is not None else definition.run_cap)


def test_a_grid_has_every_combination_and_the_last_parameter_varies_fastest() -> None:
    found = trials_of(define(parameters={"guidance": [3, 7], "num_steps": [10, 20, 30]}))
    assert [(t["guidance"], t["num_steps"]) for t in found] == [(3, 10), (3, 20), (3, 30), (7, 10), (7, 20), (7, 30)]


def test_a_capped_grid_is_the_beginning_of_the_whole() -> None:
    keys = {"guidance": [3, 7], "num_steps": [10, 20, 30]}
    assert trials_of(define(parameters=keys, run_cap=4)) == trials_of(define(parameters=keys))[:4]


def test_one_at_a_time_changes_one_parameter_and_leaves_the_rest_at_the_base() -> None:
    definition = define(
        method="one_at_a_time", parameters={"guidance": [3, 5], "num_steps": [10, 35], "edge.weight": [0.2]}
    )
    found = whole(definition)
    assert [dict(t.assignment) for t in found.trials] == [
        {"guidance": 3.0},
        {"guidance": 5.0},
        {"num_steps": 10},
        {"edge.weight": 0.2},
    ], "guidance 5 and 35 steps are both the base: it is there once"
    assert found.trials[2].values["guidance"] == 5.0


def test_repeat_counts_seeds_up_from_the_base() -> None:
    seeded = Base(own={"edge.weight": 1.0, "seed": 40}, roles=frozenset({"input"}))
    assert [t["seed"] for t in trials_of(define(method="repeat", run_cap=4))] == [1, 2, 3, 4]
    assert [t["seed"] for t in trials_of(define(method="repeat", run_cap=3), seeded)] == [40, 41, 42]
    assert [t["seed"] for t in trials_of(define(method="repeat", run_cap=2, fixed={"seed": 9}), seeded)] == [9, 10]


def test_every_trial_of_any_method_is_repeated_with_further_seeds() -> None:
    found = trials_of(define(parameters={"guidance": [3, 7]}, repeat=3))
    assert [(t["guidance"], t["seed"]) for t in found] == [(3, 1), (3, 2), (3, 3), (7, 1), (7, 2), (7, 3)]


def test_zipped_parameters_take_their_values_together() -> None:
    found = trials_of(
        define(
            parameters={"guidance": [3, 5, 7], "seed": [1, 2], "num_steps": [10, 20, 30]}, zip=["guidance", "num_steps"]
        )
    )
    assert {(t["guidance"], t["num_steps"]) for t in found} == {(3, 10), (5, 20), (7, 30)}
    assert len(found) == 6


def test_a_combination_of_hints_switches_the_others_off() -> None:
    base = Base(own={"edge.weight": 0.9, "seg.weight": 0.4}, roles=frozenset({"input"}))
    found = whole(define(controls=[["edge"], ["edge", "depth"], ["vis", "edge", "depth", "seg"]]), base)
    assert [hints_of(trial.values) for trial in found.trials] == [
        ("edge",),
        ("edge", "depth"),
        ("vis", "edge", "depth", "seg"),
    ]
    last = found.trials[-1].values
    assert [last[f"{h}.weight"] for h in ("vis", "edge", "depth", "seg")] == [0.5, 0.9, 0.5, 0.4]


def test_the_weight_of_a_hint_that_a_trial_does_not_use_makes_no_second_trial() -> None:
    found = trials_of(define(controls=[["edge"], ["depth"]], parameters={"edge.weight": [0.2, 0.8]}))
    assert [(t["controls"], t.get("edge.weight")) for t in found] == [
        (("edge",), 0.2),
        (("depth",), None),
        (("edge",), 0.8),
    ]


def test_a_weight_of_nothing_drops_the_hint() -> None:
    found = whole(define(parameters={"edge.weight": [0, 1], "vis.weight": [0, 1]}))
    assert [hints_of(trial.values) for trial in found.trials] == [("vis",), ("edge",), ("vis", "edge")]
    assert found.impossible == 1
    assert found.reason is not None
    assert "no hint has a weight" in found.reason


def test_a_parameter_that_cannot_act_makes_no_second_trial() -> None:
    definition = define(
        parameters={"canny_threshold": ["low", "high"], "blur_strength": ["low", "high"], "edge.weight": [0, 1]},
        fixed={"depth.weight": 1},
    )
    found = trials_of(definition)
    assert found == [
        {"edge.weight": 0.0},
        {"canny_threshold": "low", "edge.weight": 1.0},
        {"canny_threshold": "high", "edge.weight": 1.0},
    ]


def test_thresholds_of_an_edge_control_that_the_clip_has_cannot_act() -> None:
    definition = define(parameters={"canny_threshold": ["low", "high"], "guidance": [3, 7]})
    assert len(trials_of(definition)) == 4
    assert len(trials_of(definition, Base(own=EDGE.own, roles=frozenset({"input", "edge"})))) == 2


def test_steps_of_the_one_step_model_cannot_act() -> None:
    found = trials_of(define(parameters={"num_steps": [10, 20], "use_distilled": [False, True]}))
    assert found == [
        {"num_steps": 10, "use_distilled": False},
        {"use_distilled": True},
        {"num_steps": 20, "use_distilled": False},
    ]


weights = st.fixed_dictionaries(
    {name: st.tuples(st.floats(0, 0.4), st.floats(0.6, 2)) for name in ("edge.weight", "depth.weight", "seg.weight")}
)


@settings(max_examples=30)
@given(weights, st.floats(0.1, 3), st.integers(0, 2**32), st.sampled_from(DRAWN))
def test_the_sum_of_a_simplex_holds(
    bounds: dict[str, tuple[float, float]], total: float, seed: int, method: str
) -> None:
    total = round(total, 3)
    definition = define(
        method=method,
        run_cap=8,
        sweep_seed=seed,
        parameters={name: {"min": low, "max": high} for name, (low, high) in bounds.items()},
        simplex=[{"weights": list(bounds), "sum": total}],
    )
    for trial in whole(definition).trials:
        found = [float(trial.values[name]) for name in bounds]
        assert math.isclose(sum(found), total, abs_tol=1e-9)
        assert min(found) >= 0


def test_a_sum_that_a_weight_could_not_have_is_refused() -> None:
    keys = {
        "parameters": {"edge.weight": [1], "depth.weight": [1]},
        "simplex": [{"weights": ["edge.weight", "depth.weight"], "sum": 500}],
    }
    with pytest.raises(InvalidInput, match=r"edge.weight = 250.0 is not allowed"):
        whole(define(**keys))


def test_an_exclusion_tells_of_what_acts_alone() -> None:
    presets = {"canny_threshold": ["low", "medium"], "blur_strength": ["low", "medium"]}
    found = trials_of(define(controls=[["edge"], ["vis"]], parameters=presets, exclude=[{"canny_threshold": "medium"}]))
    assert [trial["controls"] for trial in found] == [("edge",), ("vis",), ("vis",)]


def test_an_exclusion_may_name_the_hints_that_weights_switch_on() -> None:
    weights = {"edge.weight": [0, 1], "depth.weight": [0, 1]}
    found = whole(define(parameters=weights, exclude=[{"controls": [["edge"], ["depth"]]}]))
    assert [hints_of(trial.values) for trial in found.trials] == [("edge", "depth")]


def test_a_simplex_is_over_the_hints_that_a_trial_uses() -> None:
    found = whole(
        define(
            controls=[["edge"], ["edge", "depth"]],
            parameters={"edge.weight": [1, 3], "depth.weight": [1]},
            simplex=["edge.weight", "depth.weight"],
        )
    )
    assert [(t.values["edge.weight"], t.values["depth.weight"]) for t in found.trials] == [
        (1.0, 0.0),
        (0.5, 0.5),
        (0.75, 0.25),
    ]


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(DRAWN))
def test_no_excluded_combination_is_drawn(seed: int, method: str) -> None:
    definition = define(
        method=method,
        run_cap=30,
        sweep_seed=seed,
        parameters={
            "guidance": {"min": 1, "max": 9},
            "canny_threshold": ["low", "medium", "high"],
            "seed": "randint(1,5)",
        },
        exclude=[
            {"guidance": {"min": 5}, "canny_threshold": ["low", "high"]},
            {"seed": 3},
            {"guidance": {"min": 2, "max": 3}},
        ],
    )
    found = whole(definition).trials
    assert len(found) == 30
    for trial in found:
        values = trial.values
        assert not (float(values["guidance"]) >= 5 and values["canny_threshold"] in ("low", "high"))
        assert values["seed"] != 3
        assert not 2 <= float(values["guidance"]) <= 3


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sampled_from(DRAWN), st.integers(1, 30), st.integers(1, 30))
def test_an_extension_goes_on_with_the_sequence_and_repeats_nothing(
    seed: int, method: str, first: int, more: int
) -> None:
    definition = define(
        method=method,
        run_cap=first,
        sweep_seed=seed,
        parameters={"guidance": {"min": 1, "max": 9}, "num_steps": {"min": 20, "max": 40}},
    )
    before, after = trials_of(definition), trials_of(definition, wanted=first + more)
    assert after[:first] == before
    assert len({tuple(trial.items()) for trial in after}) == first + more


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(DRAWN))
def test_values_of_few_are_drawn_until_all_are_there_and_then_no_more(seed: int, method: str) -> None:
    definition = define(
        method=method,
        run_cap=6,
        sweep_seed=seed,
        parameters={"guidance": [3, 5, 7], "canny_threshold": ["low", "high"]},
    )
    assert len({tuple(trial.items()) for trial in trials_of(definition)}) == 6
    with pytest.raises(InvalidInput, match="found only 6 different trials, not 7"):
        trials_of(definition, wanted=7)


def test_a_space_without_a_trial_says_why() -> None:
    with pytest.raises(InvalidInput, match="there is no trial: every one is excluded"):
        whole(define(parameters={"guidance": [3]}, exclude=[{"guidance": 3}]))
    with pytest.raises(InvalidInput, match="there is no trial: the engine refuses them all: no hint has a weight"):
        whole(define(parameters={"guidance": [3]}), Base(own={}, roles=frozenset({"input"})))
    with pytest.raises(InvalidInput, match="there is no trial: every one is excluded"):
        whole(
            define(
                method="random",
                run_cap=3,
                parameters={"guidance": {"min": 1, "max": 2}},
                exclude=[{"guidance": {"min": 0}}],
            )
        )


SPACE = {
    "guidance": {"values": [3, 5, 7]},
    "edge.weight": {"min": 0.2, "max": 1},
    "sigma_max": {"distribution": "log_uniform_values", "min": 5, "max": 80},
    "num_steps": {"min": 20, "max": 50, "q": 5},
}
PINNED = {
    "random": [(3.0, 0.320679, 30.393, 20), (5.0, 0.492551, 5.87229, 35), (3.0, 0.546917, 6.06854, 25)],
    "sobol": [(3.0, 0.574668, 75.6805, 50), (7.0, 0.919273, 7.67256, 30), (5.0, 0.266626, 24.0301, 40)],
    "lhs": [(7.0, 0.294891, 6.71413, 40), (3.0, 0.563873, 43.4105, 25), (5.0, 0.852872, 22.2797, 40)],
}


@pytest.mark.parametrize("method", DRAWN)
def test_the_same_seed_gives_the_same_trials_on_every_machine(method: str) -> None:
    found = trials_of(define(method=method, run_cap=3, sweep_seed=7, parameters=SPACE))
    assert [tuple(trial.values()) for trial in found] == PINNED[method]


@pytest.mark.parametrize("method", DRAWN)
def test_another_seed_gives_other_trials(method: str) -> None:
    first, second = (trials_of(define(method=method, run_cap=5, sweep_seed=s, parameters=SPACE)) for s in (1, 2))
    assert first != second


def points(method: str, seed: int) -> list[list[float]]:
    names = ("guidance", "edge.weight", "depth.weight")
    parameters = {name: {"min": 0.0001, "max": 1} for name in names}
    found = trials_of(define(method=method, run_cap=64, sweep_seed=seed, parameters=parameters))
    return [[trial[name] for name in names] for trial in found]


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_sobol_and_lhs_fill_the_space_more_evenly_than_chance(seed: int) -> None:
    chance = qmc.discrepancy(points("random", seed))
    assert qmc.discrepancy(points("sobol", seed)) < chance / 2
    assert qmc.discrepancy(points("lhs", seed)) < chance


def test_a_latin_hypercube_has_one_trial_in_every_slice() -> None:
    found = trials_of(define(method="lhs", run_cap=20, parameters={"guidance": {"min": 0, "max": 20}}))
    assert sorted(int(trial["guidance"]) for trial in found) == list(range(20))
