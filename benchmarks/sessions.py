"""How long the GPU waits between jobs: fifty of one kind on a session that is fed ahead, here and over a slow link."""

import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.ratio import Missing, Ratio, Row, report
from tests.box import sshd
from tests.box.proxy import Proxy
from tests.night import Night, make_night

JOBS = 50
LOAD_S = 5.0
VIDEO_S = 2.0
STEPS = 20
LINK_DELAY_S = 0.04
"""In each direction."""
LONGEST_GAP_S = 0.020
LEAST_BUSY = 0.97


@dataclass(frozen=True, kw_only=True)
class Account:
    """A night by the box's own clock."""

    name: str
    loads: int
    gaps_s: tuple[float, ...]
    """From the end of one generation to the start of the next: saving, hashing, checking and the wait for an order."""
    waits_s: tuple[float, ...]
    """The last of these alone: from an attempt's end to the acceptance of the next."""
    busy: float
    """Share of the time between the first load's end and the last generation's that the engine generated."""
    took_s: float
    """From the start of the first load to the end of the last generation."""

    def lines(self) -> Iterator[str]:
        """What is printed of it."""
        yield f"{self.name}: {self.loads} loads, {self.took_s:.1f} s in all"
        if self.gaps_s:
            median, worst = statistics.median(self.gaps_s), max(self.gaps_s)
            yield f"  gap between generations: median {median * 1000:.1f} ms, worst {worst * 1000:.1f} ms"
            median, worst = statistics.median(self.waits_s), max(self.waits_s)
            yield f"  of it for an order: median {median * 1000:.1f} ms, worst {worst * 1000:.1f} ms"
        yield f"  GPU busy after the first load: {self.busy:.1%}"


def measure(jobs: int = JOBS) -> list[Row]:
    """The warm night on this machine and over SSH, each against what it promises; printed as it goes."""
    name = f"sessions: SSH, {LINK_DELAY_S * 1000:.0f} ms"
    missing: list[Missing] = []
    with tempfile.TemporaryDirectory() as folder:
        accounts = [warm_night(Path(folder) / "local", "sessions: local", {}, jobs)]
        if reason := sshd.can_start():
            missing.append(Missing(name=name, reason=reason))
        else:
            with slow_host(Path(folder)) as (host, known_hosts):
                accounts.append(warm_night(Path(folder) / "ssh", name, host, jobs, known_hosts))
    ratios = []
    for account in accounts:
        print("\n".join(account.lines()), flush=True)
        ratios += promises(account)
    return [*ratios, *missing]


def promises(account: Account) -> list[Ratio]:
    """What a warm night promises, as ratios to their limits."""
    gap = statistics.median(account.gaps_s)
    return [
        promise(f"{account.name}: median gap : the promised", gap, LONGEST_GAP_S),
        promise(f"{account.name}: median wait : the promised", statistics.median(account.waits_s), LONGEST_GAP_S),
        promise(f"{account.name}: idle share : the promised", 1 - account.busy, 1 - LEAST_BUSY),
    ]


def promise(name: str, ours: float, allowed: float) -> Ratio:
    """A figure against what it may be at most."""
    return Ratio(name=name, ours_s=ours, theirs_s=allowed, ratio=ours / allowed, limit=1.0)


def warm_night(root: Path, name: str, host: dict[str, object], jobs: int, known_hosts: Path | None = None) -> Account:
    """Let a worker do a night's jobs, and read what the box says about it."""
    root.mkdir()
    # Two clips a video: the clip of tests is a little longer than one.
    simulator = {"load_s": LOAD_S, "step_s": VIDEO_S / (2 * STEPS)}
    night = make_night(root, simulator=simulator, host=host)
    if known_hosts is not None:
        night.workspace.known_hosts_path.write_text(known_hosts.read_text())
    for seed in range(jobs):
        night.enqueue(seed=seed, num_steps=STEPS)
    night.work()
    assert night.statuses() == ["succeeded"] * jobs
    account = account_of(night, name)
    night.close()
    return account


def account_of(night: Night, name: str) -> Account:
    """Loads and generations of a night, as the box has them in its account."""
    loads, generations = night.loads, night.generations
    spans = sorted((moment(entry["began_at"]), moment(entry["at"])) for entry in generations)
    loaded_at, began_at = moment(loads[0]["at"]), moment(loads[0]["began_at"])
    busy = sum(end - begin for begin, end in spans)
    return Account(
        name=name,
        loads=len(loads),
        waits_s=tuple(waits(night)),
        gaps_s=tuple(later[0] - earlier[1] for earlier, later in itertools.pairwise(spans)),
        busy=busy / (spans[-1][1] - loaded_at),
        took_s=spans[-1][1] - began_at,
    )


def waits(night: Night) -> Iterator[float]:
    """Seconds from each attempt's end to the acceptance of the next in the same session, by its events."""
    for path in night.box.glob("sessions/*/events.jsonl"):
        ended_at: float | None = None
        for told in map(json.loads, path.read_text().splitlines()):
            if told["event"] == "done":
                ended_at = moment(told["at"])
            elif told["event"] == "accepted" and ended_at is not None:
                yield moment(told["at"]) - ended_at


def moment(text: str) -> float:
    """Seconds of an ISO time."""
    return datetime.fromisoformat(text).timestamp()


@contextmanager
def slow_host(folder: Path) -> Iterator[tuple[dict[str, object], Path]]:
    """Settings of a host behind a link with a delay, and the file that knows its key."""
    server = sshd.make_server(folder / "server")
    try:
        with Proxy(server.port) as proxy:
            proxy.latency_s = LINK_DELAY_S
            known = folder / "known_hosts"
            known.write_text(server.known_hosts.read_text().replace(f":{server.port} ", f":{proxy.port} "))
            yield sshd.settings_of(server, folder / "the box", proxy.port), known
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(1 if report(measure(int(sys.argv[1]) if len(sys.argv) > 1 else JOBS)) else 0)
