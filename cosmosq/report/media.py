"""The files that the page shows: videos linked or copied next to it, and a small picture of each."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cosmosq.errors import CosmosqError
from cosmosq.files import part_of, publish, writing

POSTER_WIDTH = 480
_QUALITY = 82


def bring(source: Path, target: Path) -> bool:
    """Link `source` to `target`, or copy it where links cannot be made; False if there is no such file."""
    if not source.is_file():
        return False
    with writing(target):
        if not _is_there(source, target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = part_of(target)
            part.unlink(missing_ok=True)
            try:
                os.link(source.resolve(), part)
                part.replace(target)
            except OSError:
                shutil.copy2(source, part)
                publish(part, target)
    return True


def _is_there(source: Path, target: Path) -> bool:
    if not target.is_file():
        return False
    old, new = target.stat(), source.stat()
    return os.path.samestat(old, new) or (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)


def posters(videos: Iterable[Path], cache: Path) -> Mapping[Path, Path]:
    """The first frame of each video as a JPEG in `cache`, by video; a video that cannot be decoded has none."""
    wanted = {video: cache / _cache_name(video) for video in dict.fromkeys(videos) if video.is_file()}
    missing = [(video, poster) for video, poster in wanted.items() if not poster.is_file()]
    if missing:
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            # Whatever fails in a thread is raised here.
            list(pool.map(lambda pair: _make_poster(*pair), missing))
    return {video: poster for video, poster in wanted.items() if poster.is_file()}


def _cache_name(video: Path) -> str:
    """Changes with the file: neither hash nor decoding is needed to see that a poster is still right."""
    told = video.stat()
    identity = f"{video.resolve()}\0{told.st_size}\0{told.st_mtime_ns}"
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".jpg"


def _make_poster(video: Path, poster: Path) -> None:
    import cv2

    from cosmosq import videos

    try:
        picture = videos.first_picture(video, width=POSTER_WIDTH)
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
