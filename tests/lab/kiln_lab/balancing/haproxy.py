"""One HAProxy that runs: started, told what changed, replaced by another without a connection lost, ended."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

from .. import netns
from ..errors import LabError
from ..journal import Journal
from ..processes import Process
from . import config
from .setup import Pool, Server, Setup

SLOTS = 32
"""Servers that a pool has room for, at least; a full pool gets twice as much."""

PATIENCE = 10.0
"""Seconds until a new process answers on its socket."""

# Nothing happens before the first line on its input: by then the journal knows the process. A lab that died says nothing.
_LAUNCH = 'read -r go || exit 1; PATH="$PATH:/usr/sbin" exec haproxy "$@" < /dev/null'


class HAProxy:
    """Calls are made one after another."""

    def __init__(self, namespace: int, address: str, folder: Path, journal: Journal) -> None:
        """Nothing runs before the first `apply`. `folder` is its own."""
        self._namespace = namespace
        self._address = address
        self._folder = folder
        self._journal = journal
        self._processes: list[subprocess.Popen[bytes]] = []
        self._shape: Setup | None = None
        self._slots: dict[str, dict[int, Server | None]] = {}

    def apply(self, setup: Setup) -> None:
        """Makes it so. Raises `LabError` when HAProxy refuses."""
        self._processes = [p for p in self._processes if p.poll() is None]
        fresh = setup.shape() != self._shape or not self._processes
        commands = []
        for pool in setup.pools:
            slots = self._slots.get(pool.name, {})
            grown, told = _seated(pool, slots)
            fresh = fresh or len(grown) != len(slots)
            commands += told
            self._slots[pool.name] = grown
        names = {pool.name for pool in setup.pools}
        self._slots = {name: slots for name, slots in self._slots.items() if name in names}
        try:
            if fresh:
                self._replace(setup)
            elif commands:
                self._tell(commands)
        except BaseException:
            # Nobody knows how far it came: the next time all of it is made anew.
            self._shape = None
            raise
        self._shape = setup.shape()

    def close(self) -> None:
        """Ends it with all its connections."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes = []

    def _replace(self, setup: Setup) -> None:
        """A new process takes the listening sockets over; the old one ends when its connections have."""
        file = self._folder / "haproxy.cfg"
        file.write_text(config.text(setup, self._address, self._folder, self._slots), encoding="utf-8")
        arguments = ["-db", "-q", "-f", str(file)]
        if self._processes:
            arguments += ["-x", str(self._folder / config.SOCKET), "-sf", *(str(p.pid) for p in self._processes)]
        log = (self._folder / "log").open("ab")
        try:
            process: subprocess.Popen[bytes] = netns.within(
                self._namespace,
                lambda: subprocess.Popen(
                    ["sh", "-c", _LAUNCH, "sh", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                ),
            )
        finally:
            log.close()
        self._processes.append(process)
        identity = Process.of(process.pid)
        if identity is not None:
            self._journal.record("process", pid=identity.pid, started=identity.started)
        assert process.stdin is not None, "it is a pipe"
        try:
            with process.stdin as stdin:
                stdin.write(b"go\n")
        except BrokenPipeError:
            # It ended already; what it said is in its log.
            pass
        self._await(process)

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        limit = time.monotonic() + PATIENCE
        pause = threading.Event()
        while time.monotonic() < limit:
            if process.poll() is not None:
                lines = (self._folder / "log").read_text("utf-8", "replace").strip().splitlines()
                raise LabError(f"`haproxy` ended with {process.returncode}: {' / '.join(lines[-3:])}", "install haproxy 2.6")
            try:
                if f"Pid: {process.pid}\n" in self._ask("show info"):
                    return
            except OSError:
                pass
            pause.wait(0.01)
        raise LabError("`haproxy` does not answer", f"look at `{self._folder / 'log'}`")

    def _tell(self, commands: list[str]) -> None:
        # A line may not be longer than a buffer of HAProxy's.
        for begin in range(0, len(commands), 50):
            said = self._ask("; ".join(commands[begin : begin + 50]))
            for line in said.splitlines():
                if line.startswith(("No such", "Unknown", "Require", "Invalid", "Permission")):
                    raise LabError(f"`haproxy` refuses to change: {line}")

    def _ask(self, line: str) -> str:
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(PATIENCE)
            asked.connect(str(self._folder / config.SOCKET))
            asked.sendall(line.encode() + b"\n")
            said = b""
            while piece := asked.recv(65536):
                said += piece
        return said.decode("utf-8", "replace")


def _seated(pool: Pool, before: dict[int, Server | None]) -> tuple[dict[int, Server | None], list[str]]:
    """Who is in which slot from now on, and what tells a running HAProxy so."""
    wanted = {server.name: server for server in pool.servers}
    slots = dict(before) or dict.fromkeys(range(SLOTS))
    commands = []
    seated = {server.name: number for number, server in slots.items() if server is not None}
    for name, number in seated.items():
        place = f"{pool.name}/s{number}"
        old, new = slots[number], wanted.get(name)
        if new is None:
            slots[number] = None
            # Nobody is let in any more, and who is still there is shown out.
            commands += [f"set server {place} state maint", f"shutdown sessions server {place}"]
        elif new != old:
            slots[number] = new
            commands += _placed(place, new)
    for name in wanted.keys() - seated.keys():
        free = [n for n, server in slots.items() if server is None and n not in seated.values()]
        free = free or [n for n, server in slots.items() if server is None]
        if not free:
            free = list(range(len(slots), 2 * len(slots)))
            slots |= dict.fromkeys(free)
        slots[free[0]] = wanted[name]
        commands += _placed(f"{pool.name}/s{free[0]}", wanted[name])
    return slots, commands


def _placed(place: str, server: Server) -> list[str]:
    return [
        f"set server {place} addr {server.address} port {server.port}",
        f"set server {place} weight {config.weight(server)}",
        f"set server {place} state ready",
    ]
