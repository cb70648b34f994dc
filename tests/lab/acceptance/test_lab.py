"""The lab itself: many instances, several labs, what it says about itself, and that nothing of it stays."""

from __future__ import annotations

import signal
import subprocess
import time
import unittest

from .lab import Lab, Refused, answers, shared, until
from .traces import traces


class Comings(unittest.TestCase):
    def test_twenty_instances_come_and_go_and_nothing_of_the_lab_stays(self) -> None:
        lab = Lab("twenty")
        self.addCleanup(lab.discard)
        ran = lab.aws(
            *("ec2", "run-instances", "--image-id", lab.base(), "--instance-type", "t3.micro", "--count", "20"),
        )["Instances"]
        ids = [i["InstanceId"] for i in ran]
        addresses = [i["PrivateIpAddress"] for i in ran]
        lab.let_in("default", 22)
        self.assertEqual(len(set(addresses)), 20)
        for address in addresses:
            until(lambda address=address: answers(address, 22), 180)
        self.assertGreaterEqual(len(traces(lab)["links"]), 20)
        lab.terminate(*ids)
        self.assertEqual(len([p for p in traces(lab).get("links", []) if "p" in p]), 1, "only the services' port is left")
        self.assertNotIn("control groups", traces(lab))
        self.assertFalse(any(answers(address, 22) for address in addresses))
        lab.close()
        self.assertEqual(traces(lab), {})

    def test_a_killed_lab_is_swept_by_the_next_one(self) -> None:
        lab = Lab("killed")
        self.addCleanup(lab.discard)
        _, address = lab.launch(lab.base())
        until(lambda: answers(address, 22), 60)
        lab.process.send_signal(signal.SIGKILL)
        lab.process.wait()
        self.assertIn("files", traces(lab))
        with self.assertRaises(AssertionError):
            Lab("killed", lab.root, "--cidr", "no block")
        self.assertEqual(traces(lab), {})

    def test_labs_stand_side_by_side(self) -> None:
        first, second = shared(), Lab("beside", None, "--latency-divisor", "20", "--no-default-vpc")
        self.addCleanup(second.discard)
        self.assertNotEqual(first.described["cidr"], second.described["cidr"])
        self.assertEqual(first.base(), second.base())
        with self.assertRaises(Refused) as caught:
            second.launch(second.base())
        self.assertEqual(caught.exception.code, "VPCIdNotSpecified")
        vpc = second.aws("ec2", "create-vpc", "--cidr-block", second.described["cidr"])["Vpc"]["VpcId"]
        block = second.described["cidr"].replace("0.0/16", "64.0/24")
        subnet = second.aws("ec2", "create-subnet", "--vpc-id", vpc, "--cidr-block", block)["Subnet"]["SubnetId"]
        began = time.monotonic()
        second.let_in("default", 22)
        _, address = second.launch(second.base(), "--subnet-id", subnet)
        self.assertEqual(second.ssh(address, "echo there"), "there\n")
        # 17 s and 26 s, divided: the machine itself is faster than that.
        self.assertGreater(time.monotonic() - began, (17 + 26) / 20)
        second.close(signal.SIGINT)
        self.assertEqual(traces(second), {})

    def test_a_lab_says_where_it_is_and_what_runs(self) -> None:
        lab = shared()
        instance, address = lab.launch(
            lab.base(), "--tag-specifications", "ResourceType=instance,Tags=[{Key=Name,Value=shown}]"
        )
        exports = dict(line.removeprefix("export ").split("=", 1) for line in lab.ask("env").splitlines())
        self.assertEqual(exports, lab.described["environment"])
        (line,) = [line for line in lab.ask("status").splitlines() if instance in line]
        for word in ("running", address, "t3.micro", "shown"):
            self.assertIn(word, line)
        lab.ssh(address, "true")
        argv = lab.own(f"console/{instance}")["argv"]
        script = "id -u; cat /var/lib/cloud/data/instance-id"
        said = subprocess.run([*argv, "-c", script], check=True, capture_output=True, text=True).stdout
        self.assertEqual(said.split(), ["0", instance])
        lab.terminate(instance)

    def test_misbehaviour_and_calls_can_be_looked_at_from_outside(self) -> None:
        lab = shared()
        mark = lab.own("calls?since=0")["mark"]
        lab.own("misbehaviour", {"throttle": 1, "seed": 7})
        try:
            with self.assertRaises(Refused) as caught:
                lab.aws("ec2", "describe-vpcs")
        finally:
            lab.own("misbehaviour", {"throttle": 0})
        self.assertEqual(caught.exception.code, "RequestLimitExceeded")
        calls = lab.own(f"calls?since={mark}")["calls"]
        self.assertEqual({(c["action"], c["code"]) for c in calls}, {("DescribeVpcs", "RequestLimitExceeded")})
        self.assertGreater(len(calls), 1, "the CLI retries")
