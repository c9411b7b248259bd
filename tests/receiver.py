"""A real HTTP server that takes messages, and answers as a test tells it."""

import json
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HANG, DRIP = "hang", "drip"


@dataclass
class Receiver:
    """What came, and what is answered next: a status, or how to misbehave; 200 once there is none left."""

    port: int
    answers: list[int | str]
    scheme: str = "http"
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/alarms"

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.requests)]

    @property
    def ids(self) -> list[list[int]]:
        """The alarms of each message."""
        return [[alarm["id"] for alarm in message["alarms"]] for message in self.messages]


@contextmanager
def receiving(*answers: int | str, certificate: Path | None = None) -> Iterator[Receiver]:
    """A receiver for the time of the block; over https with the key and certificate of a file."""
    server = _Server(("127.0.0.1", 0), _Handler)
    receiver = server.receiver = Receiver(server.server_port, list(answers))  # type: ignore[attr-defined]
    if certificate is not None:
        receiver.scheme = "https"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake belongs to the connection's own thread: a client that breaks it off must not end the server.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that does not trust the certificate is what is tested.
        if not isinstance(sys.exception(), ssl.SSLError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.requests.append((dict(self.headers), body))
        answer = receiver.answers.pop(0) if receiver.answers else 200
        if answer == HANG:
            receiver.ended.wait()
        elif answer == DRIP:
            self._drip(receiver)
        else:
            self.send_response(int(answer))
            if int(answer) in (301, 307):
                self.send_header("Location", receiver.url + "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_GET(self) -> None:
        """Where a redirect that is followed would end."""
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        receiver.requests.append(({"method": "GET"}, b"{}"))
        self.send_error(404)

    def _drip(self, receiver: Receiver) -> None:
        try:
            while not receiver.ended.wait(0.05):
                self.wfile.write(b"H")
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def texts(messages: Sequence[dict[str, Any]]) -> list[str]:
    """What the alarms of all messages say, in order."""
    return [alarm["text"] for message in messages for alarm in message["alarms"]]
