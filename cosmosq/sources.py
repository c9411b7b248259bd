"""Sources: which video or sequence of frames plays which role in a clip, told from arguments and names."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmosq.errors import InvalidInput, NotFound
from cosmosq.frames import FrameSequence, find_sequences, is_frame, is_pattern, ranges_of, ranges_text, refuse_gaps
from cosmosq.roles import ROLE_OF, ROLES, Fit, match_role

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".ogv", ".wmv", ".mxf")
)
NAMES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Source:
    """A video file or a sequence of frames that may play a role."""

    role: str
    rank: tuple[int, int]
    path: Path
    sequence: FrameSequence | None = None


# How a source came in, before its fit counts: said with role=, named, found in a folder.
SAID, NAMED, FOUND = range(3)


def collect(clip: str, arguments: Sequence[str]) -> tuple[list[Source], list[str]]:
    """One source for each role that the arguments offer, in the order of ROLES, and notes on what was left out.

    Args:
        arguments: folders, videos, patterns of frames (`color.####.png`), and `role=path` of any of these.

    Raises:
        NotFound: a path does not exist.
        InvalidInput: a path is none or cannot be read, a file plays no role, or two play the same.
    """
    sources: list[Source] = []
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


def compare_frames(sequences: list[FrameSequence]) -> list[str]:
    """Refuse sequences of unequal length, naming what each lacks; a note where the numbers alone differ.

    Raises:
        InvalidInput: frames are missing in one, or one is shorter than another.
    """
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


def shown(text: str) -> str:
    """The text in plain letters: a file's name may hold line breaks, terminal codes and bytes that are no text."""
    return text if text.isprintable() else ascii(text)


def some_of(names: Iterable[object]) -> str:
    """The first names as they can be shown, and how many more there are."""
    texts = [shown(str(name)) for name in names]
    more = len(texts) - NAMES_SHOWN
    return ", ".join(texts[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _rank(source: Source) -> tuple[int, int]:
    return source.rank


def _choose(role: str, offered: list[Source]) -> tuple[Source, list[str]]:
    winner, *others = offered
    if others and others[0].rank == winner.rank:
        raise InvalidInput(
            f"{winner.path} and {others[0].path} both play {role}: say which one with {role}=PATH, or give the clip"
            " the name that its files begin with"
        )
    return winner, [
        f"{shown(str(source.path))} is ignored: {shown(str(winner.path))} plays {role}" for source in others
    ]


def _sources_of(clip: str, argument: str) -> tuple[list[Source], list[str]]:
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


def _said(role: str, path: Path) -> Source:
    """The source behind `role=path`; a folder must hold just one."""
    if not path.is_dir():
        return _source(path, role, (SAID, 0))
    inside = _as_one(path, role, Fit.OWN)
    if len(inside) != 1:
        names = f" ({some_of(source.path.name for source in inside)})" if inside else ""
        raise InvalidInput(f"{path} holds {len(inside)} videos and sequences{names}: name the one that plays {role}")
    return dataclasses.replace(inside[0], rank=(SAID, 0))


def _named(path: Path, clip: str) -> Source:
    stem = find_sequences(path)[0].stem if _stands_for_frames(path) else path.stem
    matched = match_role(stem or path.parent.name, clip)
    if matched is None and not path.exists() and not is_pattern(path.name):
        raise NotFound(f"{path} does not exist: check the path")
    if matched is None:
        raise InvalidInput(f"{path.name} tells no role: {_remedy()}")
    return _source(path, matched[0], (NAMED, matched[1]))


def _source(path: Path, role: str, rank: tuple[int, int]) -> Source:
    # One frame stands for its sequence, as a shell turns color.*.png into a list of them.
    if not _stands_for_frames(path):
        if not path.exists():
            raise NotFound(f"{path} does not exist: check the path")
        return Source(role=role, rank=rank, path=path)
    sequences = find_sequences(path)
    if len(sequences) > 1:
        raise InvalidInput(f"{path} fits {some_of(s.pattern for s in sequences)}: give one of these")
    return _of_sequence(sequences[0], role, rank)


def _stands_for_frames(path: Path) -> bool:
    return is_frame(path) or (is_pattern(path.name) and not path.exists())


def _of_sequence(sequence: FrameSequence, role: str, rank: tuple[int, int]) -> Source:
    return Source(role=role, rank=rank, path=sequence.folder / sequence.pattern, sequence=sequence)


def _in_folder(folder: Path, clip: str) -> tuple[list[Source], list[str]]:
    """What the names in a folder, and in its subfolders that are called like a role, offer."""
    sources, unknown = _by_name(folder, clip)
    notes = [f"ignored in {shown(str(folder))}, as they tell no role: {some_of(unknown)}"] if unknown else []
    for subfolder in sorted(path for path in folder.iterdir() if path.is_dir()):
        if matched := match_role(subfolder.name, clip):
            sources += _as_one(subfolder, *matched)
    own, foreign = _split_foreign(sources)
    if foreign:
        names = some_of(source.path.name for source in foreign)
        notes.append(f"ignored in {shown(str(folder))}, as their names are not {clip}'s: {names}")
    return own, notes


def _by_name(folder: Path, clip: str) -> tuple[list[Source], list[str]]:
    """What in a folder tells a role by its name, and the names of the rest."""
    sequences, files = _contents(folder)
    named = [(sequence.stem, _of_sequence(sequence, "", (FOUND, 0))) for sequence in sequences]
    named += [(file.stem, Source(role="", rank=(FOUND, 0), path=file)) for file in files]
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


def _as_one(folder: Path, role: str, fit: Fit) -> list[Source]:
    """All that can be watched in a folder that is called like a role."""
    sequences, files = _contents(folder)
    sources = [_of_sequence(sequence, role, (FOUND, fit)) for sequence in sequences]
    sources += [Source(role=role, rank=(FOUND, fit), path=file) for file in files]
    return [source for source in sources if _may_play(source)]


def _may_play(source: Source) -> bool:
    return source.sequence is not None or source.path.suffix.lower() in VIDEO_SUFFIXES


def _contents(folder: Path) -> tuple[list[FrameSequence], list[Path]]:
    """The sequences and the other visible files of a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return find_sequences(folder), [file for file in files if not is_frame(file)]


def _split_foreign(sources: list[Source]) -> tuple[list[Source], list[Source]]:
    """Apart: in a folder where files carry the clip's name, those that carry another's."""
    if not any(source.rank[1] <= Fit.OWN_LOOSE for source in sources):
        return sources, []
    foreign = [source for source in sources if source.rank[1] == Fit.OTHER]
    return [source for source in sources if source not in foreign], foreign


def _remedy() -> str:
    return f"write role=PATH with a role of {', '.join(ROLES)}, or use a name that is or ends in {', '.join(ROLE_OF)}"
