"""Sweeps in the ledger: what is queued, what is the same, how they grow, and that it is all or nothing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text

from cosmosq import clips, prompts, sweeps
from cosmosq.config import load_config
from cosmosq.db import open_ledger
from cosmosq.enqueue import Enqueued, enqueue
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.jobs import remove
from cosmosq.models import Job
from cosmosq.paths import Workspace
from cosmosq.plan import Plan
from cosmosq.plan import plan as make_plan
from cosmosq.prompts import Draft
from cosmosq.report import csv_file, forecast, query, rows
from cosmosq.report import sweeps as reading
from cosmosq.report.outlook import Rules, outlook
from cosmosq.sweep import trials_csv
from cosmosq.sweep.document import read
from cosmosq.sweep.node import Node
from cosmosq.windows import parse_windows
from cosmosq.wishes import wishes_for
from tests.acceptance.command_line import rows as rows_of
from tests.ledger_rows import NOW, make_attempt, make_session
from tests.media import make_video


class Desk:
    """Someone who queues sweeps in a workspace with clip `shot` (input, depth, seg) and prompt `kitchen`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ledger = open_ledger(workspace.ledger_path)
        self.host = load_config(workspace.config_path).host()

    def plan(self, **keys: Any) -> Plan:
        keys = {"prompts": ["kitchen"], "name": "night", **keys}
        if not keys["prompts"]:
            del keys["prompts"]
        options = {key: keys.pop(key) for key in ("again", "most", "drawn") if key in keys}
        return make_plan(self.ledger, self.host, read(Node(value=keys)), **options)

    def queue(self, **keys: Any) -> list[Enqueued]:
        again = bool(keys.get("again"))
        return self.record(self.plan(**keys), again=again)

    def record(self, plan: Plan, **how: Any) -> list[Enqueued]:
        return sweeps.record(self.ledger, self.host, plan, text="as it was", now=NOW, **how)

    def extend(self, count: int, name: str = "night") -> list[Enqueued]:
        further = sweeps.extension(self.ledger, lambda _: self.host, name, count)
        return self.record(further.plan)

    def show(self, name: str = "night") -> dict[str, Any]:
        with self.ledger.read() as session:
            return reading.sweep(session, name)

    def add(self, words: str, **more: Any) -> str:
        return prompts.add(self.ledger, [Draft(**{"text": words, "clip": "shot", **more})], NOW)[0].id

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with self.ledger.read() as session:
            return [tuple(row) for row in session.execute(text(statement))]


@pytest.fixture
def desk(workspace: Workspace) -> Iterator[Desk]:
    desk = Desk(workspace)
    yield desk
    desk.ledger.close()


GRID = {"parameters": {"guidance": [3, 7], "num_steps": [10, 20]}}
SOBOL = {"method": "sobol", "run_cap": 5, "parameters": {"guidance": {"min": 1, "max": 9}}}


def new(answers: list[Enqueued]) -> int:
    return sum(answer.new for answer in answers)


def test_a_sweep_queues_what_its_plan_said(desk: Desk) -> None:
    plan = desk.plan(**GRID)
    answers = desk.record(plan)
    assert len(answers) == len(plan.jobs) == new(answers) == 4
    assert desk.sql("SELECT guidance, num_steps FROM parameter_sets ORDER BY id") == [
        (3.0, 10),
        (3.0, 20),
        (7.0, 10),
        (7.0, 20),
    ]


def test_planning_writes_nothing(desk: Desk) -> None:
    before = rows_of(desk.workspace.ledger_path)
    desk.plan(**GRID)
    assert rows_of(desk.workspace.ledger_path) == before


@pytest.mark.parametrize("keys", [GRID, SOBOL], ids=["grid", "sobol"])
def test_the_same_sweep_again_queues_nothing(desk: Desk, keys: dict[str, Any]) -> None:
    first = desk.queue(**keys)
    before = rows_of(desk.workspace.ledger_path)
    second = desk.queue(**keys)
    assert new(second) == 0
    assert [answer.id for answer in second] == [answer.id for answer in first]
    assert rows_of(desk.workspace.ledger_path) == before


def test_a_grid_with_one_more_value_adds_the_new_cells_alone(desk: Desk) -> None:
    desk.queue(**GRID)
    answers = desk.queue(parameters={"guidance": [3, 5, 7], "num_steps": [10, 20]})
    assert (len(answers), new(answers)) == (6, 2)
    trials = desk.show()["trials"]
    assert [trial["trial"] for trial in trials] == [1, 2, 3, 4, 5, 6]
    assert [trial["assignment"]["guidance"] for trial in trials] == [3, 3, 7, 7, 5, 5]


def test_what_was_queued_by_hand_becomes_part_of_the_sweep(desk: Desk) -> None:
    wishes = wishes_for(desk.ledger, ["kitchen"], {"guidance": 3, "num_steps": 10})
    (by_hand,) = enqueue(desk.ledger, desk.host, wishes, now=NOW)
    answers = desk.queue(**GRID)
    assert new(answers) == 3
    assert desk.show()["trials"][0]["jobs"][0]["id"] == by_hand.id


def test_an_extension_continues_the_sequence_without_repeating_a_trial(desk: Desk) -> None:
    first = [json.loads(assignment) for assignment in desk.plan(**SOBOL, drawn=12).trials]
    desk.queue(**SOBOL)
    assert new(desk.extend(3)) == 3
    assert new(desk.extend(4)) == 4
    assert [trial["assignment"] for trial in desk.show()["trials"]] == first
    assert desk.show()["drawn"] == 12


def test_the_file_again_after_an_extension_changes_nothing(desk: Desk) -> None:
    desk.queue(**SOBOL)
    desk.extend(3)
    assert new(desk.queue(**SOBOL)) == 0
    assert desk.show()["drawn"] == 8
    assert new(desk.extend(1)) == 1
    assert len(desk.show()["trials"]) == 9


def test_an_extension_does_not_bring_back_what_was_removed(desk: Desk) -> None:
    gone = desk.queue(**SOBOL)[0].id
    remove(desk.ledger, [gone])
    assert new(desk.extend(2)) == 2
    assert desk.show()["trials"][0]["jobs"] == []


def test_prompts_whose_own_values_differ_are_each_extended(desk: Desk) -> None:
    other = desk.add("five", parameters={"edge.weight": 1, "seed": 5})
    desk.queue(method="repeat", run_cap=4, prompts=["kitchen", other])
    assert new(desk.extend(4)) == 8
    seeds = "SELECT seed FROM jobs JOIN parameter_sets p ON p.id = parameter_set_id WHERE prompt_id {} '{}' ORDER BY 1"
    assert [seed for (seed,) in desk.sql(seeds.format("!=", other))] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [seed for (seed,) in desk.sql(seeds.format("=", other))] == [5, 6, 7, 8, 9, 10, 11, 12]


def test_a_prompt_that_came_later_catches_up_when_the_sweep_is_extended(desk: Desk) -> None:
    other = desk.add("later", parameters={"edge.weight": 1})
    desk.queue(**SOBOL)
    desk.extend(3)
    desk.queue(**SOBOL, prompts=[other])
    assert new(desk.extend(1)) == 2 + 3
    assert {len(trial["jobs"]) for trial in desk.show()["trials"]} == {2}


def test_fewer_trials_of_the_same_contents_change_nothing(desk: Desk) -> None:
    cubes = {"method": "lhs", "parameters": {"guidance": {"min": 1, "max": 9}}}
    for count in (8, 16, 8):
        desk.queue(**cubes, run_cap=count)
    assert new(desk.extend(4)) == 4
    desk.queue(parameters={"guidance": [1, 2, 3, 4]}, name="whole")
    desk.queue(parameters={"guidance": [1, 2, 3, 4]}, name="whole", run_cap=2)
    with pytest.raises(InvalidInput, match="whole has all of its trials"):
        desk.extend(1, "whole")


def test_a_file_that_names_its_prompts_in_another_way_later_stays_readable(desk: Desk) -> None:
    other = desk.add("another", parameters={"edge.weight": 1})
    desk.queue(parameters={"guidance": [3]})
    for _ in range(2):
        desk.queue(prompts=[], parameters={"prompt": {"values": ["kitchen", other]}, "guidance": [3]})
    assert len(desk.show()["trials"]) == 3


def test_an_extension_of_many_jobs_must_be_meant_too(desk: Desk) -> None:
    desk.queue(**SOBOL)
    with pytest.raises(InvalidInput, match="4 jobs are more than 3"):
        sweeps.extension(desk.ledger, lambda _: desk.host, "night", 4, most=3)
    assert len(sweeps.extension(desk.ledger, lambda _: desk.host, "night", 3, most=3).plan.jobs) == 3


def test_an_extension_whose_trials_are_all_there_queues_nothing(desk: Desk) -> None:
    desk.queue(**SOBOL, drawn=8)
    with desk.ledger.write() as session:
        session.execute(text("UPDATE sweeps SET drawn = 5"))
    assert desk.extend(3) == []
    assert len(desk.show()["trials"]) == 8


def test_a_sweep_of_several_prompts_is_extended_for_all_of_them(desk: Desk) -> None:
    other = desk.add("a harbour", parameters={"edge.weight": 1})
    desk.queue(**SOBOL)
    desk.queue(**SOBOL, prompts=[other])
    assert len(desk.show()["trials"]) == 5
    assert {len(trial["jobs"]) for trial in desk.show()["trials"]} == {2}
    assert new(desk.extend(2)) == 4


def test_a_grid_that_is_whole_cannot_be_extended(desk: Desk) -> None:
    desk.queue(**GRID)
    with pytest.raises(InvalidInput, match="night has all of its trials: add values to its file"):
        desk.extend(1)
    desk.queue(**GRID, run_cap=3, name="capped")
    assert new(desk.extend(1, "capped")) == 0, "the last cell was there already"
    with pytest.raises(InvalidInput, match="capped cannot be extended by 1: found only 4 different trials"):
        desk.extend(1, "capped")


def test_seeds_of_a_study_go_on_counting(desk: Desk) -> None:
    desk.queue(method="repeat", run_cap=3)
    desk.extend(2)
    assert desk.sql("SELECT seed FROM parameter_sets ORDER BY id") == [(1,), (2,), (3,), (4,), (5,)]


def test_again_makes_every_job_once_more_for_the_same_trials(desk: Desk) -> None:
    desk.queue(**GRID)
    assert new(desk.queue(**GRID, again=True)) == 4
    assert {len(trial["jobs"]) for trial in desk.show()["trials"]} == {2}


def test_jobs_of_one_model_are_next_to_each_other_unless_asked_otherwise(desk: Desk) -> None:
    keys = {"controls": [["edge"], ["depth"]], "parameters": {"guidance": [1, 2, 3, 4, 5, 6]}}
    assert desk.plan(**keys).loads(0) == 2
    assert desk.plan(**keys, order="random", sweep_seed=3).loads(0) > 2
    assert desk.plan(**keys, order="random", sweep_seed=3).loads(100) == 2, "a worker that may overtake so far"
    assert 2 <= desk.plan(**keys, order="interleave").loads(0) <= 8
    edges = [row for (row,) in _worked(desk, keys)]
    assert edges == sorted(edges, reverse=True)


def _worked(desk: Desk, keys: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The weights of edge in the order in which a worker would take the jobs."""
    desk.queue(**keys)
    return desk.sql(
        "SELECT edge_weight > 0 FROM jobs JOIN parameter_sets p ON p.id = parameter_set_id ORDER BY jobs.id"
    )


def test_a_trial_is_made_with_every_prompt_before_the_next(desk: Desk) -> None:
    other = desk.add("a harbour", parameters={"edge.weight": 1})
    plan = desk.plan(**GRID, prompts=["kitchen", other])
    assert [job.wish.prompt_id for job in plan.jobs[1::2]] == [other] * 4
    assert len(plan.trials) == 4


def test_each_prompt_keeps_its_own_values_where_nothing_varies(desk: Desk) -> None:
    own = desk.add("own", parameters={"edge.weight": 0.2, "seed": 9}, negative_text="blur")
    desk.queue(**GRID, prompts=["kitchen", own], fixed={"sigma_max": 60})
    found = desk.sql(
        "SELECT DISTINCT edge_weight, seed, negative_prompt = 'blur', sigma_max FROM jobs "
        "JOIN parameter_sets p ON p.id = parameter_set_id ORDER BY edge_weight"
    )
    assert found == [(0.2, 9, 1, 60.0), (1.0, 1, 0, 60.0)]


def test_the_prompt_can_vary_itself(desk: Desk) -> None:
    other = desk.add("a harbour", parameters={"edge.weight": 1})
    kitchen = desk.plan(**GRID).jobs[0].wish.prompt_id
    plan = desk.plan(prompts=[], parameters={"prompt": {"values": ["kitchen", other]}, "guidance": [3, 7]})
    assert [job.wish.prompt_id for job in plan.jobs] == [kitchen, kitchen, other, other]


def test_another_clip_makes_another_prompt_that_is_recorded_with_the_sweep(desk: Desk) -> None:
    video = make_video(desk.workspace.root / "other.mp4", seed=5)
    clips.add(desk.ledger, desk.workspace, "other", [f"input={video}"], now=NOW)
    plan = desk.plan(parameters={"clip": {"values": ["shot", "other"]}, "guidance": [3, 7]})
    assert len(plan.drafts) == 1
    assert len(desk.record(plan)) == 4
    made = {record.clip: record for record in prompts.list_prompts(desk.ledger)}
    assert made["other"].text == made["shot"].text
    assert new(desk.queue(parameters={"clip": {"values": ["shot", "other"]}, "guidance": [3, 7]})) == 0
    with pytest.raises(NotFound, match="nowhere is no clip"):
        desk.plan(parameters={"clip": {"values": ["nowhere"]}})


def test_a_clip_with_its_own_edges_needs_fewer_jobs(desk: Desk) -> None:
    video = make_video(desk.workspace.root / "edges.mp4", seed=6)
    clips.add(desk.ledger, desk.workspace, "edged", [f"input={video}", f"edge={video}"], now=NOW)
    own = desk.add("at the edge", clip="edged", parameters={"edge.weight": 1})
    keys = {"parameters": {"canny_threshold": ["low", "high"]}}
    assert len(desk.plan(**keys, prompts=["kitchen", own]).jobs) == 3


def test_brought_trials_may_name_their_prompts(desk: Desk) -> None:
    other = desk.add("a harbour", parameters={"edge.weight": 1})
    told = [{"prompt": "kitchen", "guidance": 3}, {"prompt": other, "guidance": 7}]
    plan = make_plan(desk.ledger, desk.host, read(Node(value={"trials": told, "name": "mine"})))
    assert [job.wish.values["guidance"] for job in plan.jobs] == [3.0, 7.0]
    with pytest.raises(InvalidInput, match="a trial names no prompt, others do"):
        make_plan(desk.ledger, desk.host, read(Node(value={"trials": [told[0], {"guidance": 5}]})))


def test_more_jobs_than_a_hundred_thousand_must_be_meant(desk: Desk) -> None:
    huge = {"num_steps": {"range": [1, 1001]}, "fps": {"range": [1, 200]}}
    with pytest.raises(InvalidInput, match=r"199,000 jobs are more than 100,000: give --yes if you mean it"):
        desk.plan(parameters=huge)
    assert len(desk.plan(parameters={"guidance": [1, 2, 3]}, most=3).jobs) == 3
    with pytest.raises(InvalidInput, match="3 jobs are more than 2"):
        desk.plan(parameters={"guidance": [1, 2, 3]}, most=2)


def test_the_whole_is_recorded_or_nothing(desk: Desk) -> None:
    plan = desk.plan(**GRID)
    desk.ledger.close()
    with desk.ledger.write() as session:
        session.execute(text("CREATE TRIGGER no BEFORE INSERT ON trial_jobs BEGIN SELECT RAISE(ABORT, 'no'); END"))
    before = rows_of(desk.workspace.ledger_path)
    with pytest.raises(Exception, match="no"):
        desk.record(plan)
    assert rows_of(desk.workspace.ledger_path) == before


def test_ten_thousand_trials_are_queued_in_one_transaction(desk: Desk) -> None:
    plan = desk.plan(method="random", run_cap=10_000, parameters={"guidance": {"min": 1, "max": 9}})
    begun: list[str] = []
    event.listen(
        desk.ledger.engine,
        "before_cursor_execute",
        lambda *a: begun.append(a[2]) if a[2] == "BEGIN IMMEDIATE" else None,
    )
    assert new(desk.record(plan)) == 10_000
    assert begun == ["BEGIN IMMEDIATE"]
    assert desk.sql("SELECT count(*), max(number) FROM trials") == [(10_000, 10_000)]
    assert desk.sql("SELECT count(*) FROM trial_jobs") == [(10_000,)]


def test_a_sweep_remembers_text_seed_and_space(desk: Desk) -> None:
    desk.queue(**SOBOL, sweep_seed=7)
    shown = desk.show()
    assert (shown["text"], shown["method"], shown["sweep_seed"]) == ("as it was", "sobol", 7)
    assert shown["definition"]["parameters"] == {"guidance": {"distribution": "uniform", "min": 1, "max": 9}}


def test_the_rows_of_the_report_name_sweep_and_trial(desk: Desk) -> None:
    desk.queue(**GRID)
    (alone,) = enqueue(desk.ledger, desk.host, wishes_for(desk.ledger, ["kitchen"], {"seed": 5}), now=NOW)
    desk.queue(**GRID, name="later")
    with desk.ledger.read() as session:
        found = {row["id"]: (row["sweep"], row["trial"]) for row in rows.stream(session, query.Filter())}
    assert [found[job_id] for job_id in (1, 2, 3, 4)] == [("night", 1), ("night", 2), ("night", 3), ("night", 4)]
    assert found[alone.id] == (None, None)
    with desk.ledger.read() as session:
        assert query.matching_ids(session, query.Filter(sweep="later")) == [1, 2, 3, 4]


def test_an_export_can_be_brought_back_and_is_the_same_jobs(desk: Desk) -> None:
    desk.queue(controls=[["edge"], ["edge", "depth"]], parameters={"guidance": {"min": 1, "max": 9}}, run_cap=6)
    with desk.ledger.read() as session:
        columns, found = reading.export(session, "night")
        table = "".join(csv_file.lines(found, columns))
    trials, _ = trials_csv.load(table, source="night.csv")
    assert len(trials) == 6
    assert new(desk.queue(trials=trials, name="back")) == 0


def forecast_of(desk: Desk, plan: Plan, rules: Rules | None = None, *, loads: int) -> forecast.Forecast:
    with desk.ledger.read() as session:
        rules = rules or Rules()
        ahead = outlook(session, "sim", rules, max_overtake=100, now=NOW)
        return forecast.forecast(session, ahead, rules, plan.in_line(100), loads=loads, now=NOW)


def test_an_estimate_comes_from_what_was_made_before(desk: Desk) -> None:
    plan = desk.plan(**GRID)
    assert forecast_of(desk, plan, loads=1).gpu_h is None
    desk.record(plan)
    with desk.ledger.write() as session:
        serving = make_session(session, load_s=60.0).id
        for job_id, seconds in ((1, 20.0), (2, 40.0)):
            job = session.get_one(Job, job_id)
            make_attempt(session, job, session_id=serving, generate_s=seconds, status="succeeded")
            job.status = "succeeded"
    cost = forecast_of(desk, plan, loads=2)
    # 60 s over 10 + 20 steps of one clip: 2 s a step.
    assert cost.generate_s == pytest.approx(2 * (10 + 20 + 10 + 20))
    assert cost.load_s == pytest.approx(120)
    assert cost.ahead_s == pytest.approx(60 + 2 * (10 + 20)), "jobs 3 and 4 wait, for a load as well"
    assert cost.ends_at is not None
    assert (cost.ends_at - NOW).total_seconds() == pytest.approx(60 + 60 + 120 + 120)
    assert cost.gpu_h == pytest.approx(240 / 3600)
    # Jobs 3 and 4 leave a minute of this window, too little for a load and a job: all others are the next night's.
    short = Rules(windows=parse_windows(f"{NOW:%H:%M}-{NOW + timedelta(minutes=3):%H:%M}@UTC"))
    assert forecast_of(desk, plan, short, loads=1).ends_at == NOW + timedelta(days=1, minutes=3)


def test_a_long_input_counts_by_its_clips(desk: Desk) -> None:
    longer = make_video(desk.workspace.root / "long.mp4", frames=242, seed=9)
    clips.add(desk.ledger, desk.workspace, "long", [f"input={longer}"], now=NOW)
    own = desk.add("long", clip="long", parameters={"edge.weight": 1})
    plan = desk.plan(parameters={"num_steps": [10]}, prompts=[own])
    (job,) = plan.jobs
    ((sha256, _),) = job.wish.inputs.values()
    for frames, steps in ((242, 30), (241, 20), (121, 10), (1, 10)):
        assert forecast._work(job, {sha256: frames}) == steps
