"""Which kind of failure an exception is. The engine has no error types of its own, so names and messages decide."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass

from token_budget import PromptTooLong

MESSAGE_LIMIT = 2000
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
INVALID_SPEC_MESSAGES = ("Invalid hint_key", "Must have 'input_video'", "Control weight for", "Must be one of")


NO_MEMORY_MESSAGES = ("CUDA out of memory", "Free memory on device")
# After these a process answers nothing any more: CUDA's own, and vLLM's about the process that it has the model in.
FATAL_MESSAGES = ("CUDA error", "EngineDeadError", "EngineCore encountered", "Engine core initialization failed")


class Cancelled(BaseException):
    """The client asked for it. No `Exception`: an engine's `except Exception` must not swallow it."""


class InvalidSpec(Exception):
    """The order cannot be carried out as it is written; change the spec."""


class NoAnswer(Exception):
    """The upsampler had nothing to say."""


class BadInput(Exception):
    """An input video is missing or cannot be decoded."""


@dataclass(frozen=True)
class Failure:
    """`fatal` means that this process can serve no further attempt."""

    error: str
    message: str
    fatal: bool


# What a process printed before it died, most telling first. torchrun wraps whatever it was, so its own words come last.
OUT_OF_MEMORY = re.compile(r"OutOfMemoryError|CUDA out of memory|Free memory on device")
# The host's killer of processes that take too much leaves no other word.
KILLED = re.compile(r"exitcode\s*: -9\b|exit code:? 137\b")
PRINTED = (
    (re.compile(r"No space left on device|Disk quota exceeded"), "disk_full"),
    (re.compile(r"FileNotFoundError.*\.pt\b|Failed to load T5 model"), "missing_checkpoint"),
    (re.compile("|".join(INVALID_SPEC_MESSAGES)), "invalid_spec"),
    (re.compile("longer than the maximum model length"), "prompt_too_long"),
)
RAISED = re.compile(r"^(?:\[rank\d+\]: *)?((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit)\b.*)$", re.MULTILINE)
WRAPPED = re.compile(r"^.*\bChildFailedError:", re.MULTILINE)


def failure_in(printed: str, exit_code: int) -> Failure:
    """Why a process of the engine died, out of what it printed last."""
    own = WRAPPED.split(printed, maxsplit=1)[0]
    raised = RAISED.findall(own)
    message = " ".join(raised[-1].split())[:MESSAGE_LIMIT] if raised else ""
    if OUT_OF_MEMORY.search(own):
        found = [line for line in raised if OUT_OF_MEMORY.search(line)]
        return Failure("out_of_memory", " ".join((found or ["CUDA out of memory"])[-1].split())[:MESSAGE_LIMIT], False)
    if KILLED.search(printed) or exit_code in (-9, 137):
        return Failure("out_of_memory", "the engine was killed with signal 9, as a host short of memory does", False)
    for pattern, error in PRINTED:
        if any(pattern.search(line) for line in raised):
            return Failure(error, message, False)
    if message:
        return Failure("engine_error", message, False)
    code = re.search(r"exitcode\s*: (-?\d+)", printed)
    return Failure("crashed", f"the engine ended with exit code {code.group(1) if code else exit_code}", False)


def failure_of(exception: BaseException) -> Failure:
    for cause in causes(exception):
        error = error_of(cause)
        if error != "engine_error":
            return Failure(error, one_line(cause), fatal=error == "out_of_memory")
    return Failure("engine_error", one_line(exception), fatal=any(map(is_the_end, causes(exception))))


def error_of(exception: BaseException) -> str:
    name, message = type(exception).__name__, str(exception)
    if isinstance(exception, Cancelled):
        return "cancelled"
    if (
        name == "OutOfMemoryError"
        or any(text in message for text in NO_MEMORY_MESSAGES)
        or isinstance(exception, MemoryError)
    ):
        return "out_of_memory"
    if isinstance(exception, OSError) and exception.errno in FULL:
        return "disk_full"
    if (isinstance(exception, FileNotFoundError) and ".pt" in message) or "Failed to load T5 model" in message:
        return "missing_checkpoint"
    if isinstance(exception, BadInput):
        return "bad_input"
    if isinstance(exception, PromptTooLong) or "longer than the maximum model length" in message:
        return "prompt_too_long"
    if isinstance(exception, NoAnswer):
        return "bad_output"
    if isinstance(exception, InvalidSpec) or any(text in message for text in INVALID_SPEC_MESSAGES):
        return "invalid_spec"
    return "engine_error"


def is_the_end(exception: BaseException) -> bool:
    return any(text in f"{type(exception).__name__}: {exception}" for text in FATAL_MESSAGES)


def causes(exception: BaseException | None) -> Iterator[BaseException]:
    """The exception itself, then what led to it, so that a wrapped out-of-memory is still one."""
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        yield exception
        exception = exception.__cause__ or exception.__context__


def one_line(exception: BaseException) -> str:
    text = " ".join(f"{type(exception).__name__}: {exception}".split())
    return text[:MESSAGE_LIMIT]
