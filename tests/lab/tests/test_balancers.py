"""Load balancers on a lab's network: who gets requests, what ends, what goes on, and that nothing stays."""

from __future__ import annotations

import http.client
import os
import shutil
import socketserver
import ssl
import subprocess
import threading
import unittest
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kiln_lab import netns
from kiln_lab.balancing.balancers import Balancers
from kiln_lab.balancing.setup import DRAIN, Check, Condition, Fixed, Forward, Listener, Pool, Redirect, Rule, Server, Setup
from kiln_lab.journal import Journal
from kiln_lab.network import Network

from .case import run, state_folder
from .leftovers import of_lab

PATIENCE = 20.0
POOL = "pool"
CHECK = Check("a", "HTTP", "", 80, "/health", "200", 0.05, 1.0)


class Web(ThreadingHTTPServer):
    """Asks nobody for its own name: nobody answers where it is."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """A load balancer may reset connections that it needs no more."""

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]


class Backend:
    """A web server on an address of its own. It says its name; `/slow` waits until it is let go."""

    def __init__(self, network: Network, address: str) -> None:
        self.address = address
        self.name = address
        self.healthy = True
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.arrived, self.let_go = threading.Event(), threading.Event()
        self._port = network.attach(address)
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status = 200
                if self.path == "/health":
                    status = 200 if backend.healthy else 503
                else:
                    backend.asked.append((self.path, dict(self.headers)))
                if self.path == "/slow":
                    backend.arrived.set()
                    backend.let_go.wait(PATIENCE)
                body = backend.name.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = netns.within(self._port.namespace, lambda: Web((address, 80), Handler))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._port.close()


class BalancersCase(unittest.TestCase):
    """A network with two web servers and a load balancer."""

    def setUp(self) -> None:
        self.state = state_folder()
        self.addCleanup(shutil.rmtree, self.state.parent)
        self.journal = Journal(self.state)
        self.addCleanup(self.journal.close)
        self.network = Network("balanced", None)
        self.addCleanup(self.network.close)
        self.base = self.network.gateway.rsplit(".", 1)[0]
        self.backends = [self.backend(number) for number in (10, 11)]
        self.balancers = Balancers(self.state, self.network, self.journal)
        self.addCleanup(self.balancers.close)
        self.outcomes: list[tuple[str, Any]] = []
        self.address = f"{self.base}.5"
        self.balancers.open("one", self.address, lambda *outcome: self.outcomes.append(outcome))

    def backend(self, number: int) -> Backend:
        made = Backend(self.network, f"{self.base}.{number}")
        self.addCleanup(made.close)
        return made

    def apply(self, *modes: str, checks: frozenset[Check] = frozenset(), **over: Any) -> None:
        """Forwards port 80 to the first web servers, each in its mode."""
        servers = tuple(Server(b.name, b.address, 80, mode) for b, mode in zip(self.backends, modes))
        listeners = over.pop("listeners", (Listener(80, True, None, (), Forward(((POOL, 1),))),))
        pools = over.pop("pools", (Pool(POOL, True, False, False, servers),))
        self.balancers.apply("one", Setup(listeners, pools, **over), checks)

    def ask(self, path: str = "/", port: int = 80, **headers: str) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection(self.address, port, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def who(self, times: int = 10) -> set[str]:
        """Who answers."""
        answers = [self.ask() for _ in range(times)]
        self.assertEqual({status for status, _, _ in answers}, {200})
        return {body for _, body, _ in answers}


class Forwarding(BalancersCase):
    def test_requests_go_to_all_that_are_ready_and_only_to_them(self) -> None:
        first, second = self.backends
        self.apply("ready", "ready")
        self.assertEqual(self.who(), {first.name, second.name})
        self.apply("ready", DRAIN)
        self.assertEqual(self.who(), {first.name})
        self.apply(DRAIN, "ready")
        self.assertEqual(self.who(), {second.name})
        self.apply("ready")
        self.assertEqual(self.who(), {first.name})
        self.apply()
        self.assertEqual(self.ask()[0], 503)
        self.apply("ready", "ready")
        self.assertEqual(self.who(), {first.name, second.name})

    def test_the_set_of_servers_changes_without_another_process(self) -> None:
        self.apply("ready")
        before = self.processes()
        self.apply("ready", "ready")
        self.apply("ready", DRAIN)
        self.apply("ready")
        self.assertEqual(len(before), 1)
        self.assertEqual(self.processes(), before)

    def test_servers_see_whom_they_answer(self) -> None:
        self.apply("ready")
        self.ask("/told")
        path, headers = self.backends[0].asked[-1]
        told = {name.lower(): value for name, value in headers.items()}
        self.assertEqual((path, told["x-forwarded-for"], told["x-forwarded-port"]), ("/told", self.network.gateway, "80"))
        self.assertEqual(told["x-forwarded-proto"], "http")

    def test_a_request_under_way_ends_on_a_server_that_drains(self) -> None:
        first, second = self.backends
        self.apply("ready", DRAIN)
        with ThreadPoolExecutor(1) as pool:
            slow: Future[Any] = pool.submit(self.ask, "/slow")
            self.assertTrue(first.arrived.wait(PATIENCE))
            self.apply(DRAIN, "ready")
            self.assertEqual(self.who(), {second.name})
            self.assertFalse(slow.done())
            first.let_go.set()
            self.assertEqual(slow.result()[:2], (200, first.name))

    def test_a_request_under_way_is_cut_off_when_its_server_is_taken_out(self) -> None:
        first, second = self.backends
        # It may be sent to the other one: nothing was answered yet.
        second.let_go.set()
        self.apply("ready", DRAIN)
        with ThreadPoolExecutor(1) as pool:
            slow: Future[Any] = pool.submit(self.ask, "/slow")
            self.assertTrue(first.arrived.wait(PATIENCE))
            self.balancers.apply(
                "one",
                Setup(
                    (Listener(80, True, None, (), Forward(((POOL, 1),))),),
                    (Pool(POOL, True, False, False, (Server(second.name, second.address, 80),)),),
                ),
                frozenset(),
            )
            self.assertNotEqual(slow.result(PATIENCE)[:2], (200, first.name))
        self.assertEqual(self.who(), {second.name})

    def test_a_request_under_way_ends_though_a_listener_is_added(self) -> None:
        first = self.backends[0]
        self.apply("ready")
        with ThreadPoolExecutor(1) as pool:
            slow: Future[Any] = pool.submit(self.ask, "/slow")
            self.assertTrue(first.arrived.wait(PATIENCE))
            two = tuple(Listener(port, True, None, (), Forward(((POOL, 1),))) for port in (80, 81))
            self.apply("ready", listeners=two)
            self.assertEqual(self.ask(port=81)[:2], (200, first.name))
            first.let_go.set()
            self.assertEqual(slow.result()[:2], (200, first.name))

    def test_no_request_fails_while_servers_and_listeners_come_and_go(self) -> None:
        self.backends += [self.backend(number) for number in range(12, 50)]
        self.apply(*["ready"] * 2)
        done, failed, stop = [], [], threading.Event()

        progress = [0] * 4

        def client(number: int) -> None:
            keeps = number % 2 == 0
            connection = http.client.HTTPConnection(self.address, 80, timeout=PATIENCE)
            while not stop.is_set():
                try:
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    answer.read()
                    done.append(answer.status)
                    progress[number] += 1
                    if not keeps:
                        connection.close()
                except (OSError, http.client.HTTPException) as error:
                    failed.append(error)
                    connection.close()
            connection.close()

        clients = [threading.Thread(target=client, args=(number,)) for number in range(4)]
        for thread in clients:
            thread.start()
        # More than there are slots at first; and back.
        before = 2
        for count in (5, 20, 40, 3, 31, 33, 2):
            # Who goes is given time, as the control plane does.
            self.apply(*["ready"] * min(before, count), *([DRAIN] * (before - count) or ["ready"] * (count - before)))
            seen = list(progress)
            while not failed and any(now < then + 10 for now, then in zip(progress, seen)):
                threading.Event().wait(0.001)
            self.apply(*["ready"] * count)
            before = count
        stop.set()
        for thread in clients:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(set(done), {200})
        self.assertGreaterEqual(len(done), 280)

    def test_connections_go_through_as_they_are(self) -> None:
        first = self.backends[0]
        server = Server(first.name, first.address, 80)
        listener = Listener(7000, False, None, (), Forward(((POOL, 1),)))
        self.apply(listeners=(listener,), pools=(Pool(POOL, False, False, False, (server,)),))
        self.assertEqual(self.ask(port=7000)[:2], (200, first.name))
        self.assertNotIn("X-Forwarded-For", first.asked[-1][1])

    def processes(self) -> list[str]:
        return of_lab(self.state, self.network.bridge)["processes"]


class Listening(BalancersCase):
    def test_rules_come_before_what_is_done_otherwise(self) -> None:
        first, second = self.backends
        pools = tuple(Pool(f"p{i}", True, False, False, (Server(b.name, b.address, 80),)) for i, b in enumerate(self.backends))
        rules = (
            Rule((Condition("path -m reg", ("^/api/.*$", "^/v.$")),), Forward((("p1", 1),))),
            Rule((Condition("hdr(host),field(1,:) -i -m reg", ("^old\\.example$",)),), Redirect(301, "https://%[hdr(host)]%[path]")),
            Rule((Condition("path -m reg", ("^/api/no$", "^/gone$")),), Fixed(410, "text/plain", "it's gone\nfor good")),
        )
        self.apply(listeners=(Listener(80, True, None, rules, Forward((("p0", 1),))),), pools=pools)
        self.assertEqual(self.ask("/")[1], first.name)
        self.assertEqual(self.ask("/api/no")[1], second.name, "the first rule that fits")
        self.assertEqual(self.ask("/v2")[1], second.name)
        self.assertEqual(self.ask("/gone")[:2], (410, "it's gone\nfor good"))
        status, _, headers = self.ask("/x", Host="old.example")
        self.assertEqual((status, headers["location"]), (301, "https://old.example/x"))

    def test_shares_are_kept(self) -> None:
        pools = tuple(Pool(f"p{i}", True, False, False, (Server(b.name, b.address, 80),)) for i, b in enumerate(self.backends))
        self.apply(listeners=(Listener(80, True, None, (), Forward((("p0", 9), ("p1", 1)))),), pools=pools)
        answers = [self.ask()[1] for _ in range(300)]
        # One in ten: 30 of 300, with a standard deviation of 5.2.
        self.assertTrue(4 < answers.count(self.backends[1].name) < 60, answers.count(self.backends[1].name))
        self.apply(listeners=(Listener(80, True, None, (), Forward((("p0", 0), ("p1", 1)))),), pools=pools)
        self.assertEqual(self.who(), {self.backends[1].name})

    def test_tls_ends_at_the_load_balancer(self) -> None:
        folder = self.state
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=lab",
            "-days", "2", "-keyout", str(folder / "key"), "-out", str(folder / "cert"))  # fmt: skip
        pem = (folder / "cert").read_text() + (folder / "key").read_text()
        first = self.backends[0]
        pool = Pool(POOL, True, False, False, (Server(first.name, first.address, 80),))
        self.apply(listeners=(Listener(443, True, pem, (), Forward(((POOL, 1),))),), pools=(pool,))
        trust = ssl.create_default_context(cafile=str(folder / "cert"))
        trust.check_hostname = False
        connection = http.client.HTTPSConnection(self.address, 443, timeout=PATIENCE, context=trust)
        self.addCleanup(connection.close)
        connection.request("GET", "/")
        self.assertEqual(connection.getresponse().read().decode(), first.name)
        self.assertEqual(first.asked[-1][1]["x-forwarded-proto"], "https")


class Checking(BalancersCase):
    def test_health_is_asked_from_the_balancers_address_until_it_is_told_otherwise(self) -> None:
        from dataclasses import replace

        first = self.backends[0]
        check = replace(CHECK, address=first.address)
        self.apply("ready", checks=frozenset([check]))
        self.until(("a", None))
        first.healthy = False
        self.until(("a", ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")))
        wide = replace(check, target="wide", matcher="200-299,503")
        closed = replace(check, target="closed", port=81)
        nobody = replace(check, target="nobody", address=f"{self.base}.77", timeout=0.2)
        slow = replace(check, target="slow", path="/slow", timeout=0.2)
        tcp = replace(check, target="tcp", protocol="TCP")
        self.apply("ready", checks=frozenset([wide, closed, nobody, slow, tcp]))
        self.until(("wide", None))
        self.until(("tcp", None))
        self.until(("closed", ("Target.FailedHealthChecks", "Health checks failed")))
        self.until(("slow", ("Target.Timeout", "Request timed out")))
        self.until(("nobody", ("Target.Timeout", "Request timed out")))
        self.outcomes.clear()
        self.until(("wide", None))
        self.assertNotIn("a", {target for target, _ in self.outcomes[3:]})
        self.assertEqual(first.asked[0][0], "/slow")
        self.assertEqual(first.asked[0][1]["User-Agent"], "ELB-HealthChecker/2.0")

    def until(self, outcome: Any) -> None:
        pause = threading.Event()
        for _ in range(int(PATIENCE / 0.01)):
            if outcome in self.outcomes:
                return
            pause.wait(0.01)
        self.fail(f"never {outcome}, but {set(self.outcomes)}")


class Leaving(BalancersCase):
    def test_a_balancer_that_is_shut_leaves_nothing_and_others_go_on(self) -> None:
        self.apply("ready")
        before = of_lab(self.state, self.network.bridge)
        self.balancers.open("two", f"{self.base}.6", lambda *_: None)
        self.balancers.apply("two", Setup((Listener(80, True, None, (), Fixed(200, "text/plain", "two")),)), frozenset())
        self.assertEqual(len(of_lab(self.state, self.network.bridge)["processes"]), 2)
        self.balancers.shut("two")
        self.assertEqual(of_lab(self.state, self.network.bridge), before)
        self.assertEqual(os.listdir(self.state / "balancers"), ["one"])
        self.assertEqual(self.who(), {self.backends[0].name})
        self.balancers.close()
        self.assertEqual(of_lab(self.state, self.network.bridge)["processes"], [])
        self.assertEqual(os.listdir(self.state / "balancers"), [])

    def test_every_process_is_known_before_it_listens(self) -> None:
        self.apply("ready")
        two = tuple(Listener(port, True, None, (), Forward(((POOL, 1),))) for port in (80, 81))
        self.apply("ready", listeners=two)
        found = subprocess.run(["pgrep", "-f", str(self.state)], capture_output=True, text=True, check=False).stdout.split()
        journal = (self.state / "journal").read_text()
        self.assertTrue(found)
        for pid in found:
            self.assertIn(f'"pid": {pid},', journal)


if __name__ == "__main__":
    unittest.main()
