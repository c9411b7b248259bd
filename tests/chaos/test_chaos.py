"""Chaotic nights on a box over SSH, a seed each: 5 of them here, 200 with `make chaos`.

COSMOSQ_CHAOS_SEEDS=7 or 7-12 repeats one or some; what was done is told with a failure.
"""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.box.proxy import Proxy
from tests.box.sshd import Server, settings_of
from tests.chaos.chaotic_night import FAULTS, ChaoticNight
from tests.chaos.clock import Clock, library
from tests.night import make_night

pytestmark = pytest.mark.usefixtures("no_keys")


def seeds() -> range:
    first, _, last = os.environ.get("COSMOSQ_CHAOS_SEEDS", "1-5").partition("-")
    return range(int(first), int(last or first) + 1)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path | None]:
    """Sixteen megabytes; None where nothing may be mounted."""
    folder = tmp_path / "night" / "outputs"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        assert "CI" not in os.environ, "mounting a small disk is not permitted here"
        yield None
        return
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def clock(tmp_path: Path) -> Clock | None:
    """None where libfaketime is not installed."""
    if library() is None:
        assert "CI" not in os.environ, "libfaketime is not installed"
        return None
    return Clock(tmp_path / "clock")


@pytest.mark.parametrize("seed", seeds())
def test_whatever_happens_every_job_has_one_right_outcome(
    shared_server: Server, disk: Path | None, clock: Clock | None, tmp_path: Path, seed: int
) -> None:
    with Proxy(shared_server.port) as proxy:
        host = settings_of(shared_server, tmp_path / "the box", proxy.port)
        night = make_night(
            tmp_path, simulator={"step_s": 0.01}, faults=FAULTS, settings="stop_after_failures = 0", host=host
        )
        known = shared_server.known_hosts.read_text().replace(f":{shared_server.port} ", f":{proxy.port} ")
        night.workspace.known_hosts_path.write_text(known)
        chaotic = ChaoticNight(night, proxy, random.Random(seed), clock, disk)
        try:
            chaotic.enqueue()
            chaotic.run()
            chaotic.check()
        except BaseException:
            print(f"COSMOSQ_CHAOS_SEEDS={seed} repeats it: {'; '.join(chaotic.told)}")
            raise
        finally:
            night.close()
