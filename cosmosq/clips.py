"""Clips: named sets of input videos, found in folders by their names."""

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import IntEnum
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of, writing
from cosmosq.frames import (
    SUFFIXES,
    FrameSequence,
    encode,
    find_sequences,
    is_frame,
    is_pattern,
    ranges_of,
    ranges_text,
    refuse_gaps,
    white_level,
)
from cosmosq.models import Clip, ClipVideo, Prompt, Video
from cosmosq.paths import Workspace

ROLES = ("input", "depth", "seg", "edge", "vis", "keypoint", "hdmap", "lidar")

NAMES: dict[str, tuple[str, ...]] = {
    "input": ("color", "colour", "rgb", "input", "beauty"),
    "depth": ("depth", "z"),
    "seg": ("seg", "segmentation", "mask"),
    "edge": ("edge", "edges", "canny"),
    "vis": ("vis", "blur"),
    "keypoint": ("keypoint", "keypoints", "pose"),
    "hdmap": ("hdmap",),
    "lidar": ("lidar",),
}
"""The words in a file's name that tell its role."""

ROLE_OF = {word: role for role, words in NAMES.items() for word in words}
VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".ogv", ".wmv", ".mxf")
)
NAMES_SHOWN = 5
NAME_LIMIT = 200
MAX_FPS = 240


class Fit(IntEnum):
    """How surely a name says that a file plays a role in the clip; the lowest wins."""

    OWN = 0
    """`CLIP_depth.mp4`, `CLIP_depth_video.mp4`"""
    OWN_LOOSE = 1
    """`CLIP_take_3_depth.mp4`"""
    BARE = 2
    """`depth.mp4`, `depth_v2.mp4`"""
    OTHER = 3
    """`anything_depth.mp4`"""


@dataclass(frozen=True, kw_only=True)
class ClipVideoRecord:
    """One video of a clip: its role, its contents and where it lies."""

    role: str
    sha256: str
    path: str
    bytes: int
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class ClipRecord:
    """A clip as the ledger has it, videos in the order of ROLES, and what a person should know of it."""

    id: int
    name: str
    created_at: datetime
    videos: tuple[ClipVideoRecord, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at.isoformat(),
            "videos": [asdict(video) for video in self.videos],
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A video file or a sequence of frames that may play a role."""

    role: str
    rank: tuple[int, int]
    path: Path
    sequence: FrameSequence | None = None


# How a source came in, before its fit counts: said with role=, named, found in a folder.
SAID, NAMED, FOUND = range(3)


def add(
    ledger: Ledger,
    workspace: Workspace,
    name: str,
    arguments: Sequence[str],
    *,
    fps: int = 24,
    replace: bool = False,
    now: datetime,
) -> ClipRecord:
    """Record a clip of videos and numbered frames; nothing is recorded unless all of it can be.

    Args:
        arguments: folders, videos, patterns of frames (`color.####.png`), and `role=path` of any of these.
        fps: frames a second of the videos that are made of frames.
        replace: give an existing clip these videos; its id, its prompts and what its jobs were pinned to stay.

    Raises:
        NotFound: a path does not exist.
        InvalidInput: the name is taken or no name, a file plays no role or no video, two play the same, or frames
            are missing.
        StorageFailed: the frames could not be encoded for want of space or permission.
    """
    _check_name(name)
    if not 1 <= fps <= MAX_FPS:
        raise InvalidInput(f"{fps} frames a second is not possible: give 1 to {MAX_FPS}")
    if not replace:
        with ledger.read() as session:
            _refuse_taken(session, name)
    sources, notes = _collect(name, arguments)
    notes += _compare_frames([source.sequence for source in sources if source.sequence])
    # Files first: encoding takes minutes, and a file that is no video would be told only after them.
    videos = [_describe(source.role, source.path) for source in sources if source.sequence is None]
    for source in sources:
        if source.sequence is not None:
            white = white_level(source.sequence)
            videos.append(_describe(source.role, _encoded(workspace.videos_path, source.sequence, fps, white)))
            if white != 1.0:
                notes.append(f"{_shown(str(source.path))}: {white:.3g} times the full range is shown as white")
    with ledger.write() as session:
        if not replace:
            _refuse_taken(session, name)
        record = _store(session, name, videos, now)
    return _with_notes(record, notes)


def add_or_find(ledger: Ledger, workspace: Workspace, name: str, inputs: Mapping[str, Path], *, now: datetime) -> str:
    """The name of the clip with exactly these videos by role; recorded under `name`, or `name-2`, …, if there is none.

    Raises:
        NotFound: a path does not exist.
        InvalidInput: an unknown role, or a file that is no video.
    """
    _check_name(name)
    if unknown := sorted(set(inputs) - set(ROLES)):
        raise InvalidInput(f"{unknown[0]} is no role: use {', '.join(ROLES)}")
    if not inputs:
        raise InvalidInput(f"the clip {name} has no video: give it at least one")
    videos = [_describe(role, path) for role, path in inputs.items()]
    wanted = {(video.role, video.sha256) for video in videos}
    with ledger.write() as session:
        records = _records(session)
        for record in records:
            if {(video.role, video.sha256) for video in record.videos} == wanted:
                return record.name
        taken, number, free = {record.name for record in records}, 1, name
        while free in taken:
            number += 1
            free = f"{name[: NAME_LIMIT - 8]}-{number}"
        return _store(session, free, videos, now).name


def get(ledger: Ledger, name: str) -> ClipRecord:
    """The clip of that name.

    Raises:
        NotFound: there is none; the message suggests the nearest names.
    """
    with ledger.read() as session:
        return _with_notes(_records(session, _find(session, name).id)[0])


def list_clips(ledger: Ledger) -> list[ClipRecord]:
    """All clips in the order in which they were added."""
    with ledger.read() as session:
        return [_with_notes(record) for record in _records(session)]


def remove(ledger: Ledger, name: str) -> None:
    """Forget the clip; its video files stay where they are.

    Raises:
        NotFound: there is none.
        InvalidInput: prompts use it.
    """
    with ledger.write() as session:
        clip = _find(session, name)
        label = func.coalesce(Prompt.name, Prompt.id)
        users = session.scalars(select(label).where(Prompt.clip_id == clip.id).order_by(label)).all()
        if users:
            raise InvalidInput(f"the clip {name} is used by prompts ({_some(users)}): remove them first")
        session.execute(delete(ClipVideo).where(ClipVideo.clip_id == clip.id))
        session.delete(clip)


# Names and roles


def match_role(stem: str, clip: str) -> tuple[str, Fit] | None:
    """The role that a name without its suffix tells, as seen from `clip`; None if it tells none.

    A word counts if it is the whole name or stands behind a separator; of several the last one counts, and
    words of the clip's own name do not: `pose-test_depth` is the depth of `pose-test`.
    """
    words, own = _words(stem), _words(clip)
    if not words:
        return None
    if own and words[: len(own)] == own and (role := _last_role(rest := words[len(own) :])):
        exact = rest[0] in ROLE_OF and rest[1:] in ([], ["video"])
        return role, Fit.OWN if exact else Fit.OWN_LOOSE
    if words[0] in ROLE_OF and all(re.fullmatch(r"video|v?[0-9]+", word) for word in words[1:]):
        return ROLE_OF[words[0]], Fit.BARE
    role = _last_role(words[1:])
    return (role, Fit.OTHER) if role else None


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s._\-]+", unicodedata.normalize("NFC", text).casefold()) if word]


def _last_role(words: list[str]) -> str | None:
    return next((ROLE_OF[word] for word in reversed(words) if word in ROLE_OF), None)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_LIMIT:
        raise InvalidInput(f"a clip needs a name of 1 to {NAME_LIMIT} characters, not {len(name.strip())}")
    # Cc: control characters; Cs: bytes of the command line that are no text.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidInput(f"the clip name {name!a} has control characters: use plain text")


def _shown(text: str) -> str:
    """A file's name may hold line breaks, terminal codes and bytes that are no text."""
    return text if text.isprintable() else ascii(text)


def _some(names: Iterable[object]) -> str:
    shown = [_shown(str(name)) for name in names]
    more = len(shown) - NAMES_SHOWN
    return ", ".join(shown[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


# From arguments to one source a role


def _collect(clip: str, arguments: Sequence[str]) -> tuple[list[_Source], list[str]]:
    """One source for each role that the arguments offer, in the order of ROLES, and notes on what was left out."""
    sources: list[_Source] = []
    notes: list[str] = []
    for argument in arguments:
        try:
            found, remarks = _sources_of(clip, argument)
        except PermissionError as error:
            raise InvalidInput(f"{error.filename} cannot be read: check its permissions") from error
        sources += found
        notes += remarks
    chosen = []
    for role in ROLES:
        # The same file may come in twice: by name and within a folder.
        playing = sorted((source for source in sources if source.role == role), key=_rank, reverse=True)
        offered = {source.path.resolve(): source for source in playing}
        if offered:
            winner, remarks = _choose(role, sorted(offered.values(), key=_rank))
            chosen.append(winner)
            notes += remarks
    if not chosen:
        raise InvalidInput(f"nothing that plays a role in the clip {clip}: {_remedy()}. {' '.join(notes)}")
    return chosen, notes


def _rank(source: _Source) -> tuple[int, int]:
    return source.rank


def _choose(role: str, offered: list[_Source]) -> tuple[_Source, list[str]]:
    winner, *others = offered
    if others and others[0].rank == winner.rank:
        raise InvalidInput(
            f"{winner.path} and {others[0].path} both play {role}: say which one with {role}=PATH, or give the clip"
            " the name that its files begin with"
        )
    return winner, [
        f"{_shown(str(source.path))} is ignored: {_shown(str(winner.path))} plays {role}" for source in others
    ]


def _sources_of(clip: str, argument: str) -> tuple[list[_Source], list[str]]:
    word, equals, value = argument.partition("=")
    if equals and (role := ROLE_OF.get(word.strip().casefold())):
        return [_said(role, _path(value))], []
    path = _path(argument)
    if equals and re.fullmatch(r"\w+", word) and not path.exists() and _path(value).exists():
        raise InvalidInput(f"{word} is no role: use {', '.join(ROLES)}")
    return _in_folder(path, clip) if path.is_dir() else ([_named(path, clip)], [])


def _path(text: str) -> Path:
    path = Path(text).expanduser()
    if not text or "\0" in text:
        raise InvalidInput(f"{text!a} is no path: give a folder, a video, a pattern or role=path")
    # Not resolved yet: a link's own name tells the role.
    return path.absolute()


def _said(role: str, path: Path) -> _Source:
    """The source behind `role=path`; a folder must hold just one."""
    if not path.is_dir():
        return _source(path, role, (SAID, 0))
    inside = _as_one(path, role, Fit.OWN)
    if len(inside) != 1:
        names = f" ({_some(source.path.name for source in inside)})" if inside else ""
        raise InvalidInput(f"{path} holds {len(inside)} videos and sequences{names}: name the one that plays {role}")
    return dataclasses.replace(inside[0], rank=(SAID, 0))


def _named(path: Path, clip: str) -> _Source:
    stem = find_sequences(path)[0].stem if _stands_for_frames(path) else path.stem
    matched = match_role(stem or path.parent.name, clip)
    if matched is None and not path.exists() and not is_pattern(path.name):
        raise NotFound(f"{path} does not exist: check the path")
    if matched is None:
        raise InvalidInput(f"{path.name} tells no role: {_remedy()}")
    return _source(path, matched[0], (NAMED, matched[1]))


def _source(path: Path, role: str, rank: tuple[int, int]) -> _Source:
    # One frame stands for its sequence, as a shell turns color.*.png into a list of them.
    if not _stands_for_frames(path):
        if not path.exists():
            raise NotFound(f"{path} does not exist: check the path")
        return _Source(role=role, rank=rank, path=path)
    sequences = find_sequences(path)
    if len(sequences) > 1:
        raise InvalidInput(f"{path} fits {_some(s.pattern for s in sequences)}: give one of these")
    return _of_sequence(sequences[0], role, rank)


def _stands_for_frames(path: Path) -> bool:
    return is_frame(path) or (is_pattern(path.name) and not path.exists())


def _of_sequence(sequence: FrameSequence, role: str, rank: tuple[int, int]) -> _Source:
    return _Source(role=role, rank=rank, path=sequence.folder / sequence.pattern, sequence=sequence)


def _in_folder(folder: Path, clip: str) -> tuple[list[_Source], list[str]]:
    """What the names in a folder, and in its subfolders that are called like a role, offer."""
    sources, unknown = _by_name(folder, clip)
    notes = [f"ignored in {_shown(str(folder))}, as they tell no role: {_some(unknown)}"] if unknown else []
    for subfolder in sorted(path for path in folder.iterdir() if path.is_dir()):
        if matched := match_role(subfolder.name, clip):
            sources += _as_one(subfolder, *matched)
    own, foreign = _split_foreign(sources)
    if foreign:
        names = _some(source.path.name for source in foreign)
        notes.append(f"ignored in {_shown(str(folder))}, as their names are not {clip}'s: {names}")
    return own, notes


def _by_name(folder: Path, clip: str) -> tuple[list[_Source], list[str]]:
    """What in a folder tells a role by its name, and the names of the rest."""
    sequences, files = _contents(folder)
    named = [(sequence.stem, _of_sequence(sequence, "", (FOUND, 0))) for sequence in sequences]
    named += [(file.stem, _Source(role="", rank=(FOUND, 0), path=file)) for file in files]
    sources, unknown = [], []
    for stem, source in named:
        if matched := match_role(stem, clip) if _may_play(source) else None:
            sources.append(dataclasses.replace(source, role=matched[0], rank=(FOUND, matched[1])))
        else:
            unknown.append(source.path.name)
    # `depth/0001.png`: the folder has the name that its frames lack.
    if not sources and len(sequences) == 1 and (matched := match_role(folder.name, clip)):
        return _as_one(folder, *matched), [name for name in unknown if name != sequences[0].pattern]
    return sources, unknown


def _as_one(folder: Path, role: str, fit: Fit) -> list[_Source]:
    """All that can be watched in a folder that is called like a role."""
    sequences, files = _contents(folder)
    sources = [_of_sequence(sequence, role, (FOUND, fit)) for sequence in sequences]
    sources += [_Source(role=role, rank=(FOUND, fit), path=file) for file in files]
    return [source for source in sources if _may_play(source)]


def _may_play(source: _Source) -> bool:
    return source.sequence is not None or source.path.suffix.lower() in VIDEO_SUFFIXES


def _contents(folder: Path) -> tuple[list[FrameSequence], list[Path]]:
    """The sequences and the other visible files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return find_sequences(folder), [file for file in files if not is_frame(file)]


def _split_foreign(sources: list[_Source]) -> tuple[list[_Source], list[_Source]]:
    """Apart: in a folder where files carry the clip's name, those that carry another's."""
    if not any(source.rank[1] <= Fit.OWN_LOOSE for source in sources):
        return sources, []
    foreign = [source for source in sources if source.rank[1] == Fit.OTHER]
    return [source for source in sources if source not in foreign], foreign


def _remedy() -> str:
    return f"write role=PATH with a role of {', '.join(ROLES)}, or use a name that is or ends in {', '.join(ROLE_OF)}"


# From sources to recorded videos


def _compare_frames(sequences: list[FrameSequence]) -> list[str]:
    """Refuse sequences of unequal length, naming what each lacks; a note where the numbers alone differ."""
    for sequence in sequences:
        refuse_gaps(sequence)
    if len({len(sequence.numbers) for sequence in sequences}) > 1:
        every = {number for sequence in sequences for number in sequence.numbers}
        lacks = [
            f"{s.folder / s.pattern} ({len(s.numbers)} frames) lacks {ranges_text(ranges_of(missing))}"
            for s in sequences
            if (missing := every.difference(s.numbers))
        ]
        raise InvalidInput(f"the sequences differ in length: {'; '.join(lacks)}. Render what is missing and repeat")
    if len({sequence.first for sequence in sequences}) > 1:
        spans = ", ".join(f"{s.pattern} {s.first}-{s.last}" for s in sequences)
        return [f"the sequences are equally long but numbered differently: {spans}"]
    return []


def _encoded(folder: Path, sequence: FrameSequence, fps: int, white: float) -> Path:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # Its name is its hash, which is known only when it is whole.
        with TemporaryDirectory(dir=folder, prefix=".encoding-") as temporary:
            video = Path(temporary) / "frames.mp4"
            encode(sequence, video, fps, white=white)
            return video.replace(folder / f"{sha256_of(video)}.mp4").resolve()


def _describe(role: str, path: Path) -> ClipVideoRecord:
    # PyAV takes longer to import than listing clips takes in all.
    from cosmosq.videos import probe

    if path.suffix.lower() in SUFFIXES:
        raise InvalidInput(f"{path} is a single image without a number: give a video, or frames like color.0001.png")
    path = path.resolve()
    # The ledger holds text, and on POSIX a path may be none.
    if any(unicodedata.category(character) == "Cs" for character in str(path)):
        raise InvalidInput(f"{str(path)!a} has bytes that are no UTF-8: rename it")
    info = probe(path)
    return ClipVideoRecord(role=role, sha256=sha256_of(path), path=str(path), bytes=path.stat().st_size, **asdict(info))


def _refuse_taken(session: Session, name: str) -> None:
    if session.scalar(select(Clip.id).where(Clip.name == name)) is not None:
        raise InvalidInput(f"there is a clip {name} already: choose another name, or give it new videos with --replace")


def _store(session: Session, name: str, videos: list[ClipVideoRecord], now: datetime) -> ClipRecord:
    clip = session.scalar(select(Clip).where(Clip.name == name))
    if clip is None:
        clip = Clip(name=name, created_at=now)
        session.add(clip)
        session.flush()
    for video in videos:
        columns = asdict(video)
        del columns["role"]
        known = session.get(Video, video.sha256)
        session.merge(Video(**columns, created_at=known.created_at if known else now))
    session.flush()
    session.execute(delete(ClipVideo).where(ClipVideo.clip_id == clip.id))
    session.add_all(ClipVideo(clip_id=clip.id, role=video.role, sha256=video.sha256) for video in videos)
    session.flush()
    return _records(session, clip.id)[0]


# From rows to records


def _find(session: Session, name: str) -> Clip:
    clip = session.scalar(select(Clip).where(Clip.name == name))
    if clip is not None:
        return clip
    near = get_close_matches(name, session.scalars(select(Clip.name)).all(), n=3, cutoff=0.5)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise NotFound(f"there is no clip {name}{hint}: `cosmosq clip list` shows them")


def _records(session: Session, clip_id: int | None = None) -> list[ClipRecord]:
    query = select(Clip, ClipVideo.role, Video).join(ClipVideo, ClipVideo.clip_id == Clip.id).join(Video)
    if clip_id is not None:
        query = query.where(Clip.id == clip_id)
    rows = session.execute(query.order_by(Clip.id)).all()
    return [
        _record(clip, {role: video for _, role, video in group})
        for clip, group in groupby(rows, key=lambda row: row[0])
    ]


def _record(clip: Clip, videos: Mapping[str, Video]) -> ClipRecord:
    return ClipRecord(
        id=clip.id,
        name=clip.name,
        created_at=clip.created_at.astimezone(UTC),
        videos=tuple(_video_record(role, videos[role]) for role in ROLES if role in videos),
    )


def _video_record(role: str, video: Video) -> ClipVideoRecord:
    return ClipVideoRecord(
        role=role,
        sha256=video.sha256,
        path=video.path,
        bytes=video.bytes,
        width=video.width,
        height=video.height,
        fps=video.fps,
        frames=video.frames,
        duration_s=video.duration_s,
    )


def _with_notes(record: ClipRecord, notes: Iterable[str] = ()) -> ClipRecord:
    """The record with `notes`, and with what its videos show when compared."""
    colour, controls = None, list(record.videos)
    if controls[0].role == "input":
        colour, *controls = controls
    if colour is None:
        compared = ["no input video: jobs need a sigma_max of 80 and a control for every hint"]
    else:
        compared = [
            f"{video.role} has {video.frames} frames ({video.duration_s:g} s) and the input {colour.frames}"
            f" ({colour.duration_s:g} s): the engine cuts or pads"
            for video in controls
            if (video.frames, video.duration_s) != (colour.frames, colour.duration_s)
        ]
    return dataclasses.replace(record, notes=(*notes, *compared))
