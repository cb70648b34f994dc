"""Keeps what each address lets in as the security groups say."""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

from ..errors import LabError
from ..firewall import Allow, Allowed


class Filtering:
    """Of one region. A step compares all groups and all interfaces with what the network was told last."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._plane = backend.plane
        # One for all regions: an address that one gives back may be another's next.
        self._queue = "filters"
        self._told: dict[str, Allowed] = {}

    def step(self, _now: float = 0.0) -> None:
        """Tells the network what changed, in the background; called under the control plane's lock."""
        wanted = self._wanted()
        addresses = wanted.keys() | self._told.keys()
        changes = {address: wanted.get(address) for address in addresses if wanted.get(address) != self._told.get(address)}
        self._told = wanted
        if changes:
            self._plane.effects.submit(self._queue, lambda: self._tell(changes))

    def settled(self) -> None:
        """Waits until the network is as it was told; called without the lock."""
        self._plane.effects.run(self._queue, lambda: None)

    def _tell(self, changes: dict[str, Allowed | None]) -> None:
        try:
            self._plane.reality.guard(changes)
        except LabError as error:
            sys.stderr.write(f"security groups do not filter as they should: {error}\n")
            with self._plane.lock:
                # The next step tells it again.
                self._told = {address: told for address, told in self._told.items() if address not in changes}

    def _wanted(self) -> dict[str, Allowed]:
        """By address; what has no group is not filtered."""
        members: dict[str, list[str]] = {}
        guarded: list[tuple[str, list[Any]]] = []
        for interface in self._backend.enis.values():
            address, groups = interface.private_ip_address, interface.group_set
            if not address or not groups:
                continue
            guarded.append((address, groups))
            for group in groups:
                members.setdefault(group.id, []).append(address)
        allowed: dict[str, Allowed] = {}
        wanted = {}
        for address, groups in guarded:
            for group in groups:
                if group.id not in allowed:
                    allowed[group.id] = frozenset(_allowed(group, members))
            wanted[address] = frozenset().union(*(allowed[group.id] for group in groups))
        return wanted


def _allowed(group: Any, members: dict[str, list[str]]) -> list[Allow]:
    found = []
    for rule in group.ingress_rules:
        sources = members.get(rule.source_group.get("GroupId", ""), [])
        if rule.cidr_ipv4:
            sources = [str(ipaddress.IPv4Network(rule.cidr_ipv4, strict=False))]
        found += [Allow(str(rule.ip_protocol), _port(rule.from_port), _port(rule.to_port), source) for source in sources]
    return found


def _port(number: Any) -> int | None:
    return None if number is None else int(number)
