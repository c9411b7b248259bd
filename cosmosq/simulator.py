"""What the simulated engine can be told in `cosmosq.toml`."""

SIMULATOR: dict[str, type | tuple[type, ...]] = {
    "load_s": (int, float),
    "step_s": (int, float),
    "upsampler_load_s": (int, float),
    "upsample_s": (int, float),
    "scale": (int, float),
    "clip_frames": int,
    "memory_gb": (int, float),
    "ledger": str,
    "faults": list,
}
"""What the simulated engine can be told, and the type of each; docs/simulator.md says what it means."""


def is_simulator(value: object) -> bool:
    """Whether it is a table of these, each of its type."""
    return isinstance(value, dict) and all(
        name in SIMULATOR and isinstance(told, SIMULATOR[name]) and not isinstance(told, bool)
        for name, told in value.items()
    )
