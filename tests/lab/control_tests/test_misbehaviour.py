"""Latency, late visibility, throttling; and the record of calls."""

from __future__ import annotations

import time

from botocore.exceptions import ClientError

from kiln_lab.control.visibility import Visibility

from .case import ControlCase


class Misbehaviour(ControlCase):
    def test_latencies_are_ec2_s_divided(self) -> None:
        self.misbehave(latency_divisor=17)
        began = time.monotonic()
        instance = self.run_one()
        self.until(lambda: self.state(instance) == "running")
        running = time.monotonic() - began
        self.assertTrue(1.0 <= running < 1.5, running)
        self.misbehave(latency_divisor=58)
        self.until(lambda: instance in self.reality.machines.up)
        began = time.monotonic()
        self.ec2.stop_instances(InstanceIds=[instance])
        self.assertEqual(self.state(instance), "stopping")
        self.until(lambda: self.state(instance) == "stopped")
        stopped = time.monotonic() - began
        self.assertTrue(1.0 <= stopped < 1.5, stopped)

    def test_terminating_does_not_wait_for_a_launch(self) -> None:
        self.misbehave(latency_divisor=0.01)
        instance = self.run_one()
        self.lab("misbehaviour", self.calm())
        self.end(instance)
        self.assertNotIn(("start", instance), self.reality.machines.history)

    def test_new_objects_are_seen_late_and_at_last_always(self) -> None:
        self.misbehave(visibility=1.0, seed=3)
        instance = self.run_one()
        answers = set()
        limit = time.monotonic() + 1.2
        while time.monotonic() < limit:
            try:
                self.describe(instance)
                answers.add("seen")
            except ClientError as error:
                answers.add(error.response["Error"]["Code"])
                listed = self.ec2.describe_instances()["Reservations"]
                if instance not in [i["InstanceId"] for r in listed for i in r["Instances"]]:
                    answers.add("missing from the list")
        self.assertEqual(answers, {"seen", "InvalidInstanceID.NotFound", "missing from the list"})
        for _ in range(20):
            self.describe(instance)

    def test_visibility_is_drawn_from_the_seed(self) -> None:
        def draws(seed: int) -> list[bool]:
            visibility = Visibility(60, seed)
            visibility.born("i-1")
            visibility._seen_from["i-1"][0] = 0.0
            answers = []
            for _ in range(30):
                visibility.next_call()
                answers.append(visibility.hides("i-1"))
            return answers

        self.assertEqual(draws(1), draws(1))
        self.assertNotEqual(draws(1), draws(2))
        self.assertEqual(set(draws(1)), {True, False})

    def test_throttled_calls_say_so_and_come_from_the_seed(self) -> None:
        def refused(seed: int) -> list[bool]:
            self.misbehave(throttle=0.5, seed=seed)
            answers = []
            for _ in range(20):
                try:
                    self.ec2.describe_instances()
                    answers.append(False)
                except ClientError as error:
                    self.assertEqual(error.response["Error"]["Code"], "RequestLimitExceeded")
                    self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 503)
                    answers.append(True)
            return answers

        first = refused(1)
        self.assertEqual(refused(1), first)
        self.assertNotEqual(refused(2), first)
        self.assertEqual(set(first), {True, False})

    def test_calls_are_recorded_without_secrets(self) -> None:
        mark = self.lab("calls?since=0")["mark"]
        instance = self.run_one(UserData="password: hunter2", ClientToken="for the record")
        with self.refused("InvalidKeyPair.NotFound"):
            self.run_one(KeyName="nobody")
        self.client("ssm").put_parameter(Name="/p", Value="hunter2", Type="String")
        record = self.lab(f"calls?since={mark}")
        calls = [(c["service"], c["action"], c["status"], c["code"]) for c in record["calls"]]
        self.assertEqual(
            calls,
            [
                ("ec2", "RunInstances", 200, None),
                ("ec2", "RunInstances", 400, "InvalidKeyPair.NotFound"),
                ("ssm", "PutParameter", 200, None),
            ],
        )
        self.assertEqual(record["mark"], mark + 3)
        self.assertEqual(record["calls"][0]["parameters"]["ClientToken"], "for the record")
        self.assertEqual(record["calls"][0]["parameters"]["ImageId"], self.base)
        self.assertNotIn("hunter2", str(record))
        self.assertNotIn("aHVudGVy", str(record))
        self.assertIn(instance, [i["id"] for i in self.lab("status")["instances"]])


class Discovery(ControlCase):
    def test_the_base_image_is_found_by_owner_and_name(self) -> None:
        images = self.ec2.describe_images(
            Owners=["136693071363"],
            Filters=[
                {"Name": "name", "Values": ["debian-12-amd64-*"]},
                {"Name": "architecture", "Values": ["x86_64"]},
                {"Name": "root-device-type", "Values": ["ebs"]},
                {"Name": "virtualization-type", "Values": ["hvm"]},
                {"Name": "state", "Values": ["available"]},
            ],
        )["Images"]
        self.assertEqual([i["ImageId"] for i in images], [self.base])
        self.assertRegex(images[0]["Name"], r"^debian-12-amd64-\d{8}-\d{4}$")
        self.assertEqual((images[0]["RootDeviceName"], images[0]["ImdsSupport"]), ("/dev/xvda", "v2.0"))

    def test_the_base_image_is_found_by_its_public_parameter(self) -> None:
        path = "/aws/service/debian/release/12/latest/amd64"
        parameter = self.client("ssm").get_parameter(Name=path)["Parameter"]
        self.assertEqual((parameter["Value"], parameter["DataType"]), (self.base, "aws:ec2:image"))

    def test_nothing_else_is_there(self) -> None:
        self.assertEqual(len(self.ec2.describe_images()["Images"]), 2)
        self.assertEqual(self.ec2.describe_images(Owners=["amazon"])["Images"], [])

    def test_the_default_vpc_is_the_lab_s_network(self) -> None:
        (vpc,) = self.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        self.assertEqual(vpc["CidrBlock"], self.reality.cidr)
        subnets = self.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
        self.assertEqual(
            sorted((s["AvailabilityZone"], s["CidrBlock"], s["MapPublicIpOnLaunch"]) for s in subnets),
            [
                ("eu-west-1a", "172.29.0.0/20", True),
                ("eu-west-1b", "172.29.16.0/20", True),
                ("eu-west-1c", "172.29.32.0/20", True),
            ],
        )
        # A region is made when it is first asked for something.
        self.server.plane.default_vpc = False
        self.addCleanup(setattr, self.server.plane, "default_vpc", True)
        elsewhere = self.client("ec2", region_name="eu-central-1")
        self.assertEqual(elsewhere.describe_vpcs()["Vpcs"], [])
        with self.refused("VPCIdNotSpecified", "No default VPC for this user"):
            elsewhere.create_security_group(GroupName="g", Description="d")
