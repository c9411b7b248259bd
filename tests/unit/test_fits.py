"""How many videos fit at once: asked for, guessed from free memory, or learnt from what failed and what worked."""

import json
import sys
from pathlib import Path

import pytest

from cosmosq.config_keys import AUTO_BATCH, OFFLOADABLE
from tests.integration.box_tools import SCRIPTS

sys.path.insert(0, str(SCRIPTS))
import fits as fits_module
import invocation
from fits import Fit, Fits, free_gb, guess
from start import Start

EDGE = (("edge",), "transfer")


def fits(root: Path, batch_size: int | None = 8) -> Fits:
    return Fits(Start(root, "transfer", ("edge",), False, {}, "checkpoints", frozenset(), 60, 1, batch_size))


@pytest.mark.parametrize(
    ("hints", "free", "fit"),
    [
        (1, None, Fit(1, False)),
        (1, 80.0, Fit(4, False)),
        (1, 55.0, Fit(1, False)),
        (5, 80.0, Fit(1, False)),
        (1, 40.0, Fit(1, True)),
        (1, 1000.0, Fit(8, False)),
        (9, 1000.0, Fit(8, False)),
    ],
)
def test_a_guess_follows_free_memory_and_the_number_of_hints(hints: int, free: float | None, fit: Fit) -> None:
    assert guess(hints, free) == fit


def test_the_stand_in_has_the_memory_that_it_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMOS_SIMULATOR", json.dumps({"memory_gb": 61}))
    assert free_gb() == 61
    monkeypatch.setenv("COSMOS_SIMULATOR", "{}")
    assert free_gb() is None


def test_the_fullest_gpu_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '81920\\n40960\\n'\n")
    program.chmod(0o755)
    monkeypatch.delenv("COSMOS_SIMULATOR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert free_gb() == 40
    program.write_text("#!/bin/sh\nexit 9\n")
    assert free_gb() is None


def test_after_a_failure_half_as_many_are_tried_and_what_works_is_kept(tmp_path: Path) -> None:
    tried = fits(tmp_path)
    assert tried.of(*EDGE) == Fit(8, False)
    tried.failed(*EDGE, Fit(8, False))
    assert tried.of(*EDGE) == Fit(4, False)
    tried.worked(*EDGE, Fit(4, False))
    assert fits(tmp_path).of(*EDGE) == Fit(4, False)
    assert fits(tmp_path, 2).of(*EDGE) == Fit(2, False)
    assert fits(tmp_path).of(("depth",), "transfer") == Fit(8, False), "another kind has its own"


def test_a_failure_at_a_size_that_has_worked_changes_nothing_for_the_others(tmp_path: Path) -> None:
    tried = fits(tmp_path)
    tried.worked(*EDGE, Fit(4, False))
    for size in (4, 2, 1):
        tried.failed(*EDGE, Fit(size, False))
    tried.failed(*EDGE, Fit(1, True))
    assert tried.of(*EDGE) == Fit(8, False)
    tried.worked(*EDGE, Fit(1, False))
    assert not (tmp_path / "fits.json").exists()
    tried.failed(*EDGE, Fit(8, False))
    tried.worked(*EDGE, Fit(1, False))
    assert fits(tmp_path).of(*EDGE) == Fit(4, False)


def test_what_was_learnt_is_lowered_when_it_fails_again(tmp_path: Path) -> None:
    (tmp_path / "fits.json").write_text(json.dumps({"transfer edge": {"batch_size": 4, "offload": False}}))
    tried = fits(tmp_path)
    tried.failed(*EDGE, Fit(4, False))
    assert tried.of(*EDGE) == Fit(2, False)
    tried.worked(*EDGE, Fit(2, False))
    assert fits(tmp_path).of(*EDGE) == Fit(2, False)


def test_offloading_is_kept_only_where_nothing_worked_without(tmp_path: Path) -> None:
    tried = fits(tmp_path)
    tried.failed(*EDGE, Fit(1, False))
    tried.worked(*EDGE, Fit(1, True))
    assert fits(tmp_path).of(*EDGE) == Fit(1, True)
    other = fits(tmp_path / "other")
    (tmp_path / "other").mkdir()
    other.worked(*EDGE, Fit(1, False))
    other.failed(*EDGE, Fit(1, False))
    other.worked(*EDGE, Fit(1, True))
    assert fits(tmp_path / "other").of(*EDGE).offload is False


@pytest.mark.parametrize(
    "text", ["", "[]", "{not json", '{"transfer edge": 3}', '{"transfer edge": {"batch_size": "x"}}']
)
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "fits.json").write_text(text)
    assert fits(tmp_path).of(*EDGE) == Fit(8, False)


def test_both_sides_of_the_link_agree_on_what_neither_tells_the_other() -> None:
    assert (fits_module.MOST, invocation.OFFLOADABLE) == (AUTO_BATCH, OFFLOADABLE)
