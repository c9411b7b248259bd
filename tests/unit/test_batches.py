"""Which jobs share a process of transfer.py, and that none of them can get what belongs to another."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.engines import batches as client
from tests.integration.box_tools import SCRIPTS, Json, make_spec

sys.path.insert(0, str(SCRIPTS))
from batches import base_spec, hints_of, item_of, plan, shared_by_all, weights_of

VIDEO = Path("in/color.mp4")


def specs_of(*changes: Json) -> list[Json]:
    return [make_spec(VIDEO, **{"prompt": f"prompt {number}", **change}) for number, change in enumerate(changes)]


def members(specs: list[Json], batch_size: int = 1) -> list[tuple[int, ...]]:
    return [group.members for group in plan(specs, batch_size)]


def test_prompts_videos_controls_and_weights_may_differ_one_at_a_time() -> None:
    specs = specs_of(
        {},
        {"input_video_path": "in/other.mp4"},
        {"edge": {"control_weight": 0.1}},
        {"edge": {"control_weight": 0.6, "input_control": "in/edge.mp4"}},
        {"prompt": "prompt 0"},
    )
    (group,) = plan(specs, 1)
    assert (group.members, group.batch_size, group.reason) == ((0, 1, 2, 3, 4), 1, "")


SHARED: list[Json] = [
    {"negative_prompt": "dull"},
    {"seed": 2},
    {"num_steps": 5},
    {"guidance": 7.0},
    {"sigma_max": 50.0},
    {"fps": 30},
    {"blur_strength": "low"},
    {"canny_threshold": "low"},
    {"use_distilled": True},
    {"regional_prompts": [{"prompt": "a sign", "region_definitions_path": "boxes.json"}]},
    {"edge": {"control_weight": 0.6, "ckpt_path": "mine.pt"}},
    {"depth": {"control_weight": 0.6}},
    {"edge": None, "depth": {"control_weight": 0.6}},
]


@pytest.mark.parametrize("change", SHARED, ids=str)
def test_whatever_a_process_shares_must_be_equal_and_the_reason_names_it(change: Json) -> None:
    first, second = plan(specs_of({}, change, {}), 1)
    assert (first.members, second.members) == ((0, 2), (1,))
    assert second.reason.split()[0] in {"hints", *change, "edge.ckpt_path"}
    assert ", not " in second.reason


def test_the_order_of_the_hints_counts() -> None:
    edge, depth = {"control_weight": 0.5}, {"control_weight": 0.2}
    first = {**make_spec(VIDEO, edge=None), "edge": edge, "depth": depth}
    second = {**make_spec(VIDEO, edge=None), "depth": depth, "edge": edge}
    assert members([first, second]) == [(0,), (1,)]


ALONE: list[tuple[Json, str]] = [
    ({"edge": None, "upscale": {"control_weight": 0.5}}, "upscale"),
    ({"input_video_path": None, "sigma_max": 80.0}, "without an input video"),
    ({"regional_prompts": [{"prompt": "a sign", "mask_prompt": "wall"}]}, "its own video"),
]


@pytest.mark.parametrize(("change", "reason"), ALONE, ids=[reason for _, reason in ALONE])
def test_some_jobs_run_alone(change: Json, reason: str) -> None:
    groups = plan(specs_of(change, change), 4)
    assert [group.members for group in groups] == [(0,), (1,)]
    assert reason in groups[1].reason


def test_several_at_once_need_equal_weights_and_other_prompts() -> None:
    specs = specs_of(
        {},
        {"edge": {"control_weight": 0.1}},
        {},
        {"prompt": "prompt 0"},
        {"edge": {"control_weight": 0.2}},
        {"edge": {"control_weight": 0.6}},
    )
    together, singles = plan(specs, 2)
    assert (together.members, together.batch_size) == ((0, 2, 5), 2)
    assert (singles.members, singles.batch_size) == ((1, 3, 4), 1)
    assert "one at a time" in singles.reason


def test_weight_maps_are_never_several_at_once() -> None:
    mapped = {"edge": {"control_weight": "map.pt"}}
    searched = {"edge": {"control_weight": 0.6, "control_weight_prompt": "table"}}
    for change in (mapped, searched):
        (group,) = plan(specs_of(change, change), 4)
        assert group.batch_size == 1


WEIGHTS = st.sampled_from([0.1, 0.5, 1.0])
CONTROLS = st.sampled_from([None, "in/a.mp4", "in/b.mp4"])


def hint() -> st.SearchStrategy[Json]:
    given_some = st.fixed_dictionaries(
        {"control_weight": WEIGHTS},
        optional={"input_control": CONTROLS, "input_control_prompt": st.just("a table"), "ckpt_path": st.just("c.pt")},
    )
    return given_some.map(dict)


SPECS = st.lists(
    st.builds(
        lambda prompt, video, seed, guidance, hints: make_spec(
            Path(video), prompt=prompt, seed=seed, guidance=guidance, **{"edge": None, **hints}
        ),
        st.sampled_from(["a", "b", "c", "ab"]),
        st.sampled_from(["in/x.mp4", "in/y.mp4"]),
        st.sampled_from([1, 2]),
        st.sampled_from([5.0, 7.0]),
        st.dictionaries(st.sampled_from(["vis", "edge", "depth"]), hint(), min_size=1),
    ),
    max_size=10,
)


@given(SPECS, st.integers(1, 4))
def test_every_job_is_in_one_group_with_jobs_that_it_may_share_a_process_with(specs: list[Json], size: int) -> None:
    groups = plan(specs, size)
    assert sorted(number for group in groups for number in group.members) == list(range(len(specs)))
    assert [group.members[0] for group in groups] == sorted(group.members[0] for group in groups)
    for group in groups:
        own = [specs[number] for number in group.members]
        assert len({json.dumps(shared_by_all(spec), sort_keys=True) for spec in own}) == 1
        assert 1 <= group.batch_size <= size
        if group.batch_size > 1:
            assert len({weights_of(spec) for spec in own}) == 1
            assert len({spec["prompt"] for spec in own}) == len(own)
    assert [bool(group.reason) for group in groups] == [number > 0 for number in range(len(groups))]


def as_the_engine_merges(base: Json, item: Json) -> Json:
    """What transfer.py makes of a base spec and a line."""
    hints: dict[str, dict[str, Any]] = {name: dict(base[name]) for name in hints_of(base)}
    for name, override in item["control_overrides"].items():
        hints[name].update(override)
    general = {key: value for key, value in base.items() if key not in hints}
    return {**general, "prompt": item["prompt"], "input_video_path": item["visual_input"], **hints}


@given(SPECS, st.integers(1, 4))
def test_no_item_inherits_what_belongs_to_another(specs: list[Json], size: int) -> None:
    for group in plan(specs, size):
        own = [specs[number] for number in group.members]
        for spec in own:
            merged = as_the_engine_merges(base_spec(own), json.loads(json.dumps(item_of(spec))))
            asked = {**spec, **{name: {"input_control": None, **spec[name]} for name in hints_of(spec)}}
            assert merged == asked


def test_the_client_plans_with_the_rule_of_the_box() -> None:
    specs = specs_of({}, {"seed": 2}, {})
    told = [(batch.members, batch.batch_size, batch.reason) for batch in client.plan(specs, 2)]
    assert told == [(group.members, group.batch_size, group.reason) for group in plan(specs, 2)]
