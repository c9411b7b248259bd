"""What every host must do, shown over each of them."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmosq.errors import CosmosqError, HostFailed
from cosmosq.hosts.host import Host
from cosmosq.hosts.local import LocalHost
from tests.box.sshd import Server

ARGUMENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
NASTY = [
    "",
    " ",
    "a b",
    "it's",
    'say "x"',
    "$(touch pwned)",
    "`id`",
    "line\nline",
    "\\",
    "~",
    "*",
    "-n",
    "🎬 עברית",
    "a;b&c|d>e",
]
NAMES = ["plain", "with space", "it's", 'say "x"', "$(touch pwned)", "🎬", "-rf", "back\\slash", "new\nline", "%s{0}"]


@pytest.fixture(params=["local", "ssh"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    root = tmp_path / "ro ot"
    made: Host
    if request.param == "local":
        made = LocalHost(name="box", root=PurePosixPath(root), python=sys.executable)
    else:
        server: Server = request.getfixturevalue("shared_server")
        made = server.host(root)
    yield made
    made.close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@settings(max_examples=30)
@given(st.lists(ARGUMENTS | st.sampled_from(NASTY), max_size=5))
def test_arguments_reach_a_program_as_they_are(host: Host, arguments: list[str]) -> None:
    program = "import sys; sys.stdout.buffer.write(b'|'.join(a.encode().hex().encode() for a in sys.argv[1:]))"
    done = host.run([sys.executable, "-S", "-c", program, *arguments])
    assert done.output == "|".join(argument.encode().hex() for argument in arguments)


@pytest.mark.parametrize("exit_code", [0, 1, 77, 255])
def test_exit_code_and_both_outputs_come_back(host: Host, exit_code: int) -> None:
    done = host.run(["sh", "-c", f"echo out; echo err >&2; exit {exit_code}"])
    assert (done.exit_code, done.output, done.errors) == (exit_code, "out\n", "err\n")


def test_output_that_is_no_text_and_long_output_come_back(host: Host) -> None:
    assert host.run(["printf", "\\377a"]).output == "\ufffda"
    assert len(host.run(["head", "-c", "5000000", "/dev/zero"]).output) == 5_000_000


def test_a_program_that_does_not_exist_is_127(host: Host) -> None:
    assert host.run(["no-such-program", "x"]).exit_code == 127


def test_a_program_reads_an_empty_stdin(host: Host) -> None:
    assert host.run(["cat"], timeout_s=10).output == ""


def test_a_program_that_was_killed_is_told(host: Host) -> None:
    with pytest.raises(HostFailed, match="killed"):
        host.run(["sh", "-c", "kill -9 $$"])


def test_a_program_that_does_not_end_is_told_in_time(host: Host) -> None:
    with pytest.raises(HostFailed, match="did not end"):
        host.run(["sleep", "60"], timeout_s=0.3)


@pytest.mark.parametrize("name", NAMES)
def test_files_of_any_name_go_there_and_come_back(host: Host, tmp_path: Path, name: str) -> None:
    data = os.urandom(300_000)
    source, target = tmp_path / "source", host.root / "videos" / name / f"{name}.mp4"
    source.write_bytes(data)
    assert not host.exists(target)
    host.upload(source, target, sha256=sha256(data))
    assert host.exists(target)
    assert not host.exists(target.with_name(target.name + ".part"))
    home = tmp_path / "home" / name / "back"
    host.download(target, home, sha256=sha256(data))
    assert home.read_bytes() == data
    assert sorted(path.name for path in home.parent.iterdir()) == ["back"]
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, (1 << 20) + 1])
def test_files_of_odd_sizes_go_there_and_come_back(host: Host, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "source").write_bytes(data)
    host.upload(tmp_path / "source", host.root / "file", sha256=sha256(data))
    host.download(host.root / "file", tmp_path / "back", sha256=sha256(data))
    assert (tmp_path / "back").read_bytes() == data


def test_an_upload_that_is_not_what_its_hash_says_is_refused(host: Host, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"other")
    with pytest.raises(HostFailed):
        host.upload(tmp_path / "source", host.root / "videos" / "x", sha256=sha256(b"meant"))
    assert list(Path(host.root / "videos").iterdir()) == []


def test_a_download_that_is_not_what_its_hash_says_is_refused(host: Host, tmp_path: Path) -> None:
    host.write(host.root / "x", b"other")
    with pytest.raises(HostFailed):
        host.download(host.root / "x", tmp_path / "home" / "x", sha256=sha256(b"meant"))
    assert list((tmp_path / "home").iterdir()) == []


def test_a_file_that_is_missing_is_told_or_empty(host: Host, tmp_path: Path) -> None:
    with pytest.raises(HostFailed, match="missing"):
        host.download(host.root / "none" / "x", tmp_path / "x", sha256=sha256(b""))
    assert not (tmp_path / "x").exists()
    assert host.read(host.root / "none" / "x") == b""
    assert not host.exists(host.root / "none")


def test_what_was_written_replaces_what_was_there(host: Host) -> None:
    target = host.root / "a" / "b" / "start.json"
    for data in (b"long" * 1000, b"", b"short"):
        host.write(target, data)
        assert host.read(target) == data
    assert [path.name for path in Path(target.parent).iterdir()] == ["start.json"]


def test_a_reader_never_sees_half_a_file(host: Host) -> None:
    target = host.root / "file"
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    host.write(target, contents[0])
    seen, ended = set(), threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.add(Path(target).read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(5):
        for data in contents:
            host.write(target, data)
    ended.set()
    reader.join()
    assert seen <= set(contents)


@pytest.mark.parametrize(
    ("offset", "limit", "expected"),
    [(0, 4, b"0123"), (4, 100, b"456789"), (10, 5, b""), (99, 5, b""), (0, 0, b"")],
)
def test_a_part_of_a_file_is_read(host: Host, offset: int, limit: int, expected: bytes) -> None:
    host.write(host.root / "events.jsonl", b"0123456789")
    assert host.read(host.root / "events.jsonl", offset=offset, limit=limit) == expected


def test_a_long_part_of_a_file_is_read(host: Host) -> None:
    data = os.urandom(3_000_000)
    host.write(host.root / "log", data)
    assert host.read(host.root / "log", offset=123, limit=1 << 21) == data[123 : 123 + (1 << 21)]
    assert host.read(host.root / "log") == data[: 1 << 20]


def test_many_small_files_are_written_at_once(host: Host) -> None:
    files = {f"sub {n % 7}/{n} it's.py": f"{n}".encode() * n for n in range(300)} | {"run.sh": b"#!/bin/sh\n"}
    host.write_many(host.root / "scripts" / "a b", files)
    folder = Path(host.root / "scripts" / "a b")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == files


def refused_write(host: Host, source: Path, target: PurePosixPath) -> list[Callable[[], None]]:
    data = source.read_bytes()
    return [
        lambda: host.upload(source, target, sha256=sha256(data)),
        lambda: host.write(target, data),
        lambda: host.write_many(target.parent / "many", {"a": data}),
    ]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_of_the_host_is_one_clear_error(host: Host, tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(12_000_000))
    target = PurePosixPath(small_disk) / "videos" / "x.mp4"
    for write in refused_write(host, source, target):
        with pytest.raises(CosmosqError, match="full"):
            write()
        assert not host.exists(target)
    host.write(target, b"x" * 100_000)


def test_a_full_disk_at_home_is_one_clear_error(host: Host, tmp_path: Path, small_disk: Path) -> None:
    data = os.urandom(12_000_000)
    host.write(host.root / "x", data)
    with pytest.raises(CosmosqError, match="full"):
        host.download(host.root / "x", small_disk / "x", sha256=sha256(data))
    assert not (small_disk / "x").exists()
    host.run(["true"])


def test_a_file_where_a_folder_must_be_is_one_clear_error(host: Host, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"x")
    host.write(host.root / "file", b"x")
    for write in refused_write(host, tmp_path / "source", host.root / "file" / "x"):
        with pytest.raises(CosmosqError):
            write()
    assert host.read(host.root / "file" / "x") == b""


def test_it_works_again_after_it_was_closed(host: Host) -> None:
    host.write(host.root / "x", b"1")
    host.close()
    host.close()
    assert host.read(host.root / "x") == b"1"
