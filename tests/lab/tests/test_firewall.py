"""What is let in at an address, and what is not; what is connected stays so."""

from __future__ import annotations

import socket
import threading
import unittest
from collections.abc import Iterator
from contextlib import contextmanager

from kiln_lab import netns
from kiln_lab.command import run
from kiln_lab.errors import LabError
from kiln_lab.firewall import Allow, ruleset
from kiln_lab.network import Network, Port

PATIENCE = 20.0
# As long as nobody needs whose first packet is answered.
SILENCE = 0.5
ANYWHERE = "0.0.0.0/0"


def tcp(port: int, source: str = ANYWHERE) -> Allow:
    """One port, from somewhere."""
    return Allow("tcp", port, port, source)


class Guarded(unittest.TestCase):
    """Two machines; the first listens on two ports."""

    def setUp(self) -> None:
        self.network = Network("guarded", None)
        self.addCleanup(self.network.close)
        self.base = self.network.gateway.rsplit(".", 1)[0]
        self.one, self.two = f"{self.base}.10", f"{self.base}.11"
        self.server, self.client = self.attach(self.one), self.attach(self.two)
        for port in (80, 8080):
            self.listen(port)

    def attach(self, address: str) -> Port:
        port = self.network.attach(address)
        self.addCleanup(port.close)
        return port

    def listen(self, port: int) -> None:
        """Says what it hears, on each connection."""
        listening = netns.within(self.server.namespace, lambda: socket.create_server((self.one, port)))

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

        def echo(connection: socket.socket) -> None:
            with connection:
                while heard := connection.recv(100):
                    connection.sendall(heard)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def end() -> None:
            # Closing alone does not wake who waits in `accept`.
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            listening.close()

        self.addCleanup(end)

    @contextmanager
    def connected(self, port: int, whence: Port | None = None) -> Iterator[socket.socket]:
        """A connection, from the host or a machine."""

        def connect() -> socket.socket:
            return socket.create_connection((self.one, port), SILENCE)

        with connect() if whence is None else netns.within(whence.namespace, connect) as made:
            made.settimeout(PATIENCE)
            yield made

    def reaches(self, port: int, whence: Port | None = None) -> bool:
        """Whether one comes about; what is not let in is dropped without an answer."""
        try:
            with self.connected(port, whence):
                return True
        except TimeoutError:
            return False

    def test_a_port_is_open_to_whom_it_is_opened_and_to_nobody_else(self) -> None:
        self.assertTrue(self.reaches(80) and self.reaches(8080), "nobody said anything: all is open")
        self.network.guard({self.one: frozenset()})
        self.assertFalse(self.reaches(80) or self.reaches(80, self.client))
        self.network.guard({self.one: frozenset({tcp(80, f"{self.two}/32")})})
        self.assertTrue(self.reaches(80, self.client))
        self.assertFalse(self.reaches(80))
        self.assertFalse(self.reaches(8080, self.client))
        self.network.guard({self.one: frozenset({Allow("tcp", 80, 8080, ANYWHERE)})})
        self.assertTrue(self.reaches(8080) and self.reaches(80, self.client))

    def test_a_connection_outlives_the_rule_that_let_it_in(self) -> None:
        self.network.guard({self.one: frozenset({tcp(80)})})
        with self.connected(80) as kept:
            kept.sendall(b"before")
            self.assertEqual(kept.recv(100), b"before")
            self.network.guard({self.one: frozenset({tcp(8080)})})
            self.assertFalse(self.reaches(80))
            self.assertTrue(self.reaches(8080))
            kept.sendall(b"after")
            self.assertEqual(kept.recv(100), b"after")

    def test_who_lets_nobody_in_gets_answers_and_reaches_itself(self) -> None:
        self.network.guard({self.two: frozenset()})
        with self.connected(80, self.client) as made:
            made.sendall(b"there")
            self.assertEqual(made.recv(100), b"there")
        self.network.guard({self.one: frozenset()})
        self.assertTrue(self.reaches(80, self.server))

    def test_an_address_is_guarded_before_anybody_has_it_and_after(self) -> None:
        third = f"{self.base}.12"
        self.network.guard({third: frozenset()})
        for _ in range(2):
            port = self.network.attach(third)
            with netns.within(port.namespace, lambda: socket.create_server((third, 80))):
                with self.assertRaises(TimeoutError), socket.create_connection((third, 80), SILENCE):
                    pass
            port.close()
        self.network.guard({third: None})
        port = self.attach(third)
        with netns.within(port.namespace, lambda: socket.create_server((third, 80))):
            socket.create_connection((third, 80), PATIENCE).close()

    def test_a_machine_cannot_change_what_is_let_in(self) -> None:
        self.network.guard({self.one: frozenset({tcp(80)})})
        netns.within(self.server.namespace, lambda: run(["nft", "flush", "ruleset"]))
        with self.assertRaises(LabError):
            netns.within(self.server.namespace, lambda: run(["nft", "delete", "table", "inet", "kiln-lab"]))
        self.assertFalse(self.reaches(8080))
        self.assertTrue(self.reaches(80))

    def test_all_that_a_rule_can_say_is_taken(self) -> None:
        rules = {
            Allow("-1", None, None, "10.0.0.0/8"),
            Allow("udp", 53, 53, "10.1.0.0/16"),
            Allow("udp", 53, 53, "10.1.2.0/24"),
            Allow("icmp", 8, -1, ANYWHERE),
            Allow("icmp", -1, -1, "10.0.0.0/8"),
            Allow("tcp", 0, 65535, f"{self.two}/32"),
            Allow("50", None, None, "10.0.0.0/8"),
            Allow("58", -1, -1, "10.0.0.0/8"),
        }
        self.network.guard({self.one: frozenset(rules)})
        said = netns.within(self.server.namespace, lambda: run(["nft", "list", "ruleset"]))
        for words in ("udp dport 53", "icmp type echo-request", "tcp dport 0-65535", "meta l4proto esp", "10.1.0.0/16"):
            self.assertIn(words, said)
        self.assertNotIn("10.1.2.0/24", said, "blocks within others are no blocks of their own")
        self.assertFalse(self.reaches(80))
        self.assertTrue(self.reaches(80, self.client))

    def test_what_is_no_protocol_lets_nothing_in(self) -> None:
        self.assertEqual(ruleset(frozenset({Allow("tcp accept", 1, 2, ANYWHERE)})), ruleset(frozenset()))


if __name__ == "__main__":
    unittest.main()
