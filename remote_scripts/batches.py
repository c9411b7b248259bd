"""Which jobs one process of transfer.py may make, and what it is given to read. Pure: controlnet specs in, groups out.

The box plans with it, and `cosmosq batch preview` tells with it what the box will do. It imports nothing of either.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

# What an item of a native batch says for itself. Every other key of a spec holds for the whole process.
OF_AN_ITEM = ("prompt", "input_video_path")
# Within a hint likewise: the engine reads its checkpoint when it is loaded, all else with each item.
OF_THE_PROCESS = ("ckpt_path",)
DEFAULT_WEIGHT = 0.5
SHOWN = 40


@dataclass(frozen=True)
class Group:
    """Jobs of one process, by their place in what was given; `reason` is why they are not in an earlier group."""

    members: tuple[int, ...]
    batch_size: int
    reason: str = ""


@dataclass(frozen=True)
class _Part:
    """Some of a set that could share a process, if `batch_size` were 1."""

    members: tuple[int, ...]
    batch_size: int
    reason: str


def plan(specs: Sequence[Spec], batch_size: int) -> list[Group]:
    """The groups in the order of their first members; within a group the order stays.

    `batch_size` is how many videos may be generated at once; a group may be larger, and is then made a batch at a time.
    """
    sets: dict[str, list[int]] = {}
    for number, spec in enumerate(specs):
        alone = f"{number}" if why_alone(spec) else ""
        sets.setdefault(f"{alone} {canonical(shared_by_all(spec))}", []).append(number)
    parts = [part for members in sets.values() for part in parts_of(specs, members, batch_size)]
    groups: list[Group] = []
    for part in sorted(parts, key=lambda part: part.members[0]):
        reason = why_apart(specs, part, [group.members[0] for group in groups])
        groups.append(Group(part.members, part.batch_size, reason))
    return groups


def why_alone(spec: Spec) -> str:
    """Why a job needs a process of its own; empty if it does not."""
    if "upscale" in hints_of(spec):
        return "an upscale runs alone"
    if not spec.get("input_video_path"):
        return "without an input video it runs alone"
    if spec.get("upsample_prompt"):
        return "the engine makes its prompt longer with its own control"
    if any(region.get("mask_prompt") for region in spec.get("regional_prompts") or []):
        return "its regions are searched for in its own video"
    return ""


def shared_by_all(spec: Spec) -> Spec:
    """What must be equal for two jobs to share a process, by name; the order of the hints is that of the encoders."""
    shared = {key: value for key, value in spec.items() if not isinstance(value, dict) and key not in OF_AN_ITEM}
    hints = hints_of(spec)
    for hint in hints:
        shared.update({f"{hint}.{key}": spec[hint][key] for key in OF_THE_PROCESS if key in spec[hint]})
    return {"hints": " ".join(hints), **shared}


def parts_of(specs: Sequence[Spec], members: Sequence[int], batch_size: int) -> Iterable[_Part]:
    """With more than one video at once, weights must be equal too, and prompts must tell the videos apart."""
    if batch_size == 1 or len(members) == 1:
        yield _Part(tuple(members), 1, "")
        return
    by_weights: dict[str, list[int]] = {}
    for number in members:
        by_weights.setdefault(weights_of(specs[number]), []).append(number)
    singles: list[int] = []
    for weights, equal in by_weights.items():
        first_of_prompt = {specs[number]["prompt"]: number for number in reversed(equal)}
        together = sorted(first_of_prompt.values())
        if weights and len(together) > 1:
            yield _Part(tuple(together), min(batch_size, len(together)), "weights")
            singles += [number for number in equal if number not in together]
        else:
            singles += equal
    if singles:
        yield _Part(tuple(sorted(singles)), 1, "one at a time, since their weights differ or their prompts do not")


def why_apart(specs: Sequence[Spec], part: _Part, earlier: Sequence[int]) -> str:
    """Against the earlier group that is nearest; empty for the first."""
    if not earlier:
        return ""
    own = shared_by_all(specs[part.members[0]])
    differences = min(
        (differences_of(shared_by_all(specs[other]), own) for other in earlier), key=lambda found: len(found)
    )
    if differences:
        return ", ".join(differences)
    if alone := why_alone(specs[part.members[0]]):
        return alone
    return "other weights" if part.reason in ("", "weights") else part.reason


def differences_of(theirs: Spec, own: Spec) -> list[str]:
    names = [name for name in {**theirs, **own} if theirs.get(name) != own.get(name)]
    return [f"{name} {shown(own.get(name))}, not {shown(theirs.get(name))}" for name in names]


def shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    flat = " ".join(text.split())
    return flat if len(flat) <= SHOWN else flat[: SHOWN - 1] + "…"


def hints_of(spec: Spec) -> tuple[str, ...]:
    return tuple(key for key, value in spec.items() if isinstance(value, dict))


def weights_of(spec: Spec) -> str:
    """The weights in one text; empty if they are maps, which a batch of several cannot tell apart."""
    weights: list[Any] = []
    for hint in hints_of(spec):
        weight = spec[hint].get("control_weight", DEFAULT_WEIGHT)
        if spec[hint].get("control_weight_prompt") or str(weight).endswith(".pt"):
            return ""
        weights.append([hint, as_number(weight)])
    return canonical(weights)


def as_number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def base_spec(specs: Sequence[Spec]) -> Spec:
    """The spec that a batch is started with: what all share, and no control that an item could inherit."""
    first = specs[0]
    base = {key: value for key, value in first.items() if key != "prompt" and not isinstance(value, dict)}
    for hint in hints_of(first):
        kept = {key: first[hint][key] for key in OF_THE_PROCESS if key in first[hint]}
        base[hint] = {"control_weight": first[hint].get("control_weight", DEFAULT_WEIGHT), **kept}
    return base


def item_of(spec: Spec) -> Spec:
    """A line of the batch. Each hint's control is said outright: null is one that the engine makes itself."""
    overrides = {}
    for hint in hints_of(spec):
        own = {key: value for key, value in spec[hint].items() if key not in OF_THE_PROCESS}
        overrides[hint] = {
            "control_weight": DEFAULT_WEIGHT,
            **own,
            "input_control": spec[hint].get("input_control") or None,
        }
    return {"visual_input": spec["input_video_path"], "prompt": spec["prompt"], "control_overrides": overrides}
