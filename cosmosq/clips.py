"""Clips: named sets of input videos, as the ledger has them."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cosmosq.db import Ledger
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import sha256_of, writing
from cosmosq.frames import SUFFIXES, FrameSequence, encode, white_level
from cosmosq.models import Clip, ClipVideo, Prompt, Video
from cosmosq.paths import Workspace
from cosmosq.roles import ROLES
from cosmosq.sources import collect, compare_frames, shown, some_of
from cosmosq.spelling import nearest

NAME_LIMIT = 200
MAX_FPS = 240


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
    sources, notes = collect(name, arguments)
    notes += compare_frames([source.sequence for source in sources if source.sequence])
    # Files first: encoding takes minutes, and a file that is no video would be told only after them.
    videos = [_describe(source.role, source.path) for source in sources if source.sequence is None]
    for source in sources:
        if source.sequence is not None:
            white = white_level(source.sequence)
            videos.append(_describe(source.role, _encoded(workspace.videos_path, source.sequence, fps, white)))
            if white != 1.0:
                notes.append(f"{shown(str(source.path))}: {white:.3g} times the full range is shown as white")
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
            raise InvalidInput(f"the clip {name} is used by prompts ({some_of(users)}): remove them first")
        session.execute(delete(ClipVideo).where(ClipVideo.clip_id == clip.id))
        session.delete(clip)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_LIMIT:
        raise InvalidInput(f"a clip needs a name of 1 to {NAME_LIMIT} characters, not {len(name.strip())}")
    # Cc: control characters; Cs: bytes of the command line that are no text.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise InvalidInput(f"the clip name {name!a} has control characters: use plain text")


# From sources to recorded videos


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
    names = session.scalars(select(Clip.name)).all()
    raise NotFound(f"{name} is no clip{nearest(name, names)}: `cosmosq clip list` shows them")


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
