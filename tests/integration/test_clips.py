"""Clips from folders, files and frames, recorded in a real ledger."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from cosmosq import clips, migrate
from cosmosq.clips import ClipRecord
from cosmosq.db import Ledger, open_ledger
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of
from cosmosq.models import Prompt, Video
from cosmosq.paths import Workspace
from cosmosq.videos import verify
from tests.media import MEDIA, make_frame, make_frames, make_video, picture

NOW = datetime(2026, 11, 22, 20, 30, tzinfo=UTC)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(root=tmp_path / "work space")
    workspace.folder.mkdir(parents=True)
    migrate.create(workspace.ledger_path)
    return workspace


@pytest.fixture
def ledger(workspace: Workspace) -> Iterator[Ledger]:
    ledger = open_ledger(workspace.ledger_path)
    yield ledger
    ledger.close()


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


class Adding:
    """`clips.add` into one workspace."""

    def __init__(self, ledger: Ledger, workspace: Workspace) -> None:
        self.ledger = ledger
        self.workspace = workspace

    def __call__(
        self,
        name: str,
        *arguments: str | Path,
        replace: bool = False,
        fps: int = 24,
        now: datetime = NOW,
    ) -> ClipRecord:
        texts = [str(argument) for argument in arguments]
        return clips.add(self.ledger, self.workspace, name, texts, fps=fps, replace=replace, now=now)


@pytest.fixture
def add(ledger: Ledger, workspace: Workspace) -> Adding:
    return Adding(ledger, workspace)


def files_of(record: ClipRecord) -> dict[str, str]:
    return {video.role: Path(video.path).name for video in record.videos}


def assert_nothing_recorded(ledger: Ledger) -> None:
    assert clips.list_clips(ledger) == []
    with ledger.read() as session:
        assert session.query(Video).count() == 0


# Folders


def test_a_folder_of_videos_becomes_a_clip(ledger: Ledger, add: Adding, media: Path) -> None:
    for seed, name in enumerate(["Depth.mp4", "kitchen_color.mov", "kitchen-mask.mkv", "kitchen.canny.mp4"]):
        make_video(media / name, seed=seed, frames=24)
    record = add("kitchen", media)
    assert list(files_of(record).items()) == [
        ("input", "kitchen_color.mov"),
        ("depth", "Depth.mp4"),
        ("seg", "kitchen-mask.mkv"),
        ("edge", "kitchen.canny.mp4"),
    ]
    depth = record.videos[1]
    path = media / "Depth.mp4"
    assert depth.path == str(path)
    assert (depth.sha256, depth.bytes) == (sha256_of(path), path.stat().st_size)
    assert (depth.width, depth.height, depth.fps, depth.frames, depth.duration_s) == (64, 48, 24.0, 24, 1.0)
    assert record.notes == ()
    assert clips.get(ledger, "kitchen") == record


def test_what_plays_no_role_in_a_folder_is_named_in_a_note(add: Adding, media: Path) -> None:
    make_video(media / "color.mp4")
    make_video(media / "final.mp4")
    (media / "depth.txt").write_text("no video")
    make_frame(media / "poster.png", picture())
    (media / ".DS_Store").touch()
    record = add("kitchen", media)
    assert files_of(record) == {"input": "color.mp4"}
    assert record.notes == (f"ignored in {media}, as they tell no role: depth.txt, final.mp4, poster.png",)


def test_the_clips_own_files_win_over_those_of_other_clips(add: Adding, media: Path) -> None:
    for seed, name in enumerate(["example1_edge", "example1_input_video", "robot_sample_input", "robot_sample_seg"]):
        make_video(media / f"{name}.mp4", seed=seed)
    assert files_of(add("example1", media)) == {"input": "example1_input_video.mp4", "edge": "example1_edge.mp4"}
    record = add("robot_sample", media)
    assert files_of(record) == {"input": "robot_sample_input.mp4", "seg": "robot_sample_seg.mp4"}
    assert "not robot_sample's: example1_edge.mp4, example1_input_video.mp4" in record.notes[0]
    with pytest.raises(InvalidInput, match=r"example1_input_video\.mp4 and .*robot_sample_input\.mp4 both play input"):
        add("third", media)


@pytest.mark.parametrize("by_name", [False, True])
def test_an_exact_name_wins_over_a_looser_one(add: Adding, media: Path, by_name: bool) -> None:
    exact = make_video(media / "example1_edge.mp4", seed=1)
    loose = make_video(media / "example1_single_control_edge.mp4", seed=2)
    record = add("example1", *([loose, exact] if by_name else [media]))
    assert files_of(record) == {"edge": "example1_edge.mp4"}
    assert f"{loose} is ignored: {exact} plays edge" in record.notes


@pytest.mark.skipif(not MEDIA.is_dir(), reason="NVIDIA's example media are not next to the repository")
def test_nvidias_folder_gives_both_of_its_clips(add: Adding) -> None:
    assert files_of(add("example1", MEDIA)) == {
        "input": "example1_input_video.mp4",
        "depth": "example1_depth.mp4",
        "seg": "example1_seg.mp4",
        "edge": "example1_edge.mp4",
        "vis": "example1_vis.mp4",
    }
    robot = add("robot_sample", MEDIA)
    assert files_of(robot) == {"input": "robot_sample_input.mp4", "seg": "robot_sample_seg.mp4"}
    assert {video.frames for video in robot.videos} == {121}


def test_two_files_for_one_role_are_refused_by_name(ledger: Ledger, add: Adding, media: Path) -> None:
    make_video(media / "kitchen_seg.mp4", seed=1)
    make_video(media / "kitchen_mask.mp4", seed=2)
    with pytest.raises(InvalidInput, match=r"kitchen_mask\.mp4 and .*kitchen_seg\.mp4 both play seg: .*seg=PATH"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)


def test_the_same_file_given_twice_is_no_collision(add: Adding, media: Path) -> None:
    path = make_video(media / "kitchen_depth.mp4")
    record = add("kitchen", media, path, media / ".." / "media" / path.name)
    assert files_of(record) == {"depth": "kitchen_depth.mp4"}


def test_a_link_plays_the_role_of_its_own_name(add: Adding, media: Path, tmp_path: Path) -> None:
    target = make_video(tmp_path / "store" / "4711.mp4")
    (media / "depth.mp4").symlink_to(target)
    for argument in (media, media / "depth.mp4"):
        record = add("kitchen", argument, replace=True)
        assert [(video.role, video.path) for video in record.videos] == [("depth", str(target))]


def test_an_empty_folder_is_refused_with_the_names_that_would_do(ledger: Ledger, add: Adding, media: Path) -> None:
    with pytest.raises(InvalidInput, match=r"role=PATH .*colour, .*segmentation"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)


# Named files


def test_named_files_win_over_those_of_a_folder(add: Adding, media: Path, tmp_path: Path) -> None:
    make_video(media / "kitchen_depth.mp4")
    make_video(media / "kitchen_color.mp4")
    better = make_video(tmp_path / "better_depth.mp4", seed=5)
    record = add("kitchen", media, better)
    assert files_of(record) == {"input": "kitchen_color.mp4", "depth": "better_depth.mp4"}
    assert record.notes == (f"{media / 'kitchen_depth.mp4'} is ignored: {better} plays depth",)


def test_a_said_role_wins_over_any_name(add: Adding, media: Path) -> None:
    make_video(media / "kitchen_depth.mp4", seed=1)
    odd = make_video(media / "kitchen_edge.mp4", seed=2)
    record = add("kitchen", media / "kitchen_depth.mp4", f"depth={odd}", f"Colour={odd}")
    assert files_of(record) == {"input": "kitchen_edge.mp4", "depth": "kitchen_edge.mp4"}


def test_a_named_file_without_a_role_is_refused_with_the_remedy(ledger: Ledger, add: Adding, media: Path) -> None:
    path = make_video(media / "shot.mp4")
    with pytest.raises(InvalidInput, match=r"shot\.mp4 tells no role: write role=PATH .*color, colour, rgb"):
        add("kitchen", path)
    assert_nothing_recorded(ledger)


def test_a_word_that_is_no_role_is_refused(add: Adding, media: Path) -> None:
    path = make_video(media / "shot.mp4")
    with pytest.raises(InvalidInput, match="dept is no role: use input, depth, seg"):
        add("kitchen", f"dept={path}")


@pytest.mark.parametrize("argument", ["{}/no.mp4", "{}/no_depth.mp4", "depth={}/no.mp4", "{}/depth.####.png", "{}/no/"])
def test_a_path_that_does_not_exist_is_named(ledger: Ledger, add: Adding, media: Path, argument: str) -> None:
    with pytest.raises(NotFound, match=str(media)):
        add("kitchen", argument.format(media))
    assert_nothing_recorded(ledger)


def test_a_file_that_is_no_video_leaves_nothing_recorded(ledger: Ledger, add: Adding, media: Path) -> None:
    make_video(media / "color.mp4")
    (media / "depth.mp4").write_text("no video")
    with pytest.raises(InvalidInput, match=r"depth\.mp4 is no video"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)


def test_half_a_video_leaves_nothing_recorded(ledger: Ledger, add: Adding, media: Path) -> None:
    data = make_video(media / "color.mp4", frames=24).read_bytes()
    (media / "color.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InvalidInput, match=r"color\.mp4 is cut short: at least \d+ bytes are missing from its end"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)


def test_a_single_image_is_no_video(add: Adding, media: Path) -> None:
    path = make_frame(media / "depth.png", picture())
    with pytest.raises(InvalidInput, match="single image without a number"):
        add("kitchen", path)


@pytest.mark.parametrize("name", ['it\'s a "kitchen"', "küche 視頻", "a=b", "a;rm -rf $HOME", "-rf", "#1 %04d"])
def test_any_folder_and_file_name_works(add: Adding, media: Path, name: str) -> None:
    make_video(media / name / f"{name}_color.mp4")
    make_frames(media / name, f"{name}_depth", frames=12)
    record = add(name, media / name)
    assert [video.role for video in record.videos] == ["input", "depth"]
    assert record.videos[0].path == str(media / name / f"{name}_color.mp4")


def test_paths_are_recorded_absolute(add: Adding, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(media / "color.mp4", seed=1)
    make_video(media / "x.mp4", seed=2)
    monkeypatch.chdir(media)
    assert [video.path for video in add("kitchen", "color.mp4", "depth=./x.mp4").videos] == [
        str(media / "color.mp4"),
        str(media / "x.mp4"),
    ]


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
def test_a_path_that_is_no_text_is_refused(add: Adding, media: Path) -> None:
    path = make_video(media / "x.mp4").rename(os.fsdecode(os.fsencode(media) + b"/\xff_depth.mp4"))
    with pytest.raises(InvalidInput, match="no UTF-8: rename it"):
        add("kitchen", path)
    with pytest.raises(InvalidInput, match="no UTF-8: rename it"):
        add("kitchen", media)


@pytest.mark.skipif(os.name != "posix", reason="file names are bytes on POSIX alone")
def test_a_note_shows_names_that_are_no_text_in_plain_letters(add: Adding, media: Path) -> None:
    make_video(media / "color.mp4")
    Path(os.fsdecode(os.fsencode(media) + b"/\xff\x1b[31m\n")).touch()
    (note,) = add("kitchen", media).notes
    assert note.endswith(r"'\udcff\x1b[31m\n'")


# Numbered frames


def test_folders_of_frames_become_videos_of_the_workspace(add: Adding, workspace: Workspace, media: Path) -> None:
    for seed, name in enumerate(["color", "depth", "segmentation"]):
        make_frames(media, name, frames=5, seed=seed, width=65)
    record = add("kitchen", media, fps=30)
    assert [video.role for video in record.videos] == ["input", "depth", "seg"]
    for video in record.videos:
        path = Path(video.path)
        assert path == workspace.videos_path / f"{sha256_of(path)}.mp4"
        info = verify(path)
        assert (info.width, info.frames, info.fps) == (66, 5, 30.0)
    assert len(list(workspace.videos_path.iterdir())) == 3
    assert record.notes == ()


@pytest.mark.parametrize("pattern", ["depth.####.png", "depth.%04d.png", "depth.$F4.png", "depth.0002.png"])
def test_a_pattern_or_any_of_its_frames_names_a_sequence(add: Adding, media: Path, pattern: str) -> None:
    make_frames(media, "depth", frames=3)
    for argument in (str(media / pattern), f"depth={media / pattern}"):
        record = add("kitchen", argument, replace=True)
        assert [(video.role, video.frames) for video in record.videos] == [("depth", 3)]


def test_all_frames_that_a_shell_lists_are_one_sequence(add: Adding, media: Path) -> None:
    record = add("kitchen", *make_frames(media, "kitchen_color", frames=4))
    assert [(video.role, video.frames) for video in record.videos] == [("input", 4)]


def test_a_folder_lends_its_name_to_frames_without_one(add: Adding, media: Path) -> None:
    for name in ("beauty", "Depth"):
        for number in (1, 2):
            make_frame(media / name / f"{number:04d}.png", picture(number))
    assert [video.role for video in add("kitchen", media).videos] == ["input", "depth"]
    assert [video.role for video in add("depth alone", media / "Depth").videos] == ["depth"]
    assert [video.role for video in add("said", f"seg={media / 'Depth'}").videos] == ["seg"]


def test_a_said_folder_must_hold_one_thing(add: Adding, media: Path) -> None:
    make_frames(media, "a")
    make_frames(media, "b")
    with pytest.raises(InvalidInput, match=r"2 videos and sequences \(a\.####\.png, b\.####\.png\)"):
        add("kitchen", f"depth={media}")


def test_equal_frames_are_encoded_to_one_video(add: Adding, workspace: Workspace, media: Path) -> None:
    make_frames(media, "color")
    first = add("one", media).videos[0]
    assert add("two", media).videos[0] == first
    assert [path.name for path in workspace.videos_path.iterdir()] == [f"{first.sha256}.mp4"]


def test_gaps_are_refused_with_the_missing_numbers(
    ledger: Ledger, add: Adding, workspace: Workspace, media: Path
) -> None:
    make_frames(media, "color", frames=20)
    for number in (7, 10, 11, 12):
        (media / f"color.{number:04d}.png").unlink()
    with pytest.raises(InvalidInput, match=r"color\.####\.png lacks frame 0007, 0010-0012"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)
    assert not workspace.videos_path.exists()


def test_gaps_in_frames_that_play_no_role_do_not_matter(add: Adding, media: Path) -> None:
    make_frames(media, "color")
    make_frames(media, "normals")
    (media / "normals.0002.png").unlink()
    record = add("kitchen", media)
    assert [video.role for video in record.videos] == ["input"]
    assert "normals.####.png" in record.notes[0]


def test_sequences_of_unequal_length_are_refused_with_the_missing_numbers(
    ledger: Ledger, add: Adding, media: Path
) -> None:
    make_frames(media, "color", frames=10)
    make_frames(media, "depth", frames=7)
    with pytest.raises(InvalidInput, match=r"depth\.####\.png \(7 frames\) lacks 0008-0010"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)


def test_equally_long_sequences_with_other_numbers_give_a_note(add: Adding, media: Path) -> None:
    make_frames(media, "color", frames=4)
    make_frames(media, "depth", frames=4, first=1001)
    assert "color.####.png 1-4, depth.####.png 1001-1004" in add("kitchen", media).notes[0]


def test_frames_of_different_sizes_leave_nothing(
    ledger: Ledger, add: Adding, workspace: Workspace, media: Path
) -> None:
    make_frames(media, "color")
    make_frame(media / "color.0003.png", picture(width=32, height=32))
    with pytest.raises(InvalidInput, match="32×32"):
        add("kitchen", media)
    assert_nothing_recorded(ledger)
    assert list(workspace.videos_path.iterdir()) == []


def test_depth_that_had_to_be_brightened_is_told(add: Adding, media: Path) -> None:
    ramp = np.tile(np.linspace(0, 4000, 64), (48, 1)).astype(np.uint16)
    make_frame(media / "depth.0001.png", ramp)
    (brightened, _) = add("kitchen", media).notes
    assert "0.061 times the full range is shown as white" in brightened


@pytest.mark.parametrize("fps", [0, -1, 241])
def test_an_impossible_rate_is_refused(add: Adding, media: Path, fps: int) -> None:
    make_frames(media, "color")
    with pytest.raises(InvalidInput, match="give 1 to 240"):
        add("kitchen", media, fps=fps)


# Names, records and the ledger


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\x00b", "\x1b[31m", "x" * 201, "\udcff"])
def test_a_name_that_cannot_be_shown_is_refused(ledger: Ledger, add: Adding, media: Path, name: str) -> None:
    make_video(media / "color.mp4")
    with pytest.raises(InvalidInput, match="name"):
        add(name, media)
    assert_nothing_recorded(ledger)


@pytest.mark.parametrize("name", ["x", "x" * 200, "küche", "a b", "it's"])
def test_any_plain_name_will_do(ledger: Ledger, add: Adding, media: Path, name: str) -> None:
    make_video(media / "color.mp4")
    add(name, media)
    assert clips.get(ledger, name).name == name


def test_a_taken_name_is_refused_unless_replaced(ledger: Ledger, add: Adding, media: Path, tmp_path: Path) -> None:
    make_video(media / "color.mp4", seed=1)
    make_video(media / "seg.mp4", seed=2)
    first = add("kitchen", media)
    other = make_video(tmp_path / "other_color.mp4", seed=3)
    with pytest.raises(InvalidInput, match="--replace"):
        add("kitchen", other)
    assert clips.get(ledger, "kitchen") == first
    second = add("kitchen", other, replace=True, now=NOW + timedelta(days=1))
    assert (second.id, second.created_at) == (first.id, NOW)
    assert files_of(clips.get(ledger, "kitchen")) == {"input": "other_color.mp4"}
    assert len(clips.list_clips(ledger)) == 1


def test_of_two_that_add_one_name_at_once_one_is_refused(ledger: Ledger, add: Adding, media: Path) -> None:
    paths = [make_video(media / f"{seed}_color.mp4", seed=seed) for seed in range(6)]
    start = Barrier(len(paths))

    def attempt(path: Path) -> ClipRecord | None:
        start.wait()
        try:
            return add("kitchen", path)
        except InvalidInput:
            return None

    with ThreadPoolExecutor(len(paths)) as pool:
        (winner,) = [record for record in pool.map(attempt, paths) if record]
    assert clips.list_clips(ledger) == [winner]


def test_a_moved_video_is_the_same_video_at_a_new_path(
    ledger: Ledger, add: Adding, media: Path, tmp_path: Path
) -> None:
    make_video(media / "color.mp4")
    before = add("before", media).videos[0]
    shutil.move(media, tmp_path / "moved")
    after = add("after", tmp_path / "moved", now=NOW + timedelta(days=1)).videos[0]
    assert after.sha256 == before.sha256
    assert after.path == str(tmp_path / "moved" / "color.mp4")
    assert clips.get(ledger, "before").videos == (after,)
    with ledger.read() as session:
        assert [video.created_at for video in session.query(Video)] == [NOW]


def test_controls_of_another_length_give_a_note_then_and_later(ledger: Ledger, add: Adding, media: Path) -> None:
    make_video(media / "color.mp4", frames=24)
    make_video(media / "depth.mp4", frames=12)
    make_video(media / "seg.mp4", frames=24, width=32, height=32)
    record = add("kitchen", media)
    assert record.notes == ("depth has 12 frames (0.5 s) and the input 24 (1 s): the engine cuts or pads",)
    assert clips.get(ledger, "kitchen").notes == record.notes


def test_a_clip_without_input_is_told_what_that_means(add: Adding, media: Path) -> None:
    make_video(media / "depth.mp4")
    assert "sigma_max of 80" in add("kitchen", media).notes[0]


def test_a_misspelt_name_is_answered_with_the_nearest(ledger: Ledger, add: Adding, media: Path) -> None:
    make_video(media / "color.mp4")
    for name in ("kitchen", "kitchen2", "garage"):
        add(name, media)
    with pytest.raises(NotFound, match=r"kitchn is no clip \(did you mean kitchen\?\)"):
        clips.get(ledger, "kitchn")
    with pytest.raises(NotFound, match=r"^7 is no clip: "):
        clips.remove(ledger, "7")
    assert [record.name for record in clips.list_clips(ledger)] == ["kitchen", "kitchen2", "garage"]


def make_prompt(ledger: Ledger, clip: ClipRecord, identity: str, name: str | None = None) -> None:
    with ledger.write() as session:
        session.add(Prompt(id=identity, name=name, text="a kitchen", clip_id=clip.id, parameters={}, created_at=NOW))


def test_a_clip_that_prompts_use_is_kept(ledger: Ledger, add: Adding, media: Path) -> None:
    make_video(media / "color.mp4")
    record = add("kitchen", media)
    make_prompt(ledger, record, "ps_000000000001", "night")
    make_prompt(ledger, record, "ps_000000000002")
    with pytest.raises(InvalidInput, match=r"used by prompts \(night, ps_000000000002\): remove them first"):
        clips.remove(ledger, "kitchen")
    assert clips.get(ledger, "kitchen") == record


def test_a_removed_clip_is_gone_and_its_files_stay(ledger: Ledger, add: Adding, media: Path) -> None:
    path = make_video(media / "color.mp4")
    add("kitchen", media)
    clips.remove(ledger, "kitchen")
    assert clips.list_clips(ledger) == []
    assert path.is_file()
    assert files_of(add("kitchen", media)) == {"input": "color.mp4"}


def test_the_json_of_a_clip_has_every_field(add: Adding, media: Path) -> None:
    make_video(media / "depth.mp4", frames=24)
    record = add("kitchen", media)
    written = json.loads(json.dumps(record.as_json()))
    assert written["created_at"] == "2026-11-22T20:30:00+00:00"
    assert list(written) == ["id", "name", "created_at", "videos", "notes"]
    assert list(written["videos"][0]) == [
        *("role", "sha256", "path", "bytes", "width", "height", "fps", "frames", "duration_s")
    ]


def test_the_same_videos_are_found_as_the_clip_they_are(ledger: Ledger, workspace: Workspace, media: Path) -> None:
    color, depth = make_video(media / "a.mp4", seed=1), make_video(media / "b.mp4", seed=2)
    inputs = {"input": color, "depth": depth}
    assert clips.add_or_find(ledger, workspace, "spec", inputs, now=NOW) == "spec"
    assert clips.add_or_find(ledger, workspace, "other", inputs, now=NOW) == "spec"
    assert clips.add_or_find(ledger, workspace, "spec", {"input": color}, now=NOW) == "spec-2"
    assert len(clips.list_clips(ledger)) == 2
    with pytest.raises(InvalidInput, match="upscale is no role"):
        clips.add_or_find(ledger, workspace, "x", {"upscale": color}, now=NOW)
    with pytest.raises(InvalidInput, match="has no video"):
        clips.add_or_find(ledger, workspace, "x", {}, now=NOW)


def test_clips_are_listed_without_loading_the_decoder() -> None:
    code = "import sys, cosmosq.clips; sys.exit('av' in sys.modules or 'numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
