"""The disk fills up while a result comes home: nothing is lost, nothing is generated again."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.night import Night, make_night


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """A workspace whose outputs lie on a disk of one megabyte."""
    made = make_night(tmp_path)
    outputs = made.workspace.outputs_path
    outputs.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(outputs)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk is not permitted here")
    yield made
    made.close()
    subprocess.run(["umount", str(outputs)], check=True)


def fill(path: Path) -> None:
    """Write until there is no space left."""
    with path.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(b"x" * 4096):
            pass


def test_a_full_disk_stops_the_worker_and_the_next_one_brings_the_same_result_home(night: Night) -> None:
    night.enqueue()
    filler = night.workspace.outputs_path / "filler"
    fill(filler)
    worker = night.worker("--until-empty")
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode == 2
    assert "is full: free some space" in said
    assert night.statuses() == ["running"]
    filler.unlink()
    night.work()
    assert night.statuses() == ["succeeded"]
    assert (len(night.generations), len(night.loads), night.job(1)["attempt"]) == (1, 1, 1)
