"""Where everything of a workspace lies; the only module that knows these names."""

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cosmosq.errors import NotFound

CONFIG_NAME = "cosmosq.toml"
FOLDER_NAME = ".cosmosq"


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A folder with `cosmosq.toml` and `.cosmosq/`."""

    root: Path

    @property
    def config_path(self) -> Path:
        return self.root / CONFIG_NAME

    @property
    def folder(self) -> Path:
        return self.root / FOLDER_NAME

    @property
    def ledger_path(self) -> Path:
        return self.folder / "ledger.db"

    @property
    def queue_path(self) -> Path:
        return self.folder / "queue.db"

    @property
    def backups_path(self) -> Path:
        return self.folder / "backups"

    @property
    def videos_path(self) -> Path:
        """Videos that cosmosq encoded itself from numbered frames, by sha256."""
        return self.folder / "videos"

    @property
    def posters_path(self) -> Path:
        """First frames of videos as small pictures; whatever is missing there is made again."""
        return self.folder / "posters"

    def host_path(self, name: str) -> Path:
        """Root of a local host that names no other."""
        return self.folder / "hosts" / name

    @property
    def outputs_path(self) -> Path:
        return self.root / "outputs"

    @property
    def known_hosts_path(self) -> Path:
        """Host keys that were accepted for this workspace."""
        return self.folder / "known_hosts"

    @property
    def log_path(self) -> Path:
        return self.folder / "logs" / "worker.jsonl"

    @property
    def measuring_log_path(self) -> Path:
        """What the process that measures beside a worker said last."""
        return self.folder / "logs" / "measuring.txt"

    @property
    def measuring_lock_path(self) -> Path:
        """Locked by the process that measures in the background."""
        return self.folder / "measuring.lock"

    def job_folder(self, day: datetime, job_id: int, name: str) -> Path:
        """Folder of one job's results, e.g. `outputs/2026-11-22/12-kitchen-night`."""
        return self.outputs_path / f"{day:%Y-%m-%d}" / f"{job_id}-{slug(name)}"

    def relative(self, path: Path) -> str:
        """The path as the ledger stores it: relative to the workspace, with forward slashes."""
        return path.relative_to(self.root).as_posix()


def slug(text: str, limit: int = 40) -> str:
    """Letters, digits and dashes of `text`, for folder names; never empty."""
    words = re.sub(r"[^\w]+", "-", text.lower(), flags=re.UNICODE).strip("-_")
    return words[:limit].strip("-_") or "job"


def find_workspace(explicit: Path | None = None, start: Path | None = None) -> Workspace:
    """The workspace named by `explicit`, else by COSMOSQ_WORKSPACE, else the nearest one upwards.

    Raises:
        NotFound: no folder with `cosmosq.toml` there.
    """
    named = explicit or (Path(value) if (value := os.environ.get("COSMOSQ_WORKSPACE")) else None)
    if named is not None:
        if not (named / CONFIG_NAME).is_file():
            raise NotFound(f"{named} is no workspace (no {CONFIG_NAME} in it): create one with `cosmosq init`")
        return Workspace(root=named.resolve())
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / CONFIG_NAME).is_file():
            return Workspace(root=folder)
    raise NotFound(f"no workspace in {here} or above: create one with `cosmosq init`, or name it with -w")
