"""The ffmpeg filter graph that stands where the model is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
import av.filter
import numpy as np

from simulated.files import Image
from simulated.look import Look
from simulated.palette import colour_matrix

TIME_BASE = Fraction(1, 24)
PLANES = "gbrp"
OVERLAYS = ("keypoint", "hdmap", "lidar")
REACH = 6.0
"""How far from a line its surroundings go, in pixels of a 1280 wide picture."""
SAMPLES = [number / 32 for number in range(33)]


@dataclass(frozen=True)
class Pad:
    """One output of a filter."""

    context: av.filter.context.FilterContext
    output: int = 0


def single_threaded() -> av.filter.Graph:
    """Slices of a frame that are filtered at once share the noise's state: no two runs would be alike."""
    graph = av.filter.Graph()
    graph.threads = 1
    return graph


@dataclass
class Graph:
    """A graph under construction: `add` returns the new filter's output."""

    width: int
    height: int
    graph: av.filter.Graph = field(default_factory=single_threaded)
    sources: dict[str, av.filter.context.FilterContext] = field(default_factory=dict)

    def source(self, name: str, frame: av.VideoFrame) -> Pad:
        self.sources[name] = self.graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=TIME_BASE, name=name
        )
        return Pad(self.sources[name])

    def add(self, name: str, arguments: str, *inputs: Pad) -> Pad:
        context = self.graph.add(name, arguments)
        for number, pad in enumerate(inputs):
            pad.context.link_to(context, pad.output, number)
        return Pad(context)

    def split(self, pad: Pad) -> tuple[Pad, Pad]:
        both = self.add("split", "2", pad)
        return both, Pad(both.context, 1)

    def sized(self, pad: Pad, flags: str = "bilinear") -> Pad:
        return self.add("format", PLANES, self.add("scale", f"{self.width}:{self.height}:flags={flags}", pad))

    def finish(self, pad: Pad) -> "Running":
        sink = self.add("buffersink", "", self.add("format", "rgb24", pad))
        self.graph.configure()
        return Running(self.graph, self.sources, sink.context)


@dataclass(frozen=True)
class Running:
    """A configured graph: as many frames in as out. It holds the graph, which its contexts need to live."""

    graph: av.filter.Graph
    sources: Mapping[str, av.filter.context.FilterContext]
    sink: av.filter.context.FilterContext

    def push(self, frames: Mapping[str, av.VideoFrame], number: int) -> None:
        for name, source in self.sources.items():
            frame = frames[name]
            frame.pts, frame.time_base = number, TIME_BASE
            source.push(frame)

    def end(self) -> None:
        for source in self.sources.values():
            source.push(None)

    def pull(self) -> Iterator[Image]:
        while True:
            try:
                frame = self.sink.pull()
            except (BlockingIOError, EOFError):
                return
            assert isinstance(frame, av.VideoFrame)
            yield np.asarray(frame.to_ndarray(), dtype=np.uint8)


def transfer(look: Look, first: Mapping[str, av.VideoFrame], width: int, height: int) -> Running:
    """`first` holds the first frame of the input ("video") and of each control, by hint."""
    graph = Graph(width, height)
    lines = graph.sized(graph.source("edge", first["edge"])) if "edge" in first and look.edge > 0 else None
    picture = painted(graph, look, graph.source("video", first["video"]), None if look.is_free else lines)
    if "vis" in first and look.vis > 0:
        colours = graph.sized(graph.source("vis", first["vis"]))
        picture = graph.add("blend", f"all_mode=normal:all_opacity={look.vis:.4f}", colours, picture)
    if "seg" in first and look.tint > 0:
        picture = tinted(graph, look, picture, graph.source("seg", first["seg"]))
    if lines is not None and look.is_free:
        picture = graph.add(
            "blend", "all_mode=multiply", picture, graph.add("curves", straight(1.0, 1.0 - look.edge), lines)
        )
    if "depth" in first and look.shade > 0:
        picture = shaded(graph, look, picture, graph.source("depth", first["depth"]))
    for hint in OVERLAYS:
        if hint in first and look.overlay > 0:
            drawn = graph.sized(graph.source(hint, first[hint]))
            drawn = graph.add("curves", straight(0.0, look.overlay), drawn)
            picture = graph.add("blend", "all_mode=screen", picture, drawn)
    return graph.finish(finished(graph, look, picture))


def upscale(look: Look, first: Mapping[str, av.VideoFrame], width: int, height: int, weight: float) -> Running:
    """The more weight, the closer to the source; the rest is sharpened and grained as if invented."""
    graph = Graph(width, height)
    faithful, invented = graph.split(graph.sized(graph.source("video", first["video"]), "bicubic"))
    invented = graph.add("unsharp", "7:7:1.5", invented)
    invented = graph.add("noise", grain(look), invented)
    keep = min(1.0, 0.4 + 0.5 * weight)
    picture = graph.add("blend", f"all_mode=normal:all_opacity={keep:.4f}", faithful, invented)
    return graph.finish(softened(graph, look, picture))


def painted(graph: Graph, look: Look, video: Pad, lines: Pad | None) -> Pad:
    """The input in the palette of the prompt, with as much of its detail as sigma leaves, and more near lines."""
    sharp, rough = graph.split(graph.sized(video))
    rough = graph.add("scale", f"{max(4, graph.width // 16)}:{max(4, graph.height // 16)}:flags=area", rough)
    rough = graph.sized(graph.add("gblur", "sigma=1", rough), "bicubic")
    if lines is not None:
        sharp, kept = graph.split(sharp)
    mixed = graph.add("blend", f"all_mode=normal:all_opacity={look.detail:.4f}", sharp, rough)
    if lines is not None:
        mixed = graph.add("maskedmerge", "", mixed, kept, surroundings(graph, look, lines))
    coloured = graph.add("colorchannelmixer", mixer(look.colours), mixed)
    return graph.add("curves", tones(look), coloured)


def surroundings(graph: Graph, look: Look, lines: Pad) -> Pad:
    """White, as far as the weight goes, on lines and some pixels around them, and fading from there."""
    wide = graph.add("gblur", f"sigma={max(1.0, REACH * graph.width / 1280):.4f}", lines)
    return graph.add("curves", curves({"all": [(0.0, 0.0), (0.1, look.edge), (1.0, look.edge)]}), wide)


def tinted(graph: Graph, look: Look, picture: Pad, seg: Pad) -> Pad:
    """Each region of the segmentation lends its colour, turned by the prompt. Black lends none."""
    regions = graph.sized(seg, "neighbor")
    regions = graph.add("colorchannelmixer", mixer(colour_matrix(look.tint_hue, 1.0, (1, 1, 1), 1.0)), regions)
    regions = graph.add("curves", straight(0.0, look.tint), regions)
    return graph.add("blend", "all_mode=screen", picture, regions)


def shaded(graph: Graph, look: Look, picture: Pad, depth: Pad) -> Pad:
    """Dark in the depth map is far: it gets darker, and fog lies over it."""
    near, far = graph.split(graph.sized(depth))
    light = graph.add("curves", straight(1.0 - 0.55 * look.shade, 1.0), near)
    fog = curves(
        {channel: [(0, 0.5 * look.shade * part), (1, 0)] for channel, part in zip("rgb", look.fog, strict=True)}
    )
    picture = graph.add("blend", "all_mode=multiply", picture, light)
    return graph.add("blend", "all_mode=screen", picture, graph.add("curves", fog, far))


def finished(graph: Graph, look: Look, picture: Pad) -> Pad:
    picture = softened(graph, look, picture)
    picture = graph.add("curves", curves({"all": [(x, 0.5 + look.contrast * (x - 0.5)) for x in SAMPLES]}), picture)
    return graph.add("noise", grain(look), picture)


def softened(graph: Graph, look: Look, picture: Pad) -> Pad:
    sigma = look.softness * graph.width / 1280
    return picture if sigma < 0.1 else graph.add("gblur", f"sigma={sigma:.4f}", picture)


def grain(look: Look) -> str:
    return f"all_seed={look.noise_seed}:alls={look.noise}:allf=t"


def tones(look: Look) -> str:
    """A gamma for each channel, then steps instead of gradients, as far as the picture is posterised."""
    plots = {}
    for channel, gamma in zip("rgb", look.gammas, strict=True):
        values = [x**gamma for x in SAMPLES]
        flat = [round(value * look.levels) / look.levels for value in values]
        mixed = [value + look.posterised * (step - value) for value, step in zip(values, flat, strict=True)]
        plots[channel] = list(zip(SAMPLES, mixed, strict=True))
    return curves(plots)


def straight(black: float, white: float) -> str:
    return curves({"all": [(0.0, black), (1.0, white)]})


def curves(plots: Mapping[str, list[tuple[float, float]]]) -> str:
    """Curves and not lutrgb, which evaluates its expressions 65536 times for each channel of each graph."""
    drawn = (
        f"{channel}='" + " ".join(f"{x:.4f}/{min(1.0, max(0.0, y)):.4f}" for x, y in points) + "'"
        for channel, points in plots.items()
    )
    return ":".join(["interp=pchip", *drawn])


def mixer(matrix: np.ndarray) -> str:
    """Rows are outputs, columns inputs; the filter takes −2 to 2."""
    bounded = np.clip(matrix, -2, 2)
    return ":".join(
        f"{to}{of}={bounded[row, column]:.5f}" for row, to in enumerate("rgb") for column, of in enumerate("rgb")
    )
