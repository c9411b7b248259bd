"""Small real videos and frames, made on the spot."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]

MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
"""NVIDIA's own example clips, next to the repository; absent on most machines."""


def picture(index: int = 0, *, width: int = 64, height: int = 48, seed: int = 0) -> Pixels:
    """An RGB picture (height, width, 3) of uint8 that moves with `index`."""
    ramp = np.add.outer(np.arange(height), np.arange(width))
    channels = [(ramp * (channel + 1) + 5 * index + 40 * seed) % 256 for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def make_video(
    path: Path,
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    fps: int = 24,
    seed: int = 0,
    front: bool = True,
    codec: Literal["libx264", "mpeg4", "libvpx-vp9"] = "libx264",
    **options: str,
) -> Path:
    """An H.264 video in the container that the suffix names; `front` puts an mp4's index before its frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if front and path.suffix in (".mp4", ".mov"):
        options.setdefault("movflags", "+faststart")
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            pixels = picture(index, width=width, height=height, seed=seed)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def packet_starts(path: Path) -> list[int]:
    """Where in the file each frame's data begins, in the order of the file."""
    with av.open(str(path)) as container:
        return sorted(packet.pos for packet in container.demux(video=0) if packet.size and packet.pos is not None)


def make_sound(path: Path) -> Path:
    """A media file without any picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    return path


def make_frame(path: Path, pixels: Pixels) -> Path:
    """One image file; `pixels` are RGB, RGBA or grey, of the depth that the file is to have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".exr":
        path.write_bytes(_exr(pixels))
        return path
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    data = cv2.cvtColor(pixels, order[channels]) if channels in order else pixels
    # Encoded in memory, because OpenCV cannot write every path on every system.
    written, encoded = cv2.imencode(path.suffix, data)
    assert written, path
    path.write_bytes(encoded.tobytes())
    return path


def _exr(pixels: Pixels) -> bytes:
    """Linear light of float32 as an EXR; OpenCV's wheels come without that format."""
    layout = {2: "grayf32le", 3: "gbrapf32le" if pixels.shape[-1] == 4 else "gbrpf32le"}[pixels.ndim]
    encoder = av.CodecContext.create("exr", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width = pixels.shape[:2]
    encoder.pix_fmt, encoder.time_base = layout, Fraction(1)
    frame = av.VideoFrame.from_ndarray(pixels.astype(np.float32), format=layout)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode()])


def make_frames(
    folder: Path,
    name: str = "color",
    *,
    frames: int = 4,
    first: int = 1,
    suffix: str = ".png",
    width: int = 64,
    height: int = 48,
    seed: int = 0,
) -> list[Path]:
    """Numbered frames as Houdini names them: `color.0001.png`, …"""
    return [
        make_frame(
            folder / f"{name}.{number:04d}{suffix}",
            picture(number, width=width, height=height, seed=seed),
        )
        for number in range(first, first + frames)
    ]


def decoded(path: Path) -> Pixels:
    """All frames of a video as RGB, (frames, height, width, 3) of uint8."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
