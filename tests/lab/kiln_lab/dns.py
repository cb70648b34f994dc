"""The lab's name server: Debian's archive is in the lab, instances have names, and nothing else exists.

DNS over UDP, RFC 1035, and the OPT record of RFC 6891 ignored as it allows. Answers fit in one datagram, so there is no TCP.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
import threading

ARCHIVES = ("deb.debian.org", "security.debian.org", "cdn-aws.deb.debian.org")

_A, _PTR, _AAAA, _ANY = 1, 12, 28, 255
_NOERROR, _FORMERR, _NXDOMAIN, _NOTIMP = 0, 1, 3, 4
_TTL = 60


class Names:
    """Which name has which address."""

    def __init__(self, cidr: str, archive: str, domain: str = "compute.internal") -> None:
        """`archive` is the address where packages are served; `domain` ends the instances' internal names."""
        self._block = ipaddress.IPv4Network(cidr)
        self._archive = archive
        self._domain = domain

    def address(self, name: str) -> str | None:
        """The address of a name, without its final dot; `None` when it does not exist."""
        lower = name.lower()
        if lower in ARCHIVES:
            return self._archive
        found = re.fullmatch(r"ip-(\d+)-(\d+)-(\d+)-(\d+)((?:\.[a-z0-9-]+)*)", lower)
        if not found or not (found[5] == "" or found[5].endswith(f".{self._domain}")):
            return None
        try:
            address = ipaddress.IPv4Address(".".join(found.groups()[:4]))
        except ValueError:
            return None
        return str(address) if address in self._block else None

    def name(self, reverse: str) -> str | None:
        """The name of an address that is written as `4.3.2.1.in-addr.arpa`."""
        found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa", reverse.lower())
        if not found:
            return None
        numbers = found.groups()[::-1]
        try:
            inside = ipaddress.IPv4Address(".".join(numbers)) in self._block
        except ValueError:
            return None
        return f"ip-{'-'.join(numbers)}.{self._domain}" if inside else None


class Resolver:
    """Answers on sockets that others have bound, until `close`."""

    def __init__(self, names: Names, sockets: list[socket.socket]) -> None:
        self._names = names
        self._sockets = sockets
        self._closed = False
        for bound in sockets:
            threading.Thread(target=self._serve, args=(bound,), name="dns", daemon=True).start()

    def close(self) -> None:
        """Closes the sockets; nobody is answered any more."""
        self._closed = True
        for bound in self._sockets:
            try:
                # Wakes the thread that reads it, which a mere close does not.
                bound.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            bound.close()

    def _serve(self, bound: socket.socket) -> None:
        while True:
            try:
                query, sender = bound.recvfrom(4096)
                if self._closed:
                    return
                reply = answer(query, self._names)
                if reply is not None:
                    bound.sendto(reply, sender)
            except OSError:
                return


def answer(query: bytes, names: Names) -> bytes | None:
    """The reply to a query; `None` for what is no query at all."""
    if len(query) < 12:
        return None
    number, flags, questions = struct.unpack_from("!HHH", query)
    if flags & 0x8000:
        return None
    if flags & 0x7800:
        return _reply(number, flags, _NOTIMP, b"", b"")
    parsed = _question(query) if questions == 1 else None
    if parsed is None:
        return _reply(number, flags, _FORMERR, b"", b"")
    name, kind, question = parsed
    data = b""
    exists = True
    if kind == _PTR:
        target = names.name(name)
        exists = target is not None
        data = _name(target) if target else b""
        record = _PTR
    else:
        address = names.address(name)
        exists = address is not None
        record = _A
        if address and kind in (_A, _ANY):
            data = socket.inet_aton(address)
    if not data:
        return _reply(number, flags, _NOERROR if exists else _NXDOMAIN, question, b"")
    return _reply(number, flags, _NOERROR, question, struct.pack("!HHHIH", 0xC00C, record, 1, _TTL, len(data)) + data)


def _reply(number: int, flags: int, code: int, question: bytes, record: bytes) -> bytes:
    # Response, authoritative, recursion as it was desired and available.
    header = 0x8400 | (flags & 0x7900) | 0x0080 | code
    return struct.pack("!HHHHHH", number, header, 1 if question else 0, 1 if record else 0, 0, 0) + question + record


def _question(query: bytes) -> tuple[str, int, bytes] | None:
    labels: list[str] = []
    at = 12
    while at < len(query):
        length = query[at]
        if length == 0:
            end = at + 5
            if end > len(query):
                return None
            kind = struct.unpack_from("!H", query, at + 1)[0]
            return ".".join(labels), kind, query[12:end]
        if length > 63 or at + 1 + length > len(query):
            return None
        labels.append(query[at + 1 : at + 1 + length].decode("latin-1"))
        at += 1 + length
    return None


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".")) + b"\0"
