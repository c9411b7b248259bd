"""`cosmosq enqueue -p`, `--sweep`, `--trials` and `cosmosq sweep`, as a person types them."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.acceptance.command_line import Shell, traces

SWEEP = """\
method: sobol
run_cap: 4
sweep_seed: 7
parameters:
  guidance: {values: [3, 5, 7]}
  edge.weight: {min: 0.2, max: 1}
"""
VARY = ("-p", "guidance=3,5,7", "-p", "edge.weight=uniform(0.2,1)")


@pytest.fixture(scope="module")
def template(_initialised: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a sweep file and a second prompt."""
    folder = tmp_path_factory.mktemp("sweeps") / "ws"
    shutil.copytree(_initialised, folder)
    (folder / "night.yaml").write_text(SWEEP)
    added = ("--clip", "shot", "--name", "harbour", "-s", "edge.weight=0.4")
    Shell(folder).ok("prompt", "add", "a harbour at dawn", *added)
    return folder


def test_values_and_the_number_of_jobs_are_told_before_anything_is_queued(shell: Shell) -> None:
    answer = shell.ok("enqueue", "kitchen", "harbour", *VARY, "-n", 4, "--method", "sobol", "--sweep-seed", 7)
    words = answer.err.splitlines()
    assert words[0].startswith("sweep sweep-")
    assert words[0].endswith(": sobol, sweep_seed 7, order grouped")
    assert [line.split() for line in words[3:5]] == [
        ["guidance", "3,5,7", "3,", "5,", "7"],
        ["edge.weight", "uniform(0.2,1)", "0.397773,", "0.574668,", "0.685084,", "0.861222"],
    ]
    assert words[5:] == ["4 trials, 2 prompts: 8 jobs", "8 queued, 0 skipped"]
    assert answer.out.count(" queued: transfer of ps_") == 8


def test_the_file_and_the_command_line_draw_the_same_trials(shell: Shell) -> None:
    by_file = shell.ok("sweep", "preview", "night.yaml", "kitchen", "--json").json
    by_hand = shell.ok(
        "enqueue", "kitchen", *VARY, "-n", 4, "--method", "sobol", "--sweep-seed", 7, "--dry-run", "--json"
    ).json
    assert by_file["assignments"] == by_hand["assignments"]
    assert by_file["name"] == "night"


def test_the_number_of_jobs_is_what_the_preview_said(shell: Shell) -> None:
    for words in (
        ("-p", "guidance=3,5", "-p", "canny_threshold=low,high"),
        ("-p", "guidance=uniform(1,9)", "-n", "7", "--method", "lhs"),
        ("-p", "controls=subsets(vis,edge,depth,1,2)", "-p", "blur_strength=low,high"),
        ("-p", "num_steps=10,20", "--method", "one_at_a_time"),
        ("--method", "repeat", "-n", "3", "-s", "guidance=8"),
    ):
        said = shell.ok("enqueue", "kitchen", "harbour", *words, "--dry-run", "--json").json
        made = shell.ok("enqueue", "kitchen", "harbour", *words, "--json").json
        assert len(made) == said["jobs"]
        assert sum(job["new"] for job in made) == said["new"]


def test_a_preview_writes_nothing_and_says_what_is_there_already(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml", "-n", 3)
    shell.ok("cancel", "--all", "--sweep", "night")
    before = traces(shell.folder)
    answer = shell.ok("sweep", "preview", "night.yaml", "kitchen")
    assert traces(shell.folder) == before
    assert "3 of them there already (3 cancelled), 1 new" in answer.out
    assert "1 model load for what is new, on sim" in answer.out
    assert "GPU hours: unknown, because no video was made on sim yet" in answer.out
    assert [line.split()[0] for line in answer.out.splitlines()[-4:]] == ["1", "2", "3", "4"]


def test_the_same_file_again_queues_nothing_and_says_so(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml")
    answer = shell.ok("enqueue", "kitchen", "--sweep", "night.yaml")
    assert answer.out == ""
    assert answer.err.splitlines()[-2:] == [
        "4 of them there already (4 queued), 0 new",
        "0 queued, 4 skipped",
    ]


def test_what_is_given_on_the_command_line_goes_over_the_file(shell: Shell) -> None:
    words = ("-n", 2, "--method", "random", "-p", "guidance=8,9", "-s", "num_steps=12", "--name", "other")
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml", *words)
    shown = shell.ok("sweep", "show", "other", "--json").json
    assert shown["method"] == "random"
    assert shown["text"] == SWEEP.rstrip("\n"), "the file as it was"
    assert shown["definition"]["fixed"] == {"num_steps": 12}
    assert all(trial["assignment"]["guidance"] in (8, 9) for trial in shown["trials"])
    assert len(shown["trials"]) == 2


def test_a_sweep_can_be_listed_shown_extended_cancelled_and_retried(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml")
    extended = shell.ok("sweep", "extend", "night", "-n", 2)
    assert "2 trials, 1 prompt: 2 jobs" in extended.err
    assert extended.out.splitlines()[0].startswith("job 5 queued")
    (listed,) = shell.ok("sweep", "list", "--json").json
    assert (listed["name"], listed["trials"], listed["jobs"], listed["by_status"]) == ("night", 6, 6, {"queued": 6})
    assert "6 queued" in shell.ok("sweep", "list").out
    shown = shell.ok("sweep", "show", "night").out
    assert "edge.weight: {min: 0.2, max: 1}" in shown, "the text of the file"
    assert shown.splitlines()[-1].split()[-2:] == ["6", "queued"]
    shell.ok("enqueue", "kitchen", "-s", "seed=99")
    assert shell.ok("sweep", "cancel", "night").err == "6 cancelled\n"
    assert shell.ok("sweep", "retry", "night", "--json").statuses == ["queued"] * 6
    assert len(shell.ok("status", "--sweep", "night", "--json").json) == 6
    assert len(shell.ok("status", "--json").json) == 7
    assert shell.ok("report", "--sweep", "night", "--json").json["jobs"] == 6


def test_an_export_is_a_table_that_trials_takes_back(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml")
    table = shell.ok("sweep", "export", "night", "--csv", "-").out
    found = list(csv.DictReader(io.StringIO(table)))
    assert [row["trial"] for row in found] == ["1", "2", "3", "4"]
    assert list(found[0])[-5:] == ["guidance", "edge.weight", "generate_s", "output_path", "error"]
    assert shell.ok("sweep", "export", "night", "--csv", "night.csv").err == "wrote night.csv\n"
    again = shell.ok("enqueue", "kitchen", "--trials", "night.csv", "--name", "mine")
    assert again.err.splitlines()[-1] == "0 queued, 4 skipped"
    (shell.folder / "more.csv").write_text("guidance,controls\n9,edge+depth\n,vis\n")
    shell.ok("enqueue", "kitchen", "--trials", "more.csv")
    trials = shell.ok("sweep", "show", "more", "--json").json["trials"]
    assert [trial["assignment"]["controls"] for trial in trials] == [["edge", "depth"], ["vis"]]


def test_a_sweep_from_stdin_has_a_name_by_its_contents(shell: Shell) -> None:
    first = shell.ok("enqueue", "kitchen", "--sweep", "-", stdin=SWEEP)
    (listed,) = shell.ok("sweep", "list", "--json").json
    assert first.err.startswith(f"sweep {listed['name']}: sobol")
    shell.ok("enqueue", "kitchen", "--sweep", "-", "-n", 6, stdin=SWEEP)
    (listed,) = shell.ok("sweep", "list", "--json").json
    assert listed["trials"] == 6, "more trials of the same contents are the same sweep"


def test_texts_and_prompts_are_listed_like_numbers(shell: Shell) -> None:
    words = ("-p", "prompt=kitchen,harbour", "-p", "negative_prompt='dark, grey',choice", "--dry-run", "--json")
    said = shell.ok("enqueue", *words).json
    assert [(t["prompt"], t["negative_prompt"]) for t in said["assignments"]] == [
        ("kitchen", "dark, grey"),
        ("kitchen", "choice"),
        ("harbour", "dark, grey"),
        ("harbour", "choice"),
    ]
    several = shell.ok("enqueue", "kitchen", "-p", "negative_prompt=choice(dark,grey)", "--dry-run", "--json").json
    assert several["jobs"] == 2


def test_a_sweep_with_other_contents_of_the_same_name_is_told(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "-p", "guidance=3", "--name", "mine")
    told = "a sweep mine with other contents is there: these trials are added to it"
    assert told not in shell.ok("enqueue", "kitchen", "-p", "guidance=3", "--name", "mine").err
    assert told in shell.ok("enqueue", "kitchen", "-p", "seed=3", "--name", "mine").err


def test_what_is_fixed_is_exported_and_comes_back(shell: Shell) -> None:
    shell.ok("prompt", "add", "no weights", "--clip", "shot", "--name", "bare")
    shell.ok("enqueue", "bare", "-p", "seed=1,2", "-s", "edge.weight=0.7", "--name", "mine")
    shell.ok("sweep", "export", "mine", "--csv", "mine.csv")
    again = shell.ok("enqueue", "bare", "--trials", "mine.csv", "--name", "back")
    assert again.err.splitlines()[-1] == "0 queued, 2 skipped"


def test_controls_on_the_command_line_go_over_those_of_the_file(shell: Shell) -> None:
    (shell.folder / "c.yaml").write_text("controls: [[edge], [vis]]\n")
    said = shell.ok("sweep", "preview", "c.yaml", "kitchen", "-p", "controls=[depth]", "--json").json
    assert [trial["controls"] for trial in said["assignments"]] == [["depth"]]


def test_labels_priority_and_hold_are_those_of_every_job(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml", "--priority", 3, "--label", "night=1", "--hold")
    jobs = shell.ok("status", "--label", "night=1", "--json").json
    assert [(job["priority"], job["status"]) for job in jobs] == [(3, "held")] * 4
    assert "jobs" in shell.ok("sweep", "show", "night").out


def test_no_sweeps_are_said_and_not_an_empty_table(shell: Shell) -> None:
    assert shell.ok("sweep", "list").err == "no sweeps: `cosmosq enqueue -p` and `--sweep` make some\n"
    assert shell.ok("sweep", "list", "--json").json == []


BAD_SWEEPS = {
    "guidanc.yaml": "parameters:\n  guidanc: [3]\n",
    "beta.yaml": "parameters:\n  guidance: {distribution: unifrom, min: 1, max: 2}\n",
    "exponents.yaml": "parameters:\n  sigma_max: {distribution: log_uniform, min: 0, max: 4}\n",
    "bayes.yaml": "method: bayes\nparameters: {guidance: [3]}\n",
    "swapped.yaml": "run_cap: 2\nparameters:\n  guidance: {min: 9, max: 3}\n",
    "zero.yaml": "run_cap: 2\nparameters:\n  sigma_max: {distribution: log_uniform_values, min: 0, max: 4}\n",
    "empty.yaml": "parameters:\n  guidance: []\n",
    "broken.yaml": "parameters: {guidance: [3}\n",
    "twice.yaml": "parameters:\n  guidance: [3]\n  guidance: [5]\n",
    "cap.yaml": "parameters: {guidance: [3, 5]}\nrun_cap: 3\n",
    "none.yaml": "parameters: {guidance: [3]}\nexclude: [{guidance: 3}]\n",
    "hintless.yaml": "parameters: {edge.weight: [0]}\n",
    "huge.yaml": "parameters: {num_steps: {range: [1, 1001]}, fps: {range: [1, 200]}}\n",
    "latin.yaml": "name: caf\xe9\n",
}
REFUSED = [
    (
        2,
        ("--sweep", "guidanc.yaml"),
        "guidanc.yaml:2: parameters.guidanc: guidanc is no parameter (did you mean guidance",
    ),
    (
        2,
        ("--sweep", "beta.yaml"),
        "beta.yaml:2: parameters.guidance.distribution: unifrom is not allowed (did you mean u",
    ),
    (2, ("--sweep", "exponents.yaml"), "exponents.yaml:2: parameters.sigma_max.distribution: log_uniform is not taken"),
    (2, ("--sweep", "bayes.yaml"), "bayes.yaml:1: method: bayes needs results while it draws: use sobol, or random"),
    (2, ("--sweep", "swapped.yaml"), "swapped.yaml:3: parameters.guidance: min 9 is above max 3: swap them"),
    (2, ("--sweep", "zero.yaml"), "zero.yaml:3: parameters.sigma_max: min 0 has no logarithm: give bounds above 0"),
    (2, ("--sweep", "empty.yaml"), "empty.yaml:2: parameters.guidance: the list is empty: give at least one value"),
    (2, ("--sweep", "broken.yaml"), "broken.yaml:1: broken YAML ("),
    (2, ("--sweep", "twice.yaml"), "twice.yaml:3: guidance comes twice: keep one"),
    (2, ("--sweep", "cap.yaml"), "cap.yaml:2: run_cap: 3 is too many, there are only 2 trials: lower it to 2"),
    (2, ("--sweep", "none.yaml"), "none.yaml: there is no trial: every one is excluded"),
    (2, ("--sweep", "hintless.yaml"), "hintless.yaml: there is no trial: the engine refuses them all: no hint has"),
    (2, ("--sweep", "huge.yaml"), "huge.yaml: 199,000 jobs are more than 100,000: give --yes if you mean it"),
    (2, ("--sweep", "latin.yaml"), "latin.yaml cannot be read as UTF-8 text"),
    (3, ("--sweep", "lost.yaml"), "no such file: lost.yaml"),
    (2, ("-p", "guidanc=3"), "-p guidanc: guidanc is no parameter (did you mean guidance?)"),
    (2, ("-p", "guidance"), "-p 'guidance': write it as name=value"),
    (2, ("-p", "guidance="), "-p guidance: a value between the commas is empty"),
    (2, ("-p", "guidance=3", "-p", "guidance=5"), "-p guidance comes twice: put all of its values into one"),
    (2, ("-p", "guidance=uniform(9,3)", "-n", "2"), "-p guidance: min 9 is above max 3: swap them"),
    (2, ("-p", "guidance=uniform(3,9)"), "-n: how many? random has no end"),
    (2, ("-p", "guidance=uniform(3,9)", "--method", "grid"), "-p guidance: uniform(3,9) has no list of values"),
    (2, ("-p", "guidance=3,5", "-n", "3"), "-n: 3 is too many, there are only 2 trials: lower it to 2"),
    (2, ("-p", "guidance=3", "-s", "guidance=5"), "-s guidance: guidance varies as well"),
    (2, ("-p", "guidance=3", "-s", "sed=5"), "-s sed: sed is no parameter (did you mean seed?)"),
    (2, ("-p", "guidance=3", "--method", "sobel"), "--method: sobel is no method (did you mean sobol?)"),
    (2, ("-p", "guidance=3", "--order", "up"), "--order: up is not allowed: give grouped, interleave, random"),
    (2, ("-p", "guidance=3", "--upscale"), "--upscale and a sweep do not go together"),
    (2, ("--all", "-p", "guidance=3"), "name prompts, or give --all for every one, not both"),
    (2, ("-p", "guidance=3", "-p", "negative_prompt='a"), "-p negative_prompt: 'a: ' is missing: close it"),
    (2, ("-n", "3"), "-n belongs to a sweep: give -p, --sweep, --trials or --method too"),
    (2, ("--order", "random"), "--order belongs to a sweep"),
    (2, ("--dry-run",), "--dry-run belongs to a sweep"),
    (3, ("--trials", "lost.csv"), "no such file: lost.csv"),
    (
        2,
        ("--trials", "wrong.csv"),
        "wrong.csv:3: guidance: guidance = much is not allowed: give a number from 0 to 100",
    ),
]


@pytest.mark.parametrize(("code", "words", "said"), REFUSED, ids=[" ".join(words) for _, words, _ in REFUSED])
def test_a_wrong_sweep_is_one_line_and_nothing_is_queued(
    shell: Shell, code: int, words: tuple[str, ...], said: str
) -> None:
    for name, text in BAD_SWEEPS.items():
        (shell.folder / name).write_bytes(text.encode("latin-1"))
    (shell.folder / "wrong.csv").write_text("guidance\n3\nmuch\n")
    before = traces(shell.folder)
    assert shell.refused(code, "enqueue", "kitchen", *words).startswith(said)
    assert traces(shell.folder) == before


def test_what_is_no_sweep_or_prompt_is_not_found(shell: Shell) -> None:
    shell.ok("enqueue", "kitchen", "--sweep", "night.yaml")
    for words in (("show",), ("extend", "-n", "2"), ("cancel",), ("retry",), ("export", "--csv", "-")):
        said = shell.refused(3, "sweep", words[0], "nihgt", *words[1:])
        assert said == "nihgt is no sweep (did you mean night?): `cosmosq sweep list` shows them"
    assert "nobody is no prompt" in shell.refused(3, "sweep", "preview", "night.yaml", "nobody")
    said = shell.refused(2, "sweep", "preview", "night.yaml")
    assert said.startswith("night.yaml: which prompts? name them on the command line")


def test_yes_lifts_the_limit_on_jobs(shell: Shell) -> None:
    huge = ("-p", "num_steps=range(1,1001)", "-p", "fps=range(1,102)", "--dry-run")
    said = shell.refused(2, "enqueue", "kitchen", *huge)
    assert said.startswith("101,000 jobs are more than 100,000: give --yes")
    assert "1 prompt: 101,000 jobs" in shell.ok("enqueue", "kitchen", *huge, "--yes").out


def test_json_is_all_there_is_on_stdout(shell: Shell) -> None:
    answer = shell.ok("enqueue", "kitchen", "--sweep", "night.yaml", "--json")
    assert [row["new"] for row in json.loads(answer.out)] == [True] * 4
    assert [row["id"] for row in shell.ok("sweep", "extend", "night", "-n", 1, "--json").json] == [5]
