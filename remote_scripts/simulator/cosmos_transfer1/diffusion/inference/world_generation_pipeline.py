"""The pipeline classes, with the engine's arguments, order of steps and log lines."""

import copy
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from simulated import bars, faults, gpu, ledger, log, memory
from simulated.generation import Generation, shape_of
from simulated.own_upsampler import OwnUpsampler
from simulated.request import Request, guides_of, regions_of
from simulated.settings import Settings

from cosmos_transfer1.diffusion.inference.preprocessors import MADE_FROM_INPUT, Preprocessors

Video = NDArray[np.uint8]
ControlInputs = dict[str, dict[str, Any]]

ATTRIBUTES = (
    "guidance",
    "num_steps",
    "height",
    "width",
    "fps",
    "num_video_frames",
    "seed",
    "num_input_frames",
    "sigma_max",
    "blur_strength",
    "canny_threshold",
    "regional_prompts",
    "region_definitions",
    "upsample_prompt",
    "offload_network",
    "offload_tokenizer",
    "offload_text_encoder_model",
    "offload_guardrail_models",
    "offload_prompt_upsampler",
    "checkpoint_dir",
    "checkpoint_name",
)


@dataclass(frozen=True)
class Item:
    """One of the videos that a call of generate() is asked for."""

    prompt: str
    path: str | None
    controls: ControlInputs


def with_the_first_weights(items: list[Item]) -> list[Item]:
    """As in the engine: the scalar weights of a batch's first item act on all of them."""
    first = items[0].controls
    return [
        Item(
            item.prompt,
            item.path,
            {hint: as_first(config, first.get(hint, {})) for hint, config in item.controls.items()},
        )
        for item in items
    ]


def as_first(config: dict[str, Any], first: dict[str, Any]) -> dict[str, Any]:
    weight = first.get("control_weight", config.get("control_weight"))
    return config if weight is None or str(weight).endswith(".pt") else {**config, "control_weight": weight}


class DiffusionControl2WorldGenerationPipeline:
    """Any set of hints, any number of steps."""

    def __init__(
        self,
        checkpoint_dir: str,
        checkpoint_name: str,
        has_text_input: bool = True,
        offload_network: bool = False,
        offload_tokenizer: bool = False,
        offload_text_encoder_model: bool = False,
        offload_guardrail_models: bool = False,
        guidance: float = 7.0,
        num_steps: int = 35,
        height: int = 704,
        width: int = 1280,
        fps: int = 24,
        num_video_frames: int = 121,
        seed: int = 0,
        num_input_frames: int = 1,
        control_inputs: ControlInputs | None = None,
        sigma_max: float = 70.0,
        blur_strength: str = "medium",
        canny_threshold: str = "medium",
        upsample_prompt: bool = False,
        offload_prompt_upsampler: bool = False,
        process_group: Any = None,
        regional_prompts: list[str] | None = None,
        region_definitions: list[Any] | None = None,
        disable_guardrail: bool = False,
        cutoff_frame: int = -1,
    ) -> None:
        self.checkpoint_dir = checkpoint_dir
        self.checkpoint_name = checkpoint_name
        self.has_text_input = has_text_input
        self.offload_network = offload_network
        self.offload_tokenizer = offload_tokenizer
        self.offload_text_encoder_model = offload_text_encoder_model
        self.offload_guardrail_models = offload_guardrail_models
        self.guidance = guidance
        self.num_steps = num_steps
        self.height = height
        self.width = width
        self.fps = fps
        self.num_video_frames = num_video_frames
        self.seed = seed
        self.num_input_frames = num_input_frames
        self.control_inputs = control_inputs or {}
        self.sigma_max = sigma_max
        self.blur_strength = blur_strength
        self.canny_threshold = canny_threshold
        self.upsample_prompt = upsample_prompt
        self.offload_prompt_upsampler = offload_prompt_upsampler
        self.process_group = process_group
        self.regional_prompts = regional_prompts
        self.region_definitions = region_definitions
        self.disable_guardrail = disable_guardrail
        self.cutoff_frame = cutoff_frame
        self._load_network()
        self._own = OwnUpsampler(self.control_inputs, checkpoint_dir) if upsample_prompt else None

    def reload_model(self, control_inputs: ControlInputs) -> None:
        """Drops the network and loads it for another set of hints."""
        self.control_inputs = control_inputs
        self._load_network()

    def _load_network(self) -> None:
        began_at = ledger.now()
        faults.at_load(f"{self.checkpoint_dir}/{self.checkpoint_name}")
        gpu.for_pipeline()
        for config in self.control_inputs.values():
            log.info(f"Loading ctrl model from ckpt_path: {config.get('ckpt_path')}")
        time.sleep(Settings.read().load_s)
        ledger.loaded(began_at, list(self.control_inputs), self.checkpoint_name, self._attributes())

    def generate(
        self,
        prompt: str | list[str],
        video_path: str | list[str],
        negative_prompt: str | None = None,
        control_inputs: ControlInputs | list[ControlInputs] | None = None,
        save_folder: str = "outputs/",
        batch_size: int = 1,
    ) -> tuple[list[Video], list[str]] | None:
        """Videos as uint8 (T, H, W, 3) and their prompts, or None when the guardrail blocked all of them."""
        began_at = ledger.now()
        prompts = [prompt] if isinstance(prompt, str) else prompt
        paths = [video_path] if isinstance(video_path, str) else video_path
        controls = control_inputs if isinstance(control_inputs, list) else [control_inputs or {}]
        assert len(paths) == batch_size, "Number of prompts and videos must match"
        assert len(controls) == batch_size, "Number of control inputs must match batch size"
        log.info(f"Running batch generation with batch_size={batch_size}")
        if self._own is not None:
            prompts = self._longer(self._own, prompts, paths, save_folder)
        log.info("Running guardrail checks on all prompts")
        safe = [number for number, text in enumerate(prompts) if self._is_safe(number, text)]
        if not safe:
            log.critical("All prompts failed safety checks")
            return None
        self._encode(negative_prompt)
        log.info("Run generation")
        items = [Item(prompts[i], paths[i] or None, controls[i]) for i in safe]
        videos = self._run(with_the_first_weights(items), negative_prompt or "")
        log.info("Finish generation")
        log.info("Run guardrail on generated videos")
        for i in safe:
            received = self._received(prompts[i], paths[i], negative_prompt, controls[i], save_folder)
            ledger.generated(began_at, received)
        return videos, [prompts[i] for i in safe]

    def _longer(self, own: OwnUpsampler, prompts: list[str], paths: list[str], folder: str) -> list[str]:
        """Each shown the control of the whole process, as the engine does it."""
        if self.offload_network:
            gpu.free()
        presets = (self.blur_strength, self.canny_threshold)
        longer = [own.upsample(prompt, path, folder, presets) for prompt, path in zip(prompts, paths, strict=True)]
        gpu.for_pipeline()
        return longer

    def _is_safe(self, number: int, prompt: str) -> bool:
        if prompt.strip() and not faults.blocks(prompt):
            return True
        reason = "Prompt is empty" if not prompt.strip() else "A censored word was found in the prompt"
        log.critical(f"GUARDRAIL BLOCKED: BLOCKLIST: {reason}")
        log.critical(f"Input text prompt {number + 1} is not safe")
        return False

    def _encode(self, negative_prompt: str | None) -> None:
        log.info("Running text embedding on all prompts")
        log.info("Starting T5 compute")
        log.info("Completed T5 compute")
        if not negative_prompt:
            # The engine concatenates embeddings that it has not got.
            raise TypeError("expected Tensor as element 0 in argument 0, but got NoneType")
        log.info("Finish text embedding on prompt")

    def _run(self, items: list[Item], negative: str) -> list[Video]:
        settings = Settings.read()
        with tempfile.TemporaryDirectory() as scratch:
            generations = [self._begin(item, negative, scratch, settings) for item in items]
            clips = [generation.shape.clips for generation in generations]
            offloaded = [name for name in memory.OFFLOADED_GB if getattr(self, f"offload_{name}")]
            memory.check(memory.needed_gb(items[0].controls, sum(clips), offloaded), settings.memory_gb)
            for clip in bars.counted(max(clips)):
                running = [generation for generation in generations if clip < generation.shape.clips]
                self._sample([item.prompt for item in items], clip, max(clips), settings)
                log.info("Starting VAE decode")
                for generation in running:
                    generation.clip(clip)
                log.info("Completed VAE decode")
            return [generation.video() for generation in generations]

    def _begin(self, item: Item, negative: str, scratch: str, settings: Settings) -> Generation:
        folder = tempfile.mkdtemp(dir=scratch)
        controls = self._with_controls(item.prompt, item.path, item.controls, folder)
        request = self._request(item.prompt, item.path, negative, controls)
        return Generation(request, shape_of(request, settings))

    def _sample(self, prompts: list[str], clip: int, clips: int, settings: Settings) -> None:
        log.info("Starting latent encoding")
        log.info("Completed latent encoding")
        log.info("Starting diffusion sampling")
        steps = self._steps()
        for step in bars.counted(steps):
            for prompt in prompts:
                faults.at_step(prompt, clip * steps + step + 1, clips * steps)
            # A batch saves the loads, not the arithmetic.
            time.sleep(settings.step_s * len(prompts))
        log.info("Completed diffusion sampling")

    def _steps(self) -> int:
        return self.num_steps

    def _with_controls(self, prompt: str, path: str | None, controls: ControlInputs, scratch: str) -> ControlInputs:
        """Controls that nobody has made yet; the engine makes these while it prepares its tensors."""
        missing = {
            hint: config
            for hint, config in copy.deepcopy(controls).items()
            if hint in MADE_FROM_INPUT and not config.get("input_control")
        }
        if missing and path:
            Preprocessors()(path, prompt, missing, scratch, None, self.blur_strength, self.canny_threshold)
        return {**controls, **missing}

    def _request(self, prompt: str, path: str | None, negative: str, controls: ControlInputs) -> Request:
        return Request(
            prompt=prompt,
            negative_prompt=negative,
            seed=self.seed,
            num_steps=self.num_steps,
            guidance=self.guidance,
            sigma_max=self.sigma_max,
            video=path,
            guides=guides_of(controls),
            regions=regions_of(self.regional_prompts or [], self.region_definitions or []),
        )

    def _received(
        self, prompt: str, path: str, negative_prompt: str | None, controls: ControlInputs, folder: str
    ) -> dict[str, Any]:
        return {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "video_path": path,
            "control_inputs": controls,
            "save_folder": folder,
            "pipeline": type(self).__name__,
            # What the engine's preprocessors draw their thresholds from.
            "numpy_seed": first_word_of_numpys_generator(),
            **self._attributes(),
        }

    def _attributes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ATTRIBUTES}


def first_word_of_numpys_generator() -> int:
    """The seed, as long as nothing has been drawn."""
    state: Any = np.random.get_state()
    return int(state[1][0])


class DistilledControl2WorldGenerationPipeline(DiffusionControl2WorldGenerationPipeline):
    """One step; steps, guidance, sigma and the negative prompt are taken and ignored."""

    def _steps(self) -> int:
        return 1

    def _encode(self, negative_prompt: str | None) -> None:
        super()._encode(negative_prompt or "ignored")

    def _request(self, prompt: str, path: str | None, negative: str, controls: ControlInputs) -> Request:
        asked = super()._request(prompt, path, "", controls)
        return Request(**{**vars(asked), "num_steps": 35, "guidance": 5.0, "sigma_max": 70.0})
