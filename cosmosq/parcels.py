"""Reading exported folders. They come from outside: nothing in a manifest is believed before it is checked."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from cosmosq.engines.assignment import check_all, check_combination, complete, kind_of
from cosmosq.engines.engine import get_engine
from cosmosq.engines.parameter import Value
from cosmosq.errors import CosmosqError, InvalidInput, NotFound
from cosmosq.exports import FORMAT, MANIFEST, NAMES, VERSION
from cosmosq.files import sha256_of
from cosmosq.prompts import check_text
from cosmosq.roles import ROLES
from cosmosq.status import Kind, Phase
from cosmosq.videos import VideoInfo, probe, verify

T = TypeVar("T")

LARGEST_MANIFEST = 16 << 20
MOST_FILES = 100
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of the folder, with what it must be."""

    path: Path
    sha256: str
    bytes: int

    def check(self, copy: Path | None = None) -> None:
        """Refuse it, or a copy of it, if it is something else.

        Raises:
            InvalidInput: it has another size or hash.
        """
        found = copy or self.path
        if found.stat().st_size != self.bytes or sha256_of(found) != self.sha256:
            raise InvalidInput(f"{self.path} is not the file that its manifest names: export the job anew")


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """An exported job whose files and facts were checked."""

    folder: Path
    kind: Kind
    engine: str
    text: str
    negative_text: str | None
    prompt_name: str | None
    clip: str
    own_parameters: Mapping[str, Value]
    values: Mapping[str, Value]
    labels: Mapping[str, str]
    inputs: Mapping[str, File]
    artifacts: Mapping[str, File]
    shown: VideoInfo
    """What the video really holds."""
    started_at: datetime
    ended_at: datetime
    generate_s: float | None
    seconds: Mapping[str, float]
    """By phase."""
    origin: Mapping[str, Any]
    """Where it comes from: which job of which host, and by which versions."""


def find(folder: Path) -> Iterator[Path]:
    """The exported folders that a folder is, or has.

    Raises:
        NotFound: there is none.
    """
    found = (
        [folder] if (folder / MANIFEST).exists() else sorted(path.parent for path in folder.glob(f"[!.]*/{MANIFEST}"))
    )
    if not found:
        raise NotFound(f"{folder} holds no {MANIFEST}: name a folder that `cosmosq export` made")
    yield from found


def read(folder: Path) -> Parcel:
    """Read an exported folder and check every file in it.

    Raises:
        InvalidInput: it is not one, or not whole; the message names the place.
    """
    try:
        return _read(folder, _Node(_load(folder / MANIFEST)))
    except RecursionError as error:
        raise InvalidInput(f"{folder / MANIFEST}: it is nested too deeply") from error
    except (CosmosqError, OSError) as error:
        raise InvalidInput(f"{folder / MANIFEST}: {error}") from error


def _load(path: Path) -> Any:
    if path.is_symlink() or not path.is_file():
        raise InvalidInput("it is no regular file")
    if path.stat().st_size > LARGEST_MANIFEST:
        raise InvalidInput("it is larger than any of ours")
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except ValueError as error:
        raise InvalidInput(f"it is no JSON ({error})") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


class _Node:
    """A value of the document, and its place in it."""

    def __init__(self, value: Any, place: str = "the manifest") -> None:
        self.value, self.place = value, place

    def __getitem__(self, key: str) -> "_Node":
        return _Node(self.object().get(key), key if self.place == "the manifest" else f"{self.place}.{key}")

    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = self._as(dict, "an object")
        return found

    def text(self, longest: int = 1_000_000) -> str:
        found: str = self._as(str, "text")
        if len(found) > longest or "\x00" in found or any("\ud800" <= each <= "\udfff" for each in found):
            raise InvalidInput(f"{self.place} is too long, or is no text that can be stored")
        return found

    def words(self, longest: int) -> str:
        """One line of text, not empty."""
        found = self.text(longest)
        if not found.strip() or not found.isprintable():
            raise InvalidInput(f"{self.place} must be one line of text")
        return found

    def whole(self) -> int:
        found: int = self._as(int, "a whole number")
        if not 0 <= found < 1 << 62:
            raise InvalidInput(f"{self.place} must be at least 0")
        return found

    def seconds(self) -> float:
        found = float(self._as((int, float), "a number"))
        if not math.isfinite(found) or not 0 <= found < 1e9:
            raise InvalidInput(f"{self.place} must be a number of seconds")
        return found

    def time(self) -> datetime:
        try:
            found = datetime.fromisoformat(self.text(60))
        except ValueError as error:
            raise InvalidInput(f"{self.place} must be a time") from error
        if found.tzinfo is None:
            raise InvalidInput(f"{self.place} must be a time with its zone")
        return found

    def items(self) -> Iterator[tuple[str, "_Node"]]:
        for key in self.object():
            yield key, self[key]

    def _as(self, kind: Any, name: str) -> Any:
        if not isinstance(self.value, kind) or (isinstance(self.value, bool) and kind is not bool):
            raise InvalidInput(f"{self.place} must be {name}")
        return self.value

    @property
    def is_null(self) -> bool:
        return self.value is None


def _read(folder: Path, told: _Node) -> Parcel:
    if told["format"].value != FORMAT or told["version"].value != VERSION:
        raise InvalidInput(f"it is not of format {FORMAT!r}, version {VERSION}")
    job, prompt, attempt = told["job"], told["prompt"], told["attempt"]
    files = _files(folder, told["files"])
    values, own = check_all(told["parameters"].object()), check_all(prompt["parameters"].object())
    kind = Kind(kind_of(values))
    if job["kind"].value != kind:
        raise InvalidInput(f"job.kind must be {kind}, by its parameters")
    values = complete(kind, values)
    inputs = {role: _file(files, each["file"]) for role, each in told["inputs"].items()}
    if unknown := sorted(set(inputs) - set(ROLES)):
        raise InvalidInput(f"inputs.{unknown[0][:40]!a} is no role")
    check_combination(values, inputs)
    text = prompt["text"].text()
    check_text("the text", text)
    negative = None if prompt["negative_text"].is_null else prompt["negative_text"].text()
    if negative is not None:
        check_text("the negative text", negative)
    artifacts = {name: _file(files, each) for name, each in told["artifacts"].items()}
    if "video" not in artifacts or not set(artifacts) <= set(NAMES):
        raise InvalidInput(f"artifacts must have a video, and else {', '.join(NAMES)} alone")
    session = attempt["session"]
    return Parcel(
        folder=folder,
        kind=kind,
        engine=get_engine(job["engine"].words(30)).name,
        text=text,
        negative_text=negative,
        prompt_name=None if prompt["name"].is_null else prompt["name"].words(200),
        clip=prompt["clip"].words(200),
        own_parameters=own,
        values=values,
        labels={_Node(key, "job.labels").words(60): each.text(200) for key, each in job["labels"].items()},
        inputs=inputs,
        artifacts=artifacts,
        shown=_watched(inputs, artifacts),
        started_at=attempt["started_at"].time(),
        ended_at=attempt["ended_at"].time(),
        generate_s=None if attempt["generate_s"].is_null else attempt["generate_s"].seconds(),
        seconds={phase: attempt[f"{phase}_s"].seconds() for phase in Phase},
        origin={
            "job": job["id"].whole(),
            "host": job["host"].words(60),
            "exported_at": told["exported_at"].time().isoformat(),
            "cosmosq": told["cosmosq"].words(40),
            "scripts_digest": None if session.is_null else session["scripts_digest"].words(64),
        },
    )


def _watched(inputs: Mapping[str, File], artifacts: Mapping[str, File]) -> VideoInfo:
    """Decode the video to its last frame, and look whether the inputs are videos at all."""
    for each in inputs.values():
        probe(each.path)
    return verify(artifacts["video"].path)


def _files(folder: Path, told: _Node) -> dict[str, File]:
    """By path, each there, within the folder, and what it is said to be."""
    if not isinstance(told.value, list) or len(told.value) > MOST_FILES:
        raise InvalidInput(f"files must be a list of at most {MOST_FILES}")
    found = {}
    for number, each in enumerate(told.value):
        node = _Node(each, f"files[{number}]")
        name, sha256 = node["path"].text(300), node["sha256"].text(64)
        if not _SHA256.fullmatch(sha256):
            raise InvalidInput(f"{node.place}.sha256 must be 64 hex digits")
        file = File(path=_inside(folder, name), sha256=sha256, bytes=node["bytes"].whole())
        file.check()
        found[name] = file
    return found


def _inside(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    root = folder.resolve()
    is_plain = not path.is_absolute() and ".." not in path.parts and "\\" not in name and name.isprintable()
    # A link would lead elsewhere although its name does not.
    if not is_plain or not path.parts or (root / path).resolve() != root / path:
        raise InvalidInput(f"{name[:80]!a} leads out of the folder")
    if not (root / path).is_file():
        raise InvalidInput(f"{name[:80]!a} is missing, or no file")
    return root / path


def _file(files: Mapping[str, File], told: _Node) -> File:
    name = told.text(300)
    if name not in files:
        raise InvalidInput(f"{told.place} names {name[:80]!a}, which is not among its files")
    return files[name]
