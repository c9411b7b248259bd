"""The parameter table of Cosmos-Transfer1: one piece of data that validates, documents and renders.

Source: the arguments of NVIDIA's `transfer.py` and the keys of its controlnet spec. To add a parameter, add a row
here, a column to `models.ParameterSet` with a migration, and, if it belongs to a hint, its wire name in `spec.py`; then
teach the box's side: `remote_scripts/order.PARAMETERS` and `warm_pipeline.SETTABLE`, and the simulator.
"""

from cosmosq.engines.parameter import Parameter

HINTS = ("vis", "edge", "depth", "seg", "keypoint", "hdmap", "lidar", "upscale")
"""Canonical order: it is the order of the encoders, so it must be the same for every session."""

PRESETS = ("very_low", "low", "medium", "high", "very_high")

NEGATIVE_PROMPT = (
    "The video captures a game playing, with bad crappy graphics and cartoonish frames. It represents a recording "
    "of old outdated games. The lighting looks very fake. The textures are very raw and basic. The geometries are "
    "very primitive. The images are very pixelated and of poor CG quality. There are many subtitles in the footage. "
    "Overall, the video is unrealistic at all."
)
"""The engine's own default."""

PROMPT = (
    "The video captures a stunning, photorealistic scene with remarkable attention to detail, giving it a lifelike "
    "appearance that is almost indistinguishable from reality. It appears to be from a high-budget 4K movie, "
    "showcasing ultra-high-definition quality with impeccable resolution."
)
"""What the engine takes for a spec without a prompt."""

_GUIDES = {
    "vis": "blurred colours of the input",
    "edge": "outlines of the input",
    "depth": "distance from the camera",
    "seg": "which region is which object",
    "keypoint": "poses of people",
    "hdmap": "road map; needs is_av_sample",
    "lidar": "lidar points; needs is_av_sample",
    "upscale": "how closely the upscaled video keeps to its source",
}

_GENERAL = (
    Parameter(
        name="negative_prompt",
        type=str,
        default=NEGATIVE_PROMPT,
        required=True,
        meaning="What the video should not look like; the engine crashes on an empty one.",
    ),
    Parameter(
        name="num_steps",
        type=int,
        default=35,
        minimum=1,
        maximum=1000,
        meaning="Denoising steps; time grows with them.",
    ),
    Parameter(
        name="guidance",
        type=float,
        default=5.0,
        minimum=0,
        maximum=100,
        meaning="How strongly the prompt pulls.",
    ),
    Parameter(
        name="sigma_max",
        type=float,
        default=70.0,
        minimum=0.01,
        maximum=80,
        meaning="Noise that is laid over the input video; at 80 the input video is ignored.",
    ),
    Parameter(name="seed", type=int, default=1, minimum=0, maximum=2**32 - 1, meaning="Seed of the model."),
    Parameter(name="fps", type=int, default=24, minimum=1, maximum=240, meaning="Frames a second of the output."),
    Parameter(
        name="blur_strength",
        type=str,
        default="medium",
        choices=PRESETS,
        meaning="Blur of a vis control that is made from the input.",
    ),
    Parameter(
        name="canny_threshold",
        type=str,
        default="medium",
        choices=PRESETS,
        meaning="Thresholds of an edge control that is made from the input; higher keeps fewer edges.",
    ),
    Parameter(
        name="use_distilled",
        type=bool,
        default=False,
        meaning="The one-step model: one hint only; steps, guidance, sigma and negative prompt are ignored.",
    ),
    Parameter(name="is_av_sample", type=bool, default=False, meaning="The model for driving scenes (hdmap, lidar)."),
    Parameter(
        name="upsample_prompt",
        type=bool,
        default=False,
        meaning="In command mode, transfer.py makes the prompt longer itself; see docs/upsampling.md for its limits.",
    ),
    Parameter(
        name="regional_prompts",
        type=str,
        default="",
        json=True,
        meaning='Prompts for regions: [{"prompt": …, "mask_prompt": …}, …].',
    ),
)

_WEIGHTS = tuple(
    Parameter(
        name=f"{hint}.weight",
        type=float,
        default=0.0,
        minimum=0,
        maximum=100,
        meaning=f"Strength of {hint}: {guide}.",
    )
    for hint, guide in _GUIDES.items()
)

_SEG = (
    Parameter(
        name="seg.control_prompt",
        type=str,
        default="",
        meaning="What to segment when the clip has no seg video; empty: the prompt.",
    ),
    Parameter(name="seg.weight_prompt", type=str, default="", meaning="Objects on which alone the seg weight acts."),
)

_CHECKPOINTS = tuple(
    Parameter(
        name=f"{hint}.checkpoint",
        type=str,
        default="",
        meaning=f"Checkpoint of {hint} below the checkpoint folder; empty: the engine's own.",
    )
    for hint in HINTS
)

PARAMETERS: tuple[Parameter, ...] = (*_GENERAL, *_WEIGHTS, *_SEG, *_CHECKPOINTS)
BY_NAME: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}

KIND_DEFAULTS: dict[str, dict[str, int | float]] = {
    "transfer": {},
    # NVIDIA's documented values for its upscaler.
    "upscale": {"num_steps": 10, "upscale.weight": 0.5},
    # The upsampler takes none of them.
    "upsample": {},
}
