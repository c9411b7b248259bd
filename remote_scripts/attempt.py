"""The folder of one attempt: the only module that knows the names in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digests import sha256_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ARTIFACTS = ("output.mp4", "output.txt", "spec.json", "log.txt")


@dataclass(frozen=True)
class Attempt:
    """One order, in `attempts/<name>/`."""

    name: str
    folder: Path

    @property
    def order(self) -> Path:
        return self.folder / "order.json"

    @property
    def cancel(self) -> Path:
        return self.folder / "cancel"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    @property
    def spec(self) -> Path:
        return self.folder / "spec.json"

    @property
    def video(self) -> Path:
        return self.folder / "output.mp4"

    @property
    def text(self) -> Path:
        return self.folder / "output.txt"

    def ordered_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = json.loads(self.order.read_bytes())["spec"]
        return spec

    def artifacts(self) -> list[dict[str, Any]]:
        """What there is to fetch, with the sizes and digests that the client will check."""
        return [
            {"name": name, "bytes": (self.folder / name).stat().st_size, "sha256": sha256_of(self.folder / name)}
            for name in ARTIFACTS
            if (self.folder / name).is_file()
        ]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields `<stem>.part<suffix>` to write; it gets its name when it is whole, and vanishes otherwise."""
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        yield part
        sync(part)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
