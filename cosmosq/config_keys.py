"""The keys of `cosmosq.toml` as data: defaults, what is allowed, what they mean."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cosmosq.errors import InvalidInput
from cosmosq.retries import REPEATS, Repeat
from cosmosq.simulator import SIMULATOR, is_simulator
from cosmosq.windows import FORMS, parse_windows


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of the file: it validates and documents."""

    name: str
    default: Any
    allowed: str
    meaning: str
    accepts: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\x00" not in value


def is_name(value: object) -> bool:
    """Whether it may name a host."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]{0,59}", value) is not None


def _is_command(value: object) -> bool:
    if not _is_text(value):
        return False
    try:
        return bool(shlex.split(str(value)))
    except ValueError:
        return False


def _is_mounts(value: object) -> bool:
    mount = r"/[^:]*(:/[^:]*)?(:ro)?"
    return isinstance(value, list) and all(_is_text(item) and re.fullmatch(mount, item) for item in value)


def _is_gpus(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"(all|[0-9]+(,[0-9]+)*)?", value) is not None


def _is_window(value: object) -> bool:
    if not _is_text(value) and not (isinstance(value, list) and all(map(_is_text, value))):
        return False
    try:
        parse_windows(value)  # type: ignore[arg-type]
    except InvalidInput:
        return False
    return True


def _is_currency(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[^\W\d_]{1,10}|[$€£¥₹₩]", value) is not None


def _one_of(*choices: str) -> Callable[[Any], bool]:
    return lambda value: value in choices


def _whole(minimum: int, maximum: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and minimum <= value <= maximum


def _seconds(minimum: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and minimum <= value <= 10**7


def _is_repeat(value: object) -> bool:
    return isinstance(value, dict) and all(
        error in REPEATS and isinstance(rule, str) and rule in list(Repeat) for error, rule in value.items()
    )


AUTO = "auto"
AUTO_BATCH = 8
"""Where `batch_size = "auto"` ends: more at once only makes a failure dearer."""
LOAD_SERVES = 8
"""In command mode, so many orders should lie in an inbox for one load of the model."""
OFFLOADABLE = ("text_encoder_model", "guardrail_models", "diffusion_transformer")
"""Of the session that makes videos."""
_OFFLOADABLE = (*OFFLOADABLE, "prompt_upsampler")

TOP_KEYS = (
    Key(
        name="default_host",
        default="sim",
        allowed="the name of a host below",
        meaning="Host of jobs that name none.",
        accepts=is_name,
    ),
    Key(
        name="retries",
        default=2,
        allowed="an integer from 0 to 100",
        meaning="How often a job is repeated after a failure that a repetition may cure.",
        accepts=_whole(0, 100),
    ),
    Key(
        name="backoff_s",
        default=30,
        allowed="a number of at least 0",
        meaning="Seconds before a job is repeated after a crash; twice as long after each further one, up to an hour.",
        accepts=_seconds(0),
    ),
    Key(
        name="repeat",
        default={},
        allowed=f"a table of {', '.join(REPEATS)} with {', '.join(Repeat)}",
        meaning="How jobs are repeated after an error, where it is not to be as under Errors of jobs.",
        accepts=_is_repeat,
    ),
    Key(
        name="stop_after_failures",
        default=3,
        allowed="an integer from 0 to 1000; 0: never",
        meaning="So many failures in a row that tell against a host, as under Errors of jobs, pause it.",
        accepts=_whole(0, 1000),
    ),
    Key(
        name="probe_after_s",
        default=300,
        allowed="a number of at least 0",
        meaning="Seconds before such a host is tried with one job; twice as long after each that fails, up to an hour.",
        accepts=_seconds(0),
    ),
    Key(
        name="max_overtake",
        default=100,
        allowed="an integer from 0 to 1000000",
        meaning="So many younger jobs may go before one that needs another model, to spare a load.",
        accepts=_whole(0, 10**6),
    ),
    Key(
        name="lease_s",
        default=60,
        allowed="a number of at least 2",
        meaning="Seconds of silence after which a worker on another machine is taken to be gone.",
        accepts=_seconds(2),
    ),
    Key(
        name="measure",
        default=True,
        allowed="true, false",
        meaning="Whether a worker has the videos that come home measured beside its work: docs/measures.md.",
        accepts=lambda value: isinstance(value, bool),
    ),
)

HOST_KEYS = (
    Key(
        name="transport",
        default="local",
        allowed="local, ssh",
        meaning="How the host is reached: `local` is this machine.",
        accepts=_one_of("local", "ssh"),
    ),
    Key(
        name="address",
        default="",
        allowed="a name, an address, or an alias of ~/.ssh/config",
        meaning="Where a host over SSH is.",
        accepts=_is_text,
    ),
    Key(name="user", default="", allowed="a login", meaning="Login; empty: as SSH has it.", accepts=_is_text),
    Key(
        name="port",
        default=0,
        allowed="an integer from 0 to 65535",
        meaning="Port; 0: as SSH has it.",
        accepts=_whole(0, 65535),
    ),
    Key(
        name="identity",
        default="",
        allowed="the path of a private key",
        meaning="Key to log in with, beside the agent's and the usual ones.",
        accepts=_is_text,
    ),
    Key(
        name="engine",
        default="simulated",
        allowed="simulated, cosmos_transfer1",
        meaning="What makes the videos there.",
        accepts=_one_of("simulated", "cosmos_transfer1"),
    ),
    Key(
        name="root",
        default="",
        allowed="a path",
        meaning="Folder on the host for sessions, videos and scripts; empty: .cosmosq/hosts/NAME, over SSH ~/cosmosq.",
        accepts=_is_text,
    ),
    Key(
        name="python",
        default="",
        allowed="a path or command",
        meaning="Python with the engine's packages; empty: our own, over SSH and in containers python3.",
        accepts=_is_text,
    ),
    Key(
        name="checkout",
        default="",
        allowed="a path",
        meaning="The cosmos-transfer1 checkout on the host; the simulated engine needs none.",
        accepts=_is_text,
    ),
    Key(
        name="checkpoint_dir",
        default="checkpoints",
        allowed="a path",
        meaning="Checkpoints, relative to the checkout.",
        accepts=_is_text,
    ),
    Key(
        name="container",
        default="none",
        allowed="none, docker, sudo docker, podman, or another command like these",
        meaning="What sessions are run in; with `none` they are plain processes.",
        accepts=_is_command,
    ),
    Key(
        name="image",
        default="",
        allowed="the name of an image that the host has",
        meaning="Image of the containers.",
        accepts=_is_text,
    ),
    Key(
        name="gpus",
        default="all",
        allowed="all, or numbers like 0,1; empty for none",
        meaning="GPUs that a container gets.",
        accepts=_is_gpus,
    ),
    Key(
        name="network",
        default="",
        allowed="the name of a network, e.g. none, host",
        meaning="Network of the containers; empty: the container engine's own choice.",
        accepts=_is_text,
    ),
    Key(
        name="mounts",
        default=[],
        allowed="a list of /FOLDER, /FOLDER:/TARGET or either with :ro",
        meaning="Folders that a container sees beside root, checkout, checkpoints and Hugging Face cache.",
        accepts=_is_mounts,
    ),
    Key(
        name="hf_home",
        default="",
        allowed="a path",
        meaning="Hugging Face cache that a container sees; empty: ~/.cache/huggingface, if it is there.",
        accepts=_is_text,
    ),
    Key(
        name="activate",
        default="",
        allowed="a line of bash, e.g. source ~/venv/bin/activate",
        meaning="Run before each session without a container, to give it its Python (conda, venv).",
        accepts=_is_text,
    ),
    Key(
        name="offload",
        default=[],
        allowed=f"a list of {', '.join(_OFFLOADABLE)}",
        meaning="Models that leave the GPU between uses: less memory, much slower. "
        "A video that runs out of memory is tried once more with all of those that make it; so is all of its kind if "
        "nothing fitted without.",
        accepts=lambda value: isinstance(value, list) and all(item in _OFFLOADABLE for item in value),
    ),
    Key(
        name="mode",
        default="warm",
        allowed="warm, command",
        meaning="`warm` keeps the model loaded from job to job; `command` runs NVIDIA's command line: docs/command.md.",
        accepts=_one_of("warm", "command"),
    ),
    Key(
        name="batch_size",
        default=1,
        allowed="an integer from 1 to 64, or auto",
        meaning="In command mode, how many videos are generated at once.",
        accepts=lambda value: value == AUTO or _whole(1, 64)(value),
    ),
    Key(
        name="num_gpus",
        default=1,
        allowed="an integer from 1 to 64",
        meaning="In command mode, how many GPUs make one video; each holds the whole model.",
        accepts=_whole(1, 64),
    ),
    Key(
        name="prefetch",
        default=2,
        allowed="an integer from 0 to 20",
        meaning="So many jobs wait in the session, inputs and all, beside the one that is generated.",
        accepts=_whole(0, 20),
    ),
    Key(
        name="idle_close",
        default=60,
        allowed="a number of seconds of at least 0",
        meaning="How long an open session waits for the next job before it frees the GPU.",
        accepts=_seconds(0),
    ),
    Key(
        name="stall_s",
        default=3600,
        allowed="a number of at least 1",
        meaning="A session that says nothing for so many seconds during an attempt is ended.",
        accepts=_seconds(1),
    ),
    Key(
        name="window",
        default="",
        allowed=f"{FORMS}, or a list of them",
        meaning="When jobs may start there, in this machine's zone or the one behind the @; empty: at any time.",
        accepts=_is_window,
    ),
    Key(
        name="window_grace",
        default=0,
        allowed="a number of seconds of at least 0",
        meaning="A job may be expected to end so many seconds after its window.",
        accepts=_seconds(0),
    ),
    Key(
        name="price_per_hour",
        default=0,
        allowed="a number of at least 0",
        meaning="What an hour of the host costs; 0: nothing is told of costs.",
        accepts=_seconds(0),
    ),
    Key(
        name="currency",
        default="USD",
        allowed="a currency, e.g. USD, EUR, €",
        meaning="What the price is in.",
        accepts=_is_currency,
    ),
    Key(
        name="timeout_s",
        default=AUTO,
        allowed="auto, or a number of at least 0; 0: never",
        meaning="A generation that takes longer is stopped; `auto`: 4 × what earlier ones lead one to expect.",
        accepts=lambda value: value == AUTO or _seconds(0)(value),
    ),
    Key(
        name="simulator",
        default={},
        allowed=f"a table of {', '.join(SIMULATOR)} with numbers, faults a list",
        meaning="What the simulated engine is told: see docs/simulator.md.",
        accepts=is_simulator,
    ),
)
