"""From prompts and parameters to queued jobs: what is the same, what is pinned, all or none."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cosmosq import claims, clips, prompts
from cosmosq.claims import Outcome
from cosmosq.config import HostConfig, load_config
from cosmosq.db import Ledger, open_ledger
from cosmosq.engines.assignment import from_columns
from cosmosq.enqueue import Enqueued, enqueue
from cosmosq.errors import CosmosqError, InvalidInput, NotFound
from cosmosq.models import Job, ParameterSet
from cosmosq.paths import Workspace
from cosmosq.prompts import Draft
from cosmosq.report import detail
from cosmosq.status import Kind, Status
from cosmosq.upscale_wishes import upscales_for
from cosmosq.wishes import Wish, wishes_for
from tests.acceptance.command_line import rows
from tests.ledger_rows import NOW
from tests.media import make_video


class Desk:
    """Someone who enqueues in a workspace with clip `shot` and prompt `kitchen`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.ledger: Ledger = open_ledger(workspace.ledger_path)
        self.host: HostConfig = load_config(workspace.config_path).host()

    def wishes(self, *names: str, **overrides: Any) -> list[Wish]:
        given = {name.replace("_weight", ".weight"): value for name, value in overrides.items()}
        return wishes_for(self.ledger, names or ("kitchen",), given)

    def place(self, wishes: list[Wish], **how: Any) -> list[Enqueued]:
        return enqueue(self.ledger, how.pop("host", self.host), wishes, now=NOW, **how)

    def one(self, *names: str, again: bool = False, **overrides: Any) -> Enqueued:
        (answer,) = self.place(self.wishes(*names, **overrides), again=again)
        return answer

    def job(self, job_id: int) -> dict[str, Any]:
        with self.ledger.read() as session:
            return detail.job(session, job_id)

    def add(self, text: str, **more: Any) -> str:
        return prompts.add(self.ledger, [Draft(**{"text": text, "clip": "shot", **more})], NOW)[0].id

    def end(self, job_id: int, status: Status) -> None:
        claim = claims.claim(self.ledger, "sim", "me", simulated=True, now=NOW, only=[job_id])
        assert claim is not None
        claims.finish(self.ledger, claim, Outcome(status=status), retries=0, now=NOW)


@pytest.fixture
def desk(workspace: Workspace) -> Iterator[Desk]:
    desk = Desk(workspace)
    yield desk
    desk.ledger.close()


def test_the_prompts_own_parameters_hold_where_none_is_given(desk: Desk) -> None:
    own = desk.add("own", parameters={"seed": 5, "guidance": 3, "edge.weight": 0.2}, negative_text="blur")
    job = desk.job(desk.one(own, guidance="8").id)
    assert job["changed"] == {"negative_prompt": "blur", "guidance": 8.0, "seed": 5, "edge.weight": 0.2}


@pytest.mark.parametrize(
    "idle",
    [
        {"blur_strength": "high"},
        {"seg.control_prompt": "a cup"},
        {"depth.checkpoint": "other.pt"},
        {"canny_threshold": "high", "edge_weight": 0, "seg_weight": 1},
        {"use_distilled": True, "num_steps": 7, "guidance": 9},
    ],
    ids=str,
)
def test_a_parameter_that_cannot_act_makes_no_other_job(desk: Desk, idle: dict[str, Any]) -> None:
    acting = {name: value for name, value in idle.items() if name in ("edge_weight", "seg_weight", "use_distilled")}
    first = desk.one(**acting)
    again = desk.one(**idle)
    assert (again.id, again.new) == (first.id, False)


def test_a_parameter_that_acts_makes_another_job(desk: Desk) -> None:
    assert desk.one().id != desk.one(canny_threshold="high").id
    assert desk.one(vis_weight=1).id != desk.one(vis_weight=1, blur_strength="high").id


def test_the_parameters_are_stored_in_typed_columns_once_a_set(desk: Desk) -> None:
    other = desk.add("another", parameters={"edge.weight": 1})
    ids = [desk.one(name, seed=2**32 - 1).id for name in ("kitchen", other)]
    with desk.ledger.read() as session:
        assert {session.get_one(Job, job_id).parameter_set_id for job_id in ids} == {1}
        stored = session.get_one(ParameterSet, 1)
        values = from_columns({c.name: getattr(stored, c.name) for c in ParameterSet.__table__.columns})
    assert (values["seed"], values["edge.weight"]) == (2**32 - 1, 1.0)
    assert all(type(value) in (int, float, str, bool) for value in values.values())


def test_the_same_job_again_is_reported_and_skipped(desk: Desk) -> None:
    first = desk.one(guidance=7)
    before = rows(desk.ledger.path)
    again = desk.one(guidance="7.0")
    assert (again.id, again.new, again.status) == (first.id, False, "queued")
    assert rows(desk.ledger.path) == before


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.FAILED, Status.BLOCKED, Status.CANCELLED])
def test_a_job_that_has_ended_is_the_same_still(desk: Desk, status: Status) -> None:
    first = desk.one()
    desk.end(first.id, status)
    again = desk.one()
    assert (again.id, again.new, again.status) == (first.id, False, status)


def test_again_makes_another_job_of_the_same_digest(desk: Desk) -> None:
    first, second = desk.one(), desk.one(again=True)
    assert second.new
    assert second.id != first.id
    assert desk.job(first.id)["digest"] == desk.job(second.id)["digest"]
    assert desk.one().id == second.id, "the newest of them is the one that is reported"


def test_another_prompt_value_clip_content_engine_or_kind_is_another_job(desk: Desk, tmp_path: Path) -> None:
    found = [desk.one(), desk.one(seed=2), desk.one(edge_weight=0.9), desk.one(desk.add("x", parameters={"seed": 1}),
             edge_weight=1)]  # fmt: skip
    real = HostConfig(**{**vars(desk.host), "engine": "cosmos_transfer1"})
    found += desk.place(desk.wishes(), host=real)
    found += desk.place(upscales_for(desk.ledger, [found[0].id], {}))
    video = make_video(tmp_path / "input.mp4", seed=77)
    clips.add(desk.ledger, desk.workspace, "shot", [f"input={video}"], replace=True, now=NOW)
    found.append(desk.one())
    assert all(answer.new for answer in found)
    assert len({answer.id for answer in found}) == len(found) == 7
    assert len({desk.job(answer.id)["digest"] for answer in found}) == 7


def test_a_prompt_that_is_named_twice_is_queued_once(desk: Desk) -> None:
    first, second = desk.place(desk.wishes("kitchen", "kitchen"))
    assert (first.id, first.new, second.new) == (second.id, True, False)
    both = desk.place(desk.wishes("kitchen", "kitchen"), again=True)
    assert [answer.new for answer in both] == [True, True]
    assert len({answer.id for answer in (first, *both)}) == 3


def test_a_control_that_no_hint_uses_makes_no_difference(desk: Desk) -> None:
    job = desk.job(desk.one(depth_weight=0.5).id)
    assert [needed["role"] for needed in job["inputs"]] == ["depth", "input"]
    assert [needed["role"] for needed in desk.job(desk.one().id)["inputs"]] == ["input"]


def test_inputs_are_pinned_by_hash_and_outlive_their_clip(desk: Desk, tmp_path: Path) -> None:
    job_id = desk.one().id
    before = desk.job(job_id)["inputs"]
    clips.add(
        desk.ledger, desk.workspace, "shot", [f"input={make_video(tmp_path / 'b.mp4', seed=5)}"], replace=True, now=NOW
    )
    assert desk.job(job_id)["inputs"] == before
    assert before[0]["sha256"] != desk.job(desk.one().id)["inputs"][0]["sha256"]


def test_jobs_are_held_labelled_and_ordered_as_told(desk: Desk) -> None:
    (answer,) = desk.place(desk.wishes(), held=True, priority=-3, labels={"night": "one", "wörd": "🎬 = x"})
    job = desk.job(answer.id)
    assert (job["status"], job["priority"], job["labels"]) == ("held", -3, {"night": "one", "wörd": "🎬 = x"})
    assert [event["event"] for event in job["events"]] == ["held"]
    assert (job["host"], job["engine"], job["kind"]) == ("sim", "simulated", "transfer")


def test_every_prompt_is_meant_where_none_is_named(desk: Desk) -> None:
    desk.add("second", parameters={"vis.weight": 0.5})
    assert len(desk.place(wishes_for(desk.ledger, None, {}))) == 2


def test_jobs_are_recorded_all_or_none(desk: Desk) -> None:
    desk.add("no hint", name="bare")
    before = rows(desk.ledger.path)
    for names, error in ((("kitchen", "bare"), InvalidInput), (("kitchen", "none"), NotFound)):
        with pytest.raises(error):
            desk.place(desk.wishes(*names))
    with pytest.raises(InvalidInput, match="prompt bare: no hint has a weight"):
        desk.wishes("bare")
    wishes = desk.wishes()
    broken = [*wishes, Wish(prompt_id="ps_nobody", kind=Kind.TRANSFER, values=wishes[0].values)]
    with pytest.raises(Exception, match="FOREIGN KEY constraint failed"):
        desk.place(broken)
    assert rows(desk.ledger.path) == before


def test_a_thousand_jobs_are_one_transaction(desk: Desk) -> None:
    drafts = [
        Draft(text=f"prompt {number}", clip="shot", parameters={"edge.weight": 0.5, "seed": number})
        for number in range(1000)
    ]
    prompts.add(desk.ledger, drafts, NOW)
    answers = desk.place(wishes_for(desk.ledger, None, {}))
    assert len({answer.id for answer in answers}) == 1001
    assert all(answer.new for answer in answers)
    assert [answer.id for answer in answers] == sorted(answer.id for answer in answers)
    with desk.ledger.read() as session:
        parameters = {session.get_one(Job, answer.id).parameter_set_id for answer in answers}
    assert len(parameters) == 1001
    assert not any(answer.new for answer in desk.place(wishes_for(desk.ledger, None, {})))


# Upscales


def test_an_upscale_depends_on_its_source_and_keeps_what_belongs_to_the_prompt(desk: Desk) -> None:
    source = desk.one(seed=9, guidance=3, num_steps=50, fps=30)
    (answer,) = desk.place(upscales_for(desk.ledger, [source.id], {"num_steps": "4"}, weight=0.7))
    job = desk.job(answer.id)
    assert (job["kind"], job["depends_on"], job["prompt_id"]) == ("upscale", [source.id], source.prompt_id)
    assert job["changed"] == {"num_steps": 4, "guidance": 3.0, "seed": 9, "fps": 30, "upscale.weight": 0.7}
    assert job["inputs"] == []


def test_an_upscale_of_an_upscale_of_a_failure_or_of_nothing_is_refused(desk: Desk) -> None:
    source = desk.one()
    (upscale,) = desk.place(upscales_for(desk.ledger, [source.id], {}))
    failed = desk.one(seed=2)
    desk.end(failed.id, Status.FAILED)
    before = rows(desk.ledger.path)
    refusals = {
        upscale.id: f"job {upscale.id} is an upscale already: give the job it upscales",
        failed.id: f"job {failed.id} is failed and has no result: `cosmosq retry {failed.id}` first",
        99: "99 is no job: `cosmosq status` shows them",
    }
    for job_id, message in refusals.items():
        with pytest.raises(CosmosqError) as refused:
            upscales_for(desk.ledger, [source.id, job_id], {})
        assert str(refused.value) == message
    with pytest.raises(InvalidInput, match=r"upscale.weight goes with no other weight"):
        upscales_for(desk.ledger, [source.id], {"edge.weight": 0.5})
    assert rows(desk.ledger.path) == before


def test_a_copy_of_a_video_elsewhere_is_the_same_input(desk: Desk, tmp_path: Path) -> None:
    first = desk.one()
    path = Path(desk.job(first.id)["inputs"][0]["path"])
    copy = shutil.copy(path, tmp_path / "input.mp4")
    clips.add(desk.ledger, desk.workspace, "shot", [f"input={copy}"], replace=True, now=NOW)
    assert desk.one().id == first.id
