"""The connection itself: whom it trusts, who lets it in, and what it does when it is lost."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

import pytest
from paramiko.buffered_pipe import PipeTimeout

from cosmosq.errors import HostFailed, Unreachable
from cosmosq.hosts import keys, ssh_transport
from cosmosq.hosts.keys import HostKeyChanged, HostKeyUnknown, Keyring
from cosmosq.hosts.link import Link, LoginRefused, growing_pauses
from cosmosq.hosts.ssh import SSHHost
from tests.box.proxy import Proxy
from tests.box.sshd import Server, make_key, make_server
from tests.night import wait_for

pytestmark = pytest.mark.usefixtures("no_keys")


def host_on(link: Link, root: Path) -> SSHHost:
    return SSHHost(name="box", link=link, root=str(root), python=sys.executable)


def through(proxy: Proxy, server: Server, **options: Any) -> Link:
    """A link to the server through the proxy, which has the server's host key."""
    known = server.known_hosts.read_text()
    server.known_hosts.write_text(known + known.replace(f":{server.port} ", f":{proxy.port} "))
    told = {"patience_s": 20.0, **options}
    return Link(server.address(port=proxy.port), known_hosts=server.known_hosts, **told)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


def nobody_logged_in(server: Server) -> bool:
    return "publickey" not in server.log and "Accepted" not in server.log


def test_an_unknown_host_key_is_refused_before_anything_is_sent(server: Server) -> None:
    server.known_hosts.unlink()
    with pytest.raises(HostKeyUnknown, match="--accept-key") as refused:
        server.link().connection()
    assert server.fingerprint in str(refused.value)
    assert nobody_logged_in(server), server.log


def test_a_host_key_that_was_accepted_is_known(server: Server) -> None:
    server.known_hosts.unlink()
    with pytest.raises(HostKeyUnknown) as refused:
        server.link().connection()
    keys.accept(server.known_hosts, refused.value)
    assert server.link().connection().is_connected


def test_a_changed_host_key_is_refused_before_anything_is_sent(server: Server) -> None:
    server.stop()
    server.make_host_key()
    server.start()
    with pytest.raises(HostKeyChanged, match="remove the old line") as refused:
        server.link().connection()
    assert server.fingerprint in str(refused.value)
    assert nobody_logged_in(server), server.log


def test_a_host_key_that_the_user_knows_is_known(server: Server, no_keys: Path) -> None:
    server.known_hosts.rename(no_keys / "known_hosts")
    assert server.link().connection().is_connected


@pytest.fixture
def hops(server: Server, no_keys: Path, tmp_path: Path) -> Iterator[Server]:
    """A second server, through which `box` of ~/.ssh/config is reached; both keys are known."""
    jump = make_server(tmp_path / "jump")
    server.known_hosts.write_text(server.known_hosts.read_text() + jump.known_hosts.read_text())
    user = server.address().user
    (no_keys / "config").write_text(
        f"Host jump\n  HostName 127.0.0.1\n  Port {jump.port}\n  User {user}\n  IdentityFile {jump.identity}\n"
        f"  IdentityFile /nowhere/id_old\n"
        f"Host box\n  HostName 127.0.0.1\n  Port {server.port}\n  User {user}\n  IdentityFile {server.identity}\n"
        "  ProxyJump jump\n"
    )
    yield jump
    jump.stop()


def alias(server: Server) -> Link:
    return server.link(host="box", port=None, user=None, identity=None)


def test_an_alias_is_reached_through_its_jump_host(server: Server, hops: Server, tmp_path: Path) -> None:
    connected = alias(server)
    assert host_on(connected, tmp_path / "root").run(["echo", "here"]).output == "here\n"
    assert "Accepted publickey" in hops.log
    connected.close()
    wait_for(lambda: "Disconnected" in hops.log or "Connection closed" in hops.log, "the jump host's connection to end")


def test_a_changed_host_key_of_the_jump_host_is_refused(server: Server, hops: Server) -> None:
    hops.stop()
    hops.make_host_key()
    hops.start()
    with pytest.raises(HostKeyChanged) as refused:
        alias(server).connection()
    assert hops.fingerprint in str(refused.value)
    assert nobody_logged_in(hops)
    assert nobody_logged_in(server)


def test_an_unknown_host_key_behind_the_jump_host_is_refused(server: Server, hops: Server) -> None:
    server.known_hosts.write_text(hops.known_hosts.read_text())
    with pytest.raises(HostKeyUnknown) as refused:
        alias(server).connection()
    assert server.fingerprint in str(refused.value)
    assert nobody_logged_in(server)


def test_a_jump_host_that_stops_and_starts_is_used_again(server: Server, hops: Server, tmp_path: Path) -> None:
    host = host_on(alias(server), tmp_path / "root")
    assert host.run(["true"]).exit_code == 0
    hops.stop()
    hops.start()
    assert host.run(["true"]).exit_code == 0


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_a_key_that_is_not_let_in_is_told_at_once(server: Server, tmp_path: Path, kind: str) -> None:
    wrong = tmp_path / "wrong"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(wrong)], check=True)
    with pytest.raises(LoginRefused, match="authorized_keys") as refused:
        host_on(server.link(identity=str(wrong)), tmp_path).run(["true"])
    assert "\n" not in str(refused.value)


def test_no_key_at_all_is_told_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LoginRefused):
        host_on(server.link(identity=None), tmp_path).run(["true"])


def test_a_locked_key_is_told_with_its_remedy(server: Server, tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", passphrase="secret words")
    with pytest.raises(LoginRefused, match="ssh-add"):
        host_on(server.link(identity=str(locked)), tmp_path).run(["true"])


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_each_hop_asks_for_its_own_passphrase_once(server: Server, hops: Server, tmp_path: Path, kind: str) -> None:
    asked = []
    secrets = {str(server.identity): "first words", str(hops.identity): "other words"}
    for each in (server, hops):
        each.identity.unlink()
        words = ["-N", secrets[str(each.identity)], "-f", str(each.identity)]
        subprocess.run(["ssh-keygen", "-q", "-t", kind, *words], check=True, stdout=subprocess.DEVNULL)
        (each.folder / "authorized_keys").write_text(each.identity.with_suffix(".pub").read_text())

    def ask(name: str) -> str:
        asked.append(name)
        return secrets[name]

    address = server.address(host="box", port=None, user=None, identity=None)
    connected = Link(address, known_hosts=server.known_hosts, patience_s=20, keyring=Keyring(ask))
    host = host_on(connected, tmp_path / "root")
    assert host.run(["echo", "here"]).output == "here\n"
    host.close()
    assert host.run(["echo", "again"]).output == "again\n"
    assert asked == [str(hops.identity), str(server.identity)]


def test_a_second_locked_key_is_asked_for_when_the_first_is_refused(
    server: Server, no_keys: Path, tmp_path: Path
) -> None:
    wrong, right = make_key(tmp_path / "wrong", passphrase="1 word"), make_key(tmp_path / "right", passphrase="2 words")
    secrets = {str(wrong): "1 word", str(right): "2 words"}
    (server.folder / "authorized_keys").write_text(right.with_suffix(".pub").read_text())
    (no_keys / "config").write_text(f"Host *\n  IdentityFile {wrong}\n  IdentityFile {right}\n")
    address = server.address(identity=None)
    connected = Link(address, known_hosts=server.known_hosts, patience_s=20, keyring=Keyring(secrets.__getitem__))
    assert host_on(connected, tmp_path / "root").run(["echo", "here"]).output == "here\n"


def test_a_key_file_that_is_missing_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LoginRefused, match="missing"):
        host_on(server.link(identity=str(tmp_path / "none")), tmp_path).run(["true"])


def test_the_next_call_works_after_the_server_was_stopped_and_started(server: Server, tmp_path: Path) -> None:
    host = host_on(server.link(), tmp_path / "root")
    host.write(host.root / "x", b"1")
    server.stop()
    server.start()
    assert host.read(host.root / "x") == b"1"
    server.stop()
    server.start()
    assert host.run(["echo", "1"]).output == "1\n"


def test_a_call_waits_for_a_server_that_is_away(server: Server, tmp_path: Path) -> None:
    host = host_on(server.link(), tmp_path / "root")
    host.write(host.root / "x", b"1")
    server.stop()
    threading.Timer(1.5, server.start).start()
    assert host.read(host.root / "x") == b"1"


def test_a_server_that_stays_away_is_told_when_the_patience_ends(server: Server, tmp_path: Path) -> None:
    server.stop()
    began = time.monotonic()
    with pytest.raises(Unreachable, match="is it up"):
        host_on(server.link(patience_s=1.5), tmp_path).run(["true"])
    assert 1.4 < time.monotonic() - began < 10


def test_giving_up_ends_the_waiting_at_once(server: Server, tmp_path: Path) -> None:
    server.stop()
    give_up = threading.Event()
    waiting = Link(server.address(), known_hosts=server.known_hosts, patience_s=600, give_up=give_up)
    threading.Timer(0.5, give_up.set).start()
    began = time.monotonic()
    with pytest.raises(Unreachable):
        host_on(waiting, tmp_path).run(["true"])
    assert time.monotonic() - began < 5


def test_pauses_grow_to_a_minute() -> None:
    pauses = growing_pauses()
    assert [next(pauses) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_silence_is_noticed_within_half_a_minute() -> None:
    assert 2 * ssh_transport.WATCH_S + ssh_transport.ANSWER_S < 30


def test_a_black_holed_link_is_noticed_and_opened_again(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    host = host_on(through(proxy, server, watch_s=0.3, answer_s=0.5), tmp_path / "root")
    host.write(host.root / "x", b"1")
    first = host._link.connection()
    proxy.black_hole()
    began = time.monotonic()
    wait_for(lambda: not first.is_connected, "the watchdog")
    assert time.monotonic() - began < 3
    proxy.clear()
    assert host.read(host.root / "x") == b"1"


def test_a_call_in_a_black_hole_comes_through_later(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    host = host_on(through(proxy, server, watch_s=0.3, answer_s=0.5), tmp_path / "root")
    host.write(host.root / "x", b"1")
    proxy.black_hole()
    threading.Timer(1.0, proxy.clear).start()
    assert host.run(["echo", "here"]).output == "here\n"


def test_a_server_that_freezes_is_noticed(server: Server, tmp_path: Path) -> None:
    frozen = Link(server.address(), known_hosts=server.known_hosts, patience_s=20, watch_s=0.3, answer_s=0.5)
    host = host_on(frozen, tmp_path / "root")
    host.write(host.root / "x", b"1")
    server.freeze()
    assert host.read(host.root / "x") == b"1"
    assert server.logins == 2


def test_a_slow_link_is_not_taken_for_a_dead_one(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    host = host_on(through(proxy, server, watch_s=0.2, answer_s=0.2), tmp_path / "root")
    host.write(host.root / "x", b"1")
    proxy.delay_s = 0.02
    host.write(host.root / "big", b"x" * 8_000_000)
    assert proxy.connections == 1


def test_a_link_that_is_cut_at_any_moment_comes_back(server: Server, proxy: Proxy, tmp_path: Path) -> None:
    host = host_on(through(proxy, server), tmp_path / "root")
    host.write(host.root / "x", b"1")
    for bytes_more in (1, 50, 1_500, 2_500, 4_000, 6_000):
        host.close()
        proxy.cut_at = max(proxy.sent_bytes, proxy.received_bytes) + bytes_more
        assert host.run(["echo", "here"]).output == "here\n", bytes_more


def test_there_is_one_connection_for_many_threads_and_calls(server: Server, tmp_path: Path) -> None:
    host = host_on(server.link(), tmp_path / "root")
    wrong: list[object] = []

    def use(number: int) -> None:
        for turn in range(5):
            data = f"{number} {turn}".encode()
            host.write(host.root / str(number), data)
            found = host.read(host.root / str(number)), host.run(["echo", "-n", str(number)]).output
            if found != (data, str(number)):
                wrong.append(found)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert server.logins == 1


@contextmanager
def meeting(function: Any, line: int, meeting_point: threading.Barrier) -> Iterator[None]:
    """Before the nth line that this thread executes of a function it waits for the others, if they come there too."""
    usual, lines = sys.gettrace(), count(1)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is function.__code__ and event == "line" and next(lines) == line:
            with suppress(threading.BrokenBarrierError):
                meeting_point.wait(1.0)
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(usual)


@pytest.mark.parametrize("line", [1, 2, 3])
def test_two_threads_that_look_at_the_same_moment_do_not_take_the_same_client(
    server: Server, tmp_path: Path, line: int
) -> None:
    host, meeting_point = host_on(server.link(), tmp_path), threading.Barrier(2)

    def look(_: int) -> bool:
        with meeting(SSHHost._idle_client, line, meeting_point):
            return host.exists(PurePosixPath(tmp_path))

    assert host.exists(PurePosixPath(tmp_path))
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(look, range(2))) == [True, True]


def test_a_program_that_ends_at_once_does_not_cost_the_connection(server: Server, tmp_path: Path) -> None:
    host = host_on(server.link(), tmp_path / "root")
    often = sys.getswitchinterval()
    # The end of its input and the end of the program meet in about one of a thousand.
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=lambda: [host.run(["true"]) for _ in range(250)]) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(often)
    assert server.logins == 1, server.log[-2000:]


def test_small_requests_do_not_wait_for_each_other(server: Server) -> None:
    import socket

    transport = server.link().connection().transport
    assert transport.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert transport.remote_cipher == "aes128-gcm@openssh.com"


def test_a_program_that_prints_without_end_is_cut_off(server: Server, tmp_path: Path) -> None:
    host = host_on(server.link(), tmp_path / "root")
    with pytest.raises(HostFailed, match="without end"):
        host.run(["yes"])
    assert host.run(["echo", "here"]).output == "here\n"


def test_half_a_gigabyte_does_not_make_a_link_exchange_its_keys(server: Server, tmp_path: Path) -> None:
    """Amid that, a program that ends would block the connection."""
    host = host_on(server.link(), tmp_path / "root")
    for _ in range(36):
        assert len(host.run(["head", "-c", "15000000", "/dev/zero"]).output) == 15_000_000
    transport = host._link.connection().transport
    assert transport.session_id == transport.H
    assert server.logins == 1


def test_what_came_is_read_to_its_end_and_no_further() -> None:
    arrivals = ssh_transport.Arrivals()
    for packet in (b"one", b"", b"two", b"three"):
        arrivals.feed(packet)
    assert (arrivals.read(5), len(arrivals)) == (b"onetwo", 1)
    arrivals.close()
    assert [arrivals.read(5) for _ in range(3)] == [b"three", b"", b""]
    with pytest.raises(PipeTimeout):
        ssh_transport.Arrivals().read(1, timeout=0.01)
