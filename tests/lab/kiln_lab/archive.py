"""Debian's archive as the machines see it: this host's own source of packages, with a cache that labs share.

A file that has its digest or version in its name is fetched once. An index is fetched anew after some minutes.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import BinaryIO

from .metadata import serve

DEBIAN = "http://deb.debian.org"
_FRESH_FOR = 180.0
_PATIENCE = 60.0
_CHUNK = 1 << 18


def upstreams() -> dict[str, str]:
    """The archive that this host's own apt uses, by first component of a path; Debian's own where it uses none."""
    found = {"debian": f"{DEBIAN}/debian", "debian-security": f"{DEBIAN}/debian-security"}
    try:
        argv = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)"]
        listed = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return found
    for line in listed.splitlines():
        origin, label, address = line.split("|", 2)
        if origin == "Debian" and address.startswith("http"):
            found["debian-security" if label == "Debian-Security" else "debian"] = address.rstrip("/")
    return found


class Archive:
    """Serves the archive on a socket that listens already, until `close`."""

    def __init__(self, listening: socket.socket, cache: Path, sources: Mapping[str, str]) -> None:
        self._cache = cache
        self._sources = sources
        self._opener = urllib.request.build_opener(*_proxies())
        self._guard = threading.Lock()
        self._fetching: dict[str, threading.Lock] = {}
        self._fetched: dict[str, float] = {}
        self._server = serve(listening, _handler(self), "archive")

    def source(self, path: str) -> str | None:
        """Where a path of the archive comes from; `None` when it is no path of the archive."""
        first, _, rest = path.partition("/")
        base = self._sources.get(first)
        if base is None or not re.fullmatch(r"[A-Za-z0-9._~+:%/-]+", rest) or ".." in rest.split("/"):
            return None
        return f"{base}/{urllib.parse.quote(rest, safe='/~:+')}"

    def cached(self, path: str) -> Path | None:
        """The cached file, if it may be served as it is."""
        file = self._cache / path
        if not file.is_file():
            return None
        lasting = "/pool/" in path or "/by-hash/" in path
        with self._guard:
            age = time.monotonic() - self._fetched.get(path, float("-inf"))
        return file if lasting or age < _FRESH_FOR else None

    @contextmanager
    def turn(self, path: str) -> Iterator[None]:
        """Lets one at a time fetch a path; the next finds it cached."""
        with self._guard:
            lock = self._fetching.setdefault(path, threading.Lock())
        with lock:
            yield

    def open(self, source: str) -> BinaryIO:
        """Asks the archive. Raises `OSError`, of which `HTTPError` is one."""
        return self._opener.open(source, timeout=_PATIENCE)  # type: ignore[no-any-return]

    @contextmanager
    def keep(self, path: str, modified: float | None) -> Iterator[BinaryIO]:
        """A file to write what is fetched to; it takes its place in the cache when this ends without an error."""
        final = self._cache / path
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, prefix=".fetch-") as file:
            yield file  # type: ignore[misc]
            file.flush()
            if modified is not None:
                os.utime(file.name, (modified, modified))
            os.chmod(file.name, 0o644)
            fresh = f"{file.name}.whole"
            os.link(file.name, fresh)
            os.rename(fresh, final)
        with self._guard:
            self._fetched[path] = time.monotonic()

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()


def _proxies() -> list[urllib.request.BaseHandler]:
    try:
        argv = ["apt-config", "shell", "PROXY", "Acquire::http::Proxy"]
        said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return []
    found = re.search(r"PROXY='(http[^']+)'", said)
    return [urllib.request.ProxyHandler({"http": found[1], "https": found[1]})] if found else []


def _handler(archive: Archive) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).strip("/")
            source = archive.source(path)
            if source is None:
                return self._say(404)
            file = archive.cached(path)
            if file is not None:
                return self._file(file)
            with archive.turn(path):
                file = archive.cached(path)
                if file is None:
                    return self._fetch(path, source)
            self._file(file)

        do_HEAD = do_GET

        def _file(self, path: Path) -> None:
            with open(path, "rb") as file:
                found = os.fstat(file.fileno())
                if self._has(found.st_mtime):
                    return self._say(304)
                self._head(found.st_size, found.st_mtime)
                if self.command != "HEAD":
                    self.connection.setblocking(True)
                    self.connection.sendfile(file)

        def _fetch(self, path: str, source: str) -> None:
            try:
                answer = archive.open(source)
            except urllib.error.HTTPError as refused:
                return self._say(refused.code)
            except OSError:
                return self._say(502)
            with answer:
                length = int(answer.headers.get("Content-Length") or -1)  # type: ignore[attr-defined]
                modified = _time(answer.headers.get("Last-Modified"))  # type: ignore[attr-defined]
                if length < 0:
                    return self._say(502)
                listening = not self._has(modified)
                if listening:
                    self._head(length, modified)
                else:
                    self._say(304)
                self._copy(answer, length, modified, path, listening and self.command != "HEAD")

        def _copy(self, answer: BinaryIO, length: int, modified: float | None, path: str, listening: bool) -> None:
            try:
                with archive.keep(path, modified) as file:
                    left = length
                    while chunk := answer.read(min(_CHUNK, left)) if left else b"":
                        left -= len(chunk)
                        file.write(chunk)
                        if listening:
                            try:
                                self.wfile.write(chunk)
                            except OSError:
                                # The next machine that asks is glad of the whole file.
                                listening = False
                    if left:
                        raise ConnectionError("the archive hung up")
            except OSError:
                self.close_connection = True

        def _has(self, modified: float | None) -> bool:
            since = _time(self.headers.get("If-Modified-Since"))
            return since is not None and modified is not None and int(modified) <= since

        def _head(self, length: int, modified: float | None) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.send_header("Content-Type", "application/octet-stream")
            if modified is not None:
                self.send_header("Last-Modified", formatdate(modified, usegmt=True))
            self.end_headers()

        def _say(self, status: int) -> None:
            self.send_response(status)
            if status != 304:
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


def _time(text: str | None) -> float | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
