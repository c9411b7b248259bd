"""The engines by name, and what tells one session of them from another."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from cosmosq.engines.assignment import hints_of
from cosmosq.engines.parameter import Values
from cosmosq.errors import NotFound
from cosmosq.spelling import nearest

UPSAMPLE = "upsample"
"""The pipeline of a session that makes prompts longer."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine that a host can have."""

    name: str
    simulated: bool

    def python_path(self, scripts: PurePosixPath, checkout: PurePosixPath) -> PurePosixPath:
        """Folder on the host that holds the package `cosmos_transfer1`."""
        return scripts / "simulator" if self.simulated else checkout

    def environment(self, simulator: Mapping[str, Any]) -> dict[str, str]:
        """What the engine's process gets beside its PYTHONPATH."""
        return {"COSMOS_SIMULATOR": json.dumps(simulator)} if self.simulated else {}


ENGINES = {
    engine.name: engine
    for engine in (Engine(name="cosmos_transfer1", simulated=False), Engine(name="simulated", simulated=True))
}


def get_engine(name: str) -> Engine:
    """The engine of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in ENGINES:
        raise NotFound(f"{name} is no engine{nearest(name, ENGINES)}: there are {', '.join(ENGINES)}")
    return ENGINES[name]


def session_key(engine: str, values: Values) -> dict[str, Any]:
    """What a session must share with a job to serve it without loading another model.

    Exactly its hints: a session with more of them, at weight 0, is not known to make the same video.
    """
    return _key(*_parts(engine, values))


def model_digest(engine: str, values: Values) -> str:
    """Digest of the session key; there are few of them among many jobs."""
    return _digest(*_parts(engine, values))


_Parts = tuple[str, tuple[str, ...], bool, bool, tuple[str, ...]]


def _parts(engine: str, values: Values) -> _Parts:
    hints = hints_of(values)
    checkpoints = tuple(str(values[f"{hint}.checkpoint"]) for hint in hints)
    return engine, hints, bool(values["use_distilled"]), bool(values["is_av_sample"]), checkpoints


def _key(
    engine: str, hints: tuple[str, ...], is_distilled: bool, is_av: bool, checkpoints: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "engine": engine,
        "pipeline": "distilled" if is_distilled else "transfer",
        "hints": list(hints),
        "av": is_av,
        "checkpoints": {hint: name for hint, name in zip(hints, checkpoints, strict=True) if name},
    }


@lru_cache(maxsize=1024)
def _digest(engine: str, hints: tuple[str, ...], is_distilled: bool, is_av: bool, checkpoints: tuple[str, ...]) -> str:
    return key_digest(_key(engine, hints, is_distilled, is_av, checkpoints))


def upsampling_key(engine: str) -> dict[str, Any]:
    """The key of the session that makes prompts longer; it has a model of its own."""
    return {"engine": engine, "pipeline": UPSAMPLE, "hints": [], "av": False, "checkpoints": {}}


def offloaded_key(key: Mapping[str, Any]) -> dict[str, Any]:
    """The key of a session that offloads all models, for what ran out of memory in one that does not."""
    return {**key, "offloaded": True}


def encode_key(key: Mapping[str, Any]) -> str:
    """The key as the ledger stores it."""
    return json.dumps(key, sort_keys=True)


def key_digest(key: Mapping[str, Any]) -> str:
    """Hex sha256 that two keys share only if they are equal."""
    return text_digest(encode_key(key))


def text_digest(encoded: str) -> str:
    """The digest of a key that is encoded already."""
    return hashlib.sha256(encoded.encode()).hexdigest()


def key_in_mode(key: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """The key with the session's mode in it. A host has one mode, so that jobs need not tell theirs."""
    return dict(key) if mode == "warm" else {**key, "mode": mode}


def mode_in_key(key: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The key without the mode, and the mode."""
    return {name: value for name, value in key.items() if name != "mode"}, str(key.get("mode", "warm"))


def key_of_jobs(encoded: str) -> str:
    """A session's key as the ledger has it, as the jobs that it serves have theirs."""
    return encode_key(mode_in_key(json.loads(encoded))[0])


UPSAMPLING_KEYS = tuple(key_digest(upsampling_key(name)) for name in ENGINES)
"""Digests of the keys of all such sessions."""
