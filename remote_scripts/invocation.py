"""One process of transfer.py and the attempts that it makes: its files, what it says, its videos as they appear."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import batches
import strays
from attempt import Attempt, replacing
from events import Events
from failures import Failure, failure_in, failure_of
from item_logs import ItemLogs
from lines import Lines
from outcome import Done, report
from pending import Pending
from start import Start
from verdicts import Trace

POLL_S = 0.05
# A pipe that is closed is always ready.
PAUSE_S = 0.01
# torchrun ends its workers itself when it is asked to.
GRACE_S = 5.0
DRAIN_S = 2.0
OFFLOADABLE = ("text_encoder_model", "guardrail_models", "diffusion_transformer")
CANCELLED = Failure("cancelled", "cancelled on request", False)


class Invocation:
    """Attempts that share one process; a member's place is its item's number."""

    def __init__(
        self,
        folder: Path,
        members: Sequence[Pending],
        batch_size: int,
        offload: bool,
        start: Start,
        events: Events,
        accept: Callable[[Attempt], None],
        on_batch: Callable[[int], None],
    ) -> None:
        """`accept` is told of each attempt whose turn comes, so that only these are blamed if all dies; `on_batch` how
        many videos came out at once."""
        self._folder = folder
        self._outputs = folder / "outputs"
        self._members = members
        self._batch_size = batch_size
        self._offload = offload
        self._start = start
        self._events = events
        self._accept = accept
        self._on_batch = on_batch
        self._finished: set[int] = set()
        self._cancelled: set[int] = set()
        self._is_unwanted = False
        folder.mkdir(parents=True)
        attempts = [member.attempt for member in members]
        self._logs = ItemLogs(events, attempts, batch_size, folder / "log.txt", self._begin)
        self._lines = Lines(self._logs)

    def run(self) -> Trace:
        """Until the process has ended. Videos are announced as they appear."""
        self._events.write(
            "invoked",
            attempts=[member.attempt.name for member in self._members],
            batch_size=self._batch_size,
            offload=self._offload,
        )
        for member in self._members[: self._batch_size]:
            self._accept(member.attempt)
            self._events.write("phase", attempt=member.attempt.name, phase="loading")
        process = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            self._follow(process)
        finally:
            process.terminate()
            code = self._end(process)
        self._collect()
        trace = self._trace(code)
        self._close_logs()
        return trace

    def _command(self) -> list[str]:
        specs = [member.order.spec for member in self._members]
        arguments = ["--checkpoint_dir", self._start.checkpoint_dir]
        if len(specs) == 1:
            base = specs[0]
            arguments += ["--video_save_name", "output"]
        else:
            base = batches.base_spec(specs)
            items = self._folder / "items.jsonl"
            items.write_text("".join(json.dumps(batches.item_of(spec)) + "\n" for spec in specs))
            arguments += ["--batch_input_path", str(items), "--batch_size", str(self._batch_size)]
        spec = self._folder / "spec.json"
        spec.write_text(json.dumps(base, indent=2, ensure_ascii=False) + "\n")
        arguments += self._flags()
        script = Path(__file__).with_name("upscale.sh" if "upscale" in base else "inference.sh")
        return [
            *("bash", str(script), sys.executable, str(self._start.num_gpus), str(spec), str(self._outputs)),
            *arguments,
        ]

    def _flags(self) -> list[str]:
        is_upsampled = self._members[0].is_upsampled
        # The upsampler takes 98 % of the memory, so that nothing else may be in it by then.
        all_of_them = self._offload or is_upsampled
        offloaded = OFFLOADABLE if all_of_them else [name for name in OFFLOADABLE if name in self._start.offload]
        flags = [f"--offload_{name}" for name in offloaded]
        return [*flags, "--upsample_prompt", "--offload_prompt_upsampler"] if is_upsampled else flags

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        while process.poll() is None:
            if not self._read(process.stdout.fileno(), POLL_S):
                time.sleep(PAUSE_S)
            self._collect()
            self._look_for_cancellations()
            if self._is_in_vain():
                self._is_unwanted = True
                return

    def _read(self, descriptor: int, wait_s: float) -> bool:
        """All that can be had now; False when there is none, or no more."""
        ready, _, _ = select.select([descriptor], [], [], wait_s)
        block = os.read(descriptor, 65536) if ready else b""
        self._lines.feed(block)
        return bool(block)

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code, after the process and whatever it started are gone and their last words are read."""
        assert process.stdout is not None
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        strays.end_descendants(GRACE_S if self._is_unwanted else 0.0)
        deadline = time.monotonic() + DRAIN_S
        while self._read(process.stdout.fileno(), 0.0) and time.monotonic() < deadline:
            pass
        self._lines.end()
        process.stdout.close()
        return process.wait()

    def _collect(self) -> None:
        """Videos whose prompt is written, which the engine does last, go to the attempt that it names."""
        made: dict[int, int] = {}
        for number in range(len(self._members)):
            video, told = self._place(number)
            if video.exists() and told.exists() and (owner := self._owner(number, told)) is not None:
                self._finish(owner, video)
                batch = owner // self._batch_size
                made[batch] = len(self._logs.members(batch))
        for size in made.values():
            self._on_batch(size)

    def _place(self, number: int) -> tuple[Path, Path]:
        if len(self._members) == 1:
            return self._outputs / "output.mp4", self._outputs / "output.txt"
        folder = self._outputs / f"video_{number}"
        return folder / "output.mp4", folder / "prompt.txt"

    def _owner(self, number: int, told: Path) -> int | None:
        """The item that this number's video was made of: its own, another of the same batch, or nobody's."""
        if self._members[number].is_upsampled:
            # It runs alone, and what the engine tells is the prompt that it made.
            return number if number not in self._finished else None
        try:
            prompt = told.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return None
        batch = self._logs.members(number // self._batch_size)
        owners = [item for item in batch if self._members[item].order["prompt"] == prompt]
        if number in owners:
            owners = [number]
        return owners[0] if len(owners) == 1 and owners[0] not in self._finished else None

    def _finish(self, item: int, video: Path) -> None:
        self._finished.add(item)
        if item in self._cancelled:
            return
        member = self._members[item]
        # The engine may have saved more by now than it was heard to begin with.
        self._accept(member.attempt)
        batch = self._logs.members(item // self._batch_size)
        generate_s = round((time.monotonic() - self._logs.generates_since) / len(batch), 3)
        self._logs.close_item(item)
        try:
            prompt = self._place(item)[1].read_text() if member.is_upsampled else None
            keep(member, video, prompt)
        except (OSError, UnicodeDecodeError) as error:
            report(self._events, member.attempt, failure_of(error))
        else:
            report(self._events, member.attempt, Done(generate_s, member.controls, prompt))

    def _begin(self, attempt: Attempt) -> None:
        """What came before is saved by then, and is told before the next is."""
        self._collect()
        self._accept(attempt)

    def _look_for_cancellations(self) -> None:
        for item, member in enumerate(self._members):
            if item not in self._finished and item not in self._cancelled and member.is_cancelled:
                self._cancelled.add(item)
                self._logs.close_item(item)
                report(self._events, member.attempt, CANCELLED)

    def _is_in_vain(self) -> bool:
        """Whether all that is made now, or all that is left, is cancelled."""
        left = set(range(len(self._members))) - self._finished
        now = left & set(self._logs.members(self._logs.batch)) if self._logs.batch is not None else set()
        return bool(self._cancelled) and (left <= self._cancelled or bool(now and now <= self._cancelled))

    def _trace(self, code: int) -> Trace:
        failure = None if code == 0 else failure_in(self._logs.last_words, code)
        return Trace(
            count=len(self._members),
            batch_size=self._batch_size,
            offload=self._offload,
            finished=self._finished | self._cancelled,
            # A release of the engine that says less still shows how far it came.
            reached=max(self._logs.reached, *(item + 1 for item in self._finished), 0),
            is_generating=self._logs.is_generating,
            unsafe=self._logs.unsafe,
            reasons=self._logs.reasons,
            failure=failure,
            ended_by_us=self._is_unwanted,
        )

    def _close_logs(self) -> None:
        self._logs.close()
        if not self._logs.reached:
            # It concerns all of them, and so the session.
            print(self._logs.last_words, flush=True)
            for item in range(len(self._members)):
                self._logs.close_item(item)


def keep(member: Pending, video: Path, prompt: str | None) -> None:
    """The video into the attempt's folder, whole, and the prompt that it was made with beside it."""
    attempt: Attempt = member.attempt
    with replacing(attempt.text) as part:
        part.write_text(str(member.order["prompt"]) if prompt is None else prompt)
    with replacing(attempt.video) as part:
        video.replace(part)
