"""Sweep files: every way to write one, and the place, the key and the remedy of whatever is wrong."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import InvalidInput
from cosmosq.sweep import trials_csv, yaml_text
from cosmosq.sweep.definition import Condition, Definition, Simplex
from cosmosq.sweep.distribution import Choice, Integers, LogUniform, Normal, Quantised, Uniform
from cosmosq.sweep.distribution_keys import DISTRIBUTIONS
from cosmosq.sweep.document import KEYS, document_of, read
from cosmosq.sweep.node import Node

SOURCE = "night.yaml"


def definition(text: str) -> Definition:
    document, place = yaml_text.load(text, source=SOURCE)
    return read(Node(value=document, place=place))


def varying(name: str, how: Any) -> Any:
    return read(Node(value={"method": "random", "run_cap": 1, "parameters": {name: how}})).parameters[name]


@pytest.mark.parametrize(
    ("name", "how", "meant"),
    [
        ("guidance", {"values": [3, 5.5]}, Choice((3.0, 5.5))),
        ("guidance", {"values": [3, 5], "probabilities": [0.9, 0.1]}, Choice((3.0, 5.0), (0.9, 0.1))),
        ("guidance", {"distribution": "categorical", "values": [3]}, Choice((3.0,))),
        ("guidance", {"value": 7}, Choice((7.0,))),
        ("guidance", {"distribution": "constant", "value": 7}, Choice((7.0,))),
        ("guidance", 7, Choice((7.0,))),
        ("guidance", [3, 5], Choice((3.0, 5.0))),
        ("guidance", "3,5", Choice((3.0, 5.0))),
        ("guidance", "uniform(3, 9)", Uniform(3, 9)),
        ("guidance", {"min": 3, "max": 9}, Uniform(3, 9)),
        ("guidance", {"min": 3, "max": 9, "q": 0.5}, Quantised(Uniform(3, 9), 0.5)),
        ("guidance", {"distribution": "uniform", "min": 3, "max": 9}, Uniform(3, 9)),
        ("guidance", {"range": [3, 9, 3]}, Choice((3.0, 6.0))),
        ("guidance", {"linspace": [3, 9, 3]}, Choice((3.0, 6.0, 9.0))),
        ("guidance", {"mu": 5, "sigma": 2}, Normal(0, 100, 5, 2)),
        ("guidance", {"distribution": "normal", "mu": 5, "sigma": 2, "min": 3, "max": 9}, Normal(3, 9, 5, 2)),
        ("num_steps", {"min": 20, "max": 50}, Integers(20, 50)),
        ("num_steps", {"distribution": "int_uniform", "min": 20, "max": 50}, Integers(20, 50)),
        ("num_steps", {"min": 20, "max": 50, "q": 5}, Quantised(Uniform(20, 50), 5)),
        ("sigma_max", {"distribution": "log_uniform_values", "min": 1, "max": 80}, LogUniform(1, 80)),
        (
            "sigma_max",
            {"distribution": "q_log_uniform_values", "min": 1, "max": 80, "q": 2},
            Quantised(LogUniform(1, 80), 2),
        ),
        ("seed", {"values": [1, 2]}, Choice((1, 2))),
        ("canny_threshold", {"values": ["low", "high"]}, Choice(("low", "high"))),
        ("canny_threshold", "low,high", Choice(("low", "high"))),
        ("negative_prompt", "blurry, dark", Choice(("blurry, dark",))),
        ("negative_prompt", {"values": ["blurry, dark", "grey"]}, Choice(("blurry, dark", "grey"))),
        ("use_distilled", {"values": [True, False]}, Choice((True, False))),
        ("prompt", {"values": ["kitchen", "harbour"]}, Choice(("kitchen", "harbour"))),
        ("clip", "shot,other", Choice(("shot", "other"))),
        ("controls", {"values": [["depth", "edge"], ["vis"]]}, Choice((("edge", "depth"), ("vis",)))),
        ("controls", "edge+depth,vis", Choice((("edge", "depth"), ("vis",)))),
        (
            "controls",
            {"subsets": ["edge", "depth", "seg"], "min": 2, "max": 2},
            Choice((("edge", "depth"), ("edge", "seg"), ("depth", "seg"))),
        ),
    ],
)
def test_a_parameter_varies_as_it_is_written(name: str, how: Any, meant: Any) -> None:
    assert varying(name, how) == meant


WHOLE = """\
name: night
description: everything at once
method: sobol
run_cap: 40
sweep_seed: 7
order: interleave
prompts: [kitchen, harbour]
parameters:
  guidance: {values: [3, 5, 7]}
  num_steps: {values: [20, 30, 40]}
  edge.weight: {min: 0.2, max: 1}
  depth.weight: {distribution: uniform, min: 0.2, max: 1}
controls: [[edge], [edge, depth]]
fixed: {sigma_max: 60}
zip: [guidance, num_steps]
exclude:
  - {guidance: 7, edge.weight: {min: 0.8}}
  - {controls: [edge], guidance: [3, 5]}
simplex: [edge.weight, depth.weight]
repeat: 2
"""


def test_every_key_is_read() -> None:
    assert definition(WHOLE) == Definition(
        name="night",
        description="everything at once",
        method="sobol",
        run_cap=40,
        sweep_seed=7,
        order="interleave",
        prompts=("kitchen", "harbour"),
        parameters={
            "guidance": Choice((3.0, 5.0, 7.0)),
            "num_steps": Choice((20, 30, 40)),
            "edge.weight": Uniform(0.2, 1),
            "depth.weight": Uniform(0.2, 1),
            "controls": Choice((("edge",), ("edge", "depth"))),
        },
        fixed={"sigma_max": 60.0},
        zips=(("guidance", "num_steps"),),
        excludes=(
            {"guidance": Condition(values=(7.0,)), "edge.weight": Condition(min=0.8)},
            {"controls": Condition(values=(("edge",),)), "guidance": Condition(values=(3.0, 5.0))},
        ),
        simplexes=(Simplex(weights=("edge.weight", "depth.weight"), sum=1.0),),
        repeat=2,
    )


def test_what_the_ledger_keeps_is_read_as_the_same_sweep() -> None:
    for text in (WHOLE, "method: given\nprompts: all\ntrials: [{guidance: 3, controls: [edge]}, {seed: 2}]\n"):
        whole = definition(text)
        assert read(Node(value=document_of(whole))) == whole


@given(
    st.fixed_dictionaries(
        {"parameters": st.fixed_dictionaries({"guidance": st.lists(st.integers(0, 50), min_size=1, max_size=5)})},
        optional={
            "run_cap": st.integers(1, 100),
            "sweep_seed": st.integers(0, 2**63 - 1),
            "order": st.sampled_from(["grouped", "interleave", "random"]),
            "repeat": st.integers(1, 9),
            "fixed": st.just({"edge.weight": 1}),
        },
    )
)
def test_any_sweep_survives_being_kept(document: dict[str, Any]) -> None:
    document["run_cap"] = min(document.get("run_cap", 1), len(set(document["parameters"]["guidance"])))
    read_once = read(Node(value=document))
    assert read(Node(value=document_of(read_once))) == read_once


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir", "!!python/object/new:os.mkdir", "!mine"])
def test_a_tag_makes_no_object(tag: str, tmp_path: Path) -> None:
    text = f"parameters:\n  guidance: {tag} ['{tmp_path / 'made'}']\n"
    with pytest.raises(InvalidInput):
        definition(text)
    assert not (tmp_path / "made").exists()


def test_without_a_method_lists_make_a_grid_and_anything_else_is_random() -> None:
    assert definition("parameters: {guidance: [3, 5], num_steps: {range: [20, 23]}}").method == "grid"
    assert definition("run_cap: 3\nparameters: {num_steps: {min: 20, max: 22}}").method == "random"
    likely = "run_cap: 2\nparameters: {guidance: {values: [3, 5], probabilities: [0.9, 0.1]}}"
    assert definition(likely).method == "random"
    assert definition("run_cap: 3\nparameters: {guidance: {min: 3, max: 5}}").method == "random"
    assert definition("trials: [{guidance: 3}]").method == "given"


def test_quotes_comments_and_anchors_leave_no_trace() -> None:
    read_it = definition("# why\nmethod: 'grid'\nparameters:\n  guidance: &some [3, 5]  # or 7\n  sigma_max: *some\n")
    assert [type(value) for value in read_it.parameters["guidance"].values or ()] == [float, float]
    assert type(read_it.method) is str


BAD = {
    "an unknown parameter": ("parameters:\n  guidanc: [3]", 2, "guidanc is no parameter (did you mean guidance?)"),
    "an unknown key": ("methods: grid", 1, "methods: there is no such key (did you mean method?)"),
    "an unknown distribution": (
        "parameters:\n  guidance:\n    distribution: unifrom\n    min: 1\n    max: 2",
        3,
        "unifrom is not allowed (did you mean uniform?)",
    ),
    "W&B's exponents": (
        "parameters:\n  sigma_max: {distribution: log_uniform, min: 0, max: 4}",
        2,
        "write log_uniform_values with the values themselves",
    ),
    "a distribution that is not there": (
        "parameters:\n  guidance: {distribution: beta, a: 1}",
        2,
        "a: there is no such key",
    ),
    "bayes": ("method: bayes\nparameters: {guidance: [3]}", 1, "bayes needs results while it draws: use sobol"),
    "an unknown method": ("method: sobel\nparameters: {guidance: [3]}", 1, "sobel is no method (did you mean sobol?)"),
    "early_terminate": ("early_terminate: {type: hyperband}", 1, "remove it"),
    "metric": ("method: grid\nmetric: {name: loss}", 2, "there is no metric while trials are drawn"),
    "W&B's seed": ("method: grid\nseed: 3", 2, "the seed of the drawing is sweep_seed"),
    "min above max": ("run_cap: 1\nparameters:\n  guidance: {min: 9, max: 3}", 3, "min 9 is above max 3: swap them"),
    "a logarithm of nothing": (
        "run_cap: 1\nparameters:\n  sigma_max:\n    distribution: log_uniform_values\n    min: 0\n    max: 80",
        3,
        "min 0 has no logarithm",
    ),
    "an empty list": ("parameters:\n  guidance:\n    values: []", 3, "the list is empty"),
    "a short empty list": ("parameters:\n  guidance: []", 2, "the list is empty"),
    "min alone": ("run_cap: 1\nparameters:\n  guidance: {min: 3}", 3, "max is missing: uniform needs min, max"),
    "nothing about how": ("parameters:\n  guidance: {}", 2, "how does it vary? give values, or min and max"),
    "a key too many": ("parameters:\n  guidance: {values: [3], min: 1}", 2, "min does not go with categorical"),
    "a value out of range": ("parameters:\n  sigma_max: [70, 90]", 2, "sigma_max = 90 is not allowed: give a number"),
    "a bound out of range": ("run_cap: 1\nparameters:\n  sigma_max: {min: 1, max: 90}", 3, "sigma_max = 90 is not"),
    "a fraction of a step": ("run_cap: 1\nparameters:\n  num_steps: uniform(20,50)", 3, "num_steps takes integers"),
    "a number for a word": ("run_cap: 1\nparameters:\n  canny_threshold: {min: 1, max: 2}", 3, "list its values"),
    "a wrong word": ("parameters:\n  canny_threshold: [lo]", 2, "canny_threshold = lo is not allowed: give very_low"),
    "a text for a number": ("run_cap: 1\nparameters:\n  guidance: {min: low, max: 9}", 3, "low is no number"),
    "no hint": ("controls: [[edge], [egde]]", 1, "egde is no hint (did you mean edge?)"),
    "an empty combination": ("controls: [[]]", 1, "a combination of hints is empty"),
    "upscale": ("parameters: {upscale.weight: [1]}", 1, "upscale the results with `cosmosq enqueue --upscale`"),
    "two controls": ("parameters: {controls: [[edge]]}\ncontrols: [[vis]]", 2, "controls stands below parameters too"),
    "no number of trials": (
        "method: random\nparameters: {guidance: {min: 1, max: 2}}",
        1,
        "how many? random has no end",
    ),
    "more than the grid has": (
        "method: grid\nrun_cap: 7\nparameters: {guidance: [1, 2], num_steps: [3, 4, 5]}",
        2,
        "there are only 6 trials: lower it to 6",
    ),
    "more than random can find": (
        "method: random\nparameters: {guidance: [1, 2]}\nrun_cap: 3",
        3,
        "there are only 2 trials: lower it to 2",
    ),
    "a grid without an end": (
        "method: grid\nparameters:\n  guidance: {min: 1, max: 2}",
        3,
        "uniform(1,2) has no list of values, which grid needs",
    ),
    "nothing varies": ("method: grid", 1, "nothing varies: give parameters"),
    "a repetition that varies": ("method: repeat\nrun_cap: 3\nparameters: {guidance: [3]}", 3, "nothing but the seed"),
    "seeds twice": ("repeat: 3\nparameters: {seed: [1, 2]}", 1, "repeat varies the seed, and so do the parameters"),
    "fixed and varied": ("parameters: {guidance: [3]}\nfixed:\n  guidance: 5", 3, "guidance varies as well"),
    "a wrong fixed value": ("parameters: {guidance: [3]}\nfixed:\n  num_steps: many", 3, "num_steps = many is not"),
    "a fixed prompt": (
        "parameters: {guidance: [3]}\nfixed: {prompt: kitchen}",
        2,
        "prompt is no parameter of the engine",
    ),
    "unequal zips": (
        "parameters: {guidance: [3, 5], num_steps: [20]}\nzip: [guidance, num_steps]",
        2,
        "have lists of different lengths",
    ),
    "a zip without a list": (
        "run_cap: 1\nparameters: {guidance: [3, 5], edge.weight: {min: 0, max: 1}}\nzip: [guidance, edge.weight]",
        3,
        "edge.weight has no list of values",
    ),
    "a zip of one": ("parameters: {guidance: [3]}\nzip: [[guidance]]", 2, "groups of at least two"),
    "a zip of something else": ("parameters: {guidance: [3]}\nzip: [guidance, sed]", 2, "sed is no parameter"),
    "a sum of guidance": ("parameters: {guidance: [3]}\nsimplex: [guidance, edge.weight]", 2, "guidance is no weight"),
    "a sum of one": ("parameters: {edge.weight: [1]}\nsimplex: [edge.weight]", 2, "at least two different weights"),
    "a sum of nothing": (
        "parameters: {edge.weight: [1]}\nsimplex: [{weights: [edge.weight, vis.weight], sum: 0}]",
        2,
        "0 is no sum of weights",
    ),
    "an exclusion of nothing": ("parameters: {guidance: [3]}\nexclude: [{}]", 2, "nothing is named"),
    "an exclusion of a word's range": (
        "parameters: {guidance: [3]}\nexclude: [{canny_threshold: {min: 1}}]",
        2,
        "canny_threshold is no number",
    ),
    "a misspelt exclusion": ("parameters: {guidance: [3]}\nexclude: [{guidanc: 3}]", 2, "did you mean guidance?"),
    "a mapping for a list": ("parameters: {guidance: [3]}\nexclude: {guidance: 3}", 2, "is no list"),
    "a list for a mapping": ("parameters: [guidance]", 1, "write keys with values below it"),
    "a wrong order": ("order: shuffled\nparameters: {guidance: [3]}", 1, "shuffled is not allowed"),
    "a fraction of a trial": ("run_cap: 2.5\nparameters: {guidance: [3]}", 1, "give an integer from 1"),
    "a seed below nothing": ("sweep_seed: -1\nparameters: {guidance: [3]}", 1, "give an integer from 0"),
    "prompts twice": (
        "prompts: [a]\nparameters: {prompt: {values: [b]}}",
        1,
        "the trials name their prompts themselves",
    ),
    "a name of two lines": ('name: "a\\nb"\nparameters: {guidance: [3]}', 1, "a name is one line of at most 200"),
    "bounds that exclude nothing": (
        "parameters: {guidance: [3]}\nexclude: [{guidance: {min: 6, max: 5}}]",
        2,
        "min is above max",
    ),
    "an exclusion of a prompt that does not vary": (
        "prompts: [a, b]\nparameters: {guidance: [3]}\nexclude: [{prompt: a}]",
        3,
        "prompt does not vary",
    ),
    "a weight in two sums": (
        "parameters: {edge.weight: [1]}\nsimplex:\n- {weights: [edge.weight, vis.weight]}\n"
        "- {weights: [vis.weight, seg.weight]}",
        2,
        "vis.weight belongs to two sums",
    ),
    "probabilities in a grid": (
        "method: grid\nparameters: {guidance: {values: [3, 5], probabilities: [0.5, 0.5]}}",
        2,
        "grid takes every value: remove the probabilities",
    ),
    "probabilities in a zip": (
        "run_cap: 1\nmethod: random\nparameters:\n  guidance: {values: [3, 5], probabilities: [0.5, 0.5]}\n"
        "  seed: [1, 2]\nzip: [guidance, seed]",
        6,
        "guidance has probabilities",
    ),
    "prompts one at a time": (
        "method: one_at_a_time\nparameters: {prompt: [a, b], guidance: [3]}",
        2,
        "name prompts instead",
    ),
    "a distribution that is a list": (
        "parameters: {guidance: {distribution: [uniform], min: 1, max: 2}}",
        1,
        "not allowed",
    ),
    "a number of very many digits": (f"run_cap: 0x{'f' * 5000}\nparameters: {{guidance: [3]}}", 1, "very many digits"),
    "a value of very many digits": (f"parameters: {{guidance: [0x{'f' * 5000}]}}", 1, "very many digits"),
    "a q next to nothing": ("parameters: {guidance: {min: 1, max: 9, q: 1.0e-320}}\nrun_cap: 1", 1, "too small"),
    "no prompts": ("prompts: []\nparameters: {guidance: [3]}", 1, "the list is empty"),
    "trials of a grid": ("method: grid\ntrials: [{guidance: 3}]", 1, "grid and trials do not go together"),
    "a wrong trial": ("trials:\n  - guidance: 3\n  - guidance: much", 3, "guidance = much is not allowed"),
    "a key that is no text": ("parameters: {1: [3]}", 1, "the key 1 is no text"),
    "a key twice": ("method: grid\nmethod: random", 2, "method comes twice: keep one"),
    "a parameter twice": ("parameters:\n  guidance: [3]\n  guidance: [5]", 3, "guidance comes twice"),
    "a bracket too few": ("method: grid\nparameters: {guidance: [3}", 2, "broken YAML"),
    "a tab": ("parameters:\n\tguidance: [3]", 2, "broken YAML"),
    "a list": ("- guidance", None, "it holds no keys"),
    "nothing": ("", None, "it holds no keys"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_with_its_line(case: str) -> None:
    text, line, said = BAD[case]
    with pytest.raises(InvalidInput) as refused:
        definition(text)
    message = str(refused.value)
    assert said in message
    assert message.startswith(f"{SOURCE}:{line}: " if line is not None else f"{SOURCE}: ")
    assert message.count(SOURCE) == 1


@pytest.mark.parametrize("name", KEYS)
def test_no_value_of_a_wrong_type_is_an_error_of_ours(name: str) -> None:
    values: tuple[Any, ...] = (
        None,
        True,
        3.7,
        "x,(",
        [],
        [[]],
        [None],
        {},
        {"x": None},
        {"guidance": {"min": [], "max": {}}},
    )
    for value in values:
        with contextlib.suppress(InvalidInput):
            read(Node(value={"parameters": {"guidance": [3]}, name: value}))


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_no_argument_of_a_wrong_type_is_an_error_of_ours(distribution: str) -> None:
    values: tuple[Any, ...] = (None, True, "x", [], {}, float("nan"), 10**400, -1)
    for value in values:
        form = DISTRIBUTIONS[distribution]
        how = {"distribution": distribution, **dict.fromkeys((*form.needs, *form.may), value)}
        with pytest.raises(InvalidInput):
            varying("guidance", how)


def test_a_table_keeps_texts_as_they_are() -> None:
    table = "negative_prompt\r\n\"one\u2028two, 'three'\"\r\n'=blurry\r\n"
    trials, _ = trials_csv.load(table, source="mine.csv")
    assert trials == [{"negative_prompt": "one\u2028two, 'three'"}, {"negative_prompt": "=blurry"}]


TABLE = "trial,status,edge.weight,controls,prompt\n1,queued,0.5,edge+depth,kitchen\n2,failed,,vis,harbour\n"


def test_a_table_of_trials_is_read_without_what_came_of_them() -> None:
    trials, place = trials_csv.load(TABLE, source="mine.csv")
    assert trials == [
        {"edge.weight": "0.5", "controls": "edge+depth", "prompt": "kitchen"},
        {"controls": "vis", "prompt": "harbour"},
    ]
    assert read(Node(value={"trials": trials}, place=place)).trials == (
        {"edge.weight": 0.5, "controls": ("edge", "depth"), "prompt": "kitchen"},
        {"controls": ("vis",), "prompt": "harbour"},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "mine.csv:1: the first line has no names"),
        ("guidance\n", "mine.csv holds no trial"),
        ("guidance,guidance\n1,2\n", "mine.csv:1: guidance comes twice"),
        ("guidance\n3,4\n", "mine.csv:2: 2 cells under 1 names"),
        ('guidance\n"3\n', "mine.csv:2: broken CSV"),
        ("guidance\n3\nmuch\n", "mine.csv:3: guidance: guidance = much is not allowed"),
        ("guidanc\n3\n", "mine.csv:2: guidanc: guidanc is no parameter (did you mean guidance?)"),
    ],
)
def test_a_wrong_table_of_trials_is_told_with_its_line(text: str, said: str) -> None:
    def load() -> None:
        trials, place = trials_csv.load(text, source="mine.csv")
        read(Node(value={"trials": trials}, place=place))

    with pytest.raises(InvalidInput) as refused:
        load()
    assert str(refused.value).startswith(said)
