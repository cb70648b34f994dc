"""What a load balancer is to do: plain data, compared to tell what changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

READY, DRAIN = "ready", "drain"
"""A server that gets new requests, and one that only ends those which it has."""


@dataclass(frozen=True)
class Server:
    """Who answers requests. `name` is the target's, the same for as long as it is one."""

    name: str
    address: str
    port: int
    mode: str = READY


@dataclass(frozen=True)
class Pool:
    """Servers of which any may answer."""

    name: str
    http: bool
    tls: bool
    least: bool
    """Whether the one with the fewest open requests is taken, not the next."""
    servers: tuple[Server, ...] = ()


@dataclass(frozen=True)
class Fixed:
    """An answer that no server gives."""

    status: int
    kind: str
    body: str


@dataclass(frozen=True)
class Redirect:
    """Another place to ask."""

    status: int
    location: str
    """A format of HAProxy's log lines."""


@dataclass(frozen=True)
class Forward:
    """Pools by name, each with its share."""

    pools: tuple[tuple[str, int], ...]


Action = Fixed | Redirect | Forward


@dataclass(frozen=True)
class Condition:
    """A sample of HAProxy's with how it is matched, and patterns of which one must fit."""

    sample: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """What is done with requests that fit all conditions."""

    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class Listener:
    """A port; the first rule that fits counts, else `otherwise`."""

    port: int
    http: bool
    pem: str | None
    """Certificates and key, where it speaks TLS."""
    rules: tuple[Rule, ...]
    otherwise: Action


@dataclass(frozen=True)
class Setup:
    """All of one load balancer."""

    listeners: tuple[Listener, ...] = ()
    pools: tuple[Pool, ...] = ()
    idle: float = 60.0
    """Seconds for which a connection may be silent."""

    def shape(self) -> Setup:
        """What HAProxy cannot change while it runs: all but the servers."""
        return replace(self, pools=tuple(replace(pool, servers=()) for pool in self.pools))


@dataclass(frozen=True)
class Check:
    """A health check of one target."""

    target: str
    protocol: str
    """`HTTP`, `HTTPS` or `TCP`."""
    address: str
    port: int
    path: str
    matcher: str
    """Statuses that are healthy: `200`, `200,204`, `200-399`."""
    interval: float
    """Seconds from the beginning of one to that of the next."""
    timeout: float
    """Seconds that one may take."""
