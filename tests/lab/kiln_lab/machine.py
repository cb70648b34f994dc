"""One machine that runs: its boots, its console, and how it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .boot import REBOOT, Boot
from .cgroup import Cgroup
from .console import Console
from .journal import Journal
from .volumes import Overlay

# systemd's own signals to a first process: `man systemd`, "Signals".
_POWER_OFF = signal.SIGRTMIN + 4
_RESTART = signal.SIGRTMIN + 5
_PATIENCE = 45.0


@dataclass(frozen=True)
class Machine:
    """What a machine is started with."""

    instance_id: str
    root_volume_id: str
    address: str
    """Its private IPv4 address, inside the lab's network."""
    hostname: str
    instance_type: str
    public_keys: list[str] = field(default_factory=list)
    """In OpenSSH's format, for the image's default user."""
    user_data: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """More of what the metadata service shows: see `cloud_seed.texts`."""


class Running:
    """A machine from its start until it is off; it boots again by itself when it asks for that."""

    def __init__(
        self,
        machine: Machine,
        namespace: int,
        overlay: Overlay,
        binds: dict[Path, str],
        cgroup: Cgroup,
        console: Console,
        journal: Journal,
        renew: Callable[[], None],
        ended: Callable[[str], None],
    ) -> None:
        """Starts the first boot. `renew` makes the volume ready for another boot; `ended` hears, once, how the machine
        went: `asked`, `stopped` (by itself) or `failed`.
        """
        self.machine = machine
        self.namespace = namespace
        self._console = console
        self._renew = renew
        self._ended = ended
        self._state = threading.Condition()
        self._asked = False
        self._restart = False
        self._boots = 1
        self._over = False
        self._boot_once = lambda: Boot(machine.instance_id, namespace, overlay, binds, cgroup, journal)
        self._boot = self._boot_once()
        threading.Thread(target=self._supervise, name=machine.instance_id, daemon=True).start()

    def power_off(self, patience: float = _PATIENCE) -> None:
        """Asks it to power off and waits; after `patience` seconds it is killed."""
        with self._state:
            self._asked = True
            # A first process that has not got so far yet does not hear the signal: it is told again.
            self._tell(_POWER_OFF, lambda: self._over, patience)

    def reboot(self, patience: float = _PATIENCE) -> None:
        """Asks it to boot again and waits until it does; after `patience` seconds it is cut off first."""
        with self._state:
            before = self._boots
            self._restart = True
            self._tell(_RESTART, lambda: self._over or self._boots > before, patience)

    def cut_off(self) -> None:
        """Takes its power away and waits until it is off."""
        with self._state:
            self._asked = True
            self._boot.kill()
            self._state.wait_for(lambda: self._over)

    def leader(self) -> int | None:
        """The number of its first process on the host; `None` between boots."""
        with self._state:
            leader = self._boot.leader()
        return None if leader is None else leader.pid

    def _tell(self, number: int, heard: Callable[[], bool], patience: float) -> None:
        for _ in range(int(patience)):
            self._boot.signal(number)
            if self._state.wait_for(heard, 1.0):
                return
        self._boot.kill()
        self._state.wait_for(heard)

    def _supervise(self) -> None:
        while True:
            while printed := self._boot.output.read(65536):
                self._console.write(printed)
            code = self._boot.wait()
            with self._state:
                again = not self._asked and (code == REBOOT or self._restart)
                self._restart = False
                if again:
                    try:
                        self._renew()
                        self._boot = self._boot_once()
                    except Exception as error:  # noqa: BLE001 - whatever keeps it from booting, the machine is off then
                        self._console.write(f"the lab cannot boot it again: {error}\n".encode())
                        again = False
                        code = 1
                    self._boots += 1
                if not again:
                    break
                self._state.notify_all()
        try:
            self._ended("asked" if self._asked else "stopped" if code == 0 else "failed")
        finally:
            with self._state:
                self._over = True
                self._state.notify_all()
