"""A small picture of each video, made once and kept: decoding takes long, and the first page should not."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cosmosq.errors import CosmosqError
from cosmosq.files import part_of, writing

WIDTH = 480
"""Pixels; of a narrower video its own."""
_QUALITY = 82


def posters_of(videos: Iterable[Path], cache: Path) -> Mapping[Path, Path]:
    """The first frame of each video as a JPEG in `cache`, by video; a video that cannot be decoded has none."""
    wanted = {video: cache / _name(video) for video in dict.fromkeys(videos) if video.is_file()}
    missing = [(video, poster) for video, poster in wanted.items() if not poster.is_file()]
    if missing:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            # Whatever fails in a thread is raised here.
            list(pool.map(lambda pair: _make_poster(*pair), missing))
    return {video: poster for video, poster in wanted.items() if poster.is_file()}


def _name(video: Path) -> str:
    """Changes with the file: neither hash nor decoding is needed to see that a poster is still right."""
    told = video.stat()
    identity = f"{video.resolve()}\0{told.st_size}\0{told.st_mtime_ns}"
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".jpg"


def _make_poster(video: Path, poster: Path) -> None:
    import cv2

    from cosmosq import videos

    try:
        picture = videos.first_picture(video, width=WIDTH)
    except CosmosqError:
        return
    done, encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if done:
        with writing(poster):
            poster.parent.mkdir(parents=True, exist_ok=True)
            # A picture is made again if it is lost: no sync, which would take longer than all the rest.
            part = part_of(poster)
            part.write_bytes(encoded.tobytes())
            part.replace(poster)
