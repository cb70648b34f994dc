"""The lab's network: one bridge, the machines' ports on it, and a corner where its services listen.

The services (instance metadata, names, packages) have a network namespace of their own on the bridge, so that neither the
host's own servers nor an instance's are in their way: an instance can listen on port 80 of every address that it has.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

from . import claims, netns
from .command import ip, run
from .errors import LabError
from .firewall import Allowed, Firewall

METADATA = "169.254.169.254"
RESOLVER = "169.254.169.253"
LINK_LOCAL = "169.254.169.0/24"
# What EC2 calls the one interface of an instance on its current hardware.
INTERFACE = "ens5"


class Port:
    """A machine's place on the bridge: the open file that holds its network namespace, and the bridge's end of its wire."""

    def __init__(self, namespace: int, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self.closed = False
        self._turn = threading.Lock()
        self._firewall: Firewall | None = None

    def allow(self, allowed: Allowed | None) -> None:
        """Lets this in and nothing else; everything when it is `None`. Does nothing after `close`."""
        with self._turn:
            if self.closed:
                return
            if allowed is None:
                self._open()
                return
            self._firewall = self._firewall or Firewall(self.namespace)
            self._firewall.apply(allowed)

    def close(self) -> None:
        """Takes the machine off the network. The namespace ends with the machine's last process."""
        # A namespace that ends takes its wire along, but only some time later.
        _remove_link(self.name)
        with self._turn:
            self.closed = True
            self._open()
            os.close(self.namespace)

    def _open(self) -> None:
        if self._firewall is not None:
            self._firewall.close()
        self._firewall = None


class Network:
    """The network of one lab. `cidr` is its block, `gateway` the host's own address in it."""

    def __init__(self, name: str, cidr: str | None) -> None:
        """Makes the bridge of lab `name`; `cidr` chooses the block, otherwise a free one of 172.16.0.0/12 is taken.

        Raises `LabError` when the block is taken or the kernel refuses.
        """
        self.name = name
        self._guard = threading.Lock()
        self._numbers = 0
        self._filtering = threading.Lock()
        self._allowed: dict[str, Allowed] = {}
        self._ports: dict[str, Port] = {}
        with claims.locked():
            self.bridge, block = claims.claim(cidr)
            try:
                self._make_bridge(block)
            except BaseException:
                remove_bridge(self.bridge)
                raise
        self.cidr = str(block)
        self.gateway = str(block[1])
        self.services = str(block[2])
        self._corner = Port(netns.create(), self._name())
        try:
            self._join(self._corner, "eth0", self.services)
            netns.within(
                self._corner.namespace,
                lambda: ip(f"addr add {METADATA}/32 dev eth0", f"addr add {RESOLVER}/32 dev eth0"),
            )
        except BaseException:
            self.close()
            raise

    def attach(self, address: str) -> Port:
        """Makes the place of a machine with this address; the caller closes it.

        Raises `LabError` when the address is not one of the network's, or one of the lab's own.
        """
        block = ipaddress.IPv4Network(self.cidr)
        if ipaddress.IPv4Address(address) not in block or address in (self.gateway, self.services):
            raise LabError(f"`{address}` is not free for machines in `{self.cidr}`", "take one from the block's fourth on")
        port = Port(netns.create(), self._name())
        try:
            # Before there is a wire: nothing gets in that may not.
            self._filter(port, address)
            self._join(port, INTERFACE, address)
            # EC2's link-local services answer on the instance's own link.
            netns.within(port.namespace, lambda: ip(f"route add {LINK_LOCAL} dev {INTERFACE} scope link"))
        except BaseException:
            port.close()
            raise
        return port

    def guard(self, changes: Mapping[str, Allowed | None]) -> None:
        """What is let in at each of these addresses, whoever has them now or will: `None` is everything, as where nothing
        was ever said. What is connected stays so.
        """
        with self._filtering:
            for address, allowed in changes.items():
                if allowed is None:
                    self._allowed.pop(address, None)
                else:
                    self._allowed[address] = allowed
                port = self._ports.get(address)
                if port is not None:
                    port.allow(allowed)

    def listen(self, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
        """A socket of the services' corner, bound to this address of theirs; a stream listens already."""

        def open_socket() -> socket.socket:
            made = socket.socket(socket.AF_INET, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((address, port))
            if kind == socket.SOCK_STREAM:
                made.listen(128)
            return made

        return netns.within(self._corner.namespace, open_socket)

    def close(self) -> None:
        """Removes the bridge. Machines that are still there lose their network."""
        self._corner.close()
        with claims.locked():
            remove_bridge(self.bridge)

    def _make_bridge(self, block: ipaddress.IPv4Network) -> None:
        ip(
            # Without an address of its own a bridge has the lowest of what is plugged into it: another one whenever a
            # machine comes or goes, and who had heard of the old one talks to nobody.
            f"link add {self.bridge} address {mac(str(block[1]))} type bridge stp_state 0 forward_delay 0",
            f"addr add {block[1]}/{block.prefixlen} dev {self.bridge}",
        )
        # Nothing leaves the lab: a host that routes for others does not for this bridge.
        Path(f"/proc/sys/net/ipv4/conf/{self.bridge}/forwarding").write_text("0")
        if Path("/proc/sys/net/ipv6").exists():
            Path(f"/proc/sys/net/ipv6/conf/{self.bridge}/disable_ipv6").write_text("1")
        ip(f"link set {self.bridge} up")

    def _filter(self, port: Port, address: str) -> None:
        with self._filtering:
            self._ports = {there: other for there, other in self._ports.items() if not other.closed}
            self._ports[address] = port
            if address in self._allowed:
                port.allow(self._allowed[address])

    def _name(self) -> str:
        with self._guard:
            self._numbers += 1
            return f"{self.bridge}p{self._numbers}"

    def _join(self, port: Port, interface: str, address: str) -> None:
        prefix = self.cidr.partition("/")[2]
        netns.within(
            port.namespace,
            lambda: ip(
                "link set lo up",
                f"link add {interface} address {mac(address)} type veth peer name {port.name} netns {os.getpid()}",
                f"addr add {address}/{prefix} brd + dev {interface}",
            ),
        )
        ip(f"link set {port.name} master {self.bridge} up")
        netns.within(port.namespace, lambda: ip(f"link set {interface} up", f"route add default via {self.gateway}"))


def mac(address: str) -> str:
    """The hardware address that goes with an address of the network."""
    return ":".join(f"{byte:02x}" for byte in (0x06, 0x00, *ipaddress.IPv4Address(address).packed))


def remove_bridge(bridge: str) -> None:
    """Removes a lab's bridge, what is plugged into it, and its claim; call it under `claims.locked`.

    A bridge that is gone is no error.
    """
    plugged = Path(f"/sys/class/net/{bridge}/brif")
    for port in sorted(os.listdir(plugged)) if plugged.exists() else []:
        _remove_link(port)
    _remove_link(bridge)
    claims.release(bridge)


def _remove_link(name: str) -> None:
    link = Path(f"/sys/class/net/{name}")
    if not link.exists():
        return
    try:
        run(["ip", "link", "delete", name])
    except LabError:
        # The end of a namespace may have been quicker.
        if link.exists():
            raise
