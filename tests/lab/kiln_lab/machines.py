"""The machines of a lab: instances as booted Debians, each with the root volume, address and user data that it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from .cgroup import Cgroup
from .cloud_seed import TOKENS, texts
from .console import Console
from .errors import LabError
from .machine import Machine, Running
from .metadata import Page
from .network import Network, Port
from .services import Services
from .volumes import User, Volumes

__all__ = ["Machine", "Machines"]

CACHE = Path("/var/cache/kiln-lab")


class Machines:
    """Starts, stops and ends machines. Many threads may call it; calls for one machine are made one after another."""

    def __init__(
        self,
        state: Path,
        network: Network,
        volumes: Volumes,
        on_exit: Callable[[str, str], None],
        cache: Path = CACHE,
    ) -> None:
        """`on_exit(instance_id, how)` is called, from a thread of its own, when a machine went off by itself: `stopped` when
        it powered itself off, `failed` when it died. `cache` keeps packages for all labs.
        """
        self._state = state.resolve()
        if self._state.is_relative_to("/run"):
            raise LabError("a lab's state cannot be below `/run`", "machines have a `/run` of their own; take /var/lib")
        self._network = network
        self._volumes = volumes
        self._on_exit = on_exit
        self._services = Services(network, cache)
        self._guard = threading.Lock()
        self._running: dict[str, Running] = {}
        self._consoles: dict[str, Console] = {}

    def start(self, machine: Machine) -> None:
        """Boots a machine; returns when it is booting. Raises `LabError` when it runs already or its volume is in use."""
        with self._guard:
            if machine.instance_id in self._running:
                raise LabError(f"`{machine.instance_id}` runs already", "stop it first")
        folder = self._state / "instances" / machine.instance_id
        folder.mkdir(parents=True, exist_ok=True)
        cgroup = Cgroup(f"{self._network.bridge}-{machine.instance_id}")
        self._volumes.journal.record("cgroup", name=f"{self._network.bridge}-{machine.instance_id}")
        port = self._network.attach(machine.address)
        try:
            overlay = self._volumes.use(machine.root_volume_id, _user(machine.instance_id, cgroup))
        except BaseException:
            port.close()
            raise
        self._services.metadata.publish(machine.address, _page(machine))
        binds = self._services.resolver_files(folder)
        console = self.screen(machine.instance_id)
        try:
            # Held until it is known, so that a machine that ends at once is forgotten after that.
            with self._guard:
                self._running[machine.instance_id] = Running(
                    machine,
                    port.namespace,
                    overlay,
                    binds,
                    cgroup,
                    console,
                    self._volumes.journal,
                    lambda: self._volumes.renew(machine.root_volume_id),
                    lambda how: self._ended(machine, port, cgroup, how),
                )
        except BaseException:
            self._release(machine, port, cgroup)
            raise

    def stop(self, instance_id: str, force: bool = False) -> None:
        """Powers a machine off and waits until it is; its root volume stays. `force` does not ask it."""
        running = self._find(instance_id)
        if force:
            running.cut_off()
        else:
            running.power_off()

    def reboot(self, instance_id: str) -> None:
        """Boots a machine anew, on the same volume, with the same address; returns when it is booting."""
        self._find(instance_id).reboot()

    def terminate(self, instance_id: str) -> None:
        """Ends a machine, if it still runs; its volumes stay. What its console printed can still be read."""
        with self._guard:
            running = self._running.get(instance_id)
        if running is not None:
            running.cut_off()

    def console(self, instance_id: str) -> bytes:
        """What the machine's console printed, in all its boots: the last 64 KiB."""
        return self.screen(instance_id).read()

    def screen(self, instance_id: str) -> Console:
        """The console itself, for who waits for something to be printed."""
        with self._guard:
            folder = self._state / "instances" / instance_id
            if instance_id not in self._consoles:
                self._consoles[instance_id] = Console(folder / "console")
            return self._consoles[instance_id]

    def enter(self, instance_id: str) -> list[str]:
        """The arguments of a program that is a root shell in the machine. Raises `LabError` when it does not run."""
        leader = self._find(instance_id).leader()
        if leader is None:
            raise LabError(f"`{instance_id}` is between two boots", "try again")
        spaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]
        return ["nsenter", "--target", str(leader), *spaces, "--", "/bin/bash", "-l"]

    def close(self) -> None:
        """Ends every machine and the network's services."""
        with self._guard:
            left = list(self._running.values())
        threads = [threading.Thread(target=running.cut_off) for running in left]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._services.close()

    def _ended(self, machine: Machine, port: Port, cgroup: Cgroup, how: str) -> None:
        try:
            self._release(machine, port, cgroup)
        finally:
            with self._guard:
                self._running.pop(machine.instance_id, None)
        if how != "asked":
            self._on_exit(machine.instance_id, how)

    def _release(self, machine: Machine, port: Port, cgroup: Cgroup) -> None:
        self._services.metadata.withdraw(machine.address)
        cgroup.remove()
        self._volumes.leave(machine.root_volume_id)
        port.close()

    def _find(self, instance_id: str) -> Running:
        with self._guard:
            running = self._running.get(instance_id)
        if running is None:
            raise LabError(f"`{instance_id}` does not run", "start it first")
        return running


def _user(instance_id: str, cgroup: Cgroup) -> User:
    def still() -> AbstractContextManager[None]:
        return cgroup.frozen()

    return User(instance_id, still, cgroup.mapped_for_writing)


def _page(machine: Machine) -> Page:
    shown = texts(
        machine.instance_id,
        machine.address,
        machine.hostname,
        machine.instance_type,
        machine.public_keys,
        machine.user_data,
        machine.metadata,
    )
    return Page(shown, machine.metadata.get(TOKENS) == "required")
