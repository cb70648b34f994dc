"""Packages: from the host's own archive, once, whole, and by apt in a machine."""

from __future__ import annotations

import http.client
import shutil
import socket
import tempfile
import unittest
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from unittest import mock

from kiln_lab import archive
from kiln_lab.archive import Archive
from kiln_lab.metadata import serve

from .case import LabCase

PACKAGE = "/debian/pool/main/n/name/name_1.0+b1~deb12u1_all.deb"
BODY = bytes(range(256)) * 8192


class Cache(unittest.TestCase):
    def setUp(self) -> None:
        self.asked: list[str] = []
        self.cut = False
        case = self

        class Upstream(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                case.asked.append(self.path)
                if self.path.endswith("missing"):
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(BODY)))
                self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
                self.end_headers()
                self.wfile.write(BODY[: len(BODY) // 2] if case.cut else BODY)
                self.close_connection = case.cut

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        listening = socket.create_server(("127.0.0.1", 0))
        upstream = serve(listening, Upstream, "upstream")
        self.addCleanup(upstream.server_close)
        self.addCleanup(upstream.shutdown)
        self.folder = Path(tempfile.mkdtemp(prefix="kiln-lab-archive-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder)
        served = socket.create_server(("127.0.0.1", 0))
        self.port = served.getsockname()[1]
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        made = Archive(served, self.folder / "cache", {"debian": f"{base}/mirror"})
        self.addCleanup(made.close)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def test_twenty_that_ask_at_once_cause_one_download(self) -> None:
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(self.get, [PACKAGE] * 20))
        self.assertEqual({status for status, _ in answers}, {200})
        self.assertTrue(all(body == BODY for _, body in answers))
        self.assertEqual(self.asked, [PACKAGE.replace("/debian/", "/mirror/")])

    def test_index_is_asked_for_again_after_a_while_and_not_before(self) -> None:
        index = "/debian/dists/bookworm/InRelease"
        self.get(index)
        self.get(index)
        self.assertEqual(len(self.asked), 1)
        with mock.patch.object(archive, "_FRESH_FOR", 0.0):
            self.assertEqual(self.get(index, If_Modified_Since="Thu, 01 Jan 2026 00:00:00 GMT"), (304, b""))
            self.get(PACKAGE)
            self.get(PACKAGE)
        self.assertEqual(len(self.asked), 3)

    def test_download_that_breaks_off_is_not_kept(self) -> None:
        self.cut = True
        with self.assertRaises(http.client.IncompleteRead):
            self.get(PACKAGE)
        self.cut = False
        # The second of these waits until the first one's file is in its place.
        for _ in range(2):
            self.assertEqual(self.get(PACKAGE), (200, BODY))
        kept = [path.name for path in (self.folder / "cache").rglob("*") if path.is_file()]
        self.assertEqual(kept, [PACKAGE.rpartition("/")[2]])

    def test_nothing_but_the_archive_is_served(self) -> None:
        (self.folder / "secret").write_text("secret")
        for path in ("/debian/../../secret", "/debian/pool/%2e%2e/%2e%2e/%2e%2e/secret", "/other/file", "/", "/debian/a%00b"):
            self.assertEqual(self.get(path)[0], 404, path)
        self.assertEqual(self.asked, [])
        self.assertEqual(self.get("/debian/pool/missing")[0], 404)

    def test_archive_that_is_away_is_a_bad_gateway(self) -> None:
        with mock.patch.object(Archive, "open", side_effect=urllib.error.URLError("away")):
            self.assertEqual(self.get(PACKAGE)[0], 502)


class OfMachines(LabCase):
    def test_apt_installs_and_the_second_machine_finds_it_cached(self) -> None:
        install = "sudo apt-get -q -oAPT::Update::Error-Mode=any update && sudo apt-get -q -y install tree && tree --version"
        machines = [self.booted(self.launch()) for _ in range(2)]
        self.assertIn("tree v", self.ssh(machines[0], install))
        with mock.patch.object(Archive, "open", side_effect=urllib.error.URLError("nothing is fetched a second time")):
            self.assertIn("tree v", self.ssh(machines[1], install))
        self.assertEqual(
            self.ssh(machines[0], "grep -c ^deb.http://deb.debian.org /etc/apt/sources.list; readlink /etc/resolv.conf"),
            "3\n../run/systemd/resolve/stub-resolv.conf\n",
        )


if __name__ == "__main__":
    unittest.main()
