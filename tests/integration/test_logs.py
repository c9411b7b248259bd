"""The workers' log: shared by several processes, rotated, and nothing of it lost."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from cosmosq.errors import StorageFailed
from cosmosq.logs import logging_to

WRITER = """
import logging, pathlib, sys, time
from cosmosq import logs
logs.MAX_BYTES, logs.KEPT = 20_000, 50
with logs.logging_to(pathlib.Path(sys.argv[1])):
    print("ready", flush=True)
    input()
    for number in range(200):
        logging.getLogger("cosmosq.test").info("writer %s, line %s", sys.argv[2], number, extra={"job": number})
        time.sleep(0.001)
"""


def test_processes_that_share_the_log_lose_no_line_when_it_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "worker.jsonl"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    files = list(path.parent.glob("worker.jsonl*"))
    assert len(files) > 3
    sizes = [file.stat().st_size for file in files if file != path]
    assert 19_000 < min(sizes) <= max(sizes) < 21_000, "put away when it is full, and no sooner"
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert sorted(line["message"] for line in lines) == sorted(
        f"writer {writer}, line {number}" for writer in range(3) for number in range(200)
    )


def test_a_log_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file in its place")
    with (
        pytest.raises(StorageFailed, match="choose another path"),
        logging_to(tmp_path / "logs" / "worker.jsonl"),
    ):
        pytest.fail("it was begun")


def test_nothing_is_written_once_the_worker_is_done(tmp_path: Path) -> None:
    path = tmp_path / "worker.jsonl"
    logger = logging.getLogger("cosmosq.test")
    for number in range(2):
        with logging_to(path):
            logger.info("night %s", number)
        logger.info("day")
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == ["night 0", "night 1"]
