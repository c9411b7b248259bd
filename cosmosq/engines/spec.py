"""The controlnet spec: the JSON that the engine reads. Wire names appear here and nowhere else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from cosmosq.engines.assignment import check_all, hints_of
from cosmosq.engines.parameter import Value, Values
from cosmosq.engines.parameters import BY_NAME, HINTS, PROMPT
from cosmosq.errors import InvalidInput
from cosmosq.spelling import nearest

_HINT_WIRE = {
    "control_weight": "weight",
    "input_control_prompt": "control_prompt",
    "control_weight_prompt": "weight_prompt",
    "ckpt_path": "checkpoint",
}
"""Wire name inside a hint's object → the parameter's name after the dot."""

_ABSENT_WEIGHT = 0.5
"""What the engine takes for a hint without `control_weight`."""

_OF_THE_BOX = frozenset(
    {
        "batch_input_path",
        "batch_size",
        "checkpoint_dir",
        "controlnet_specs",
        "num_gpus",
        "num_input_frames",
        "offload_diffusion_transformer",
        "offload_guardrail_models",
        "offload_prompt_upsampler",
        "offload_text_encoder_model",
        "video_save_folder",
        "video_save_name",
    }
)
"""Arguments of transfer.py that say how and where to run, not what to make."""


@dataclass(frozen=True, kw_only=True)
class SpecContents:
    """What a controlnet spec asks for."""

    text: str
    values: dict[str, Value]
    inputs: dict[str, str]
    """Path as written in the spec, by role (`input`, `depth`, …)."""
    notes: tuple[str, ...]
    """What was left out, and why."""


def render(text: str, values: Values, inputs: Mapping[str, PurePosixPath]) -> dict[str, Any]:
    """The spec with every parameter in it, because the engine's own defaults differ between its entry points.

    Args:
        text: the prompt.
        values: every parameter's value.
        inputs: path on the host by role; a hint without one is made from the input video.
    """
    spec: dict[str, Any] = {"prompt": text}
    if "input" in inputs:
        spec["input_video_path"] = str(inputs["input"])
    for name, value in values.items():
        if "." not in name:
            spec[name] = json.loads(str(value) or "[]") if BY_NAME[name].json else value
    for hint in hints_of(values):
        spec[hint] = _render_hint(hint, values, inputs)
    return spec


def _render_hint(hint: str, values: Values, inputs: Mapping[str, PurePosixPath]) -> dict[str, Any]:
    rendered: dict[str, Any] = {}
    for wire, suffix in _HINT_WIRE.items():
        value = values.get(f"{hint}.{suffix}", "")
        if value != "":
            rendered[wire] = value
    if hint in inputs:
        rendered["input_control"] = str(inputs[hint])
    return rendered


def parse(text: str, *, source: str) -> SpecContents:
    """Read a spec that NVIDIA's transfer.py takes.

    Args:
        text: the JSON.
        source: the file's name, for errors.

    Raises:
        InvalidInput: broken JSON, an unknown key or hint, a value that is not allowed.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{source}:{error.lineno}: broken JSON ({error.msg}): mend it and repeat") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{source}: broken JSON ({error}): mend it and repeat") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{source}: a controlnet spec is a JSON object, not {type(document).__name__}")
    try:
        return _contents(document)
    except InvalidInput as error:
        raise InvalidInput(f"{source}: {error}") from error


def _contents(document: dict[str, Any]) -> SpecContents:
    given: dict[str, object] = {}
    inputs: dict[str, str] = {}
    notes: list[str] = []
    for key, value in document.items():
        if isinstance(value, dict):
            _read_hint(key, value, given, inputs, notes)
        elif key == "input_video_path":
            _read_path("input", key, value, inputs)
        elif key in _OF_THE_BOX:
            notes.append(f"{key} is left out: it belongs to the host, not to the prompt")
        elif key in BY_NAME and "." not in key:
            given[key] = value
        elif key != "prompt":
            raise InvalidInput(f"{key} is no key of a controlnet spec{nearest(key, ['prompt', *BY_NAME, *HINTS])}")
    text = document.get("prompt", PROMPT)
    if not isinstance(text, str):
        raise InvalidInput("prompt must be text")
    return SpecContents(text=text, values=check_all(given), inputs=inputs, notes=tuple(notes))


def _read_hint(
    hint: str, value: dict[str, Any], given: dict[str, object], inputs: dict[str, str], notes: list[str]
) -> None:
    if hint not in HINTS:
        raise InvalidInput(f"{hint} is no hint{nearest(hint, HINTS)}: the engine knows {', '.join(HINTS)}")
    given[f"{hint}.weight"] = _ABSENT_WEIGHT
    for key, inner in value.items():
        name = f"{hint}.{_HINT_WIRE.get(key)}"
        if key == "input_control":
            if inner is not None:
                _read_path(hint, f"{hint}.{key}", inner, inputs)
        elif str(inner).endswith(".pt") and key == "control_weight":
            raise InvalidInput(f"{hint}.control_weight is a weight map ({inner}): only numbers are supported")
        elif name in BY_NAME:
            given[name] = inner
        else:
            notes.append(f"{hint}.{key} is left out: the engine reads no such key there")


def _read_path(role: str, key: str, value: object, inputs: dict[str, str]) -> None:
    if not isinstance(value, str):
        raise InvalidInput(f"{key} must be a path")
    if value:
        inputs[role] = value
