"""A TCP proxy that can swallow what passes, cut the connection, or be slow."""

import contextlib
import queue
import socket
import threading
import time
from types import TracebackType
from typing import Self

BLOCK_BYTES = 1 << 16


class Proxy:
    """Forwards from a port of its own to another port of 127.0.0.1 until it is told to do worse."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.sent_bytes = 0
        """From the client to the server, over all connections."""
        self.received_bytes = 0
        self.cut_at: int | None = None
        """Cut the connection once so many bytes were sent or received."""
        self.delay_s = 0.0
        """Before each block in each direction."""
        self.latency_s = 0.0
        """On the way of every block in each direction; as many as there are may be on their way at once."""
        self._black = threading.Event()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.cut()

    def black_hole(self) -> None:
        """From now on everything vanishes, in connections that look as healthy as before."""
        self._black.set()

    def clear(self) -> None:
        """New connections are forwarded again; in those that lost bytes, nothing ever is."""
        with self._lock:
            for sock in self._sockets:
                close(sock)
            self._sockets.clear()
        self._black.clear()

    def cut(self) -> None:
        """End all connections."""
        with self._lock:
            for sock in self._sockets:
                close(sock)
            self._sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                close(client)
                continue
            with self._lock:
                self.connections += 1
                self._sockets += [client, server]
            for source, target, is_sent in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._forward, args=(source, target, is_sent), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, is_sent: bool) -> None:
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        if self.latency_s:
            threading.Thread(target=deliver, args=(under_way, target), daemon=True).start()
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK_BYTES):
                if self.delay_s:
                    time.sleep(self.delay_s)
                if self._black.is_set():
                    continue
                with self._lock:
                    self.sent_bytes += len(block) if is_sent else 0
                    self.received_bytes += 0 if is_sent else len(block)
                if self.latency_s:
                    under_way.put((time.monotonic() + self.latency_s, block))
                else:
                    target.sendall(block)
                if self.cut_at is not None and max(self.sent_bytes, self.received_bytes) >= self.cut_at:
                    self.cut_at = None
                    self.cut()
        if self.latency_s:
            under_way.put((time.monotonic() + self.latency_s, b""))
        else:
            close(target)
        close(source)


def deliver(under_way: "queue.SimpleQueue[tuple[float, bytes]]", target: socket.socket) -> None:
    """Send each block when it is due; an empty one is the last."""
    with contextlib.suppress(OSError):
        while True:
            due, block = under_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not block:
                break
            target.sendall(block)
    close(target)


def close(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # Closing alone would not wake a thread that waits in recv.
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
