"""Roles that videos play in a clip, and the names that tell them."""

import re
import unicodedata
from enum import IntEnum

ROLES = ("input", "depth", "seg", "edge", "vis", "keypoint", "hdmap", "lidar")

NAMES: dict[str, tuple[str, ...]] = {
    "input": ("color", "colour", "rgb", "input", "beauty"),
    "depth": ("depth", "z"),
    "seg": ("seg", "segmentation", "mask"),
    "edge": ("edge", "edges", "canny"),
    "vis": ("vis", "blur"),
    "keypoint": ("keypoint", "keypoints", "pose"),
    "hdmap": ("hdmap",),
    "lidar": ("lidar",),
}
"""The words in a file's name that tell its role."""

ROLE_OF = {word: role for role, words in NAMES.items() for word in words}


class Fit(IntEnum):
    """How surely a name says that a file plays a role in the clip; the lowest wins."""

    OWN = 0
    """`CLIP_depth.mp4`, `CLIP_depth_video.mp4`"""
    OWN_LOOSE = 1
    """`CLIP_take_3_depth.mp4`"""
    BARE = 2
    """`depth.mp4`, `depth_v2.mp4`"""
    OTHER = 3
    """`anything_depth.mp4`"""


def match_role(stem: str, clip: str) -> tuple[str, Fit] | None:
    """The role that a name without its suffix tells, as seen from `clip`; None if it tells none.

    A word counts if it is the whole name or stands behind a separator; of several the last one counts, and
    words of the clip's own name do not: `pose-test_depth` is the depth of `pose-test`.
    """
    words, own = _words(stem), _words(clip)
    if not words:
        return None
    if own and words[: len(own)] == own and (role := _last_role(rest := words[len(own) :])):
        exact = rest[0] in ROLE_OF and rest[1:] in ([], ["video"])
        return role, Fit.OWN if exact else Fit.OWN_LOOSE
    if words[0] in ROLE_OF and all(re.fullmatch(r"video|v?[0-9]+", word) for word in words[1:]):
        return ROLE_OF[words[0]], Fit.BARE
    role = _last_role(words[1:])
    return (role, Fit.OTHER) if role else None


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s._\-]+", unicodedata.normalize("NFC", text).casefold()) if word]


def _last_role(words: list[str]) -> str | None:
    return next((ROLE_OF[word] for word in reversed(words) if word in ROLE_OF), None)
