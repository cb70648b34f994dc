"""A lab leaves nothing behind: neither when it closes, nor, after a sweep, when it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kiln_lab import base
from kiln_lab.machines import Machine, Machines
from kiln_lab.network import Network
from kiln_lab.sweep import sweep
from kiln_lab.volumes import Volumes

from .case import CACHE, LabCase, say
from .leftovers import of_lab

MANY = 20

# A lab with a machine, a volume on the host and a lot of time.
VICTIM = """
import sys, threading
from pathlib import Path
from tests.case import CACHE
from kiln_lab import base
from kiln_lab.machines import Machine, Machines
from kiln_lab.network import Network
from kiln_lab.volumes import Volumes
state = Path(sys.argv[1])
volumes = Volumes(state)
network = Network("victim", None)
machines = Machines(state, network, volumes, lambda *_: None, CACHE)
volumes.register_base("snap", base.debian(CACHE, "bookworm", lambda _: None))
volumes.create("vol-1", "snap")
volumes.create("vol-2", "snap")
volumes.mount("vol-2")
address = network.gateway.rsplit(".", 1)[0] + ".9"
machines.start(Machine("i-victim", "vol-1", address, "victim", "t3.micro"))
assert machines.screen("i-victim").wait_for(b"Welcome to", 0, 60)
print(network.bridge, flush=True)
threading.Event().wait()
"""


class Leftovers(LabCase):
    def test_twenty_machines_come_and_go(self) -> None:
        before, files, threads = self.around(), open_files(), set(threading.enumerate())
        machines = [self.launch() for _ in range(MANY)]
        with ThreadPoolExecutor(MANY) as pool:
            booted = list(pool.map(self.booted, machines))
            names = list(pool.map(lambda machine: self.ssh(machine, "cat /etc/hostname").strip(), booted))
        self.assertEqual(names, [machine.hostname.partition(".")[0] for machine in machines])
        found = of_lab(self.state, self.network.bridge)
        self.assertEqual(len(found["links"]), MANY + 2)
        self.assertGreaterEqual(len(found["processes"]), MANY)
        self.assertEqual(found["mounts"], [])
        with ThreadPoolExecutor(MANY) as pool:
            list(pool.map(self.forget, machines))
        self.assertEqual(self.around(), before)
        # What tests before this one have left may end meanwhile.
        self.assertLessEqual(open_files(), files)
        new = [thread.name for thread in set(threading.enumerate()) - threads]
        self.assertEqual([name for name in new if "process_request" not in name], [])

    def around(self) -> dict[str, object]:
        """All that this lab has on the machine and on disk."""
        return {
            **of_lab(self.state, self.network.bridge),
            "volumes": os.listdir(self.state / "volumes"),
            "layers": os.listdir(self.state / "layers"),
        }


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


class Death(unittest.TestCase):
    def setUp(self) -> None:
        base.debian(CACHE, "bookworm", say)
        self.root = Path(tempfile.mkdtemp(prefix="kiln-lab-death-", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.root)

    def victim(self, name: str) -> tuple[subprocess.Popen[str], str]:
        """A lab in a process of its own, with a machine that boots; and its bridge."""
        process = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(self.root / name)],
            cwd=Path(__file__).resolve().parent.parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def test_killed_lab_is_swept_and_a_living_one_is_not(self) -> None:
        dead, dead_bridge = self.victim("dead")
        alive, alive_bridge = self.victim("alive")
        dead.kill()
        dead.wait()
        left = of_lab(self.root / "dead", dead_bridge)
        for what in ("links", "mounts", "processes", "cgroups", "claims"):
            self.assertTrue(left[what], f"a killed lab leaves {what}: otherwise this test shows nothing")
        living = of_lab(self.root / "alive", alive_bridge)

        said = sweep(self.root)
        self.assertIn(f"bridge `{dead_bridge}`", said)
        gone = of_lab(self.root / "dead", dead_bridge)
        self.assertEqual(gone, {what: [] for what in gone})
        self.assertEqual(os.listdir(self.root), ["alive"])
        self.assertEqual(of_lab(self.root / "alive", alive_bridge), living)

        alive.kill()
        alive.wait()
        sweep(self.root)
        self.assertEqual(os.listdir(self.root), [])
        self.assertEqual(sweep(self.root), [])

    def test_lab_that_closes_leaves_nothing(self) -> None:
        state = self.root / "closing"
        volumes = Volumes(state)
        network = Network("closing", None)
        machines = Machines(state, network, volumes, lambda *_: None, CACHE)
        volumes.register_base("snap", base.debian(CACHE, "bookworm", lambda _: None))
        for number in range(2):
            volumes.create(f"vol-{number}", "snap")
        volumes.mount("vol-1")
        address = f"{network.gateway.rsplit('.', 1)[0]}.9"
        machines.start(Machine("i-closing", "vol-0", address, "closing", "t3.micro"))
        self.assertTrue(machines.screen("i-closing").wait_for(b"Welcome to", 0, 60))
        machines.close()
        network.close()
        volumes.close()
        left = of_lab(state, network.bridge)
        self.assertEqual(left, {what: [] for what in left})

    def test_lab_killed_at_any_moment_of_its_start_is_swept(self) -> None:
        for delay in (0.05, 0.2, 0.35, 0.5, 0.7, 1.0):
            name = f"early-{delay}"
            process = subprocess.Popen(
                [sys.executable, "-c", VICTIM, str(self.root / name)],
                cwd=Path(__file__).resolve().parent.parent,
                stdout=subprocess.DEVNULL,
            )
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
            claims = Path("/run/kiln-lab").glob("klab*.json")
            claimed = [path.stem for path in claims if f'"pid": {process.pid},' in path.read_text()]
            sweep(self.root)
            for bridge in claimed or ["klab-none"]:
                left = of_lab(self.root / name, bridge)
                self.assertEqual(left, {what: [] for what in left}, f"killed after {delay} s")
        self.assertEqual([name for name in os.listdir(self.root) if "early" in name and os.listdir(self.root / name)], [])


if __name__ == "__main__":
    unittest.main()
