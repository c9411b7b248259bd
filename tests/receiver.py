"""A real HTTP server that takes messages, and answers as a test tells it."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG, DRIP = "hang", "drip"


@dataclass
class Receiver:
    """What came, and what is answered next: a status, or how to misbehave; 200 once there is none left."""

    port: int
    answers: list[int | str]
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/alarms"

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.requests)]

    @property
    def ids(self) -> list[list[int]]:
        """The alarms of each message."""
        return [[alarm["id"] for alarm in message["alarms"]] for message in self.messages]


@contextmanager
def receiving(*answers: int | str) -> Iterator[Receiver]:
    """A receiver for the time of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    receiver = server.receiver = Receiver(server.server_port, list(answers))  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


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
