"""Where a workspace is found, and what its folders are called."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import NotFound
from cosmosq.paths import CONFIG_NAME, Workspace, find_workspace, slug


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "work space"
    (root / "deep" / "er").mkdir(parents=True)
    (root / CONFIG_NAME).touch()
    return root.resolve()


def test_a_workspace_is_found_upwards(root: Path) -> None:
    assert find_workspace(start=root).root == root
    assert find_workspace(start=root / "deep" / "er").root == root


def test_the_nearest_workspace_wins(root: Path) -> None:
    (root / "deep" / CONFIG_NAME).touch()
    assert find_workspace(start=root / "deep" / "er").root == root / "deep"


def test_the_current_folder_is_where_the_search_begins(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "deep")
    assert find_workspace().root == root
    assert find_workspace(Path("..")).root == root


def test_the_environment_goes_before_the_search_and_a_name_before_both(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / CONFIG_NAME).touch()
    monkeypatch.setenv("COSMOSQ_WORKSPACE", str(tmp_path / "a"))
    assert find_workspace(start=root).root == (tmp_path / "a").resolve()
    assert find_workspace(tmp_path / "b", start=root).root == (tmp_path / "b").resolve()
    monkeypatch.setenv("COSMOSQ_WORKSPACE", "")
    assert find_workspace(start=root).root == root


def test_a_folder_that_is_named_must_be_one_itself(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match=r"deep is no workspace \(no cosmosq.toml in it\): create one with"):
        find_workspace(root / "deep")
    monkeypatch.setenv("COSMOSQ_WORKSPACE", str(root / "deep"))
    with pytest.raises(NotFound, match="deep is no workspace"):
        find_workspace(start=root)


def test_no_workspace_anywhere_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="create one with `cosmosq init`, or name it with -w"):
        find_workspace(start=tmp_path)


def test_everything_but_settings_and_results_lies_in_the_hidden_folder() -> None:
    workspace = Workspace(root=Path("/w"))
    inside = (
        workspace.ledger_path,
        workspace.queue_path,
        workspace.backups_path,
        workspace.videos_path,
        workspace.log_path,
        workspace.host_path("sim"),
    )
    assert all(path.is_relative_to("/w/.cosmosq") for path in inside)
    assert len(set(inside)) == len(inside)
    assert workspace.config_path == Path("/w/cosmosq.toml")


def test_a_jobs_folder_tells_day_job_and_name() -> None:
    workspace = Workspace(root=Path("/w"))
    folder = workspace.job_folder(datetime(2026, 11, 22, tzinfo=UTC), 12, "Kitchen, at night!")
    assert folder == Path("/w/outputs/2026-11-22/12-kitchen-at-night")
    assert workspace.relative(folder) == "outputs/2026-11-22/12-kitchen-at-night"


@given(text=st.text(), limit=st.integers(1, 60))
def test_a_slug_is_one_safe_folder_name(text: str, limit: int) -> None:
    word = slug(text, limit)
    assert re.fullmatch(r"[\w-]+", word)
    assert len(word) <= max(limit, len("job"))
    assert word not in (".", "..")
    assert len(os.fsencode(f"1234567-{slug(text)}")) < 255


@pytest.mark.parametrize("text", ["../../etc/passwd", "..", "/", "a/../b", "", " ", "🎬", "___"])
def test_a_slug_cannot_leave_its_folder(text: str) -> None:
    assert Path(slug(text)).name == slug(text)
    assert slug(text) not in ("", ".", "..")
