"""Machines and volumes in memory: what the control plane asked of them can be looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kiln_lab.errors import LabError


@dataclass
class Machine:
    """The fields of the real one."""

    instance_id: str
    root_volume_id: str
    address: str
    hostname: str
    instance_type: str
    public_keys: list[str]
    user_data: bytes
    metadata: dict[str, Any]


@dataclass
class Volumes:
    """A volume's content is a list of words."""

    contents: dict[str, list[str]] = field(default_factory=dict)
    snapshots: dict[str, list[str]] = field(default_factory=dict)
    full: bool = False

    def create(self, volume_id: str, snapshot_id: str | None) -> None:
        self.contents[volume_id] = list(self.snapshots[snapshot_id]) if snapshot_id else []

    def snapshot(self, snapshot_id: str, volume_id: str) -> None:
        if self.full:
            raise LabError("the disk is full", "make room")
        self.snapshots[snapshot_id] = list(self.contents[volume_id])

    def register_base(self, snapshot_id: str, root: Any) -> None:
        self.snapshots[snapshot_id] = ["base"]

    def delete_volume(self, volume_id: str) -> None:
        del self.contents[volume_id]

    def delete_snapshot(self, snapshot_id: str) -> None:
        del self.snapshots[snapshot_id]


class Machines:
    """Machines that boot when `may_boot` is set."""

    def __init__(self, volumes: Volumes, on_exit: Callable[[str, str], None]) -> None:
        self.volumes = volumes
        self.on_exit = on_exit
        self.may_boot = threading.Event()
        self.may_boot.set()
        self.fails = False
        self.up: dict[str, Machine] = {}
        self.known: dict[str, Machine] = {}
        self.history: list[tuple[str, str]] = []

    def start(self, machine: Machine) -> None:
        self.may_boot.wait(10)
        if self.fails:
            raise LabError("no room", "make some")
        if machine.root_volume_id not in self.volumes.contents:
            raise LabError(f"no volume `{machine.root_volume_id}`")
        self.up[machine.instance_id] = self.known[machine.instance_id] = machine
        self.history.append(("start", machine.instance_id))

    def stop(self, instance_id: str, force: bool = False) -> None:
        self.up.pop(instance_id, None)
        self.history.append(("stop", instance_id))

    def reboot(self, instance_id: str) -> None:
        self.history.append(("reboot", instance_id))

    def terminate(self, instance_id: str) -> None:
        self.up.pop(instance_id, None)
        if self.known.pop(instance_id, None) is None:
            raise LabError(f"no machine `{instance_id}`")
        self.history.append(("terminate", instance_id))

    def console(self, instance_id: str) -> bytes:
        return f"{instance_id} login: ".encode()

    def enter(self, instance_id: str) -> list[str]:
        if instance_id not in self.up:
            raise LabError(f"`{instance_id}` is not running")
        return ["true", instance_id]

    def power_off_from_inside(self, instance_id: str, how: str = "stopped") -> None:
        self.up.pop(instance_id)
        self.on_exit(instance_id, how)

    def write(self, instance_id: str, word: str) -> None:
        self.volumes.contents[self.up[instance_id].root_volume_id].append(word)


class Balancers:
    """Load balancers that remember what they were told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.checks: dict[str, frozenset[Any]] = {}
        self.addresses: dict[str, str] = {}
        self.reports: dict[str, Callable[[str, Any], None]] = {}

    def open(self, name: str, address: str, report: Callable[[str, Any], None]) -> None:
        self.addresses[name], self.reports[name] = address, report

    def apply(self, name: str, setup: Any, checks: frozenset[Any]) -> None:
        self.told[name], self.checks[name] = setup, checks

    def shut(self, name: str) -> None:
        for known in (self.told, self.checks, self.addresses, self.reports):
            known.pop(name, None)

    def check(self, name: str, address: str, outcome: Any = None, times: int = 1) -> None:
        """Says what a health check of the target at `address` has found."""
        for check in self.checks[name]:
            if check.address == address:
                for _ in range(times):
                    self.reports[name](check.target, outcome)


class Imagined:
    """A reality without machines."""

    machine = Machine
    cidr = "172.29.0.0/16"

    @staticmethod
    def mac(address: str) -> str:
        return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))

    def __init__(self) -> None:
        self.volumes = Volumes()
        self.machines = Machines(self.volumes, lambda *exit: self.on_exit(*exit))
        self.balancers = Balancers()
        self.guards: dict[str, Any] = {}
        self.on_exit: Callable[[str, str], None] = lambda *exit: None

    def guard(self, changes: dict[str, Any]) -> None:
        """Remembers what is let in where."""
        self.guards |= changes
