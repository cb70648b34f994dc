"""A lab's life: what the last one left is swept, network, volumes and machines come up, the control plane answers, and all of it
goes again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from . import ask
from .balancing.balancers import Balancers
from .base import debian
from .control import base_images
from .control.backend import LabBackend
from .control.launch import ARCHITECTURE
from .control.server import Server
from .errors import LabError
from .machines import Machine, Machines
from .network import Network, mac
from .sweep import sweep
from .volumes import Volumes

OTHER = {"x86_64": "arm64", "arm64": "amd64"}
"""The architecture that a lab offers and cannot run, in Debian's spelling."""


class Reality:
    """Machines, volumes and addresses as the control plane knows them."""

    machine = staticmethod(Machine)
    mac = staticmethod(mac)

    def __init__(self, volumes: Volumes, machines: Machines, balancers: Balancers, network: Network) -> None:
        self.volumes = volumes
        self.machines = machines
        self.balancers = balancers
        self.cidr = network.cidr
        self.guard = network.guard


def serve(options: argparse.Namespace) -> int:
    """Runs a lab until SIGINT or SIGTERM. Says one line of JSON on stdout when it is ready, progress on stderr."""
    if os.geteuid() != 0:
        raise LabError("a lab needs root: it makes bridges, namespaces and mounts", "run it with sudo")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    state = options.state / options.name
    options.state.mkdir(parents=True, exist_ok=True)
    sweep(options.state)
    roots = {suite: debian(options.cache, suite, say) for suite in options.suite or ["bookworm"]}
    if stop.is_set():
        return 0
    with ExitStack() as ends:
        server, lab = _up(options, state, roots, ends)
        description = state / ask.DESCRIPTION
        _write(description, lab)
        ends.callback(description.unlink, missing_ok=True)
        sys.stdout.write(json.dumps(lab) + "\n")
        sys.stdout.flush()
        stop.wait()
        say("closing")
    return 0


def _up(options: argparse.Namespace, state: Path, roots: dict[str, Path], ends: ExitStack) -> tuple[Server, dict[str, Any]]:
    """Brings everything up; `ends` takes it down in the opposite order."""
    volumes = Volumes(state)
    ends.callback(volumes.discard)
    network = Network(options.name, options.cidr)
    ends.callback(network.close)
    exits = Exits()
    machines = Machines(state, network, volumes, exits.tell, options.cache)
    ends.callback(machines.close)
    balancers = Balancers(state, network, volumes.journal)
    ends.callback(balancers.close)
    server = Server(
        Reality(volumes, machines, balancers, network),
        state,
        options.region,
        options.port,
        not options.no_default_vpc,
        {
            "latency_divisor": options.latency_divisor,
            "visibility": options.visibility,
            "throttle": options.throttle,
            "seed": options.seed,
        },
    )
    exits.listener = server.plane.life.exited
    server.offer(lambda region: publish(region, roots))
    server.start()
    ends.callback(server.close)
    lab = {
        "name": options.name,
        "pid": os.getpid(),
        "endpoint": server.endpoint,
        "region": options.region,
        "cidr": network.cidr,
        "bridge": network.bridge,
        "state": str(state),
        "environment": server.environment | {"KILN_STATE": str(_deployments(state))},
    }
    return server, lab


def publish(region: LabBackend, roots: dict[str, Path]) -> None:
    """Debian's images, for both architectures."""
    for suite, root in roots.items():
        image = base_images.register(region, suite, root, ARCHITECTURE)
        if platform.machine() == "x86_64":
            base_images.register_foreign(region, image, OTHER[ARCHITECTURE])


def _deployments(state: Path) -> Path:
    """Where Kiln keeps in mind what was deployed in this lab: gone with it, so that none of it is looked for in an account. It
    belongs to whoever brought the lab up.
    """
    folder = state / "deployments"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.chown(folder, int(os.environ.get("SUDO_UID", "0")), int(os.environ.get("SUDO_GID", "0")))
    return folder


class Exits:
    """Machines are made before the control plane that hears of their ends."""

    def __init__(self) -> None:
        self.listener: Callable[[str, str], None] | None = None

    def tell(self, instance_id: str, how: str) -> None:
        """Passes it on."""
        if self.listener is not None:
            self.listener(instance_id, how)


def say(line: str) -> None:
    """Progress."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _write(file: Path, value: dict[str, Any]) -> None:
    """In one step: who reads it sees all of it or nothing. It has the lab's keys, which are no secret but also nobody's."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
    new.chmod(0o644)
    new.rename(file)
