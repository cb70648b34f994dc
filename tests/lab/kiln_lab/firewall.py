"""What a network namespace lets in: a table of nftables there, which nobody inside can change.

Connections that are open stay open whatever is allowed from then on, as on EC2. What is sent out is not looked at.
"""

from __future__ import annotations

import ctypes
import ipaddress
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from . import netns
from .errors import LabError

LIBRARY = "libnftables.so.1"

# The table belongs to the socket that has made it: no `nft flush ruleset` of an instance's own takes it away, and it goes
# with this process. A hook before the usual priority leaves an instance's own filters what they are.
_BASE = """
add table inet kiln-lab { flags owner; }
add chain inet kiln-lab input { type filter hook input priority -10; policy drop; }
flush chain inet kiln-lab input
add rule inet kiln-lab input iif lo accept
add rule inet kiln-lab input ct state established,related accept
"""

# The library has state of its own, and promises nothing about threads.
_turn = threading.Lock()


@dataclass(frozen=True)
class Allow:
    """Who may begin to talk."""

    protocol: str
    """`tcp`, `udp`, `icmp`, an IP protocol's number, or `-1`: any."""
    first: int | None
    last: int | None
    """Ports, both included; for ICMP type and code, -1 being any. `None` where the protocol has none."""
    source: str
    """A block of IPv4 addresses."""


Allowed = frozenset[Allow]
"""What is let in; the empty set lets nothing in."""


class Firewall:
    """That of one namespace. Nothing is kept out before the first `apply`."""

    def __init__(self, namespace: int) -> None:
        """Raises `LabError` when the library is not there."""
        library = _library()
        with _turn:
            # Its socket is of the namespace in which it is opened.
            self._context = netns.within(namespace, lambda: library.nft_ctx_new(0))
            library.nft_ctx_buffer_error(self._context)

    def apply(self, allowed: Allowed) -> None:
        """From now on this and nothing else, in one step. Not after `close`."""
        with _turn:
            library = _library()
            refused = library.nft_run_cmd_from_buffer(self._context, ruleset(allowed).encode())
            said = library.nft_ctx_get_error_buffer(self._context).decode("utf-8", "replace")
        if refused:
            raise LabError(f"nftables refuses a ruleset: {' '.join(said.split())}", "the kernel needs nf_tables and conntrack")

    def close(self) -> None:
        """Lets go of the table, which goes."""
        with _turn:
            _library().nft_ctx_free(self._context)


def ruleset(allowed: Allowed) -> str:
    """The commands that make a namespace let this in."""
    sources: dict[tuple[str, str], list[ipaddress.IPv4Network]] = {}
    for one in allowed:
        match = _match(one)
        if match is not None:
            sources.setdefault(match, []).append(ipaddress.IPv4Network(one.source, strict=False))
    rules = []
    for match, blocks in sorted(sources.items()):
        merged = [str(block) for block in ipaddress.collapse_addresses(blocks)]
        whence = "meta nfproto ipv4" if merged == ["0.0.0.0/0"] else f"ip saddr {{ {', '.join(merged)} }}"
        rules.append(" ".join(["add rule inet kiln-lab input", whence, *filter(None, match), "accept"]))
    return _BASE + "\n".join(rules) + "\n"


def _match(allow: Allow) -> tuple[str, str] | None:
    """Protocol and ports in the words of nft; `None` for what is no protocol."""
    if allow.protocol == "-1":
        return "", ""
    words = list(_ports(allow))
    if allow.protocol in ("tcp", "udp", "icmp"):
        return f"meta l4proto {allow.protocol}", " ".join(words)
    if allow.protocol.isdigit() and int(allow.protocol) < 256:
        return f"meta l4proto {allow.protocol}", ""
    return None


def _ports(allow: Allow) -> Iterator[str]:
    if allow.first is None or allow.first < 0:
        return
    if allow.protocol == "icmp":
        yield f"icmp type {allow.first}"
        if allow.last is not None and allow.last >= 0:
            yield f"icmp code {allow.last}"
    elif allow.protocol in ("tcp", "udp"):
        yield f"{allow.protocol} dport {allow.first}-{allow.first if allow.last is None else allow.last}"


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as missing:
        raise LabError(f"`{LIBRARY}` is not installed", "apt-get install nftables") from missing
    context = ctypes.c_void_p
    for name, result, arguments in (
        ("nft_ctx_new", context, [ctypes.c_uint32]),
        ("nft_ctx_buffer_error", ctypes.c_int, [context]),
        ("nft_ctx_get_error_buffer", ctypes.c_char_p, [context]),
        ("nft_run_cmd_from_buffer", ctypes.c_int, [context, ctypes.c_char_p]),
        ("nft_ctx_free", None, [context]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
