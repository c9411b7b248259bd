"""How long 10,000 trials take to draw and to queue."""

import itertools
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.ratio import Ratio, compare, process
from benchmarks.start_up import COSMOSQ
from cosmosq import clips, prompts
from cosmosq.cli.init import create
from cosmosq.db import open_ledger
from cosmosq.moments import utc_now
from cosmosq.sweep.document import read
from cosmosq.sweep.expansion import Base, expand
from cosmosq.sweep.node import Node
from tests.media import make_video

TRIALS = 10_000
VARY = {
    "guidance": "3,5,7,9",
    "edge.weight": "uniform(0.2,1)",
    "sigma_max": "loguniform(5,80)",
    "num_steps": "quniform(20,50,5)",
}
HUEY = """\
import sys
from huey import SqliteHuey
huey = SqliteHuey(filename=sys.argv[1])
@huey.task()
def work(number): pass
for number in range(int(sys.argv[2])): work(number)
"""


def measure() -> list[Ratio]:
    """Drawing against the second it may take; the whole command against as many plain enqueues into a default Huey."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = create(Path(folder) / "night")
        ledger = open_ledger(workspace.ledger_path)
        now = utc_now()
        clips.add(ledger, workspace, "shot", [f"input={make_video(Path(folder) / 'input.mp4')}"], now=now)
        prompts.add(ledger, [prompts.Draft(text="a quiet kitchen", clip="shot", name="kitchen")], now)
        ledger.close()
        seeds, files = itertools.count(), itertools.count()
        vary = [word for name, how in VARY.items() for word in ("-p", f"{name}={how}")]
        command = [COSMOSQ, "enqueue", "kitchen", *vary, "-n", str(TRIALS), "--method", "random", "--sweep-seed"]
        return [
            compare(f"drawing {TRIALS:,} trials : one second", draw, lambda: time.sleep(1), limit=1.0, rounds=5),
            compare(
                f"cosmosq enqueue of {TRIALS:,} trials : as many plain huey enqueues",
                lambda: process(*command, str(next(seeds)), cwd=workspace.root)(),
                lambda: process(sys.executable, "-c", HUEY, f"{folder}/{next(files)}.db", str(TRIALS))(),
                limit=1.0,
                rounds=5,
            ),
        ]


def draw() -> None:
    """Expand a sweep of four parameters."""
    keys = {"method": "sobol", "run_cap": TRIALS, "parameters": VARY}
    base = Base(own={"edge.weight": 1.0}, roles=frozenset({"input"}))
    assert len(expand(read(Node(value=keys)), lambda _: base, wanted=TRIALS).trials) == TRIALS
