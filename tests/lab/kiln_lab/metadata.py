"""The instance metadata service: IMDSv1 and IMDSv2, for every machine of the lab.

As on EC2 the one who asks is known by the address that the request comes from. What is served is a tree of texts that
`cloud_seed` makes. Source: EC2's user guide, "Use the Instance Metadata Service to access instance metadata".
"""

from __future__ import annotations

import re
import secrets
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_LONGEST_TOKEN = 21600


@dataclass
class Page:
    """What one machine is shown: texts by path below a version, and whether a token is demanded."""

    texts: Mapping[str, bytes]
    tokens_required: bool
    tokens: dict[str, float] = field(default_factory=dict)


class Metadata:
    """Serves the pages on a socket that listens already, until `close`."""

    def __init__(self, listening: socket.socket) -> None:
        self._pages: dict[str, Page] = {}
        self._guard = threading.Lock()
        self._server = serve(listening, _handler(self), "metadata")

    def publish(self, address: str, page: Page) -> None:
        """Shows `page` to the machine at `address` from now on."""
        with self._guard:
            self._pages[address] = page

    def withdraw(self, address: str) -> None:
        """Shows the machine at `address` nothing any more."""
        with self._guard:
            self._pages.pop(address, None)

    def page(self, address: str) -> Page | None:
        """What the machine at `address` is shown."""
        with self._guard:
            return self._pages.get(address)

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A machine that vanishes in the middle of an answer is nothing to write about."""


def serve(listening: socket.socket, handler: type[BaseHTTPRequestHandler], name: str) -> ThreadingHTTPServer:
    """An HTTP server of daemon threads on a socket that listens already; it runs when this returns."""
    server = _Server(listening.getsockname(), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    threading.Thread(target=server.serve_forever, args=(0.1,), name=name, daemon=True).start()
    return server


def look_up(texts: Mapping[str, bytes], path: str) -> bytes | None:
    """What stands at a path: a text, or a folder's list of names, folders with a slash; `None` when there is nothing."""
    path = path.strip("/")
    if path in texts:
        return texts[path]
    prefix = f"{path}/" if path else ""
    names = set()
    for key in texts:
        if key.startswith(prefix):
            head, slash, _ = key[len(prefix) :].partition("/")
            names.add(head + slash)
    if path == "meta-data/public-keys":
        names = {_key_line(texts, name.rstrip("/")) for name in names}
    return "\n".join(sorted(names)).encode() if names else None


def _key_line(texts: Mapping[str, bytes], number: str) -> str:
    name = texts.get(f"key-names/{number}", b"").decode() or f"key-{number}"
    return f"{number}={name}"


def _handler(service: Metadata) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "EC2ws"
        sys_version = ""

        def do_PUT(self) -> None:
            page = service.page(self.client_address[0])
            if page is None or not re.fullmatch(r"/[^/]+/api/token", self.path):
                return self._send(404)
            if self.headers.get("X-Forwarded-For"):
                return self._send(403)
            try:
                seconds = int(self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", ""))
            except ValueError:
                return self._send(400)
            if not 1 <= seconds <= _LONGEST_TOKEN:
                return self._send(400)
            token = secrets.token_urlsafe(40)
            page.tokens[token] = time.monotonic() + seconds
            self._send(200, token.encode(), {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": str(seconds)})

        def do_GET(self) -> None:
            page = service.page(self.client_address[0])
            if page is None:
                return self._send(404)
            if not self._allowed(page):
                return self._send(401)
            version, _, path = self.path.partition("?")[0].strip("/").partition("/")
            if version == "":
                return self._send(200, b"1.0\n2009-04-04\n2016-09-02\n2018-09-24\n2021-03-23\nlatest")
            if not re.fullmatch(r"latest|1\.0|20\d\d-\d\d-\d\d", version) or path.startswith("key-names"):
                return self._send(404)
            if path == "":
                tops = {key.partition("/")[0] for key in page.texts} - {"key-names"}
                return self._send(200, "\n".join(sorted(tops)).encode())
            found = look_up(page.texts, path)
            self._send(404 if found is None else 200, found or b"")

        do_HEAD = do_GET

        def _allowed(self, page: Page) -> bool:
            token = self.headers.get("X-aws-ec2-metadata-token")
            if token is not None:
                return page.tokens.get(token, 0) > time.monotonic()
            # In a container cloud-init cannot read the hardware's name, takes its cloud for an EC2 that is not Amazon's,
            # and asks for no token. Half of its requests bear the name of the library that it uses.
            own = self.headers.get("User-Agent", "").startswith(("Cloud-Init/", "python-requests/"))
            return own or not page.tokens_required

        def _send(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler
