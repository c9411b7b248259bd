"""Workspaces whose host is this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

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
