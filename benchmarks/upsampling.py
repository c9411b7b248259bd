"""Many prompts with the upsampler loaded once, against loading it for each."""

import json
import tempfile
from pathlib import Path

from benchmarks.ratio import Ratio, seconds
from tests.integration.box_tools import Box, make_video

PROMPTS = 20
LOAD_S = 3.0
PATIENCE_S = 600.0


def measure() -> list[Ratio]:
    """From the start of a session to the last prompt, on the stand-in; each side once, for one takes a minute."""
    with tempfile.TemporaryDirectory() as folder:
        box = Box(Path(folder))
        try:
            kept, loaded_each = (
                seconds(lambda: upsample(box, "kept")),
                seconds(lambda: upsample(box, "each", reload=True)),
            )
        finally:
            box.close()
        loads = [json.loads(line)["kind"] for line in box.ledger.read_text().splitlines()].count("upsampler_load")
        assert loads == 1 + PROMPTS
    return [
        Ratio(
            name=f"{PROMPTS} prompts, model kept : loaded for each ({LOAD_S:g} s)",
            ours_s=kept,
            theirs_s=loaded_each,
            ratio=kept / loaded_each,
            limit=1 / 5,
        )
    ]


def upsample(box: Box, name: str, *, reload: bool = False) -> None:
    """All prompts in one session."""
    video = make_video(box.root / "videos" / "a.mp4")
    session = box.started(
        name,
        hints=(),
        pipeline="upsample",
        script="upsample_prompts.py",
        offload=("prompt_upsampler",) if reload else (),
        upsampler_load_s=LOAD_S,
    )
    for number in range(PROMPTS):
        spec = {"prompt": f"kitchen {number}", "video": str(video), "frames": "first", "max_size": "auto"}
        session.submit(f"{number}-1", spec)
    for number in range(PROMPTS):
        assert session.outcome(f"{number}-1", PATIENCE_S)["event"] == "done"
    session.stop()
    session.wait_for_exit()
