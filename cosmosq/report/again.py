"""The command that asks for a job once more."""

import shlex
from collections.abc import Mapping

from cosmosq.engines.parameter import Value, Values
from cosmosq.engines.parameters import BY_NAME
from cosmosq.status import Kind


def enqueue_line(
    prompt: str,
    values: Values,
    *,
    own: Values,
    host: str,
    kind: str = Kind.TRANSFER,
    upsampled: bool = False,
    source: int | None = None,
) -> str:
    """The line that queues a job of exactly these values.

    Args:
        prompt: its name or id.
        values: every parameter's value.
        own: the prompt's own parameters, which need not be told; anything else that is not the default must be.
        upsampled: a longer prompt was asked for first.
        source: the job that an upscale makes larger.
    """
    if kind == Kind.UPSAMPLE:
        return shlex.join(["cosmosq", "prompt", "upsample", *_named(prompt, ["--again", "--host", host])])
    if kind == Kind.UPSCALE:
        # It takes over some of its source's values: what it has is told in full.
        told = {"upscale.weight": values["upscale.weight"], **_changed(values, {})}
        options = ["--upscale", *_settings(told), "--again", "--host", host]
        return shlex.join(["cosmosq", "enqueue", *_named(str(source or "JOB"), options)])
    longer = ["--upsample"] if upsampled else []
    return shlex.join(
        ["cosmosq", "enqueue", *_named(prompt, [*longer, *_settings(_changed(values, own)), "--again", "--host", host])]
    )


def _named(name: str, options: list[str]) -> list[str]:
    """The name first, or behind `--` if it could be taken for an option."""
    return [*options, "--", name] if name.startswith("-") else [name, *options]


def _changed(values: Values, own: Values) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value != own.get(name, BY_NAME[name].default)}


def _settings(values: Mapping[str, Value]) -> list[str]:
    return [word for name, value in values.items() for word in ("-s", f"{name}={_text(value)}")]


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
