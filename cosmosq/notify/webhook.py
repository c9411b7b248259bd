"""Posting a message: one request with an end, to one place, signed."""

import hashlib
import hmac
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cosmosq import __version__
from cosmosq.errors import NotDelivered

SIGNATURE = "X-Cosmosq-Signature"
"""Header with `sha256=` and the HMAC-SHA256 of the body, in hex."""

SLACK_S = 5.0


def signature(body: bytes, secret: bytes) -> str:
    """Value of the header that proves who sent the body."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def post(url: str, body: bytes, secret: bytes | None, *, timeout_s: float) -> None:
    """Post JSON and wait for an answer of the 200s, for so long in all.

    Raises:
        NotDelivered: another answer, a redirect included; none in time; nobody there.
    """
    headers = {"Content-Type": "application/json", "User-Agent": f"cosmosq/{__version__}"}
    if secret is not None:
        headers[SIGNATURE] = signature(body, secret)
    call = _Call(url, body, headers, timeout_s)
    # In a thread of its own: urllib's timeout is one a read, and a server that drips would never end.
    thread = threading.Thread(target=call.make, name="webhook", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        call.hang_up()
        raise NotDelivered(f"no answer within {timeout_s:g} s")
    if call.error is not None:
        raise NotDelivered(call.error)


class _Call:
    """One request, and the connection that it goes over."""

    def __init__(self, url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> None:
        self.error: str | None = "no answer"
        self.connection: http.client.HTTPConnection | None = None
        self._request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
        self._timeout_s = timeout_s

    def make(self) -> None:
        try:
            # Longer than anybody waits: it only ends a call that has no connection yet to hang up.
            self._opener().open(self._request, timeout=self._timeout_s + SLACK_S).close()
            self.error = None
        except urllib.error.HTTPError as error:
            self.error = f"answer {error.code} {error.reason}"
            error.close()
        except urllib.error.URLError as error:
            self.error = f"it cannot be reached: {error.reason}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.error = f"{type(error).__name__}: {error}"

    def _opener(self) -> urllib.request.OpenerDirector:
        """For http and https alone, through the system's proxy; a redirect is an error like any other answer."""
        opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _Handler(self),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.HTTPDefaultErrorHandler(),
        ):
            opener.add_handler(handler)
        return opener

    def connect(self, host: str, **options: Any) -> http.client.HTTPConnection:
        self.connection = http.client.HTTPConnection(host, **options)
        return self.connection

    def connect_securely(self, host: str, **options: Any) -> http.client.HTTPConnection:
        self.connection = http.client.HTTPSConnection(host, context=ssl.create_default_context(), **options)
        return self.connection

    def hang_up(self) -> None:
        with suppress(OSError, AttributeError):
            assert self.connection is not None
            self.connection.sock.shutdown(socket.SHUT_RDWR)


class _Handler(urllib.request.AbstractHTTPHandler):
    """Opens connections that can be hung up from outside."""

    def __init__(self, call: _Call) -> None:
        super().__init__()
        self._call = call

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._call.connect, request)

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._call.connect_securely, request)

    http_request = urllib.request.AbstractHTTPHandler.do_request_
    https_request = urllib.request.AbstractHTTPHandler.do_request_
