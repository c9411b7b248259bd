"""Adding and removing the `[hosts.NAME]` tables of `cosmosq.toml`; every other line stays as it was typed.

A table is cut out by its lines: TOML libraries that keep comments give the comment above a table to the table before
it, and lose it with that one.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from cosmosq.config import Config, load_config, parse_config
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.files import write_whole


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change of the file that was checked but not yet written."""

    path: Path
    before: str
    after: str
    config: Config
    """What the file will say."""

    def write(self) -> None:
        """Make the change, whole or not at all.

        Raises:
            InvalidInput: the file was changed meanwhile.
            StorageFailed: it cannot be written.
        """
        # Behind a link, so that the link stays one.
        path = self.path.resolve()
        if _read(path) != self.before:
            raise InvalidInput(f"{self.path} was changed meanwhile: repeat the command")
        write_whole(path, self.after.encode())


def adding(path: Path, name: str, values: Mapping[str, str | int]) -> Edit:
    """A table for a new host at the end of the file.

    Raises:
        InvalidInput: there is such a host, or a name or value that is not allowed.
        NotFound: no such file.
    """
    config = load_config(path)
    if name in config.hosts:
        raise InvalidInput(f"{name} is a host already: choose another name, or `cosmosq host remove {name}` first")
    before = _read(path)
    newline = "\r\n" if "\r\n" in before else "\n"
    lines = [f"[hosts.{_key(name)}]", *(f"{key} = {_value(value)}" for key, value in values.items())]
    start = before.rstrip()
    after = newline.join([*([start, ""] if start else []), *lines, ""])
    return _checked(path, before, after, {**_hosts(before), name: dict(values)}, name)


def removing(path: Path, name: str) -> Edit:
    """No table of that host any more, nor the comment right above it.

    Raises:
        InvalidInput: it is the default host, or its table is written in another way.
        NotFound: no such host or file.
    """
    config = load_config(path)
    config.host(name)
    if name == config.default_host:
        raise InvalidInput(f"{name} is the default host: name another one as default_host in {path} first")
    before = _read(path)
    left = {host: table for host, table in _hosts(before).items() if host != name}
    return _checked(path, before, _without(before, name), left, name)


def _read(path: Path) -> str:
    # As bytes: reading text would turn every CR LF into LF.
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise NotFound(f"{path} is gone: repeat the command") from error


def _hosts(text: str) -> dict[str, Any]:
    hosts: dict[str, Any] = tomllib.loads(text).get("hosts", {})
    return hosts


def _checked(path: Path, before: str, after: str, hosts: Mapping[str, Any], name: str) -> Edit:
    """The edit, if the text says the same as before but for that host."""
    try:
        after.encode()
        document = tomllib.loads(after)
    except UnicodeEncodeError as error:
        raise InvalidInput(f"the values of host {name!a} are no UTF-8 text: write them so") from error
    except tomllib.TOMLDecodeError:
        document = {}
    if document != {**tomllib.loads(before), "hosts": hosts}:
        raise InvalidInput(f"{path} does not have its hosts as [hosts.NAME] tables: edit {name} by hand")
    return Edit(path=path, before=before, after=after, config=parse_config(document, source=str(path)))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)


def _value(value: str | int) -> str:
    # JSON's escapes are TOML's, but for the one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _without(text: str, name: str) -> str:
    lines = text.split("\n")
    headers = [*_headers(lines), (len(lines), ())]
    cut: set[int] = set()
    for (start, path), (following, _) in pairwise(headers):
        if path[:2] == ("hosts", name):
            cut.update(range(_above(lines, start), _below(lines, start, following)))
    kept = [line for number, line in enumerate(lines) if number not in cut]
    return "\n".join(kept).rstrip() + "\n"


def _headers(lines: list[str]) -> list[tuple[int, tuple[str, ...]]]:
    """Where a table begins, and its path."""
    found = []
    for number, line in enumerate(lines):
        if line.lstrip().startswith("["):
            path = _path(line)
            # Within an array or a long text the lines before are no TOML of their own.
            if path and _path("\n".join(lines[:number])) is not None:
                found.append((number, path))
    return found


def _path(text: str) -> tuple[str, ...] | None:
    """The first key of a text, the first key below it, and so on; None if it is no TOML."""
    try:
        inner: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        path.append(name)
    return tuple(path)


def _above(lines: list[str], start: int) -> int:
    """Where the comment right above a header begins; one at the top of the file is not about the table."""
    first = start
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return first or start


def _below(lines: list[str], start: int, following: int) -> int:
    """Where what belongs to a table ends: at a blank line, or at the comment right above the next table."""
    last = following
    while last > start + 1 and (not lines[last - 1].strip() or lines[last - 1].lstrip().startswith("#")):
        last -= 1
    rest = lines[last:following]
    blank = next((number for number, line in enumerate(rest) if not line.strip()), None)
    if blank is None:
        return last if following < len(lines) else following
    after = next((number for number in range(blank, len(rest)) if rest[number].strip()), len(rest))
    return last + after
