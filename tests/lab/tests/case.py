"""A lab without a control plane, for tests: machines are started by hand and reached by OpenSSH's client."""

from __future__ import annotations

import ipaddress
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator, Mapping
from pathlib import Path

from kiln_lab import base
from kiln_lab.machines import Machine, Machines
from kiln_lab.network import Network
from kiln_lab.volumes import Volumes

CACHE = Path(os.environ.get("KILN_LAB_CACHE", "/var/cache/kiln-lab"))
BASE = "snap-base"
# The last that cloud-init says; what the machine's systemd says later may be lost to the login prompt.
BOOTED = b" finished at "
PATIENCE = 120.0


def state_folder() -> Path:
    """A folder for one lab's state, in one that holds nothing else."""
    return Path(tempfile.mkdtemp(prefix="kiln-lab-test-", dir="/var/tmp")) / "lab"


def say(line: str) -> None:
    """Progress."""
    sys.stderr.write(f"{line}\n")


def run(*argv: str, **options: object) -> str:
    """Runs a program of this machine; what it wrote to standard output."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise AssertionError(f"{argv} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return str(done.stdout)


class LabCase(unittest.TestCase):
    """One lab for all tests of a class, with the base image as snapshot `BASE`."""

    state: Path
    volumes: Volumes
    network: Network
    machines: Machines
    keys: Path
    exits: list[tuple[str, str]]
    exited: threading.Condition
    _numbers: Iterator[int]
    _here: frozenset[str] = frozenset()

    @classmethod
    def setUpClass(cls) -> None:
        root = base.debian(CACHE, "bookworm", say)
        cls.state = state_folder()
        cls.addClassCleanup(shutil.rmtree, cls.state.parent)
        cls.volumes = Volumes(cls.state)
        cls.addClassCleanup(cls.volumes.close)
        cls.network = Network("test", None)
        cls.addClassCleanup(cls.network.close)
        cls.exits = []
        cls.exited = threading.Condition()
        cls.machines = Machines(cls.state, cls.network, cls.volumes, cls._on_exit, CACHE)
        cls.addClassCleanup(cls.machines.close)
        cls.volumes.register_base(BASE, root)
        cls.keys = Path(tempfile.mkdtemp(prefix="kiln-lab-keys-", dir="/var/tmp"))
        cls.addClassCleanup(shutil.rmtree, cls.keys)
        for name in ("user", "host", "other"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(cls.keys / name))
        cls._numbers = itertools.count(10)

    @classmethod
    def _on_exit(cls, instance_id: str, how: str) -> None:
        with cls.exited:
            cls.exits.append((instance_id, how))
            cls.exited.notify_all()

    def await_exit(self, instance_id: str) -> str:
        """Waits until a machine went off by itself; how it went."""
        with self.exited:
            gone = lambda: dict(self.exits).get(instance_id)
            self.assertTrue(self.exited.wait_for(gone, PATIENCE), f"{instance_id} goes on")
            return dict(self.exits)[instance_id]

    def launch(
        self,
        snapshot: str = BASE,
        config: str = "",
        user_data: bytes | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Machine:
        """Starts a machine on a new volume. Its user data is `user_data`, or a cloud-config with the host key."""
        number = next(self._numbers)
        address = str(ipaddress.IPv4Network(self.network.cidr)[number])
        machine = Machine(
            f"i-{number:08x}",
            f"vol-{number:08x}",
            address,
            f"ip-{address.replace('.', '-')}.eu-west-1.compute.internal",
            "t3.micro",
            [(self.keys / "user.pub").read_text()],
            self.cloud_config(config).encode() if user_data is None else user_data,
            metadata or {},
        )
        self.volumes.create(machine.root_volume_id, snapshot)
        self.machines.start(machine)
        self._here = self._here | {machine.instance_id}
        self.addCleanup(self.forget, machine)
        return machine

    def forget(self, machine: Machine) -> None:
        """Ends a machine and its volume, if that was not done yet."""
        if machine.instance_id not in self._here:
            return
        self._here = self._here - {machine.instance_id}
        self.machines.terminate(machine.instance_id)
        self.volumes.delete_volume(machine.root_volume_id)

    def cloud_config(self, more: str = "") -> str:
        """A cloud-config that gives the machine the host key which `ssh` expects."""
        private = "".join(f"    {line}\n" for line in (self.keys / "host").read_text().splitlines())
        public = (self.keys / "host.pub").read_text().strip()
        return f"#cloud-config\nssh_keys:\n  ed25519_private: |\n{private}  ed25519_public: {public}\n{more}"

    def booted(self, machine: Machine, since: int = 0) -> Machine:
        """Waits until cloud-init has done all it does, in the boot after console position `since`."""
        screen = self.machines.screen(machine.instance_id)
        there = screen.wait_for(BOOTED, since, PATIENCE)
        self.assertTrue(there, f"no end of cloud-init on the console:\n{screen.read().decode(errors='replace')}")
        return machine

    def ssh(self, machine: Machine, command: str, user: str = "admin", key: str = "user", check: bool = True) -> str:
        """Runs a command in the machine, whose host key must be the one that was given; its output."""
        known = self.keys / f"known-{machine.address}"
        known.write_text(f"{machine.address} {(self.keys / 'host.pub').read_text()}")
        options = [f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes"]
        # sshd listens before cloud-init ends, but not at once: OpenSSH's client asks again every second.
        options += ["ConnectTimeout=5", "ConnectionAttempts=30", "GlobalKnownHostsFile=/dev/null"]
        argv = ["ssh", "-F", "none", "-i", str(self.keys / key)]
        argv += [part for option in options for part in ("-o", option)]
        done = subprocess.run([*argv, f"{user}@{machine.address}", command], capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"`{command}` ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout if check else f"{done.returncode}\n{done.stdout}{done.stderr}"
