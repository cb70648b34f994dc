"""A lab of the tests' own, the AWS CLI pointed at it, and ssh into its instances."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("KILN_LAB_CACHE", "/var/cache/kiln-lab"))
AWS = os.environ.get("KILN_LAB_AWS") or shutil.which("aws") or "/var/cache/kiln-ci/awscli-venv/bin/aws"

READY = 300.0
"""Seconds until a lab is ready, with a Debian root to be made first."""


class Refused(Exception):
    """The CLI's error: `code` is EC2's."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.code = said.partition("(")[2].partition(")")[0]


class Lab:
    """`kiln_lab serve` as a process."""

    def __init__(self, name: str = "acceptance", root: Path | None = None, *flags: str) -> None:
        self.name = name
        self.root = root or Path(tempfile.mkdtemp(prefix="kiln-lab-acceptance-", dir="/var/lib"))
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kiln_lab", "serve", *self._place(), "--cache", str(CACHE), *flags],
            cwd=FOLDER,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        watch = threading.Timer(READY, self.process.kill)
        watch.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watch.cancel()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            said = self.errors.read().decode()
            self.close()
            raise AssertionError(f"the lab did not come up: {said}")
        self.described = json.loads(line)
        self.environment = {**os.environ, **self.described["environment"], "AWS_PAGER": "", "HOME": str(self.root)}
        key = self.root / "key"
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        self.key = key
        self._prepared = False

    def aws(self, *arguments: str) -> Any:
        """Runs `aws ARGUMENTS` and returns what it printed, as JSON. Raises `Refused` with the service's error."""
        ran = subprocess.run(
            [AWS, *arguments, "--output", "json"], env=self.environment, capture_output=True, text=True, timeout=300
        )
        if ran.returncode != 0:
            raise Refused(ran.stderr.strip())
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    def ask(self, *arguments: str) -> str:
        """Runs `kiln_lab COMMAND` for this lab and returns what it printed."""
        command, *rest = arguments
        argv = [sys.executable, "-m", "kiln_lab", command, *self._place(), *rest]
        return subprocess.run(argv, cwd=FOLDER, check=True, capture_output=True, text=True).stdout

    def own(self, path: str, change: dict[str, Any] | None = None) -> Any:
        """Asks the lab's own endpoint."""
        data = None if change is None else json.dumps(change).encode()
        with urllib.request.urlopen(f"{self.described['endpoint']}/_lab/{path}", data=data) as answer:
            return json.load(answer)

    def base(self) -> str:
        """The newest Debian, as users find it."""
        found = self.aws("ssm", "get-parameter", "--name", "/aws/service/debian/release/12/latest/amd64")
        return found["Parameter"]["Value"]

    def launch(self, image: str, *arguments: str) -> tuple[str, str]:
        """Launches an instance with the tests' key and waits until it runs: its id and address. The default security
        groups let ssh in.
        """
        if not self._prepared:
            self._import_key()
            self.let_in("default", 22)
            self._prepared = True
        ran = self.aws(
            *("ec2", "run-instances", "--image-id", image, "--instance-type", "t3.micro", "--key-name", "acceptance"),
            *arguments,
        )
        instance = ran["Instances"][0]
        self.until_states("running", instance["InstanceId"])
        return instance["InstanceId"], instance["PrivateIpAddress"]

    def let_in(self, group: str, port: int, *source: str) -> None:
        """Opens a port of the security groups of this name, from anywhere or from SOURCE as the CLI has it."""
        found = self.aws("ec2", "describe-security-groups", "--filters", f"Name=group-name,Values={group}")
        for one in found["SecurityGroups"]:
            self.aws(
                *("ec2", "authorize-security-group-ingress", "--group-id", one["GroupId"], "--protocol", "tcp"),
                *("--port", str(port), *(source or ("--cidr", "0.0.0.0/0"))),
            )

    def terminate(self, *instances: str) -> None:
        """Terminates and waits until they are gone."""
        self.aws("ec2", "terminate-instances", "--instance-ids", *instances)
        self.until_states("terminated", *instances)

    def until_states(self, state: str, *instances: str) -> None:
        """Waits until the lab says that all of them are in `state`: the CLI's waiters ask every 15 s."""

        def reached() -> bool:
            states = {i["id"]: i["state"] for i in self.own("status")["instances"]}
            return all(states.get(instance) == state for instance in instances)

        until(reached, 120)

    def ssh(self, address: str, script: str, user: str = "admin") -> str:
        """Runs a script on the instance when its boot is over, and returns what it printed."""
        until(lambda: self._try(address, user, "cloud-init status --wait >/dev/null; true").returncode == 0, 120)
        ran = self._try(address, user, script)
        if ran.returncode != 0:
            raise AssertionError(f"`{script}` failed: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def printed(self) -> str:
        """The ends of all consoles and of the lab's own complaints: what explains a test that failed."""
        said = []
        for instance in self.own("status")["instances"]:
            console = self.aws("ec2", "get-console-output", "--instance-id", instance["id"], "--latest").get("Output", "")
            said.append(f"--- {instance['id']} {instance['state']} {instance['address']}\n{console[-4000:]}")
        complaints = Path(f"/proc/{self.process.pid}/fd/2").read_text("utf-8", "replace")
        return "\n".join([*said, "--- lab", complaints[-4000:]])

    def close(self, number: signal.Signals = signal.SIGTERM) -> None:
        """SIGTERM, as any service manager does it, or another; then nothing is left."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
        self.process.stdout.close()
        self.errors.close()

    def discard(self) -> None:
        """Closes, and removes the tests' own folder."""
        self.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def _try(self, address: str, user: str, script: str) -> subprocess.CompletedProcess[str]:
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=3",
                   "BatchMode=yes", "IdentitiesOnly=yes")  # fmt: skip
        flags = [word for option in options for word in ("-o", option)]
        return subprocess.run(
            ["ssh", *flags, "-i", str(self.key), f"{user}@{address}", "bash -s"], input=script, capture_output=True, text=True
        )

    def _import_key(self) -> None:
        self.aws(
            *("ec2", "import-key-pair", "--key-name", "acceptance"),
            *("--public-key-material", f"fileb://{self.key}.pub"),
        )

    def _place(self) -> list[str]:
        return ["--state", str(self.root), "--name", self.name]


def until(holds: Callable[[], bool], seconds: float) -> None:
    """Asks again until it holds."""
    limit = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        if time.monotonic() > limit:
            raise AssertionError(f"it did not come to hold within {seconds} s")
        pause.wait(0.2)


def answers(address: str, port: int) -> bool:
    """Whether something listens there."""
    try:
        with socket.create_connection((address, port), 1):
            return True
    except OSError:
        return False


_shared: list[Lab] = []


def shared() -> Lab:
    """One lab for all tests that leave nothing behind in it."""
    if not _shared:
        _shared.append(Lab())
        atexit.register(_shared[0].discard)
    return _shared[0]
