"""What people bring: videos, clips, prompts, and parameter sets."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from cosmosq.models.base import Base


class Video(Base):
    """One input video by its contents; `path` is where it was last seen."""

    __tablename__ = "videos"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    fps: Mapped[float]
    frames: Mapped[int]
    duration_s: Mapped[float]
    created_at: Mapped[datetime]


class Clip(Base):
    """A named set of input videos."""

    __tablename__ = "clips"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]


class ClipVideo(Base):
    """Which video plays which role (`input`, `depth`, …) in a clip."""

    __tablename__ = "clip_videos"
    clip_id: Mapped[int] = mapped_column(ForeignKey("clips.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(20), primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("videos.sha256"))


class Prompt(Base):
    """Text, negative text and clip; `parameters` are its own defaults by parameter name."""

    __tablename__ = "prompts"
    id: Mapped[str] = mapped_column(String(15), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(200), unique=True)
    text: Mapped[str] = mapped_column(Text)
    negative_text: Mapped[str | None] = mapped_column(Text)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clips.id"), index=True)
    parameters: Mapped[dict[str, Any]]
    upsampled: Mapped[bool] = mapped_column(default=False)
    original_id: Mapped[str | None] = mapped_column(ForeignKey("prompts.id"), index=True)
    created_at: Mapped[datetime]


class ParameterSet(Base):
    """All parameters of a job, one typed column each; unique by digest."""

    __tablename__ = "parameter_sets"
    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    negative_prompt: Mapped[str] = mapped_column(Text)
    num_steps: Mapped[int]
    guidance: Mapped[float]
    sigma_max: Mapped[float]
    seed: Mapped[int] = mapped_column(BigInteger)
    fps: Mapped[int]
    blur_strength: Mapped[str] = mapped_column(String(20))
    canny_threshold: Mapped[str] = mapped_column(String(20))
    use_distilled: Mapped[bool]
    is_av_sample: Mapped[bool]
    upsample_prompt: Mapped[bool] = mapped_column(server_default=false())
    regional_prompts: Mapped[str] = mapped_column(Text)
    vis_weight: Mapped[float]
    edge_weight: Mapped[float]
    depth_weight: Mapped[float]
    seg_weight: Mapped[float]
    keypoint_weight: Mapped[float]
    hdmap_weight: Mapped[float]
    lidar_weight: Mapped[float]
    upscale_weight: Mapped[float]
    seg_control_prompt: Mapped[str] = mapped_column(Text)
    seg_weight_prompt: Mapped[str] = mapped_column(Text)
    vis_checkpoint: Mapped[str] = mapped_column(Text)
    edge_checkpoint: Mapped[str] = mapped_column(Text)
    depth_checkpoint: Mapped[str] = mapped_column(Text)
    seg_checkpoint: Mapped[str] = mapped_column(Text)
    keypoint_checkpoint: Mapped[str] = mapped_column(Text)
    hdmap_checkpoint: Mapped[str] = mapped_column(Text)
    lidar_checkpoint: Mapped[str] = mapped_column(Text)
    upscale_checkpoint: Mapped[str] = mapped_column(Text)


class Upsampling(Base):
    """How a longer prompt was made from its original."""

    __tablename__ = "upsamplings"
    prompt_id: Mapped[str] = mapped_column(ForeignKey("prompts.id"), primary_key=True)
    job_id: Mapped[int]
    """The job that made it; it may be forgotten by now."""
    model: Mapped[str] = mapped_column(String(100))
    frames: Mapped[str] = mapped_column(String(60))
    """Indices of the frames that were shown, as in `0,60`."""
    width: Mapped[int]
    height: Mapped[int]
    tokens: Mapped[int]
    """What the model was given, by its own count or as much as it could be."""
    upsample_s: Mapped[float]
    simulated: Mapped[bool]
    created_at: Mapped[datetime]
