"""The load balancers of a lab: each an address on the lab's network, an HAProxy there, and its health checks."""

from __future__ import annotations

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from ..journal import Journal
from ..network import Network, Port
from .checks import Checker, Report
from .haproxy import HAProxy
from .setup import Check, Setup


@dataclass
class _Open:
    port: Port
    folder: Path
    haproxy: HAProxy
    checker: Checker


class Balancers:
    """Many threads may call it; calls for one load balancer are made one after another."""

    def __init__(self, state: Path, network: Network, journal: Journal) -> None:
        self._folder = state.resolve() / "balancers"
        self._network = network
        self._journal = journal
        self._guard = threading.Lock()
        self._open: dict[str, _Open] = {}

    def open(self, name: str, address: str, report: Report) -> None:
        """Takes the address. `report` hears of every health check, from a thread of its own, and must not wait."""
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        port = self._network.attach(address)
        made = _Open(
            port, folder, HAProxy(port.namespace, address, folder, self._journal), Checker(port.namespace, report)
        )
        with self._guard:
            self._open[name] = made

    def apply(self, name: str, setup: Setup, checks: frozenset[Check]) -> None:
        """Makes it so, without breaking what is under way; returns when it is."""
        found = self._find(name)
        found.checker.watch(checks)
        found.haproxy.apply(setup)

    def shut(self, name: str) -> None:
        """Ends a load balancer and its connections, and gives its address back."""
        with self._guard:
            found = self._open.pop(name, None)
        if found is not None:
            found.checker.close()
            found.haproxy.close()
            found.port.close()
            shutil.rmtree(found.folder, ignore_errors=True)

    def close(self) -> None:
        """Ends them all."""
        with self._guard:
            names = list(self._open)
        for name in names:
            self.shut(name)

    def _find(self, name: str) -> _Open:
        with self._guard:
            found = self._open.get(name)
        if found is None:
            raise LabError(f"there is no load balancer `{name}`")
        return found
