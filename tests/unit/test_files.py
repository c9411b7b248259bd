"""Files written whole or not at all."""

import errno
import hashlib
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.errors import StorageFailed
from cosmosq.files import part_of, publish, refusal, sha256_of, write_whole, writing


@given(data=st.binary(max_size=5000))
def test_what_was_written_is_there_whole_and_hashed(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, data)
    assert path.read_bytes() == data
    assert sha256_of(path) == hashlib.sha256(data).hexdigest()
    assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_a_part_lies_beside_its_file_and_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "output.mp4"
    path.write_bytes(b"old")
    assert part_of(path) == tmp_path / "output.mp4.part"
    part_of(path).write_bytes(b"new")
    publish(part_of(path), path)
    assert path.read_bytes() == b"new"
    assert not part_of(path).exists()


def test_a_large_file_is_hashed_as_its_bytes(tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk of /x/y is full: free some space and repeat"),
        (errno.EDQUOT, "the disk of /x/y is full: free some space and repeat"),
        (errno.EACCES, "/x/y cannot be written (Permission denied): check its permissions"),
        (errno.EPERM, "/x/y cannot be written (Operation not permitted): check its permissions"),
        (errno.EROFS, "/x/y cannot be written (Read-only file system): check its permissions"),
        (errno.ENOTDIR, "/x/y cannot be made (Not a directory): choose another path"),
    ],
)
def test_what_the_system_refuses_is_said_with_a_remedy(number: int, message: str) -> None:
    with pytest.raises(StorageFailed) as refused, writing(Path("/x/y")):
        raise OSError(number, os.strerror(number))
    assert str(refused.value) == message
    assert refused.value.exit_code == 2


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    with pytest.raises(InterruptedError), writing(Path("/x/y")):
        raise OSError(errno.EINTR, "interrupted")
    with pytest.raises(sqlite3.OperationalError, match="syntax"), writing(Path("/x/y")):
        raise sqlite3.OperationalError("syntax error")


def test_what_sqlite_refuses_is_said_likewise() -> None:
    with pytest.raises(StorageFailed, match="the disk of /x/y is full"), writing(Path("/x/y")):
        raise sqlite3.OperationalError("database or disk is full")
    assert "/x/y is locked by another program" in str(refusal(Path("/x/y"), "database is locked"))
    assert refusal(Path("/x/y"), "no such table: jobs") is None
    for reason in ("attempt to write a readonly database", "unable to open database file", "disk I/O error"):
        assert "/x/y cannot be written" in str(refusal(Path("/x/y"), reason))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_leaves_no_part_behind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    part_of(path).symlink_to("/dev/full")
    with pytest.raises(StorageFailed, match="is full: free some space"):
        write_whole(path, b"x" * 100)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_must_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(StorageFailed, match="choose another path"):
        write_whole(tmp_path / "file" / "inside", b"x")
    assert (tmp_path / "file").read_bytes() == b"mine"
