"""A small workspace with a quick simulated engine, for tests that let real workers work."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import text

from cosmosq import clips, prompts
from cosmosq.cli.init import create
from cosmosq.config import Config, load_config
from cosmosq.db import Ledger, open_ledger
from cosmosq.engines.upsampling import Request, request
from cosmosq.enqueue import enqueue
from cosmosq.hosts import open_host
from cosmosq.paths import Workspace
from cosmosq.report import detail, query
from cosmosq.session.site import Site
from cosmosq.upsample_wishes import upsamplings_for
from cosmosq.wishes import wishes_for
from cosmosq.worker import Worker
from cosmosq.worker.limits import Limits
from tests.media import make_video

PATIENCE_S = 60.0
QUICK = {"scale": 0.1, "clip_frames": 9, "load_s": 0.0, "step_s": 0.0}

COMMAND_LINE = "import sys; from cosmosq.cli import main; sys.exit(main(sys.argv[1:]))"

SETTINGS = """\
default_host = "sim"
retries = {retries}
backoff_s = 0
measure = false
{settings}
lease_s = 5

[hosts.sim]
engine = "simulated"
{host}
idle_close = {idle_close}
stall_s = {stall_s}

[hosts.sim.simulator]
{simulator}
"""


@dataclass
class Night:
    """A workspace, its clip `shot` and what happened in it."""

    workspace: Workspace
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @cached_property
    def ledger(self) -> Ledger:
        return open_ledger(self.workspace.ledger_path)

    @property
    def config(self) -> Config:
        return load_config(self.workspace.config_path)

    @property
    def box(self) -> Path:
        """Root of the host `sim`."""
        root = self.config.host("sim").root
        return Path(root) if root else self.workspace.host_path("sim")

    def enqueue(
        self,
        prompt: str = "a quiet kitchen",
        *,
        again: bool = False,
        priority: int = 0,
        due_at: datetime | None = None,
        **parameters: object,
    ) -> int:
        """One job of a prompt with `edge_weight=0.5` and the like; returns its id."""
        given = {"edge.weight": 0.5, "num_steps": 3, **{dotted(name): value for name, value in parameters.items()}}
        record = prompts.add(self.ledger, [prompts.Draft(text=prompt, clip="shot")], now())[0]
        wishes = wishes_for(self.ledger, [record.id], given)
        how: dict[str, Any] = {"again": again, "priority": priority, "due_at": due_at}
        return enqueue(self.ledger, self.config.host(), wishes, now=now(), **how)[0].id

    def add(self, *texts: str, name: str | None = None) -> list[str]:
        """Prompts of the clip `shot`; returns their ids."""
        drafts = [prompts.Draft(text=text, clip="shot", name=name) for text in texts]
        return [record.id for record in prompts.add(self.ledger, drafts, now())]

    def upsample(self, *prompt_ids: str, again: bool = False, variants: int = 1, **how: str) -> list[int]:
        """Jobs that make prompts longer, one a prompt and variant."""
        requests = [request(variant=number, **how) for number in range(1, variants + 1)]
        wishes = upsamplings_for(self.ledger, prompt_ids, requests).wishes
        return [a.id for a in enqueue(self.ledger, self.config.host(), wishes, now=now(), again=again)]

    def enqueue_upsampled(self, *prompt_ids: str, priority: int = 0, **parameters: object) -> list[int]:
        """One job of each prompt with what the upsampler makes of it."""
        given = {"edge.weight": 0.5, "num_steps": 3, **{dotted(name): value for name, value in parameters.items()}}
        wishes = wishes_for(self.ledger, prompt_ids, given, Request())
        return [a.id for a in enqueue(self.ledger, self.config.host(), wishes, now=now(), priority=priority)]

    def worker(
        self, *arguments: str, first: str = "", environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """A real worker process.

        Args:
            first: Python that it runs before all else, to shorten what it would wait for.
            environment: beside our own.
        """
        command = [
            sys.executable,
            *(["-c", f"{first}\n{COMMAND_LINE}"] if first else ["-m", "cosmosq"]),
            "-w",
            str(self.workspace.root),
            "worker",
            "--poll",
            "0.02",
            *arguments,
        ]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.processes.append(process)
        return process

    def work(self, *, until_empty: bool = True, limits: Limits | None = None) -> None:
        """Do all there is in this very process; spares the start of another one."""
        worker = Worker(
            workspace=self.workspace,
            config=self.config,
            ledger=self.ledger,
            hosts=("sim",),
            until_empty=until_empty,
            limits=limits or Limits(),
            poll_s=0.02,
        )
        worker.run()

    def job(self, job_id: int) -> dict[str, Any]:
        with self.ledger.read() as session:
            return detail.job(session, job_id)

    def statuses(self) -> list[str]:
        return [str(value) for (value,) in self.sql("SELECT status FROM jobs ORDER BY id")]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with self.ledger.read() as session:
            return [tuple(row) for row in session.execute(text(statement))]

    def box_ledger(self, kind: str) -> list[dict[str, Any]]:
        """What the simulated box itself says it did: `load` or `generation`."""
        path = self.box / "generations.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]

    @property
    def generations(self) -> list[dict[str, Any]]:
        return self.box_ledger("generation")

    @property
    def loads(self) -> list[dict[str, Any]]:
        return self.box_ledger("load")

    def video(self, job_id: int) -> Path:
        with self.ledger.read() as session:
            path = query.video_of(session, job_id)
        assert path is not None, self.job(job_id)["message"]
        return self.workspace.root / path

    def session_pids(self) -> list[int]:
        """Session processes that live on the box."""
        found = []
        for path in self.box.glob("sessions/*/session.json"):
            pid = json.loads(path.read_text())["pid"]
            if not (path.parent / "exit").exists() and Path(f"/proc/{pid}").exists():
                found.append(pid)
        return found

    def kill_session(self) -> None:
        """End the sessions on the box at once, and with them what would note their end."""
        for path in self.box.glob("sessions/*/session.json"):
            told = json.loads(path.read_text())
            os.kill(told["wrapper_pid"], signal.SIGKILL)
            os.kill(told["pid"], signal.SIGKILL)

    def close(self) -> None:
        """End what a test left running."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if self.workspace.config_path.exists():
            for pid in self.session_pids():
                os.kill(pid, signal.SIGKILL)
        self.ledger.close()


def make_night(
    root: Path,
    *,
    simulator: Mapping[str, object] | None = None,
    faults: Sequence[Mapping[str, object]] = (),
    retries: int = 2,
    idle_close: float = 60,
    stall_s: float = 3600,
    roles: Sequence[str] = ("input",),
    settings: str = "",
    measure: bool = False,
    host: Mapping[str, object] | None = None,
    kind: type[Night] = Night,
) -> Night:
    """A workspace whose clip `shot` has a small video for each role.

    Args:
        measure: whether workers have the videos measured beside their work.
        settings: further lines at the top of cosmosq.toml.
        host: settings of the host `sim`, such as `transport`; its root must be on this machine.
        kind: how to find the sessions on the box.
    """
    told = {**QUICK, **(simulator or {})}
    lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
    for fault in faults:
        lines += ["", "[[hosts.sim.simulator.faults]]", *(f"{k} = {json.dumps(v)}" for k, v in fault.items())]
    whole = SETTINGS.format(
        settings=settings,
        retries=retries,
        idle_close=idle_close,
        stall_s=stall_s,
        host="\n".join(f"{key} = {json.dumps(value)}" for key, value in (host or {}).items()),
        simulator="\n".join(lines),
    )
    if measure:
        whole = whole.replace("measure = false", "measure = true")
    night = kind(create(root / "night", whole))
    arguments = [f"{role}={make_video(root / f'{role}.mp4', seed=seed)}" for seed, role in enumerate(roles)]
    clips.add(night.ledger, night.workspace, "shot", arguments, now=now())
    return night


def site_of(night: Night) -> Site:
    """The host as the library's own functions want it."""
    config = night.config.host()
    return Site(
        workspace=night.workspace,
        ledger=night.ledger,
        host=open_host(config, night.workspace),
        config=config,
        settings=night.config,
        poll_s=0.02,
        abandoned=threading.Event(),
    )


KEY = {"engine": "simulated", "pipeline": "transfer", "hints": ["edge"], "av": False, "checkpoints": {}}
"""Of a session for the jobs that `Night.enqueue` makes."""


def dotted(name: str) -> str:
    """`edge_weight` → `edge.weight`, for keyword arguments."""
    hint, _, rest = name.partition("_")
    hints = ("vis", "edge", "depth", "seg", "keypoint", "hdmap", "lidar", "upscale")
    return f"{hint}.{rest}" if hint in hints else name


def now() -> datetime:
    return datetime.now(UTC)


def wait_for(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until the condition holds, and fail with `what` if it never does."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:g} s for {what}"
        time.sleep(0.01)
