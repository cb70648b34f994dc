"""A control plane for tests, and boto3 clients of it."""

from __future__ import annotations

import contextlib
import json
import tempfile
import threading
import time
import unittest
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from kiln_lab.control import base_images
from kiln_lab.control.server import Server

from .imagined import Imagined

REGION = "eu-west-1"


class ControlCase(unittest.TestCase):
    """One server for all tests of the process: moto's state is the process's. Each test leaves no instance behind."""

    server: Server
    reality: Imagined

    @classmethod
    def setUpClass(cls) -> None:
        cls.reality, cls.server = shared()
        cls.ec2 = cls.client("ec2")
        cls.base = next(i.id for i in cls.server.backend.amis.values() if i.architecture == "x86_64" and i.is_public)

    @classmethod
    def client(cls, service: str, **over: Any) -> Any:
        """A boto3 client of the lab, without retries."""
        names = {
            "endpoint_url": cls.server.endpoint,
            "region_name": REGION,
            "aws_access_key_id": cls.server.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": cls.server.environment["AWS_SECRET_ACCESS_KEY"],
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return boto3.client(service, **{**names, **over})

    def run_one(self, **over: Any) -> str:
        """Launches one instance and returns its id; it is terminated after the test."""
        request = {"ImageId": self.base, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **over}
        instance = self.ec2.run_instances(**request)["Instances"][0]["InstanceId"]
        self.addCleanup(self.end, instance)
        return instance

    def end(self, instance: str) -> None:
        """Terminates an instance and waits for the end."""
        self.lab("misbehaviour", self.calm())
        try:
            self.ec2.terminate_instances(InstanceIds=[instance])
        except ClientError as error:
            self.assertEqual(error.response["Error"]["Code"], "InvalidInstanceID.NotFound")
            return
        self.until(lambda: self.state(instance) == "terminated")

    def describe(self, instance: str) -> dict[str, Any]:
        """What DescribeInstances says about it."""
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def state(self, instance: str) -> str:
        """Its state's name."""
        return self.describe(instance)["State"]["Name"]

    def until(self, holds: Callable[[], bool], seconds: float = 10) -> None:
        """Asks again and again until it holds."""
        limit = time.monotonic() + seconds
        pause = threading.Event()
        while not holds():
            self.assertLess(time.monotonic(), limit, "it did not come to hold")
            pause.wait(0.01)

    @contextlib.contextmanager
    def refused(self, code: str, words: str = "") -> Iterator[None]:
        """Expects EC2's error `code`, whose message has `words`."""
        with self.assertRaises(ClientError) as caught:
            yield
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], code, error)
        self.assertIn(words, error["Message"])

    def lab(self, path: str, change: dict[str, Any] | None = None) -> Any:
        """Asks the lab's own endpoint."""
        data = None if change is None else json.dumps(change).encode()
        with urllib.request.urlopen(f"{self.server.endpoint}/_lab/{path}", data=data) as answer:
            return json.load(answer)

    def misbehave(self, **change: Any) -> None:
        """Changes the misbehaviour until the end of the test."""
        self.addCleanup(self.lab, "misbehaviour", self.calm())
        self.lab("misbehaviour", change)

    @staticmethod
    def calm() -> dict[str, Any]:
        """No misbehaviour."""
        return {"latency_divisor": 0, "visibility": 0, "throttle": 0, "expired_credentials": False, "no_capacity": []}


_shared: list[tuple[Imagined, Server]] = []


def shared() -> tuple[Imagined, Server]:
    """The process's server."""
    if not _shared:
        reality = Imagined()
        state = Path(tempfile.mkdtemp(prefix="kiln-lab-control-"))
        server = Server(reality, state, REGION)
        reality.on_exit = server.plane.life.exited

        def publish(region: Any) -> None:
            base_images.register_foreign(region, base_images.register(region, "bookworm", state, "x86_64"), "arm64")

        server.offer(publish)
        server.start()
        _shared.append((reality, server))
    return _shared[0]
