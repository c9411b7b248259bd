"""The transport below a connection: quick, and noticing when its peer is gone. Nothing of this is Fabric's."""

import logging
import queue
import socket
import threading
import time
from typing import Any

import paramiko
from paramiko.buffered_pipe import PipeTimeout
from paramiko.ssh_exception import SSHException

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
WATCH_S = 6.0
"""Between two looks of the watchdog. Silence may begin just after one: two of them and ANSWER_S make less than 30 s."""
ANSWER_S = 15.0
"""How long a silent peer may take to answer the watchdog."""
WINDOW_BYTES = 1 << 22
PACKET_BYTES = 1 << 17
"""The server may send that much at once; Python's cost is by the packet."""
AHEAD_BYTES = 1 << 18
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
"""Preferred: one pass encrypts and authenticates, where Paramiko's own first choice takes two and half the speed."""

REKEY_BYTES = 1 << 35
"""Bytes under one key: half of what RFC 4344 and OpenSSH allow AES. After Paramiko's own 0.5 GB each large file would
wait for new keys, and a program that ends on the box meanwhile would block the connection for half a minute."""


def make_transport(sock: Any, **options: Any) -> paramiko.Transport:
    """For Paramiko to use in place of its own."""
    if isinstance(sock, socket.socket):
        # Without it each small request waits for the reply to the one before: 48 ms instead of 3.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(
        _Heard(sock),  # type: ignore[arg-type]
        default_window_size=WINDOW_BYTES,
        default_max_packet_size=PACKET_BYTES,
        **options,
    )
    security = transport.get_security_options()
    security.ciphers = [*CIPHERS, *(cipher for cipher in security.ciphers if cipher not in CIPHERS)]
    return transport


def keep_up(transport: Any) -> None:
    """Once it is open: ask for life signs, and do not change keys in the midst of a file."""
    transport.set_keepalive(KEEPALIVE_S)
    if transport.remote_cipher in CIPHERS:
        transport.packetizer.REKEY_BYTES = REKEY_BYTES


def end_input(channel: Any) -> None:
    """Tell a program that nothing more comes.

    Paramiko lets go of the channel's lock before it sends that. The program may end in between, its channel is closed,
    and OpenSSH ends the whole connection over an end of input for a channel that is no more.
    """
    with channel.lock:
        message = channel._send_eof()
        if message is not None and channel.transport is not None:
            channel.transport._send_user_message(message)


def watch(transport: paramiko.Transport, watch_s: float, answer_s: float) -> None:
    """Have a watchdog close the transport when its peer answers no more.

    Args:
        watch_s: seconds between two looks.
        answer_s: seconds that it may take to answer.
    """
    told = (transport, watch_s, answer_s)
    threading.Thread(target=_watch, args=told, name="watchdog", daemon=True).start()


def _watch(transport: paramiko.Transport, watch_s: float, answer_s: float) -> None:
    """Close the transport of a peer that answers no more: Paramiko's keepalive sends but does not listen.

    A slow link that is busy sending answers late but is heard: every packet is acknowledged in the end.
    """
    sock: Any = transport.sock
    looked_at = time.monotonic()
    while transport.is_active():
        time.sleep(watch_s)
        asked_at, silent = time.monotonic(), sock.heard_at < looked_at
        looked_at = asked_at
        if not silent:
            continue
        try:
            transport.open_session(timeout=answer_s).close()
        except (SSHException, EOFError, OSError) as error:
            if sock.heard_at < asked_at:
                log.info("watchdog: %s", error)
                transport.close()


class _Heard:
    """A socket that reads ahead, since Paramiko asks for little at a time, and notes when the peer was last heard."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = memoryview(b"")
        self.heard_at = time.monotonic()

    def recv(self, size: int) -> bytes:
        if not self._ahead:
            self._ahead = memoryview(self._sock.recv(max(size, AHEAD_BYTES)))
            self.heard_at = time.monotonic()
        data, self._ahead = bytes(self._ahead[:size]), self._ahead[size:]
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class Arrivals:
    """Takes the place of a channel's buffer, which copies each byte twice while its two threads wait for each other.

    As many bytes wait here as the channel's window allows.
    """

    def __init__(self) -> None:
        self._packets: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def __len__(self) -> int:
        return self._packets.qsize()

    def feed(self, packet: bytes) -> None:
        # An empty one would be taken for the end.
        if packet:
            self._packets.put(packet)

    def read(self, size: int, timeout: float | None = None) -> bytes:
        """What is there, in whole packets until it is `size` bytes or more; empty at the end, and from then on."""
        try:
            packets = [self._packets.get(timeout=timeout)]
        except queue.Empty as error:
            raise PipeTimeout from error
        count = len(packets[0])
        while packets[-1] and count < size and self._packets.qsize():
            packets.append(self._packets.get())
            count += len(packets[-1])
        if not packets[-1]:
            self.close()
        return b"".join(packets)

    def close(self) -> None:
        self._packets.put(b"")
