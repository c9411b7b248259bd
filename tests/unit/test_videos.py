"""Videos that are whole, and every way in which they are not."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmosq.errors import InvalidInput, NotFound
from cosmosq.videos import BrokenVideo, probe, verify
from tests.media import MEDIA, make_frame, make_sound, make_video, packet_starts, picture

FRAMES = 30
FRONT, BACK = "index in front", "index at the end"


class Whole(dict[str, bytes]):
    """Shown by its kinds, as hypothesis warns of long arguments."""

    def __repr__(self) -> str:
        return f"Whole({', '.join(self)})"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The bytes of whole videos in each container, by a name of their kind."""
    folder = tmp_path_factory.mktemp("whole")
    videos = {
        FRONT: make_video(folder / "front.mp4", frames=FRAMES),
        BACK: make_video(folder / "back.mp4", frames=FRAMES, front=False),
        "mkv": make_video(folder / "a.mkv", frames=FRAMES),
        "avi": make_video(folder / "a.avi", frames=FRAMES, codec="mpeg4"),
    }
    return Whole({kind: path.read_bytes() for kind, path in videos.items()})


SUFFIX = {FRONT: ".mp4", BACK: ".mp4", "mkv": ".mkv", "avi": ".avi"}


def test_a_probe_tells_size_rate_and_length(tmp_path: Path) -> None:
    info = probe(make_video(tmp_path / "a.mp4", frames=48, fps=24, width=96, height=64))
    assert (info.width, info.height, info.fps, info.frames, info.duration_s) == (96, 64, 24.0, 48, 2.0)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.avi", "a.mov", "a.ts"])
def test_frames_are_counted_where_the_container_does_not_tell(tmp_path: Path, name: str) -> None:
    path = make_video(tmp_path / name, frames=FRAMES, codec="libvpx-vp9" if name == "a.webm" else "libx264")
    assert probe(path).frames == FRAMES
    assert verify(path).frames == FRAMES


@pytest.mark.parametrize(
    "name", ["with space.mp4", "quo'te\".mp4", "ünï-видео-視.mp4", "take:1.mp4", "%04d.mp4", "a;rm -rf $HOME.mp4"]
)
def test_any_file_name_is_opened_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make_video(tmp_path / "plain.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)) == verify(tmp_path / name)


@pytest.mark.parametrize("check", [probe, verify])
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, check: type) -> None:
    make_video(tmp_path / "whole.mp4")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video\n")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile whole.mp4\n")
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nwhole.mp4\n#EXT-X-ENDLIST\n")
    make_frame(tmp_path / "still.png", picture())
    make_sound(tmp_path / "sound.mp4")
    for path in sorted(set(tmp_path.iterdir()) - {tmp_path / "whole.mp4"}):
        with pytest.raises(InvalidInput) as refusal:
            check(path)
        assert str(path) in str(refusal.value)
        assert "mp4, mov, mkv" in str(refusal.value)


@pytest.mark.parametrize("check", [probe, verify])
def test_a_missing_file_and_a_folder_are_not_found(tmp_path: Path, check: type) -> None:
    for path in (tmp_path / "no.mp4", tmp_path):
        with pytest.raises(NotFound, match="check the path"):
            check(path)


@pytest.mark.parametrize("kind", SUFFIX)
def test_a_whole_video_is_whole(tmp_path: Path, whole: Whole, kind: str) -> None:
    path = tmp_path / f"a{SUFFIX[kind]}"
    path.write_bytes(whole[kind])
    assert verify(path) == probe(path)
    assert verify(path).frames == FRAMES


@pytest.mark.parametrize("kind", SUFFIX)
def test_a_video_cut_short_near_its_end_is_broken(tmp_path: Path, whole: Whole, kind: str) -> None:
    path = tmp_path / f"a{SUFFIX[kind]}"
    for lost in range(1, 80):
        path.write_bytes(whole[kind][:-lost])
        with pytest.raises(BrokenVideo) as refusal:
            verify(path)
        assert str(path) in str(refusal.value)


@pytest.mark.parametrize("kind", SUFFIX)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1, exclude_max=True))
def test_a_video_cut_short_anywhere_is_broken(tmp_path: Path, whole: Whole, kind: str, part: float) -> None:
    path = tmp_path / f"a{SUFFIX[kind]}"
    path.write_bytes(whole[kind][: int(part * len(whole[kind]))])
    with pytest.raises(BrokenVideo):
        verify(path)


@pytest.mark.parametrize(("kept", "complaint"), [(0, "promises 30 frames and has 20"), (9, "frame 21 is incomplete")])
def test_an_index_that_promises_more_than_there_is_is_broken(
    tmp_path: Path, whole: Whole, kept: int, complaint: str
) -> None:
    """The boxes end with the file, but the data ends behind frame 20, or `kept` bytes into the next."""
    path = tmp_path / "a.mp4"
    path.write_bytes(whole[FRONT])
    end = packet_starts(path)[20] + kept
    data = bytearray(whole[FRONT][:end])
    box = data.index(b"mdat") - 4
    data[box : box + 4] = (end - box).to_bytes(4, "big")
    path.write_bytes(data)
    assert probe(path).frames == FRAMES
    with pytest.raises(BrokenVideo, match=complaint):
        verify(path)


def test_fewer_frames_than_promised_are_told_with_both_numbers(tmp_path: Path, whole: Whole) -> None:
    # The index keeps its promise of 30 frames and the file its length, but the frames' data is gone.
    data = bytearray(whole[FRONT])
    start = data.index(b"mdat") + 4
    data[start + (len(data) - start) // 2 :] = bytes(len(data) - start - (len(data) - start) // 2)
    path = tmp_path / "holes.mp4"
    path.write_bytes(data)
    assert probe(path).frames == FRAMES
    with pytest.raises(BrokenVideo, match=r"frame \d+|promises 30 frames and has \d+"):
        verify(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1, exclude_max=True), noise=st.binary(min_size=64, max_size=64))
def test_damage_inside_never_ends_in_another_error(tmp_path: Path, whole: Whole, part: float, noise: bytes) -> None:
    data = bytearray(whole[FRONT])
    at = int(part * (len(data) - len(noise)))
    data[at : at + len(noise)] = noise
    path = tmp_path / "noise.mp4"
    path.write_bytes(data)
    # Damage that decodes to other pixels is beyond what a decoder can see; the hash is there for that.
    with suppress(BrokenVideo):
        verify(path)


def test_a_title_that_is_no_utf_8_is_no_damage(tmp_path: Path, whole: Whole) -> None:
    assert b"Lavf" in whole["mkv"], "the name of the program that wrote it"
    path = tmp_path / "a.mkv"
    path.write_bytes(whole["mkv"].replace(b"Lavf", "L\xe9vf".encode("latin-1")))
    assert verify(path).frames == FRAMES


@pytest.mark.skipif(not MEDIA.is_dir(), reason="NVIDIA's example media are not next to the repository")
def test_nvidias_own_videos_are_whole() -> None:
    for path in sorted(MEDIA.glob("*.mp4")):
        assert verify(path) == probe(path)
        assert verify(path).frames == 121
