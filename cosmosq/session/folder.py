"""Every file name inside a host's root and a session's folder."""

from dataclasses import dataclass
from pathlib import PurePosixPath


def video_path(root: PurePosixPath, sha256: str) -> PurePosixPath:
    """Where an input video lies on the host."""
    return root / "videos" / f"{sha256}.mp4"


def control_folder(root: PurePosixPath) -> PurePosixPath:
    """Where edge and vis controls lie that were made on the host."""
    return root / "controls"


def scripts_path(root: PurePosixPath, digest: str) -> PurePosixPath:
    """Where one version of `remote_scripts` lies on the host."""
    return root / "scripts" / digest


@dataclass(frozen=True, kw_only=True)
class SessionFolder:
    """`<root>/sessions/<id>`."""

    path: PurePosixPath

    @property
    def start(self) -> PurePosixPath:
        return self.path / "start.json"

    @property
    def events(self) -> PurePosixPath:
        return self.path / "events.jsonl"

    @property
    def stop(self) -> PurePosixPath:
        return self.path / "stop"

    @property
    def exit(self) -> PurePosixPath:
        return self.path / "exit"

    @property
    def log(self) -> PurePosixPath:
        return self.path / "log.txt"

    def inbox(self, order: int, attempt: str) -> PurePosixPath:
        return self.path / "inbox" / f"{order:08d}-{attempt}.json"

    def attempt(self, attempt: str) -> PurePosixPath:
        return self.path / "attempts" / attempt

    def accepted(self, attempt: str) -> PurePosixPath:
        """There once the session has taken the attempt from its inbox."""
        return self.attempt(attempt) / "order.json"

    def cancel(self, attempt: str) -> PurePosixPath:
        return self.attempt(attempt) / "cancel"

    def attempt_log(self, attempt: str) -> PurePosixPath:
        return self.attempt(attempt) / "log.txt"
