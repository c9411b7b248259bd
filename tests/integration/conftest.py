"""Workspaces whose host is this machine, and the folder of a box without a workspace."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.box_tools import Box, make_video
from tests.night import Night, make_night


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Night]]:
    """Makes workspaces that leave nothing running behind."""
    made: list[Night] = []

    def factory(**options: Any) -> Night:
        night = make_night(tmp_path, **options)
        made.append(night)
        return night

    yield factory
    for night in made:
        night.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box whose folder needs quoting."""
    box = Box(tmp_path / """the "GPU" box's folder""")
    box.root.mkdir()
    yield box
    box.close()


@pytest.fixture
def video(box: Box) -> Path:
    """An input on it."""
    return make_video(box.root / "videos" / "it's a clip.mp4")
