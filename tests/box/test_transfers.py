"""Large files over SSH: resumed where they broke off, never wrong."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

import pytest

from cosmosq.config import parse_config
from cosmosq.errors import HostFailed
from cosmosq.hosts import open_host
from cosmosq.hosts.ssh import SSHHost
from cosmosq.paths import Workspace
from tests.box.proxy import Proxy
from tests.box.sshd import Server, settings_of
from tests.box.test_link import host_on, through

pytestmark = pytest.mark.usefixtures("no_keys")

SIZE = 24_000_000
CUT = 14_000_000
SLACK = 5_000_000
"""What may be on its way when a link breaks."""


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def host(server: Server, proxy: Proxy, tmp_path: Path) -> SSHHost:
    return host_on(through(proxy, server, watch_s=0.5, answer_s=1.0), tmp_path / "root")


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(os.urandom(SIZE))
    return path


def sha256(path: Path | PurePosixPath) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_an_upload_that_was_cut_goes_on_where_it_broke_off(host: SSHHost, proxy: Proxy, big: Path) -> None:
    proxy.cut_at = CUT
    host.upload(big, host.root / "big", sha256=sha256(big))
    assert proxy.connections == 2
    assert SIZE < proxy.sent_bytes < SIZE + SLACK, "it was sent again from the beginning"
    assert sha256(host.root / "big") == sha256(big)


def test_a_download_that_was_cut_goes_on_where_it_broke_off(
    host: SSHHost, proxy: Proxy, big: Path, tmp_path: Path
) -> None:
    remote = PurePosixPath(big)
    proxy.cut_at = CUT
    host.download(remote, tmp_path / "fetched" / "big", sha256=sha256(big))
    assert proxy.connections == 2
    assert SIZE < proxy.received_bytes < SIZE + SLACK, "it was fetched again from the beginning"
    assert sha256(tmp_path / "fetched" / "big") == sha256(big)
    assert [path.name for path in (tmp_path / "fetched").iterdir()] == ["big"]


def test_transfers_survive_a_black_hole(host: SSHHost, proxy: Proxy, big: Path, tmp_path: Path) -> None:
    host.write(host.root / "x", b"")
    proxy.delay_s = 0.002
    transfers: list[Callable[[], None]] = [
        lambda: host.upload(big, host.root / "big", sha256=sha256(big)),
        lambda: host.download(PurePosixPath(big), tmp_path / "back", sha256=sha256(big)),
    ]
    for transfer in transfers:
        threading.Timer(0.3, proxy.black_hole).start()
        threading.Timer(2.0, proxy.clear).start()
        transfer()
    assert sha256(host.root / "big") == sha256(big) == sha256(tmp_path / "back")
    assert proxy.connections >= 3


def test_an_old_part_of_the_same_file_is_completed(host: SSHHost, proxy: Proxy, big: Path, tmp_path: Path) -> None:
    host.write(host.root / "big.part", big.read_bytes()[: SIZE // 2])
    sent = proxy.sent_bytes
    host.upload(big, host.root / "big", sha256=sha256(big))
    assert proxy.sent_bytes - sent < SIZE * 0.6
    (tmp_path / "back.part").write_bytes(big.read_bytes()[: SIZE // 2])
    received = proxy.received_bytes
    host.download(host.root / "big", tmp_path / "back", sha256=sha256(big))
    assert proxy.received_bytes - received < SIZE * 0.6
    assert sha256(host.root / "big") == sha256(big) == sha256(tmp_path / "back")


@pytest.mark.parametrize("size", [SIZE // 2, SIZE, SIZE + 5])
def test_an_old_part_of_another_file_is_replaced(host: SSHHost, big: Path, tmp_path: Path, size: int) -> None:
    host.write(host.root / "big.part", b"?" * size)
    host.upload(big, host.root / "big", sha256=sha256(big))
    (tmp_path / "back.part").write_bytes(b"?" * size)
    host.download(host.root / "big", tmp_path / "back", sha256=sha256(big))
    assert sha256(host.root / "big") == sha256(big) == sha256(tmp_path / "back")
    assert not list(tmp_path.rglob("*.part"))


def test_files_go_to_a_host_whose_python_is_only_in_its_image(server: Server, tmp_path: Path) -> None:
    contained = {"container": "docker", "image": "some/image", "python": "/only/in/the/image/python"}
    table = {**settings_of(server, tmp_path / "the box"), **contained}
    config = parse_config({"default_host": "box", "hosts": {"box": table}}, source="test").host("box")
    workspace = Workspace(root=tmp_path)
    workspace.folder.mkdir()
    workspace.known_hosts_path.write_text(server.known_hosts.read_text())
    host = open_host(config, workspace)
    host.write(host.root / "order.json", b"{}")
    assert host.read(host.root / "order.json") == b"{}"
    host.close()


def test_a_receiver_that_was_left_behind_does_no_harm(
    host: SSHHost, server: Server, proxy: Proxy, big: Path, tmp_path: Path
) -> None:
    """The box has not noticed that the link of the first upload is gone when the second one comes."""
    proxy.delay_s = 0.002
    threading.Timer(0.3, proxy.black_hole).start()
    threading.Timer(1.0, server.freeze).start()
    other = host_on(server.link(), tmp_path / "root")
    first = threading.Thread(target=lambda: host.upload(big, other.root / "big", sha256=sha256(big)))
    first.start()
    first.join(1.2)
    other.upload(big, other.root / "big", sha256=sha256(big))
    server.thaw()
    proxy.clear()
    first.join(60)
    assert not first.is_alive()
    assert sha256(other.root / "big") == sha256(big)


def test_a_file_that_grows_without_end_is_not_fetched_for_ever(host: SSHHost, tmp_path: Path) -> None:
    for remote in (PurePosixPath("/dev/zero"), PurePosixPath("/proc/self/mem"), host.root.parent):
        with pytest.raises(HostFailed):
            host.download(remote, tmp_path / "fetched" / "x", sha256="0" * 64)
    assert list((tmp_path / "fetched").iterdir()) == []


def test_two_transfers_and_calls_share_the_connection(
    host: SSHHost, server: Server, proxy: Proxy, big: Path, tmp_path: Path
) -> None:
    threads = [
        threading.Thread(target=host.upload, args=(big, host.root / "big"), kwargs={"sha256": sha256(big)}),
        threading.Thread(
            target=host.download, args=(PurePosixPath(big), tmp_path / "x"), kwargs={"sha256": sha256(big)}
        ),
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert host.run(["echo", "1"]).output == "1\n"
    assert sha256(host.root / "big") == sha256(tmp_path / "x") == sha256(big)
    assert proxy.connections == 1
