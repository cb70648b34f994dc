"""The lab's network: its own block, its services, and no way out."""

from __future__ import annotations

import os
import socket
import struct
import unittest
from contextlib import suppress

from kiln_lab import netns
from kiln_lab.command import ip
from kiln_lab.dns import Names, Resolver, answer
from kiln_lab.errors import LabError
from kiln_lab.network import RESOLVER, Network

OUTSIDE = "198.51.100"


def query(name: str, kind: int = 1, number: int = 77) -> bytes:
    """A question as a stub resolver asks it."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, kind, 1)


def address(reply: bytes) -> str:
    """The address that a reply ends with."""
    return socket.inet_ntoa(reply[-4:])


def code(reply: bytes) -> int:
    """A reply's RCODE."""
    return reply[3] & 0x0F


class Wires(unittest.TestCase):
    def network(self, cidr: str | None = None) -> Network:
        network = Network("test", cidr)
        self.addCleanup(network.close)
        return network

    def machine(self, network: Network, host: int) -> tuple[int, str]:
        address = f"{network.gateway.rsplit('.', 1)[0]}.{host}"
        port = network.attach(address)
        self.addCleanup(port.close)
        return port.namespace, address

    def test_labs_side_by_side_have_blocks_of_their_own(self) -> None:
        one, two = self.network(), self.network()
        self.assertNotEqual(one.cidr, two.cidr)
        self.assertNotEqual(one.bridge, two.bridge)
        with self.assertRaisesRegex(LabError, "overlaps"):
            self.network(one.cidr)
        for wrong in ("172.16.0.0/8", "8.8.8.0/24", "no block"):
            with self.assertRaises(LabError):
                self.network(wrong)

    def test_machines_reach_each_other_and_the_host_but_nothing_beyond(self) -> None:
        network = self.network()
        one, _ = self.machine(network, 10)
        two, there = self.machine(network, 11)
        with self.listener(two, there, 80), self.listener(None, network.gateway, 0) as host:
            self.assertTrue(self.reaches(one, there, 80))
            self.assertTrue(self.reaches(one, network.gateway, host.getsockname()[1]))
        beyond = netns.create()
        self.addCleanup(os.close, beyond)
        netns.within(
            beyond, lambda: ip(f"link add outer0 type veth peer name klabtest0 netns {os.getpid()}", "link set outer0 up")
        )
        ip(f"addr add {OUTSIDE}.1/24 dev klabtest0", "link set klabtest0 up")
        self.addCleanup(lambda: ip("link delete klabtest0"))
        netns.within(beyond, lambda: ip(f"addr add {OUTSIDE}.2/24 dev outer0", f"route add default via {OUTSIDE}.1"))
        with self.listener(beyond, f"{OUTSIDE}.2", 80):
            self.assertTrue(self.reaches(None, f"{OUTSIDE}.2", 80), "the host reaches it: otherwise this shows nothing")
            self.assertFalse(self.reaches(one, f"{OUTSIDE}.2", 80))

    def test_what_is_connected_hears_of_the_host_whatever_else_comes_and_goes(self) -> None:
        network = self.network()
        namespace, there = self.machine(network, 10)
        with self.listener(namespace, there, 80) as listener, socket.create_connection((there, 80), 2) as host:
            host.settimeout(2)
            machine, _ = listener.accept()
            with machine:
                block = network.gateway.rsplit(".", 1)[0]
                others = [network.attach(f"{block}.{number}") for number in range(20, 32)]
                machine.sendall(b"a")
                self.assertEqual(host.recv(1), b"a", "others have come")
                for other in others:
                    other.close()
                machine.sendall(b"b")
                self.assertEqual(host.recv(1), b"b", "others have gone")

    def test_machine_may_listen_on_every_port_of_every_address(self) -> None:
        network = self.network()
        namespace, _ = self.machine(network, 10)
        with network.listen(socket.SOCK_STREAM, network.services, 80):
            for port in (53, 80):
                with self.listener(namespace, "0.0.0.0", port):
                    pass

    def test_names_are_resolved_on_both_addresses_of_the_resolver(self) -> None:
        network = self.network()
        namespace, own = self.machine(network, 10)
        sockets = [network.listen(socket.SOCK_DGRAM, where, 53) for where in (network.services, RESOLVER)]
        resolver = Resolver(Names(network.cidr, network.services), sockets)
        self.addCleanup(resolver.close)
        for where in (network.services, RESOLVER):
            asking = netns.within(namespace, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with asking:
                asking.settimeout(5)
                # An empty datagram is no reason to fall silent.
                for payload in (b"", query(f"ip-{own.replace('.', '-')}.eu-west-1.compute.internal")):
                    asking.sendto(payload, (where, 53))
                self.assertEqual(address(asking.recv(512)), own)

    def test_address_outside_the_block_is_refused(self) -> None:
        network = self.network()
        for wrong in (network.gateway, network.services, "203.0.113.9"):
            with self.assertRaises(LabError):
                network.attach(wrong)

    def test_names_of_a_closed_lab_can_be_used_at_once(self) -> None:
        for _ in range(10):
            network = Network("test", None)
            port = network.attach(f"{network.gateway.rsplit('.', 1)[0]}.9")
            network.close()
            self.assertEqual([name for name in os.listdir("/sys/class/net") if name.startswith(f"{network.bridge}p")], [])
            port.close()

    def listener(self, namespace: int | None, address: str, port: int) -> socket.socket:
        def listen() -> socket.socket:
            return socket.create_server((address, port))

        return listen() if namespace is None else netns.within(namespace, listen)

    def reaches(self, namespace: int | None, address: str, port: int) -> bool:
        def connect() -> bool:
            with suppress(OSError), socket.create_connection((address, port), 2):
                return True
            return False

        return connect() if namespace is None else netns.within(namespace, connect)


class Dns(unittest.TestCase):
    names = Names("172.20.0.0/16", "172.20.0.2")

    def ask(self, name: str, kind: int = 1) -> bytes:
        reply = answer(query(name, kind), self.names)
        assert reply is not None
        self.assertEqual(reply[:2], b"\0\x4d")
        return reply

    def test_archives_are_in_the_lab(self) -> None:
        for name in ("deb.debian.org", "SECURITY.debian.org", "cdn-aws.deb.debian.org"):
            self.assertEqual(address(self.ask(name)), "172.20.0.2")

    def test_address_of_version_six_is_absent_not_an_error(self) -> None:
        reply = self.ask("deb.debian.org", 28)
        self.assertEqual((code(reply), reply[6:8]), (0, b"\0\0"))

    def test_what_is_not_in_the_lab_does_not_exist(self) -> None:
        for name in ("example.org", "ip-10-0-0-1.compute.internal", "ip-172-20-0-999", "ip-172-20-1-1.example.org"):
            self.assertEqual(code(self.ask(name)), 3, name)

    def test_addresses_have_names(self) -> None:
        self.assertIn(b"\x0dip-172-20-3-4\x07compute\x08internal\0", self.ask("4.3.20.172.in-addr.arpa", 12))
        self.assertEqual(code(self.ask("4.3.2.10.in-addr.arpa", 12)), 3)

    def test_garbage_gets_an_error_or_nothing(self) -> None:
        whole = query("deb.debian.org")
        for length in range(len(whole)):
            reply = answer(whole[:length], self.names)
            self.assertTrue(reply is None or code(reply) == 1, length)
        self.assertIsNone(answer(whole[:2] + b"\x80" + whole[3:], self.names), "a reply is not answered")


if __name__ == "__main__":
    unittest.main()
