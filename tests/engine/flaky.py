"""A registry that stumbles: a relay in front of a real one, which fails the requests it is told."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: Headers that belong to one connection, not to what is relayed.
OWN_HEADERS = ("connection", "transfer-encoding", "content-length", "keep-alive")
#: Closing a socket with this option sends a reset.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
SECONDS = 30


@dataclass
class Fault:
    """The first ``times`` requests that match get ``status``; status 0: the connection is reset.

    ``matches`` is a pattern for "METHOD path".
    """

    matches: str
    status: int
    times: int = 1


@dataclass
class Flaky:
    """A running relay; tests put faults into it and look at what was asked."""

    address: str
    upstream: str
    faults: list[Fault] = field(default_factory=list)
    #: Manifests that are answered with another one, by path: as if somebody had pushed meanwhile.
    swapped: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, request: str) -> Fault | None:
        """The fault that this request runs into, if any."""
        with self._lock:
            self.asked.append(request)
            for one in self.faults:
                if one.times and re.search(one.matches, request):
                    one.times -= 1
                    return one
        return None


@contextlib.contextmanager
def flaky(upstream: str) -> Iterator[Flaky]:
    """A relay to the registry at ``upstream`` on a loopback port of its own."""

    class Bound(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Bound) as server:
        Bound.relay = Flaky(f"127.0.0.1:{server.server_address[1]}", upstream)
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield Bound.relay
        finally:
            server.shutdown()
            serving.join(SECONDS)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Also to what is no HTTP: by such an answer the engine knows that there is no TLS here.
    default_request_version = "HTTP/1.1"
    timeout = SECONDS
    relay: Flaky

    def do_GET(self) -> None:
        fault = self.relay.fault(f"{self.command} {self.path}")
        body = self._body()
        if fault is None:
            self._pass_on(body)
        elif fault.status:
            asks = {"WWW-Authenticate": 'Basic realm="test"'} if fault.status == 401 else {}
            self._answer(fault.status, asks, b'{"errors":[]}')
        else:
            linger = (socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.connection.setsockopt(*linger)
            self.connection.close()
            self.close_connection = True

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the same

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _pass_on(self, body: bytes) -> None:
        host, _, number = self.relay.upstream.rpartition(":")
        kept = {
            name: ", ".join(self.headers.get_all(name, ()))
            for name in self.headers
            if name.lower() not in OWN_HEADERS
        }
        path = self.path if self.command == "PUT" else self._path()
        connection = http.client.HTTPConnection(host, int(number), timeout=SECONDS)
        with contextlib.closing(connection):
            # With the relay's own Host, so that the registry's answers lead back here.
            connection.request(self.command, path, body, {**kept, "Content-Length": str(len(body))})
            answer = connection.getresponse()
            self._answer(answer.status, dict(answer.getheaders()), answer.read())

    def _path(self) -> str:
        return self.relay.swapped.get(self.path, self.path)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        length = str(len(body))
        for name, value in headers.items():
            if name.lower() == "content-length":
                length = value  # of a HEAD: of what GET would have brought
            elif name.lower() not in OWN_HEADERS:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
