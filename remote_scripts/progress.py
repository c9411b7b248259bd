"""Reads an engine's progress out of what it prints: phases from log lines, steps from tqdm bars."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

# Both forms that tqdm draws: ` 14%|█▍   | 5/35 [00:10<01:00,  2.0s/it]`, with or without a description.
BAR = re.compile(r"\d+%\|[^|]*\|\s*(\d+)/(\d+)\s*\[")

PHASES = (
    (re.compile(r"Running guardrail checks|Run guardrail on generated videos"), "guardrail"),
    (re.compile(r"Starting T5 compute"), "text_encoding"),
    (re.compile(r"Starting latent encoding"), "latent_encoding"),
    (re.compile(r"Starting diffusion sampling"), "sampling"),
    (re.compile(r"Starting VAE decode"), "decoding"),
)
STARTED_SAMPLING = re.compile(r"Starting diffusion sampling")
ENDED_SAMPLING = re.compile(r"Completed diffusion sampling")
BLOCKED = re.compile(r"GUARDRAIL BLOCKED: .*")

STEP_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Step:
    """Step `step` of `steps` in clip `clip` of `clips` is done; both count from 1."""

    clip: int
    clips: int
    step: int
    steps: int


@dataclass
class Progress:
    """Follows one attempt. The same bar may be read twice; it is reported once."""

    on_phase: Callable[[str], None]
    on_step: Callable[[Step], None]
    blocked_by: str | None = None
    _phase: str | None = None
    _clip: int = 0
    _clips: int = 1
    _is_sampling: bool = False
    _reported: Step | None = None
    _reported_at: float = float("-inf")

    def enter(self, phase: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self.on_phase(phase)

    def read_line(self, line: str) -> None:
        if blocked := BLOCKED.search(line):
            self.blocked_by = blocked.group().strip()
        for pattern, phase in PHASES:
            if pattern.search(line):
                self.enter(phase)
        if STARTED_SAMPLING.search(line):
            self._is_sampling = True
            self._clip += 1
            self._clips = max(self._clips, self._clip)
        elif ENDED_SAMPLING.search(line):
            self._is_sampling = False

    def read_bar(self, text: str) -> None:
        """Inside the sampling the bar counts steps; outside it counts clips."""
        bar = BAR.search(text)
        if bar is None:
            return
        done, total = int(bar.group(1)), int(bar.group(2))
        if not self._is_sampling:
            self._clips = max(1, total)
        elif done > 0:
            self._report(Step(self._clip, self._clips, done, total))

    def _report(self, step: Step) -> None:
        """At most one in STEP_INTERVAL_S, but always the last."""
        now = time.monotonic()
        is_due = step.step == step.steps or now - self._reported_at >= STEP_INTERVAL_S
        if is_due and step != self._reported:
            self._reported, self._reported_at = step, now
            self.on_step(step)
