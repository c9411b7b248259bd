"""How long a person waits for the commands they type most."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.ratio import Ratio, compare, process
from cosmosq import clips, prompts
from cosmosq.cli.init import create
from cosmosq.config import load_config
from cosmosq.db import open_ledger
from cosmosq.engines.assignment import complete
from cosmosq.enqueue import enqueue
from cosmosq.paths import Workspace
from cosmosq.status import Kind
from cosmosq.wishes import Wish
from tests.media import make_video

COSMOSQ = str(Path(sys.executable).with_name("cosmosq"))
JOBS = 10_000


def measure() -> list[Ratio]:
    """`--help` against importing click, `status` over 10,000 jobs against importing click and the ORM."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = fill(Path(folder))
        python = [sys.executable, "-c"]
        return [
            compare(
                "cosmosq --help : python -c 'import click'",
                process(COSMOSQ, "--help"),
                process(*python, "import click"),
                limit=2.0,
            ),
            compare(
                f"cosmosq status, {JOBS:,} jobs : 'import click, sqlalchemy.orm'",
                process(COSMOSQ, "status", cwd=workspace.root),
                process(*python, "import click, sqlalchemy.orm"),
                limit=1.5,
            ),
        ]


def fill(folder: Path) -> Workspace:
    """A workspace with many jobs."""
    workspace = create(folder / "night")
    ledger = open_ledger(workspace.ledger_path)
    now = datetime.now(UTC)
    clips.add(ledger, workspace, "shot", [f"input={make_video(folder / 'input.mp4')}"], now=now)
    record = prompts.add(ledger, [prompts.Draft(text="a quiet kitchen", clip="shot")], now)[0]
    wishes = [
        Wish(
            prompt_id=record.id, kind=Kind.TRANSFER, values=complete(Kind.TRANSFER, {"edge.weight": 0.5, "seed": seed})
        )
        for seed in range(JOBS)
    ]
    enqueue(ledger, load_config(workspace.config_path).host(), wishes, now=now)
    ledger.close()
    return workspace
