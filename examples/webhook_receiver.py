#!/usr/bin/env python3
"""Takes alarms of cosmosq and prints a line for each; what is not signed with the secret is refused.

    COSMOSQ_SECRET=... python webhook_receiver.py [PORT]

In cosmosq.toml: [notify] webhook = "http://127.0.0.1:8808" and secret_env = "COSMOSQ_SECRET". After
`cosmosq notify test` it prints:

    … test: this is a test: nothing happened
"""

import contextlib
import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environ["COSMOSQ_SECRET"].encode()
MOST_BYTES = 10 << 20


class Receiver(BaseHTTPRequestHandler):
    """One message a request."""

    timeout = 10

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        if not 0 <= size <= MOST_BYTES:
            return self.answer(413)
        body = self.rfile.read(size)
        wanted = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), self.headers.get("X-Cosmosq-Signature", "").encode()):
            return self.answer(403)
        for alarm in json.loads(body)["alarms"]:
            # An alarm that comes twice has the same id: remember the last ones where that matters.
            print(f"{alarm['id']} {alarm['at']} {alarm['occasion']}: {alarm['text']}", flush=True)
        return self.answer(204)

    def answer(self, status: int) -> None:
        """Say how it went, and nothing else."""
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The alarms are all that is printed."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8808
    with ThreadingHTTPServer(("127.0.0.1", port), Receiver) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
