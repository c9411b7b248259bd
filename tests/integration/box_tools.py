"""A GPU box in a folder: real box.py, real session.py, the stand-in for the engine."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

SCRIPTS = Path(__file__).parents[2] / "remote_scripts"
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
WAIT_S = 30.0
TINY = {"scale": 0.1, "clip_frames": 9}

Json = dict[str, Any]


def wait_for(condition: Callable[[], object], seconds: float = WAIT_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def run_box(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Any:
    """What `box.py` prints, parsed."""
    command = [sys.executable, str(SCRIPTS / "box.py"), *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, check=True)
    return json.loads(done.stdout)


def make_video(path: Path, frames: int = 9, width: int = 128, height: int = 72, shade: int = 0) -> Path:
    """A square that wanders over colours and over squares of every contrast, so that every threshold matters."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "12", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            image = np.zeros((height, width, 3), np.uint8)
            image[..., 0] = np.linspace(0, 200, width).astype(np.uint8)
            image[..., 1] = np.linspace(40, 200, height).astype(np.uint8)[:, None]
            image[..., 2] = 40 + shade
            image[..., :2] += chequers(width, height)
            left = 10 + 4 * number
            image[20 : height // 2, left : left + 30] = (250, 240, 200 - shade)
            image[height // 2 :, width - left - 20 : width - left] = (10, 30, 90 + shade)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def chequers(width: int, height: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Columns whose brightness differs more from row to row, from hardly to clearly."""
    contrast = np.array([4, 9, 14, 20, 28, 36, 44, 52])[np.arange(height) // 8 % 8]
    return (contrast[:, None] * (np.arange(width) // 8 % 2))[..., None].astype(np.uint8)


def make_spec(video: Path, **overrides: Any) -> Json:
    """A controlnet spec with every parameter in it."""
    spec = {
        "prompt": "a kitchen in the evening",
        "negative_prompt": "blurry",
        "input_video_path": str(video),
        "seed": 1,
        "num_steps": 4,
        "guidance": 5.0,
        "sigma_max": 70.0,
        "fps": 24,
        "blur_strength": "medium",
        "canny_threshold": "medium",
        "regional_prompts": [],
        "edge": {"control_weight": 0.6},
    }
    return {key: value for key, value in {**spec, **overrides}.items() if value is not None}


@dataclass
class BoxSession:
    """A session's folder and the client's side of its protocol."""

    folder: Path
    orders: int = 0
    read: int = field(default=0)

    @property
    def events(self) -> list[Json]:
        path = self.folder / "events.jsonl"
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")
        return [json.loads(line) for line in lines[:-1]]

    @property
    def exit_code(self) -> int | None:
        path = self.folder / "exit"
        return int(path.read_text()) if path.exists() else None

    def start(self) -> Json:
        session: Json = run_box("start", self.folder)
        return session

    def status(self, **env: str) -> Json:
        status: Json = run_box("status", self.folder, env=env)[0]
        return status

    def submit(self, attempt: str, spec: Json) -> None:
        self.orders += 1
        self.drop(f"{self.orders}-{attempt}.json", json.dumps({"attempt": attempt, "spec": spec}))

    def drop(self, name: str, text: str) -> None:
        inbox = self.folder / "inbox"
        inbox.mkdir(exist_ok=True)
        part = inbox / f"{name}.part"
        part.write_text(text)
        part.rename(inbox / name)

    def cancel(self, attempt: str) -> None:
        folder = self.folder / "attempts" / attempt
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cancel").touch()

    def stop(self) -> None:
        (self.folder / "stop").touch()

    def of(self, attempt: str | None, *events: str) -> list[Json]:
        return [
            event
            for event in self.events
            if event.get("attempt") == attempt and (not events or event["event"] in events)
        ]

    def outcome(self, attempt: str | None, seconds: float = WAIT_S) -> Json:
        """Waits for the event that ends an attempt."""
        ends = ("done", "blocked", "failed")
        wait_for(lambda: self.of(attempt, *ends) or self.exit_code is not None, seconds)
        found = self.of(attempt, *ends)
        assert found, f"the session ended without an outcome: {self.log}"
        return found[0]

    def wait_for_event(self, event: str, attempt: str | None = None) -> Json:
        wait_for(lambda: any(self.named(event, attempt)) or self.exit_code is not None)
        return self.named(event, attempt)[0]

    def named(self, event: str, attempt: str | None = None) -> list[Json]:
        return [found for found in self.events if found["event"] == event and found.get("attempt") == attempt]

    def path(self, attempt: str, name: str = "") -> Path:
        return self.folder / "attempts" / attempt / name

    def wait_for_exit(self) -> int:
        wait_for(lambda: self.exit_code is not None)
        code = self.exit_code
        assert code is not None
        return code

    @property
    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text() if path.exists() else ""


@dataclass
class Box:
    """The root folder that a host has; makes sessions, and ends what a test leaves behind."""

    root: Path
    sessions: list[BoxSession] = field(default_factory=list)

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.jsonl"

    def generations(self) -> list[Json]:
        if not self.ledger.exists():
            return []
        entries = [json.loads(line) for line in self.ledger.read_text().splitlines()]
        return [entry for entry in entries if entry["kind"] == "generation"]

    def session(
        self,
        name: str = "s1",
        *,
        hints: tuple[str, ...] = ("edge",),
        pipeline: str = "transfer",
        idle_exit_s: float = 60,
        argv: list[str] | None = None,
        offload: tuple[str, ...] = (),
        script: str = "session.py",
        batch_size: int | str = 1,
        num_gpus: int = 1,
        **simulator: Any,
    ) -> BoxSession:
        """A session that is not started; `simulator` goes to the stand-in."""
        folder = self.root / "sessions" / name
        folder.mkdir(parents=True)
        settings = {**TINY, "ledger": str(self.ledger), **simulator}
        start = {
            "session": name,
            "root": str(self.root),
            "argv": argv or [sys.executable, str(SCRIPTS / script), str(folder)],
            "env": {"PYTHONPATH": str(SCRIPTS / "simulator"), "COSMOS_SIMULATOR": json.dumps(settings)},
            "key": {"engine": "simulated", "pipeline": pipeline, "hints": list(hints), "av": False},
            "checkpoint_dir": "checkpoints",
            "offload": list(offload),
            "idle_exit_s": idle_exit_s,
            "batch_size": batch_size,
            "num_gpus": num_gpus,
        }
        (folder / "start.json").write_text(json.dumps(start))
        session = BoxSession(folder)
        self.sessions.append(session)
        return session

    def started(self, name: str = "s1", **arguments: Any) -> BoxSession:
        session = self.session(name, **arguments)
        session.start()
        return session

    def close(self) -> None:
        for session in self.sessions:
            if (session.folder / "session.json").exists() and session.exit_code is None:
                run_box("kill", session.folder, "--grace", "1")
